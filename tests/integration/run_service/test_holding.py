"""What a server does about a run that is not its own any more, and about a database that is away for a while."""

import asyncio
import contextlib
import datetime as dt
import random
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from services.run_service.app import SystemClock, running
from services.run_service.domain.events import Finished
from services.run_service.domain.run import RunRef, RunStatus
from services.run_service.repositories.events import SqlEvents
from services.run_service.repositories.run_rows import HISTORY
from services.run_service.repositories.runs import SqlRuns
from shared.rpc.status import ReceivedError
from shared.tenancy.connections import TenantConnections
from shared.tenancy.database import TenantDatabase
from shared.tenancy.registry import TenantRegistry
from tests.fakes import fake_work
from tests.integration.run_service.desk import Desk, desk_of, eventually, settings_for, status_name


@pytest.fixture
async def quick_desk(registry: TenantRegistry, filled: TenantDatabase) -> AsyncIterator[Desk]:
    """A desk at a server whose heart beats quickly."""
    settings = settings_for(registry, heartbeat_s=0.2, sweep_s=0.2, drain_s=0)
    async with running(settings, fake_work) as server, desk_of(server.address) as desk:
        yield desk


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Nobody else writes to the SQLite file."""
    connection = sqlite3.connect(path, isolation_level=None, timeout=30)
    connection.execute("begin immediate")
    try:
        yield
    finally:
        connection.execute("rollback")
        connection.close()


async def test_a_run_that_another_server_has_taken_is_let_go_and_nothing_more_is_written_about_it(
    quick_desk: Desk, filled: TenantDatabase, connections: TenantConnections, behave: Callable[[str], None]
) -> None:
    behave("wait")
    run = await quick_desk.submit()
    await quick_desk.until(run.run_id, "pass_completed")
    taken = {"lease_owner": "another", "attempt": 2, "lease_until_utc": dt.datetime.now(dt.UTC) + dt.timedelta(minutes=5)}
    async with filled.begin() as connection:
        await connection.execute(sa.update(HISTORY).values(**taken))
    before = await SqlRuns(connections, SystemClock()).get(RunRef("acme", run.run_id))
    await asyncio.sleep(1)
    assert await SqlRuns(connections, SystemClock()).get(RunRef("acme", run.run_id)) == before
    async with filled.begin() as connection:  # the other server ends it; the worker here is free for the next run
        await connection.execute(sa.update(HISTORY).values(status="FAILED", lease_owner=""))
    behave("")
    again = await quick_desk.submit()
    await quick_desk.watched(again.run_id)
    assert status_name(await quick_desk.get(again.run_id)) == "COMPLETE"


async def test_a_cancel_written_by_another_server_is_found_at_the_next_heartbeat(
    quick_desk: Desk, filled: TenantDatabase, behave: Callable[[str], None]
) -> None:
    behave("wait")
    run = await quick_desk.submit()
    await quick_desk.until(run.run_id, "pass_completed")
    async with filled.begin() as connection:
        await connection.execute(sa.update(HISTORY).values(cancel_requested=True))
    async with asyncio.timeout(2):
        await quick_desk.watched(run.run_id)
    assert status_name(await quick_desk.get(run.run_id)) == "CANCELLED"


async def test_a_database_that_is_away_for_less_than_a_lease_costs_the_run_nothing_but_time(
    quick_desk: Desk, registry: TenantRegistry, behave: Callable[[str], None]
) -> None:
    behave("sleep 0.5")
    run = await quick_desk.submit()
    await quick_desk.until(run.run_id, "pass_completed")
    with locked(registry.path.with_name("acme.db")):
        await asyncio.sleep(6.5)  # longer than anybody waits for a lock
    await quick_desk.watched(run.run_id)
    ended = await quick_desk.get(run.run_id)
    assert (status_name(ended), ended.attempt) == ("COMPLETE", 1)


async def test_whenever_a_cancel_comes_row_events_and_summary_agree(
    quick_desk: Desk, connections: TenantConnections, behave: Callable[[str], None]
) -> None:
    behave("rows 30000")
    chance = random.Random(7)
    runs, log = SqlRuns(connections, SystemClock()), SqlEvents(connections)
    endings = set()
    for _ in range(15):
        run_id = (await quick_desk.submit()).run_id
        await asyncio.sleep(chance.uniform(0, 0.5))
        (answer,) = await asyncio.gather(quick_desk.cancel(run_id), return_exceptions=True)
        came_too_late = isinstance(answer, ReceivedError) and answer.reason == "RUN_NOT_ACTIVE"
        await quick_desk.watched(run_id)
        run, events = await runs.get(RunRef("acme", run_id)), await log.read(RunRef("acme", run_id), 0, 1000)
        assert run.status == (RunStatus.COMPLETE if came_too_late else RunStatus.CANCELLED)
        assert events[-1].kind == Finished(run.status, run.failure, run.summary)
        assert [event.sequence for event in events] == list(range(1, run.last_sequence + 1))
        assert ("value" in run.summary) == (run.status == RunStatus.COMPLETE)
        endings.add((run.status, run.failure.step if run.failure else ""))
    assert len(endings) >= 2


async def test_what_a_lost_server_left_of_ended_runs_is_removed_by_the_next_one(
    registry: TenantRegistry, filled: TenantDatabase
) -> None:
    async with filled.begin() as connection:
        for run_id, status in (("good", "COMPLETE"), ("bad", "FAILED")):
            values = {"run_id": run_id, "tenant_id": "acme", "status": status, "submitted_at_utc": dt.datetime.now(dt.UTC)}
            await connection.execute(sa.insert(HISTORY).values(**values))
            for table in ("pfill_kickout_guide_01", "pfill_syn_powerfill_guide"):
                await connection.execute(sa.text(f"insert into {table} (run_id, loan_id) values ('{run_id}', 'L1')"))  # noqa: S608

    async def left(table: str) -> list[str]:
        async with filled.connect() as connection:
            return list((await connection.execute(sa.text(f"select run_id from {table} order by 1"))).scalars())  # noqa: S608

    async def is_removed() -> bool:
        return await left("pfill_kickout_guide_01") == ["good"]

    async with running(settings_for(registry), fake_work):
        await eventually(is_removed)
    assert await left("pfill_syn_powerfill_guide") == ["bad", "good"]
