"""What RunRepository and EventLog promise (application/ports.py), over a real SQLite database."""

import asyncio
import dataclasses
import datetime as dt
from typing import Any

import pytest
import sqlalchemy as sa

from services.run_service.application.ports import RunConflictError, RunCursor, RunSelection, StoredRun
from services.run_service.domain import life
from services.run_service.domain.errors import LeaseLostError
from services.run_service.domain.events import Accepted, EventKind, Warned
from services.run_service.domain.life import Change, Lease
from services.run_service.domain.options import RunOptions
from services.run_service.domain.outcome import Computed
from services.run_service.domain.run import Run, RunRef, RunStatus
from services.run_service.repositories.events import SqlEvents
from services.run_service.repositories.run_rows import HISTORY
from services.run_service.repositories.runs import ANYTHING_STORED, SqlRuns
from shared.database.tables import AUDIT_TABLES, OUTPUT_TABLES
from shared.errors import PowerFillError, Reason
from shared.tenancy.connections import TenantConnections
from shared.tenancy.database import TenantDatabase

NOW = dt.datetime(2026, 4, 17, 12, tzinfo=dt.UTC)
LEASE = Lease("me", NOW + dt.timedelta(seconds=30))
INPUTS, LOG = AUDIT_TABLES["pfill_run_input"], OUTPUT_TABLES["pfill_powerfill_log"]


class FixedClock:
    def now(self) -> dt.datetime:
        return NOW


@pytest.fixture
def runs(connections: TenantConnections, acme: TenantDatabase) -> SqlRuns:
    return SqlRuns(connections, FixedClock())


@pytest.fixture
def events(connections: TenantConnections) -> SqlEvents:
    return SqlEvents(connections)


def a_run(run_id: str = "r1", **given: Any) -> Run:
    values: dict[str, Any] = {
        "run_id": run_id, "tenant_id": "acme", "status": RunStatus.PENDING, "requested_by": "desk",
        "options": RunOptions(as_of_date=dt.date(2026, 4, 17)), "submitted_at": NOW, "request_digest": "d", "last_sequence": 1,
        "lease_owner": "me", "lease_until": LEASE.until,
    }  # fmt: skip
    return Run(**(values | given))


async def submitted(runs: SqlRuns, run_id: str = "r1", **given: Any) -> Run:
    run = a_run(run_id, **given)
    await runs.insert(run, Accepted("desk"))
    return run


async def ended(runs: SqlRuns, run_id: str, **given: Any) -> Run:
    run = await submitted(runs, run_id, **given)
    changed = await runs.change(run.ref, lambda current: life.conclude(current, Computed({}), NOW))
    assert changed is not None
    return changed.run


async def test_a_run_comes_back_as_it_was_recorded_with_its_first_event(runs: SqlRuns, events: SqlEvents) -> None:
    run = await submitted(runs, request_id="key")
    assert await runs.get(run.ref) == run
    log = await events.read(run.ref, 0, 10)
    assert [(event.sequence, event.kind, event.recorded_at) for event in log] == [(1, Accepted("desk"), NOW)]


async def test_a_second_active_run_of_a_tenant_is_refused_by_the_database(runs: SqlRuns, events: SqlEvents) -> None:
    await submitted(runs)
    with pytest.raises(RunConflictError):
        await submitted(runs, "r2")
    assert await events.read(RunRef("acme", "r2"), 0, 10) == []
    active = await runs.find_active("acme")
    assert active is not None
    assert active.run_id == "r1"


async def test_a_request_is_one_run_even_after_it_ended(runs: SqlRuns) -> None:
    await ended(runs, "r1", request_id="key")
    with pytest.raises(RunConflictError):
        await submitted(runs, "r2", request_id="key")
    found = await runs.find_by_request("acme", "key")
    assert found is not None
    assert found.run_id == "r1"
    assert await runs.find_by_request("acme", "another") is None
    assert await runs.find_active("acme") is None
    await submitted(runs, "r3")


