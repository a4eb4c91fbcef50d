"""The run overview: a row per run of the tenant, newest first, and what is said of all of them beside the first page."""

import dataclasses
import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.report_service.reports import base, notes
from services.report_service.reports.cells import Cells
from services.report_service.reports.columns import Column, Columns, plain, unset_if_empty
from services.report_service.reports.freshness import RunStatus
from services.report_service.reports.order import Ordering
from services.report_service.reports.run_figures import FIGURES, figures
from services.report_service.reports.runs import FoundRun, find_latest
from shared.database.tables import AUDIT_TABLES
from shared.tenancy.database import ReadOnlyTenantDatabase

Params = base.Params

TREND_RUNS = 100
"""Runs that the trend shows."""


class Row(TypedDict):
    """One run and its figures as far as it came: decimals as text, amounts in dollars."""

    run_id: str
    status: str
    requested_by: str
    replay_of: str | None
    as_of_date: dt.date | None
    strategy: str | None
    priority_mode: str | None
    submitted_at: dt.datetime
    started_at: dt.datetime | None
    ended_at: dt.datetime | None
    duration: dt.timedelta | None
    in_scope_count: int | None
    in_scope_amount: str | None
    candidate_count: int | None
    allocated_count: int | None
    allocated_amount: str | None
    kicked_out_count: int | None
    trades_filled: int | None
    trades_underfilled: int | None
    trades_filled_pct: str | None
    allocated_pct: str | None
    total_pair_off: str | None
    value: str | None
    baseline_value: str | None
    upper_bound: str | None
    gap_amount: str | None
    gap_bp: str | None
    failure_step: str | None
    failure_message: str | None


class TrendPoint(TypedDict):
    """One complete run on the way of value and fill over time."""

    run_id: str
    as_of_date: dt.date | None
    ended_at: dt.datetime | None
    value: str | None
    gain: str | None
    gap_bp: str | None
    trades_filled_pct: str | None
    allocated_pct: str | None


def statement(tenant_id: str, params: Params) -> sa.Select[Any]:
    """The rows of a page: those of the tenant's runs, or of one run alone, and what their figures are in."""
    return _statement(params, *_runs(tenant_id, params))


def status_statement(tenant_id: str, params: Params) -> sa.Select[Any]:
    """How many of the runs selected are in each status."""
    selected = base.selection(REPORT, params, *_runs(tenant_id, params))
    return sa.select(_HISTORY.c.status, sa.func.count().label("run_count")).where(*selected).group_by(_HISTORY.c.status)


def trend_statement(tenant_id: str, params: Params) -> sa.Select[Any]:
    """The latest complete runs of those selected, newest first, replays left out."""
    latest = Params(page_size=TREND_RUNS, columns=tuple(TrendPoint.__annotations__), filter=params.filter)
    ordinary = _HISTORY.c.replay_of == ""
    return _statement(latest, *_runs(tenant_id, params), ordinary, _HISTORY.c.status == RunStatus.COMPLETE.value)


async def fetch(database: ReadOnlyTenantDatabase, params: Params) -> base.Page:
    """A page of the overview, its header that of the latest complete run, all of one moment.

    Raises NOT_FOUND (RUN_NOT_FOUND) and what the connection raises (SCHEMA_VERSION, TENANT_UNAVAILABLE).
    """
    tenant_id = database.tenant_id
    async with database.connect() as connection:
        await base.check_schema(connection, tenant_id)
        found = await find_latest(connection, tenant_id, params.run_id)
        rows = (await connection.execute(statement(tenant_id, params))).all()
        beside: dict[str, Mapping[str, Cells]] = {}
        if params.after is None:
            beside = await _beside(connection, tenant_id, params, found)
        row_count = params.row_count
        if row_count is None:
            row_count = sum(beside["status_distribution"]["run_count"])
        told = () if row_count else (await _why_empty(connection, tenant_id, params, found),)
    after = base.cut(REPORT, params, rows)[1]
    later = None if after is None else dataclasses.replace(params, after=after, row_count=row_count)
    return base.Page(base.Header(found.run, found.verdict, row_count, told), _shown(params, rows), later, beside)


async def _beside(connection: AsyncConnection, tenant_id: str, params: Params, found: FoundRun) -> dict[str, Mapping[str, Cells]]:
    """What the first page shows of all runs selected, and the latest complete run."""
    counts = {row.status: row.run_count for row in await connection.execute(status_statement(tenant_id, params))}
    statuses = [status for status in RunStatus if status in counts]
    trend = (await connection.execute(trend_statement(tenant_id, params))).all()[:TREND_RUNS]
    beside: dict[str, Mapping[str, Cells]] = {
        "status_distribution": {"status": statuses, "run_count": [counts[status] for status in statuses]},
        "trend": _columns(tuple(TrendPoint.__annotations__), trend[::-1]),
    }
    if found.run is not None:
        latest = Params(run_id=found.run.run_id, page_size=1)
        rows = (await connection.execute(statement(tenant_id, latest))).all()
        beside["latest_run"] = _shown(latest, rows)
    return beside


async def _why_empty(connection: AsyncConnection, tenant_id: str, params: Params, found: FoundRun) -> notes.Note:
    if params.filter is not None:
        everything = dataclasses.replace(params, filter=None)
        counted = base.count_statement(REPORT, everything, *_runs(tenant_id, everything))
        run_count = (await connection.execute(counted)).scalar_one()
        if run_count:
            return notes.filter_matches_nothing(run_count)
    return notes.no_run_yet(found.attempt)


def _statement(params: Params, *conditions: sa.ColumnElement[bool]) -> sa.Select[Any]:
    own = (_HISTORY.c[name].label(f"own_{name}") for name in ("options", "summary", "started_at_utc", "ended_at_utc"))
    return base.page_statement(REPORT, params, *conditions).add_columns(*own)


def _runs(tenant_id: str, params: Params) -> list[sa.ColumnElement[bool]]:
    own = _HISTORY.c.tenant_id == tenant_id
    return [own, _HISTORY.c.run_id == params.run_id] if params.run_id else [own]


def _shown(params: Params, rows: Sequence[sa.Row[Any]]) -> dict[str, Cells]:
    return _columns(REPORT.chosen(params), rows[: params.page_size])


def _columns(names: Sequence[str], rows: Sequence[sa.Row[Any]]) -> dict[str, Cells]:
    """These columns of rows: as they are stored, or among the figures."""
    made = [figures(row.own_options, row.own_summary, row.own_started_at_utc, row.own_ended_at_utc) for row in rows]
    return {name: [one[name] for one in made] if name in FIGURES else [getattr(row, name) for row in rows] for name in names}


_HISTORY = AUDIT_TABLES["pfill_run_history"]
_STORED: Columns = {
    "run_id": plain(_HISTORY.c.run_id),
    "status": plain(_HISTORY.c.status),
    "requested_by": unset_if_empty(_HISTORY.c.requested_by),
    "replay_of": unset_if_empty(_HISTORY.c.replay_of),
    "submitted_at": plain(_HISTORY.c.submitted_at_utc),
    "started_at": plain(_HISTORY.c.started_at_utc),
    "ended_at": plain(_HISTORY.c.ended_at_utc),
    "failure_step": unset_if_empty(_HISTORY.c.failure_step),
    "failure_message": unset_if_empty(_HISTORY.c.failure_message),
}

REPORT = base.Report(
    table=_HISTORY,
    key=(Ordering("submitted_at", descending=True), Ordering("run_id", descending=True)),
    columns={name: _STORED[name] if name in _STORED else Column(FIGURES[name]) for name in Row.__annotations__},
)
