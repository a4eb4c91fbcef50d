"""Finding the run a report answers for in `pfill_run_history`, and the other runs its freshness depends on."""

import datetime as dt
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.report_service.reports.freshness import OtherRun, ReportedRun, RunStatus, Verdict, judge
from shared.database.tables import ACTIVE_STATUSES, AUDIT_TABLES
from shared.errors import Category, PowerFillError, Reason, run_not_found

_Row = Mapping[str, Any]

_HISTORY = AUDIT_TABLES["pfill_run_history"]
_NEWEST_FIRST = (_HISTORY.c.submitted_at_utc.desc(), _HISTORY.c.run_id.desc())
_OWN = _HISTORY.c.tenant_id == sa.bindparam("tenant_id")
_ORDINARY = sa.and_(_OWN, _HISTORY.c.replay_of == "")
_REPORTED = sa.select(
    _HISTORY.c.run_id,
    _HISTORY.c.status,
    _HISTORY.c.options,
    _HISTORY.c.output_counts,
    _HISTORY.c.submitted_at_utc,
    _HISTORY.c.ended_at_utc,
    _HISTORY.c.failure_step,
    _HISTORY.c.failure_message,
    _HISTORY.c.summary,
    _HISTORY.c.outputs_removed,
)

_BY_ID = _REPORTED.where(_OWN, _HISTORY.c.run_id == sa.bindparam("run_id"))
_LATEST_COMPLETE = _REPORTED.where(_ORDINARY, _HISTORY.c.status == RunStatus.COMPLETE.value).order_by(*_NEWEST_FIRST).limit(1)
_ATTEMPT_AFTER = (
    sa.select(_HISTORY.c.run_id, _HISTORY.c.status, _HISTORY.c.failure_step)
    .where(
        _ORDINARY,
        _HISTORY.c.submitted_at_utc >= sa.bindparam("moment"),
        sa.or_(_HISTORY.c.submitted_at_utc > sa.bindparam("moment"), _HISTORY.c.run_id > sa.bindparam("run_id")),
    )
    .order_by(sa.case((_HISTORY.c.status.in_(ACTIVE_STATUSES), 0), else_=1), *_NEWEST_FIRST)
    .limit(1)
)
"""The active run, else the newest, of those submitted after a moment, or in it with a greater run_id."""
_BEFORE_ALL_RUNS = {"submitted_at_utc": dt.datetime(1, 1, 1, tzinfo=dt.UTC), "run_id": ""}


@dataclass(frozen=True)
class FoundRun:
    """The run a report answers for (None: there is no complete one), its verdict, and the tenant's attempt after its current run.

    `attempt` is the active run, else the latest that failed or was cancelled after the current run; replays do not count.
    """

    run: ReportedRun | None
    verdict: Verdict
    attempt: OtherRun | None


async def find_run(connection: AsyncConnection, tenant_id: str, run_id: str) -> FoundRun:
    """The run of that id, or the tenant's latest complete one where `run_id` is empty.

    Raises NOT_FOUND: RUN_NOT_FOUND for a run the tenant does not have, RUN_EXPIRED for one whose outputs retention removed.
    """
    latest = await _first(connection, _LATEST_COMPLETE, {"tenant_id": tenant_id})
    asked = await _asked(connection, tenant_id, run_id) if run_id else latest
    if asked is not None and asked["outputs_removed"]:
        raise _run_expired(asked["run_id"], tenant_id)
    return await _judged(connection, tenant_id, asked, latest)


async def find_latest(connection: AsyncConnection, tenant_id: str, run_id: str) -> FoundRun:
    """The tenant's latest complete run, whether or not its outputs are still there.

    Raises NOT_FOUND (RUN_NOT_FOUND) where `run_id` is given and the tenant does not have that run.
    """
    if run_id:
        await _asked(connection, tenant_id, run_id)
    latest = await _first(connection, _LATEST_COMPLETE, {"tenant_id": tenant_id})
    return await _judged(connection, tenant_id, latest, latest)


async def _judged(connection: AsyncConnection, tenant_id: str, asked: _Row | None, latest: _Row | None) -> FoundRun:
    after = latest or _BEFORE_ALL_RUNS
    position = {"moment": after["submitted_at_utc"], "run_id": after["run_id"]}
    attempt = _other(await _first(connection, _ATTEMPT_AFTER, {"tenant_id": tenant_id, **position}))
    run = None if asked is None else _reported(asked)
    return FoundRun(run, judge(run, _other(latest), attempt), attempt)


async def _asked(connection: AsyncConnection, tenant_id: str, run_id: str) -> _Row:
    row = await _first(connection, _BY_ID, {"tenant_id": tenant_id, "run_id": run_id})
    if row is None:
        raise run_not_found(run_id, tenant_id)
    return row


async def _first(connection: AsyncConnection, statement: sa.Select[Any], values: Mapping[str, object]) -> _Row | None:
    row: _Row | None = (await connection.execute(statement, values)).mappings().first()
    return row


def _reported(row: _Row) -> ReportedRun:
    return ReportedRun(
        run_id=row["run_id"],
        status=RunStatus(row["status"]),
        options=json.loads(row["options"]),
        ended_at=row["ended_at_utc"],
        failure_step=row["failure_step"],
        failure_message=row["failure_message"],
        summary=json.loads(row["summary"]),
        output_counts=json.loads(row["output_counts"]),
    )


def _other(row: _Row | None) -> OtherRun | None:
    return None if row is None else OtherRun(row["run_id"], RunStatus(row["status"]), row["failure_step"])


def _run_expired(run_id: str, tenant_id: str) -> PowerFillError:
    show = f"`powerfill runs show {tenant_id} {run_id}`"
    message = f"the outputs of run {run_id!r} were removed by retention; its history remains, {show}"
    return PowerFillError(Category.NOT_FOUND, Reason.RUN_EXPIRED, message, {"run_id": run_id})