async def test_a_change_is_the_row_and_its_events_numbered_on(runs: SqlRuns, events: SqlEvents) -> None:
    run = await submitted(runs)
    changed = await runs.change(run.ref, lambda current: life.claim(current, LEASE, NOW))
    assert changed is not None
    again = await runs.change(run.ref, lambda current: Change(current, (Warned("A", ""), Warned("B", ""))))
    assert again is not None
    assert [event.sequence for event in (*changed.events, *again.events)] == [2, 3, 4]
    assert again.run.last_sequence == 4
    assert await runs.get(run.ref) == again.run
    assert await events.read(run.ref, 1, 10) == [*changed.events, *again.events]
    assert [event.sequence for event in await events.read(run.ref, 1, 2)] == [2, 3]


async def test_an_ending_writes_everything_at_once(runs: SqlRuns) -> None:
    run = await ended(runs, "r1")
    stored = await runs.get(run.ref)
    assert stored == run
    assert (stored.status, stored.ended_at, stored.lease_owner) == (RunStatus.COMPLETE, NOW, "")


async def test_a_change_that_is_not_decided_or_raises_writes_nothing(runs: SqlRuns, events: SqlEvents) -> None:
    run = await submitted(runs)

    def refuse(current: Run) -> Change | None:
        raise LeaseLostError

    assert await runs.change(run.ref, lambda current: None) is None
    with pytest.raises(LeaseLostError):
        await runs.change(run.ref, refuse)
    assert await runs.get(run.ref) == run
    assert len(await events.read(run.ref, 0, 10)) == 1


async def test_changes_at_the_same_time_follow_one_another_without_gaps(runs: SqlRuns, events: SqlEvents) -> None:
    run = await submitted(runs)

    async def warn(number: int) -> None:
        kinds: tuple[EventKind, ...] = (Warned("X", str(number)), Warned("X", str(number)))
        await runs.change(run.ref, lambda current: Change(current, kinds))

    await asyncio.gather(*(warn(number) for number in range(20)))
    log = await events.read(run.ref, 0, 100)
    assert [event.sequence for event in log] == list(range(1, 42))
    pairs = [(one.kind, other.kind) for one, other in zip(log[1::2], log[2::2], strict=True)]
    assert all(one == other for one, other in pairs)


async def test_a_pending_run_is_taken_back_as_if_it_had_never_been(runs: SqlRuns, events: SqlEvents) -> None:
    run = await submitted(runs, request_id="key")
    assert await runs.take_back(run.ref)
    assert await events.read(run.ref, 0, 10) == []
    assert (await runs.page("acme", RunSelection(), 10, None)).total == 0
    await submitted(runs, "r2", request_id="key")


async def test_a_run_that_was_taken_up_is_not_taken_back(runs: SqlRuns) -> None:
    run = await submitted(runs)
    await runs.change(run.ref, lambda current: life.claim(current, LEASE, NOW))
    assert not await runs.take_back(run.ref)
    assert (await runs.get(run.ref)).status == RunStatus.PRE_PROCESSING


async def test_a_lease_is_extended_for_its_owner_and_tells_of_a_cancel(runs: SqlRuns) -> None:
    run = await submitted(runs)
    later = Lease("me", NOW + dt.timedelta(seconds=60))
    assert await runs.renew("acme", ["r1", "unknown"], later) == {"r1": False}
    assert (await runs.get(run.ref)).lease_until == later.until
    await runs.change(run.ref, life.ask_to_cancel)
    assert await runs.renew("acme", ["r1"], later) == {"r1": True}
    assert await runs.renew("acme", ["r1"], dataclasses.replace(later, owner="another")) == {}
    await runs.change(run.ref, lambda current: life.conclude(current, Computed({}), NOW))
    assert await runs.renew("acme", ["r1"], later) == {}


