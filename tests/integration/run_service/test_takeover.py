"""Servers that end, orderly or not, while they work on a run: with real processes and real signals."""

import asyncio
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from powerfill.run.v1.event_pb2 import RunEvent

from services.run_service.app import SystemClock, running
from services.run_service.domain.run import RunRef
from services.run_service.repositories.runs import SqlRuns
from shared.rpc.status import ReceivedError
from shared.tenancy.connections import TenantConnections
from shared.tenancy.database import TenantDatabase
from shared.tenancy.registry import TenantRegistry
from tests.builders import fill, small_instance
from tests.fakes import fake_work
from tests.integration.run_service.desk import Desk, desk_of, eventually, settings_for, status_name
from tests.integration.run_service.server_process import server_process

FAST = {"lease_s": 3.0, "heartbeat_s": 0.3, "sweep_s": 0.3, "drain_s": 0}


async def a_run_at_work(desk: Desk) -> str:
    """A run that has come to the step in which the pipeline misbehaves."""
    run = await desk.submit()
    await desk.until(run.run_id, "pass_completed")
    return run.run_id


async def ended_by(process: subprocess.Popen[bytes], number: int) -> int:
    process.send_signal(number)
    return await asyncio.to_thread(process.wait, 10)


def numbered(events: list[RunEvent]) -> bool:
    return [event.sequence for event in events] == list(range(1, len(events) + 1))


def children_of(pid: int) -> list[int]:
    return [int(child) for task in Path(f"/proc/{pid}/task").iterdir() for child in (task / "children").read_text().split()]


def is_alive(pid: int) -> bool:
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False


async def test_a_killed_server_leaves_no_process_behind_and_its_run_is_taken_over_from_the_start(
    registry: TenantRegistry, filled: TenantDatabase, behave: Callable[[str], None]
) -> None:
    behave("wait")
    async with server_process(registry) as (process, desk):
        run_id = await a_run_at_work(desk)
        children = children_of(process.pid)
        assert children
        await ended_by(process, signal.SIGKILL)

        async def none_left() -> bool:
            return not any(is_alive(child) for child in children)

        await eventually(none_left)
    behave("")
    async with running(settings_for(registry, **FAST), fake_work) as server, desk_of(server.address) as desk:
        events = await desk.watched(run_id)
        ended = await desk.get(run_id)
    assert (status_name(ended), ended.attempt) == ("COMPLETE", 2)
    assert numbered(events)
    assert next(event.warning.code for event in events if event.attempt == 2) == "SERVER_LOST"


async def test_a_run_whose_servers_are_killed_twice_is_abandoned_and_blocks_nobody(
    registry: TenantRegistry, filled: TenantDatabase, behave: Callable[[str], None]
) -> None:
    behave("wait")
    async with server_process(registry) as (process, desk):
        run_id = await a_run_at_work(desk)
        await ended_by(process, signal.SIGKILL)
    async with server_process(registry) as (process, desk):
        async for event in desk.watch(run_id):
            if event.attempt == 2 and event.WhichOneof("kind") == "pass_completed":
                break
        await ended_by(process, signal.SIGKILL)
    behave("")
    async with running(settings_for(registry, **FAST), fake_work) as server, desk_of(server.address) as desk:
        events = await desk.watched(run_id)
        ended = await desk.get(run_id)
        assert (status_name(ended), ended.failure.step) == ("FAILED", "allocation")
        assert ended.failure.message.startswith("abandoned")
        assert events[-1].finished.failure == ended.failure
        assert numbered(events)
        again = await desk.submit()
        await desk.watched(again.run_id)
        assert status_name(await desk.get(again.run_id)) == "COMPLETE"


async def test_a_server_that_stops_hands_its_run_over_at_once_and_without_a_death(
    registry: TenantRegistry, filled: TenantDatabase, connections: TenantConnections, behave: Callable[[str], None]
) -> None:
    behave("hang")
    async with server_process(registry, POWERFILL_DRAIN_S="0.1") as (process, desk):
        run_id = await a_run_at_work(desk)
        began_s = time.monotonic()
        assert await ended_by(process, signal.SIGTERM) == 0
        assert time.monotonic() - began_s < 5
    left = await SqlRuns(connections, SystemClock()).get(RunRef("acme", run_id))
    assert (left.status, left.lease_owner, left.attempt) == ("ALLOCATING", "", 1)
    behave("")
    async with running(settings_for(registry, lease_s=600, drain_s=0), fake_work) as server, desk_of(server.address) as desk:
        events = await desk.watched(run_id)
        ended = await desk.get(run_id)
    assert (status_name(ended), ended.attempt) == ("COMPLETE", 2)
    assert next(event.warning.code for event in events if event.attempt == 2) == "SERVER_STOPPED"
    assert (await SqlRuns(connections, SystemClock()).get(RunRef("acme", run_id))).deaths == 0


