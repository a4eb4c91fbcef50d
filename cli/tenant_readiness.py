"""What is in a tenant's database, and whether the run service would start a run on it."""

import asyncio
import dataclasses
from pathlib import Path

from powerfill.run.v1.preflight_pb2 import Finding, Severity
from powerfill.run.v1.run_service_pb2 import CheckReadinessResponse
from rich.console import Console

from cli.clients import Target, run_client
from cli.console import count, print_error, print_json, say, stdout
from cli.text_table import Column, print_table
from cli.wire import message_json
from shared.database.check import DatabaseState
from shared.database.tables import SCHEMA_REVISION


def report(state: DatabaseState, registry: Path | None, *, as_json: bool) -> bool:
    """Print what was found of a database; gives whether a run would start on it.

    The preflight checks are the run service's, hosted for them in this process; where PowerFill's own tables are not those
    of this version, it is not asked.
    """
    if state.own_errors:
        errors, warnings, answer = state.errors, state.warnings, CheckReadinessResponse()
    else:
        errors, warnings, answer = [], [], asyncio.run(_ask(state.tenant_id, registry))
    ready = not errors and answer.ready
    if as_json:
        facts = {"expected_revision": SCHEMA_REVISION, "errors": errors, "warnings": warnings, "ready": ready}
        print_json(dataclasses.asdict(state) | facts | {"findings": [message_json(finding) for finding in answer.findings]})
        return ready
    console = stdout()
    _print_tables(console, state)
    for warning in warnings:
        say(console, f"warning: {warning}")
    for error in errors:
        print_error(error)
    for finding in answer.findings:
        _print_finding(console, finding)
    if ready:
        say(console, f"{state.tenant_id} is ready")
    return ready


async def _ask(tenant_id: str, registry: Path | None) -> CheckReadinessResponse:
    async with run_client(Target.of(local=True, registry=registry), tenant_id) as client:
        return await client.check_readiness()


def _print_tables(console: Console, state: DatabaseState) -> None:
    tables = state.tables
    rows = ["no table" if table.row_count is None else count(table.row_count) for table in tables]
    missing = [", ".join((*table.missing_columns, *table.missing_optional_columns)) for table in tables]
    columns = [
        Column("table", [table.name for table in tables]),
        Column("owner", [table.owner for table in tables]),
        Column("rows", rows, is_figure=True),
        Column("missing columns", missing),
    ]
    print_table(console, columns)
    say(console, f"revision {state.revision or 'none'}")


def _print_finding(console: Console, finding: Finding) -> None:
    examples = f" ({', '.join(finding.examples)})" if finding.examples else ""
    text = f"{finding.code} {finding.subject}: {finding.message}{examples}"
    if finding.severity == Severity.SEVERITY_ERROR:
        print_error(text, [finding.remedy] if finding.remedy else [])
    else:
        say(console, f"warning: {text}{f'; {finding.remedy}' if finding.remedy else ''}")