async def test_free_runs_are_those_that_nobody_holds(runs: SqlRuns) -> None:
    run = await submitted(runs)
    assert await runs.find_free("acme", NOW) == []
    assert [free.run_id for free in await runs.find_free("acme", LEASE.until)] == ["r1"]
    await runs.change(run.ref, life.release)
    assert [free.run_id for free in await runs.find_free("acme", NOW)] == ["r1"]
    await runs.change(run.ref, lambda current: life.conclude(current, Computed({}), NOW))
    assert await runs.find_free("acme", LEASE.until) == []


async def test_pages_are_newest_first_and_stay_put_while_runs_are_added(runs: SqlRuns) -> None:
    for minute, run_id in enumerate(("b", "a", "d", "c", "e")):
        await ended(runs, run_id, submitted_at=NOW + dt.timedelta(minutes=minute // 2))  # b a | d c | e
    first = await runs.page("acme", RunSelection(), 2, None)
    assert ([run.run_id for run in first.runs], first.total) == (["e", "d"], 5)
    assert first.next_cursor == RunCursor(NOW + dt.timedelta(minutes=1), "d")
    await ended(runs, "z", submitted_at=NOW + dt.timedelta(minutes=9))
    second = await runs.page("acme", RunSelection(), 2, first.next_cursor)
    third = await runs.page("acme", RunSelection(), 2, second.next_cursor)
    assert [run.run_id for run in (*second.runs, *third.runs)] == ["c", "b", "a"]
    assert third.next_cursor is None


async def test_a_page_holds_what_was_selected(runs: SqlRuns) -> None:
    for minute, run_id in enumerate(("r1", "r2", "r3")):
        await ended(runs, run_id, submitted_at=NOW + dt.timedelta(minutes=minute))
    await submitted(runs, "r4", submitted_at=NOW + dt.timedelta(minutes=3))

    async def found(selection: RunSelection) -> tuple[list[str], int]:
        page = await runs.page("acme", selection, 10, None)
        return [run.run_id for run in page.runs], page.total

    assert await found(RunSelection(statuses=(RunStatus.PENDING,))) == (["r4"], 1)
    one, three = NOW + dt.timedelta(minutes=1), NOW + dt.timedelta(minutes=3)
    assert await found(RunSelection(submitted_from=one, submitted_before=three)) == (["r3", "r2"], 2)


async def test_the_latest_complete_run_is_neither_a_replay_nor_one_that_ended_otherwise(runs: SqlRuns) -> None:
    assert await runs.find_latest_complete("acme") is None
    for minute, run_id in enumerate(("a", "c", "b")):
        await ended(runs, run_id, submitted_at=NOW + dt.timedelta(minutes=min(minute, 1)))
    await ended(runs, "z", submitted_at=NOW + dt.timedelta(minutes=2), replay_of="a")
    await submitted(runs, "active", submitted_at=NOW + dt.timedelta(minutes=3))
    latest = await runs.find_latest_complete("acme")
    assert latest is not None
    assert latest.run_id == "c"


async def put(database: TenantDatabase, run_id: str, *tables: sa.Table) -> None:
    """A row of a run in each of these tables."""
    values: dict[str, dict[str, Any]] = {
        "pfill_run_input": {"table_name": "loan", "row_count": 0, "digest": "", "content": b""},
        LOG.name: {"sequence": 1},
    }
    async with database.begin() as connection:
        for table in tables:
            await connection.execute(sa.insert(table), {"run_id": run_id, **values[table.name]})


async def test_stored_runs_are_those_with_inputs_or_a_log_and_the_active_one(runs: SqlRuns, acme: TenantDatabase) -> None:
    for minute, run_id in enumerate(("both", "inputs", "log", "nothing")):
        await ended(runs, run_id, submitted_at=NOW + dt.timedelta(minutes=minute), replay_of="both" if run_id == "log" else "")
    await submitted(runs, "active", submitted_at=NOW)
    await put(acme, "both", INPUTS, LOG)
    await put(acme, "inputs", INPUTS)
    await put(acme, "log", LOG)
    await put(acme, "of nobody", INPUTS)
    assert await runs.mark_removed(RunRef("acme", "inputs"))
    assert sorted(await runs.stored("acme"), key=lambda run: run.run_id) == [
        StoredRun("active", RunStatus.PENDING, NOW, "", is_marked=False),
        StoredRun("both", RunStatus.COMPLETE, NOW, "", is_marked=False),
        StoredRun("inputs", RunStatus.COMPLETE, NOW + dt.timedelta(minutes=1), "", is_marked=True),
        StoredRun("log", RunStatus.COMPLETE, NOW + dt.timedelta(minutes=2), "both", is_marked=False),
    ]


async def test_a_run_gives_its_outputs_up_for_good_and_nothing_else_of_it_changes(runs: SqlRuns, events: SqlEvents) -> None:
    run = await ended(runs, "r1")
    assert await runs.mark_removed(run.ref)
    assert await runs.mark_removed(run.ref)
    marked = dataclasses.replace(run, outputs_removed=True)
    assert await runs.get(run.ref) == marked
    await runs.change(run.ref, lambda current: Change(current, (Warned("A", ""),)))
    assert (await runs.get(run.ref)).outputs_removed
    assert len(await events.read(run.ref, 0, 10)) == run.last_sequence + 1


async def test_an_active_run_and_the_one_it_replays_give_nothing_up(runs: SqlRuns) -> None:
    old, other = await ended(runs, "old"), await ended(runs, "other")
    replay = await submitted(runs, "replay", replay_of="old")
    assert not await runs.mark_removed(replay.ref)
    assert not await runs.mark_removed(old.ref)
    assert await runs.mark_removed(other.ref)
    assert not await runs.mark_removed(RunRef("acme", "unknown"))
    await runs.change(replay.ref, lambda current: life.conclude(current, Computed({}), NOW))
    assert await runs.mark_removed(old.ref)


async def test_looking_for_old_runs_reads_neither_the_history_nor_what_is_stored(runs: SqlRuns, acme: TenantDatabase) -> None:
    """The lists of loans in old rows can be long: of the history only the rows of runs that are stored are read."""
    statement = sa.select(HISTORY.c.status).where(HISTORY.c.tenant_id == "acme", ANYTHING_STORED)
    compiled = statement.compile(dialect=await acme.dialect(), compile_kwargs={"literal_binds": True})
    async with acme.connect() as connection:
        plan = (await connection.execute(sa.text(f"EXPLAIN QUERY PLAN {compiled}".replace("powerfill.", "")))).all()
    steps = [str(row.detail) for row in plan]
    assert not [step for step in steps if step.startswith("SCAN") and "pfill_run_history" in step]
    assert [step for step in steps if "pfill_run_input USING COVERING INDEX" in step]


async def test_another_tenants_run_does_not_exist(
    runs: SqlRuns, events: SqlEvents, connections: TenantConnections, acme: TenantDatabase
) -> None:
    await submitted(runs)
    connections.registry.add("birch", connections.registry.get("acme").url.reveal().render_as_string(hide_password=False))
    foreign = RunRef("birch", "r1")  # even in the same database
    for asked in (runs.get(foreign), runs.change(foreign, Change)):
        with pytest.raises(PowerFillError) as raised:
            await asked
        assert raised.value.reason == Reason.RUN_NOT_FOUND
    assert await events.read(foreign, 0, 10) == []
    assert await runs.find_active("birch") is None
    assert not await runs.take_back(foreign)
    assert await runs.stored("birch") == []
    assert not await runs.mark_removed(foreign)


async def test_an_unknown_tenant_and_an_unmigrated_one_are_told_apart(runs: SqlRuns, connections: TenantConnections) -> None:
    path = connections.registry.path.with_name("empty.db")
    path.touch()
    connections.registry.add("empty", f"sqlite+aiosqlite:///{path}")
    for tenant_id, reason in (("nobody", Reason.TENANT_UNKNOWN), ("empty", Reason.SCHEMA_VERSION)):
        with pytest.raises(PowerFillError) as raised:
            await runs.get(RunRef(tenant_id, "r1"))
        assert raised.value.reason == reason
