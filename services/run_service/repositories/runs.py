"""The rows of `pfill_run_history`, and with each change the rows of `pfill_run_event`."""

import dataclasses
import datetime as dt
from collections.abc import Collection, Mapping

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.run_service.application.ports import (
    Changed,
    Clock,
    Decide,
    RunConflictError,
    RunCursor,
    RunPage,
    RunSelection,
    StoredRun,
)
from services.run_service.domain.events import Accepted, EventKind, RunEvent
from services.run_service.domain.life import Lease
from services.run_service.domain.run import ACTIVE, Run, RunRef, RunStatus
from services.run_service.repositories.event_rows import event_row
from services.run_service.repositories.run_rows import COLUMNS, HISTORY, IS_ACTIVE, is_run, run_of, run_row
from shared.database.tables import AUDIT_TABLES, OUTPUT_TABLES
from shared.errors import run_not_found
from shared.tenancy.connections import TenantConnections

_EVENTS = AUDIT_TABLES["pfill_run_event"]
_INPUTS, _LOG = AUDIT_TABLES["pfill_run_input"], OUTPUT_TABLES["pfill_powerfill_log"]
ANYTHING_STORED = HISTORY.c.run_id.in_(sa.union(sa.select(_INPUTS.c.run_id), sa.select(_LOG.c.run_id)))
"""Runs of which anything is stored: inputs are written first, the log is removed last, so one of the two is there."""