async def test_a_server_that_stops_lets_a_run_finish_within_its_grace_and_takes_no_new_one(
    registry: TenantRegistry, filled: TenantDatabase, behave: Callable[[str], None]
) -> None:
    behave("sleep 1.5")
    async with server_process(registry, POWERFILL_DRAIN_S="10") as (process, desk):
        run_id = await a_run_at_work(desk)
        watching = asyncio.create_task(desk.watched(run_id))
        process.send_signal(signal.SIGTERM)
        await asyncio.sleep(0.3)
        with pytest.raises(ReceivedError) as raised:
            await desk.wait_until_serving()
        with pytest.raises(ReceivedError) as raised:
            await desk.submit()
        assert (raised.value.code.name, raised.value.reason) == ("UNAVAILABLE", "SHUTTING_DOWN")
        assert raised.value.retry_after_s
        assert status_name(await desk.get(run_id)) == "ALLOCATING"
        events = await watching
        assert events[-1].finished.status == 5
        assert await asyncio.to_thread(process.wait, 10) == 0


async def test_a_run_that_waits_when_its_server_stops_is_taken_by_the_next(
    registry: TenantRegistry, filled: TenantDatabase, birch: TenantDatabase, behave: Callable[[str], None]
) -> None:
    await fill(birch, small_instance())
    behave("hang")
    async with server_process(registry, POWERFILL_DRAIN_S="0") as (process, desk):
        await a_run_at_work(desk)  # it occupies the only worker
        async with desk_of(desk.address, "birch") as other:
            waiting = await other.submit()
        assert await ended_by(process, signal.SIGTERM) == 0
    behave("")
    next_server = running(settings_for(registry, lease_s=600, drain_s=0), fake_work)
    async with next_server as server, desk_of(server.address, "birch") as other:
        await other.watched(waiting.run_id)
        ended = await other.get(waiting.run_id)
    assert (status_name(ended), ended.attempt) == ("COMPLETE", 1)


async def test_a_cancel_recorded_before_the_server_was_lost_ends_the_run_as_cancelled(
    registry: TenantRegistry, filled: TenantDatabase, behave: Callable[[str], None]
) -> None:
    behave("hang")
    async with server_process(registry) as (process, desk):
        run_id = await a_run_at_work(desk)
        await desk.cancel(run_id)
        await ended_by(process, signal.SIGKILL)
    async with running(settings_for(registry, **FAST), fake_work) as server, desk_of(server.address) as desk:
        await desk.watched(run_id)
        assert status_name(await desk.get(run_id)) == "CANCELLED"


async def test_a_submission_that_meets_a_lost_run_starts_the_takeover_and_says_who_is_active(
    registry: TenantRegistry, filled: TenantDatabase, behave: Callable[[str], None]
) -> None:
    behave("wait")
    async with server_process(registry) as (process, desk):
        run_id = await a_run_at_work(desk)
        await ended_by(process, signal.SIGKILL)
    never_sweeps = {**FAST, "sweep_s": 3600}
    async with running(settings_for(registry, **never_sweeps), fake_work) as server, desk_of(server.address) as desk:
        await asyncio.sleep(3.1)  # the lease passes after the only sweep
        behave("")
        with pytest.raises(ReceivedError) as raised:
            await desk.submit()
        assert (raised.value.reason, raised.value.metadata["run_id"]) == ("RUN_ACTIVE", run_id)
        await desk.watched(run_id)
        assert status_name(await desk.get(run_id)) == "COMPLETE"


async def test_a_tenant_that_cannot_be_reached_does_not_keep_the_sweep_from_the_others(
    registry: TenantRegistry, filled: TenantDatabase, behave: Callable[[str], None], caplog: pytest.LogCaptureFixture
) -> None:
    registry.add("aaa", f"sqlite+aiosqlite:///{registry.path.with_name('no-such.db')}")
    behave("wait")
    async with server_process(registry) as (process, desk):
        run_id = await a_run_at_work(desk)
        await ended_by(process, signal.SIGKILL)
    behave("")
    async with running(settings_for(registry, **FAST), fake_work) as server, desk_of(server.address) as desk:
        await desk.watched(run_id)
        assert status_name(await desk.get(run_id)) == "COMPLETE"
    skipped = [record for record in caplog.records if "aaa skipped" in record.getMessage()]
    assert len(skipped) == 1
