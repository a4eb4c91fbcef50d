"""Watching over gRPC: many watchers, watchers that come back, and watchers that never read."""

import asyncio
import time
from collections.abc import Callable

import pytest
from powerfill.run.v1 import run_service_pb2 as pb
from powerfill.run.v1.event_pb2 import RunEvent
from powerfill.run.v1.run_service_pb2_grpc import RunServiceStub

from services.run_service.app import running
from shared.rpc.client import connect
from shared.rpc.options import options_to_proto
from shared.rpc.status import ReceivedError
from shared.tenancy.database import TenantDatabase
from shared.tenancy.registry import TenantRegistry
from tests.fakes import fake_work
from tests.integration.run_service.desk import DAY, Desk, desk_of, kinds, settings_for, status_name


async def test_a_watcher_that_comes_back_again_and_again_sees_what_a_steady_one_sees(
    desk: Desk, behave: Callable[[str], None]
) -> None:
    behave("sleep 0.3")
    run = await desk.submit()
    steady = [asyncio.create_task(desk.watched(run.run_id)) for _ in range(2)]
    seen: list[RunEvent] = []
    while not seen or seen[-1].WhichOneof("kind") != "finished":
        async for event in desk.watch(run.run_id, seen[-1].sequence if seen else 0):
            seen.append(event)
            if len(seen) % 3 == 0:
                break
    assert seen == await steady[0] == await steady[1]
    assert [event.sequence for event in seen] == list(range(1, len(seen) + 1))


async def test_execute_run_is_submit_and_watch_and_a_client_that_goes_away_cancels_nothing(
    desk: Desk, behave: Callable[[str], None]
) -> None:
    behave("sleep 0.3")
    async with connect(desk.address, tenant_id="acme") as connection:
        stub = RunServiceStub(connection.channel)
        request = pb.ExecuteRunRequest(options=options_to_proto(DAY), request_id="key")
        first = await anext(aiter(connection.stream(stub.ExecuteRun, request)))
    assert first.event.WhichOneof("kind") == "accepted"
    async with connect(desk.address, tenant_id="acme") as connection:
        stub = RunServiceStub(connection.channel)
        joined = [message.event async for message in connection.stream(stub.ExecuteRun, request)]
    assert {event.run_id for event in joined} == {first.event.run_id}
    assert joined[0] == first.event
    assert kinds(joined)[-1] == "finished"
    assert status_name(await desk.get(first.event.run_id)) == "COMPLETE"


async def test_silence_is_filled_with_heartbeats(
    registry: TenantRegistry, filled: TenantDatabase, behave: Callable[[str], None]
) -> None:
    behave("sleep 1")
    async with (
        running(settings_for(registry, watch_heartbeat_s=0.2), fake_work) as server,
        desk_of(server.address) as desk,
        connect(server.address, tenant_id="acme") as connection,
    ):
        run = await desk.submit()
        stub, last, heartbeats = RunServiceStub(connection.channel), 0, 0
        async for message in connection.stream(stub.WatchRun, pb.WatchRunRequest(run_id=run.run_id)):
            if message.HasField("heartbeat"):
                heartbeats += 1
                assert message.heartbeat.last_sequence == last
            else:
                last = message.event.sequence
    assert heartbeats >= 3


async def test_an_event_reaches_a_hundred_watchers_and_one_that_never_reads_holds_up_nobody(
    desk: Desk, behave: Callable[[str], None]
) -> None:
    behave("wait")
    run = await desk.submit()
    async with connect(desk.address, tenant_id="acme") as connection:
        stub = RunServiceStub(connection.channel)
        idle = connection.stream(stub.WatchRun, pb.WatchRunRequest(run_id=run.run_id))
        await anext(aiter(idle))
        watchers = [asyncio.create_task(desk.watched(run.run_id)) for _ in range(100)]
        await desk.until(run.run_id, "pass_completed")
        await asyncio.sleep(0.5)
        began_s = time.monotonic()
        await desk.cancel(run.run_id)
        seen = await asyncio.gather(*watchers)
        assert time.monotonic() - began_s < 2
    assert all(events == seen[0] for events in seen)
    assert kinds(seen[0])[-1] == "finished"


@pytest.mark.parametrize(("run_id", "after", "reason"), [("unknown", 0, "RUN_NOT_FOUND"), ("unknown", -1, "INVALID_FIELD")])
async def test_what_cannot_be_watched_is_refused(desk: Desk, run_id: str, after: int, reason: str) -> None:
    with pytest.raises(ReceivedError) as raised:
        await desk.watched(run_id, after)
    assert raised.value.reason == reason


async def test_watching_from_beyond_the_end_ends_at_once(desk: Desk) -> None:
    run = await desk.submit()
    events = await desk.watched(run.run_id)
    assert await desk.watched(run.run_id, len(events)) == []
    assert await desk.watched(run.run_id, len(events) + 100) == []
    assert await desk.watched(run.run_id, len(events) - 1) == events[-1:]