class SqlRuns:
    """`application.ports.RunRepository` over the tenants' databases."""

    def __init__(self, connections: TenantConnections, clock: Clock) -> None:
        self._connections, self._clock = connections, clock

    async def insert(self, run: Run, accepted: Accepted) -> RunEvent:
        """Record a new run with its first event, in one transaction. Raises RunConflictError and then writes nothing."""
        event = RunEvent(run.run_id, run.last_sequence, run.submitted_at, run.attempt, accepted)
        database = await self._connections.database(run.tenant_id)
        try:
            async with database.begin() as connection:
                await connection.execute(sa.insert(HISTORY), run_row(run))
                await connection.execute(sa.insert(_EVENTS), event_row(event))
        except sa.exc.IntegrityError as error:
            raise RunConflictError from error
        return event

    async def change(self, ref: RunRef, decide: Decide) -> Changed | None:
        """Read the run, decide, and write the row and its events, in one transaction that excludes other changes of the run."""
        database = await self._connections.database(ref.tenant_id)
        async with database.begin() as connection:
            await _lock(connection, ref)
            run = await _find(connection, ref)
            change = decide(run)
            if change is None:
                return None
            events = self._numbered(change.run, run.last_sequence, change.kinds)
            changed = dataclasses.replace(change.run, last_sequence=run.last_sequence + len(events))
            values = run_row(changed)
            if change.input_loan_ids is not None:
                values["input_loan_ids"] = change.input_loan_ids
            await connection.execute(sa.update(HISTORY).where(is_run(ref.tenant_id, ref.run_id)), values)
            if events:
                await connection.execute(sa.insert(_EVENTS), [event_row(event) for event in events])
        return Changed(changed, events)

    async def take_back(self, ref: RunRef) -> bool:
        """Remove a PENDING run and its events as if it had never been. False if it is no longer PENDING."""
        database = await self._connections.database(ref.tenant_id)
        async with database.begin() as connection:
            pending = sa.and_(is_run(ref.tenant_id, ref.run_id), HISTORY.c.status == RunStatus.PENDING.value)
            removed = await connection.execute(sa.delete(HISTORY).where(pending))
            if removed.rowcount:
                await connection.execute(sa.delete(_EVENTS).where(_EVENTS.c.run_id == ref.run_id))
        return removed.rowcount > 0

    async def get(self, ref: RunRef) -> Run:
        """The run as it stands. Raises RUN_NOT_FOUND."""
        database = await self._connections.database(ref.tenant_id)
        async with database.connect() as connection:
            return await _find(connection, ref)

    async def find_active(self, tenant_id: str) -> Run | None:
        """The tenant's active run."""
        return next(iter(await self._select(tenant_id, IS_ACTIVE)), None)

    async def find_latest_complete(self, tenant_id: str) -> Run | None:
        """The tenant's current run."""
        complete = sa.and_(HISTORY.c.tenant_id == tenant_id, HISTORY.c.status == RunStatus.COMPLETE.value)
        newest_first = HISTORY.c.submitted_at_utc.desc(), HISTORY.c.run_id.desc()
        statement = sa.select(*COLUMNS).where(complete, HISTORY.c.replay_of == "").order_by(*newest_first).limit(1)
        database = await self._connections.database(tenant_id)
        async with database.connect() as connection:
            row = (await connection.execute(statement)).mappings().first()
        return None if row is None else run_of(dict(row))

    async def find_by_request(self, tenant_id: str, request_id: str) -> Run | None:
        """The run that was submitted with this key."""
        return next(iter(await self._select(tenant_id, HISTORY.c.request_id == request_id)), None)

    async def find_free(self, tenant_id: str, now: dt.datetime) -> list[Run]:
        """The active runs that nobody holds at `now`."""
        until = HISTORY.c.lease_until_utc
        free = sa.or_(HISTORY.c.lease_owner == "", until.is_(None), until <= now)
        return await self._select(tenant_id, sa.and_(IS_ACTIVE, free))

    async def renew(self, tenant_id: str, run_ids: Collection[str], lease: Lease) -> Mapping[str, bool]:
        """Extend the lease of these runs where its owner still holds them and they are active."""
        mine = sa.and_(
            HISTORY.c.tenant_id == tenant_id, HISTORY.c.run_id.in_(list(run_ids)), HISTORY.c.lease_owner == lease.owner, IS_ACTIVE
        )
        database = await self._connections.database(tenant_id)
        async with database.begin() as connection:
            await connection.execute(sa.update(HISTORY).where(mine), {"lease_until_utc": lease.until})
            rows = await connection.execute(sa.select(HISTORY.c.run_id, HISTORY.c.cancel_requested).where(mine))
            return {row.run_id: row.cancel_requested for row in rows}

    async def page(self, tenant_id: str, selection: RunSelection, page_size: int, after: RunCursor | None) -> RunPage:
        """A page of the tenant's runs, newest first."""
        chosen = sa.and_(HISTORY.c.tenant_id == tenant_id, *_conditions(selection))
        submitted_at, run_id = HISTORY.c.submitted_at_utc, HISTORY.c.run_id
        statement = sa.select(*COLUMNS).where(chosen).order_by(submitted_at.desc(), run_id.desc()).limit(page_size + 1)
        if after is not None:
            older = submitted_at < after.submitted_at
            statement = statement.where(sa.or_(older, sa.and_(submitted_at == after.submitted_at, run_id < after.run_id)))
        database = await self._connections.database(tenant_id)
        async with database.connect() as connection:
            total = (await connection.execute(sa.select(sa.func.count()).select_from(HISTORY).where(chosen))).scalar_one()
            rows = (await connection.execute(statement)).mappings().all()
        runs = tuple(run_of(dict(row)) for row in rows[:page_size])
        more = RunCursor(runs[-1].submitted_at, runs[-1].run_id) if len(rows) > page_size else None
        return RunPage(runs, more, total)

    async def stored(self, tenant_id: str) -> list[StoredRun]:
        """The tenant's runs of which anything is stored, and its active run."""
        told = HISTORY.c.run_id, HISTORY.c.status, HISTORY.c.submitted_at_utc, HISTORY.c.replay_of, HISTORY.c.outputs_removed
        found: dict[str, StoredRun] = {}
        database = await self._connections.database(tenant_id)
        async with database.connect() as connection:
            for condition in (ANYTHING_STORED, IS_ACTIVE):
                rows = await connection.execute(sa.select(*told).where(HISTORY.c.tenant_id == tenant_id, condition))
                for run_id, status, submitted_at, replay_of, is_marked in rows:
                    found[run_id] = StoredRun(run_id, RunStatus(status), submitted_at, replay_of, is_marked)
        return list(found.values())

    async def mark_removed(self, ref: RunRef) -> bool:
        """Give the outputs and inputs of a run up, unless it is active or an active run replays it."""
        other = HISTORY.alias("other")
        replays = other.c.tenant_id == ref.tenant_id, other.c.status.in_(ACTIVE), other.c.replay_of == ref.run_id
        is_replayed = sa.exists().select_from(other).where(*replays)
        may_go = sa.and_(is_run(ref.tenant_id, ref.run_id), ~IS_ACTIVE, ~is_replayed)
        database = await self._connections.database(ref.tenant_id)
        async with database.begin() as connection:
            marked = await connection.execute(sa.update(HISTORY).where(may_go).values(outputs_removed=True))
        return marked.rowcount > 0

    async def _select(self, tenant_id: str, condition: sa.ColumnElement[bool]) -> list[Run]:
        database = await self._connections.database(tenant_id)
        async with database.connect() as connection:
            statement = sa.select(*COLUMNS).where(HISTORY.c.tenant_id == tenant_id, condition)
            return [run_of(dict(row)) for row in (await connection.execute(statement)).mappings()]

    def _numbered(self, run: Run, last_sequence: int, kinds: tuple[EventKind, ...]) -> tuple[RunEvent, ...]:
        now = self._clock.now()
        return tuple(
            RunEvent(run.run_id, sequence, now, run.attempt, kind) for sequence, kind in enumerate(kinds, last_sequence + 1)
        )


async def _lock(connection: AsyncConnection, ref: RunRef) -> None:
    """Take the row's lock by a write that changes nothing: the one way that every database has."""
    same = {"last_sequence": HISTORY.c.last_sequence}
    await connection.execute(sa.update(HISTORY).where(is_run(ref.tenant_id, ref.run_id)).values(same))


async def _find(connection: AsyncConnection, ref: RunRef) -> Run:
    row = (await connection.execute(sa.select(*COLUMNS).where(is_run(ref.tenant_id, ref.run_id)))).mappings().first()
    if row is None:
        raise run_not_found(ref.run_id, ref.tenant_id)
    return run_of(dict(row))


def _conditions(selection: RunSelection) -> list[sa.ColumnElement[bool]]:
    conditions: list[sa.ColumnElement[bool]] = []
    if selection.statuses:
        conditions.append(HISTORY.c.status.in_([status.value for status in selection.statuses]))
    if selection.submitted_from is not None:
        conditions.append(HISTORY.c.submitted_at_utc >= selection.submitted_from)
    if selection.submitted_before is not None:
        conditions.append(HISTORY.c.submitted_at_utc < selection.submitted_before)
    return conditions
