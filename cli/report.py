"""`powerfill report`: one report of a run, on the terminal or in a file."""

import asyncio
import enum
import sys
from pathlib import Path
from typing import Annotated

import typer
from google.protobuf.field_mask_pb2 import FieldMask
from powerfill.report.v1.report_pb2 import ReportHeader, ReportQuery

from cli import arguments
from cli.clients import ReportClient, Target, report_client
from cli.console import count, print_json, say, stderr, stdout
from cli.exit_codes import UsageError
from cli.pointed_errors import pointed
from cli.report_files import save_report
from cli.report_pages import REPORTS, ReportRows, json_beside, json_rows, read_report
from cli.report_text import header_lines, print_report
from cli.whole_files import whole_file
from cli.wire import header_json
from shared.rpc.status import ReceivedError


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
    form: Annotated[Format, typer.Option("--format", help="A file has every row and column, exact.")] = Format.TABLE,
    only: Annotated[
        str,
        typer.Option(
            "--filter",
            metavar="EXPRESSION",
            help="Only the rows for which it holds, for example 'loan_amount > 250000 AND pool_action = \"JOINING\"'.",
            show_default=False,
        ),
    ] = "",
    order_by: Annotated[
        str,
        typer.Option(
            metavar="A,B", help="In the order of these columns, for example 'loan_amount desc, loan_id'.", show_default=False
        ),
    ] = "",
    limit: Annotated[int, typer.Option(min=0, help="At most so many rows of a table; 0: all.")] = 0,
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

    Example: powerfill report allocation_guide demo --format xlsx --out guide.xlsx
    """
    _check(name, form, out, limit, as_json)
    wanted = _columns(name, columns)
    query = ReportQuery(run_id=run_id, filter=only, order_by=order_by, read_mask=FieldMask(paths=wanted))
    target = Target.of(server=server, report_server=report_server, local=local, registry=registry)
    try:
        if form != Format.TABLE:
            header = asyncio.run(_save(target, tenant_id, name, form, query, out))
            for line in header_lines(name, tenant_id, header):
                say(stderr(), line)
            if out is not None:
                say(stderr(), f"{count(header.row_count)} rows in {out}")
            return
        found = asyncio.run(_read(target, tenant_id, name, query, limit))
    except ReceivedError as error:
        raise pointed(error, query) from None
    if as_json:
        beside = json_beside(name, found.beside)
        print_json({"header": header_json(found.header), "rows": json_rows(found.columns), **beside})
    else:
        print_report(stdout(), name, tenant_id, found, all_columns=bool(wanted))


async def _read(target: Target, tenant_id: str, name: str, query: ReportQuery, limit: int) -> ReportRows:
    async with report_client(target, tenant_id) as client:
        return await read_report(client, name, query, limit)


async def _save(target: Target, tenant_id: str, name: str, form: Format, query: ReportQuery, out: Path | None) -> ReportHeader:
    async with report_client(target, tenant_id) as client:
        return await _save_with(client, name, form.name, query, out)


async def _save_with(client: ReportClient, name: str, form: str, query: ReportQuery, out: Path | None) -> ReportHeader:
    if out is not None:
        with whole_file(out) as file:
            return await save_report(client, name, form, query, file)
    header = await save_report(client, name, form, query, sys.stdout.buffer)
    sys.stdout.buffer.flush()
    return header


def _check(name: str, form: Format, out: Path | None, limit: int, as_json: bool) -> None:
    if name not in REPORTS:
        raise UsageError(f"there is no report {name!r}; there are {', '.join(REPORTS)}")
    if as_json and (form != Format.TABLE or out):
        raise UsageError("--json prints the report; it goes with neither --format nor --out")
    if form in (Format.PARQUET, Format.XLSX) and out is None:
        raise UsageError(f"--format {form} needs --out FILE")
    if form == Format.TABLE and out is not None:
        raise UsageError("--out needs --format csv, parquet or xlsx")
    if form != Format.TABLE and limit:
        raise UsageError("--limit is for tables and --json; a file has all rows, --filter chooses among them")


def _columns(name: str, text: str) -> tuple[str, ...]:
    wanted = tuple(column.strip() for column in text.split(",") if column.strip())
    there = REPORTS[name].fields
    unknown = [column for column in wanted if column not in there]
    if unknown:
        raise UsageError(f"{name} has no column {unknown[0]!r}; it has {', '.join(there)}")
    return wanted
