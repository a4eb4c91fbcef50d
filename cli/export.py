"""`powerfill export`: every report of a run in a directory, for other programs."""

import asyncio
import contextlib
import json
from pathlib import Path
from typing import Annotated, Any

import typer
from powerfill.common.v1.run_status_pb2 import RunStatus
from powerfill.report.v1.report_pb2 import ReportHeader, ReportQuery
from powerfill.run.v1.run_pb2 import Run

from cli import arguments
from cli.clients import ReportClient, RunClient, Target, report_client, run_client
from cli.console import count, print_json, say, stdout
from cli.exit_codes import CommandError, UsageError
from cli.report_files import save_report
from cli.report_pages import REPORTS
from cli.report_text import header_lines
from cli.run_summary import status_word
from cli.whole_files import whole_directory
from cli.wire import run_json

RUN_FILE = "run.json"
EXPORTED = tuple(name for name in REPORTS if name not in ("run_log", "run_overview"))
"""The reports of an export: those that are a run's result."""
FILES = {f"{name}.parquet" for name in REPORTS} | {RUN_FILE}
"""What an export holds, now or in another version; a directory with anything else is nobody's export."""

app = typer.Typer()


@app.command()
def export(
    tenant_id: arguments.TenantId,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where to put it; an earlier export there is replaced.")],
    run_id: arguments.RunOption = "",
    server: arguments.Server = "",
    report_server: arguments.ReportServer = "",
    local: arguments.Local = False,
    registry: arguments.Registry = None,
    as_json: arguments.AsJson = False,
) -> None:
    """Write every report of a complete run as Parquet, and run.json with its options and summary.

    The same content gives the same bytes: rows are sorted by key, and no file but run.json holds run ids or times.

    Example: powerfill export demo --out ./demo-export
    """
    refuse_strangers(out)
    target = Target.of(server=server, report_server=report_server, local=local, registry=registry)
    with whole_directory(out) as directory:
        run, headers = asyncio.run(_export(target, tenant_id, run_id, directory))
        (directory / RUN_FILE).write_text(json.dumps(run_json(run), indent=2) + "\n", encoding="utf-8")
    rows = {name: header.row_count for name, header in headers.items()}
    if as_json:
        print_json({"directory": str(out), "run_id": run.run_id, "rows": rows})
        return
    headline, *remarks = header_lines("export", tenant_id, headers[EXPORTED[0]])
    say(stdout(), f"{headline.rpartition(':')[0]} is in {out}: {', '.join(f'{name} {count(n)}' for name, n in rows.items())}")
    for remark in remarks:
        say(stdout(), remark)


def refuse_strangers(directory: Path) -> None:
    """Raises UsageError for a path that is neither free nor an earlier export."""
    if not directory.exists():
        return
    if not directory.is_dir():
        raise UsageError(f"--out {directory} is a file; it must be a directory to be made, or that of an earlier export")
    there = {path.name for path in directory.iterdir()}
    strangers = sorted(there - FILES)
    if strangers:
        raise UsageError(f"--out {directory} is no earlier export: it holds {strangers[0]!r}; choose another directory")
    if there and not _is_run_file(directory / RUN_FILE):
        raise UsageError(f"--out {directory} is no earlier export: it has no {RUN_FILE} of one; choose another directory")


async def _export(target: Target, tenant_id: str, run_id: str, directory: Path) -> tuple[Run, dict[str, ReportHeader]]:
    async with contextlib.AsyncExitStack() as stack:
        reports = await stack.enter_async_context(report_client(target, tenant_id))
        runs = await stack.enter_async_context(run_client(target, tenant_id))
        return await _export_run(runs, reports, run_id, directory)


async def _export_run(
    runs: RunClient, reports: ReportClient, run_id: str, directory: Path
) -> tuple[Run, dict[str, ReportHeader]]:
    """Write the reports of a complete run: the one asked for, or the one that is the latest when the first report is read."""
    headers: dict[str, ReportHeader] = {}
    for name in EXPORTED:
        with (directory / f"{name}.parquet").open("xb") as file:
            header = await save_report(reports, name, "PARQUET", ReportQuery(run_id=run_id), file)
        if not header.run_id:
            raise CommandError(f"{runs.tenant_id} has no complete run yet; `powerfill run {runs.tenant_id}` makes one")
        if header.status != RunStatus.RUN_STATUS_COMPLETE:
            raise _not_complete(await runs.get(header.run_id))
        if run_id and header.run_id != run_id:
            raise CommandError(f"the server sent {name} of run {header.run_id} instead of {run_id}")
        headers[name], run_id = header, header.run_id
    return await runs.get(run_id), headers


def _not_complete(run: Run) -> CommandError:
    why = f" in {run.failure.step}: {run.failure.message}" if run.HasField("failure") else ""
    return CommandError(f"run {run.run_id} is {status_word(run)}{why}; only a complete run can be exported")


def _is_run_file(path: Path) -> bool:
    try:
        document: Any = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return False
    return isinstance(document, dict) and {"run_id", "options", "summary"} <= document.keys()
