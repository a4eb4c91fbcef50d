"""`powerfill report`: one report of a run, on the terminal or in a file."""

import asyncio
import enum
import io
import sys
from pathlib import Path
from typing import Annotated

import polars as pl
import typer

from cli import arguments
from cli.clients import Target, report_client
from cli.console import print_json, say, stderr, stdout
from cli.exit_codes import CommandError, UsageError
from cli.report_pages import REPORTS, ReportRows, json_rows, read_report
from cli.report_text import header_lines, print_report
from cli.whole_files import write_whole
from cli.wire import header_json

FORMULA_START = r"^([=+\-@\t\r])"
"""How a text begins that a spreadsheet would take for a formula."""


class Format(enum.StrEnum):
    """How a report is written."""

    TABLE = "table"
    CSV = "csv"
    PARQUET = "parquet"
    XLSX = "xlsx"


app = typer.Typer()


@app.command(epilog=f"Reports: {', '.join(REPORTS)}.")
def report(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The report.", show_default=False)],
    tenant_id: arguments.TenantId,
    run_id: arguments.RunOption = "",
    form: Annotated[Format, typer.Option("--format", help="csv and parquet have every column and exact values.")] = Format.TABLE,
    limit: Annotated[int, typer.Option(min=0, help="At most so many rows; 0: all.")] = 0,
    columns: Annotated[
        str, typer.Option(metavar="A,B", help="Only these columns, however wide the terminal.", show_default=False)
    ] = "",
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Write to this file.", show_default=False)] = None,
    server: arguments.Server = "",
    report_server: arguments.ReportServer = "",
    local: arguments.Local = False,
    registry: arguments.Registry = None,
    as_json: arguments.AsJson = False,
) -> None:
    """Print a report of a run, or write it to a file.

    Above the table stands how fresh it is. A table shows the columns that fit the terminal and says which it hides.

    Example: powerfill report kickouts demo --limit 20

    Example: powerfill report allocation_guide demo --format csv --out guide.csv
    """
    _check(name, form, out, as_json)
    wanted = _columns(name, columns)
    target = Target.of(server=server, report_server=report_server, local=local, registry=registry)
    found = asyncio.run(_read(target, name, tenant_id, run_id, limit, wanted))
    if as_json:
        print_json({"header": header_json(found.header), "rows": json_rows(found.rows)})
    elif form == Format.TABLE:
        print_report(stdout(), name, tenant_id, found, all_columns=bool(wanted))
    else:
        for line in header_lines(name, tenant_id, found.header):
            say(stderr(), line)
        _write(found.rows, form, out)


async def _read(target: Target, name: str, tenant_id: str, run_id: str, limit: int, columns: tuple[str, ...]) -> ReportRows:
    async with report_client(target, tenant_id) as client:
        return await read_report(client, name, run_id, limit, columns)


def _check(name: str, form: Format, out: Path | None, as_json: bool) -> None:
    if name not in REPORTS:
        raise UsageError(f"there is no report {name!r}; there are {', '.join(REPORTS)}")
    if form == Format.XLSX:
        raise CommandError("xlsx is not available yet; --format csv opens in a spreadsheet")
    if as_json and (form != Format.TABLE or out):
        raise UsageError("--json prints the report; it goes with neither --format nor --out")
    if form == Format.PARQUET and out is None:
        raise UsageError("--format parquet needs --out FILE")
    if form == Format.TABLE and out is not None:
        raise UsageError("--out needs --format csv or parquet")


def _columns(name: str, text: str) -> tuple[str, ...]:
    wanted = tuple(column.strip() for column in text.split(",") if column.strip())
    there = REPORTS[name].columns
    unknown = [column for column in wanted if there and column not in there]
    if unknown:
        raise UsageError(f"{name} has no column {unknown[0]!r}; it has {', '.join(there)}")
    return wanted


def _write(rows: pl.DataFrame, form: Format, out: Path | None) -> None:
    if form == Format.CSV:
        rows = harmless(rows)
        if out is None:
            _to_stdout(rows)
            return
    write_whole(out, rows.write_csv if form == Format.CSV else rows.write_parquet)  # type: ignore[arg-type]  # overloads
    say(stderr(), f"{rows.height} rows in {out}")


def harmless(rows: pl.DataFrame) -> pl.DataFrame:
    """Texts that a spreadsheet would take for a formula get an apostrophe before them."""
    return rows.with_columns(pl.col(pl.String).str.replace(FORMULA_START, "'${1}"))


def _to_stdout(rows: pl.DataFrame) -> None:
    buffer = io.BytesIO()
    rows.write_csv(buffer)
    sys.stdout.buffer.write(buffer.getvalue())
    sys.stdout.buffer.flush()
