"""What a watcher sees, over a log in memory and the real bus of one process."""

import asyncio
import contextlib
import dataclasses
import datetime as dt
from collections.abc import AsyncGenerator
from typing import Any, cast

import pytest

from services.run_service.application.ports import EventLog, RunRepository
from services.run_service.application.watch_run import LOG_PAGE, Heartbeat, WatchRun
from services.run_service.bus.in_process import InProcessBus
from services.run_service.domain.events import Accepted, EventKind, Finished, RunEvent, Warned
from services.run_service.domain.options import RunOptions
from services.run_service.domain.run import Run, RunRef, RunStatus
from shared.auth.caller import Caller
from shared.errors import PowerFillError, Reason, run_not_found

AT = dt.datetime(2026, 4, 17, 12, tzinfo=dt.UTC)
DESK = Caller("acme", "desk")
REF = RunRef("acme", "r1")
END = Finished(RunStatus.COMPLETE, None, {})


class Recorded:
    """A run, its log and its bus, as a repository and an event log."""

    def __init__(self, buffered_events: int = 100) -> None:
        self.bus = InProcessBus(1, buffered_events)
        self.events: list[RunEvent] = []
        options = RunOptions(as_of_date=AT.date())
        self.run = Run("r1", "acme", RunStatus.ALLOCATING, "desk", options, AT)

    async def get(self, ref: RunRef) -> Run:
        if ref != REF:
            raise run_not_found(ref.run_id, ref.tenant_id)
        return self.run

    async def read(self, ref: RunRef, after_sequence: int, limit: int) -> list[RunEvent]:
        await asyncio.sleep(0)
        return [event for event in self.events if event.sequence > after_sequence][:limit]

    def record(self, kind: EventKind) -> RunEvent:
        """Into the log alone."""
        event = RunEvent("r1", len(self.events) + 1, AT, 1, kind)
        self.events.append(event)
        if isinstance(kind, Finished):
            self.run = dataclasses.replace(self.run, status=kind.status)
        return event

    async def happen(self, *kinds: EventKind) -> None:
        """Into the log, then to the watchers."""
        await self.bus.publish(REF, [self.record(kind) for kind in kinds])

    def watch(self, after: int = 0, heartbeat_s: float = 5.0) -> AsyncGenerator[RunEvent | Heartbeat]:
        return WatchRun(cast(RunRepository, self), cast(EventLog, self), self.bus, heartbeat_s)(DESK, "r1", after)


async def collected(watching: AsyncGenerator[RunEvent | Heartbeat]) -> list[int]:
    async with contextlib.aclosing(watching):
        return [item.sequence async for item in watching if isinstance(item, RunEvent)]


async def test_the_log_comes_first_then_live_events_and_the_end_ends_it() -> None:
    recorded = Recorded()
    await recorded.happen(Accepted("desk"))
    watching = asyncio.create_task(collected(recorded.watch()))
    for number in range(5):
        await asyncio.sleep(0.01)
        await recorded.happen(Warned("X", str(number)))
    await recorded.happen(END)
    assert await watching == [1, 2, 3, 4, 5, 6, 7]


async def test_an_ended_run_is_told_from_the_log_alone() -> None:
    recorded = Recorded()
    for kind in (Accepted("desk"), Warned("X", ""), END):
        recorded.record(kind)
    assert await collected(recorded.watch()) == [1, 2, 3]
    assert await collected(recorded.watch(after=2)) == [3]


@pytest.mark.parametrize("after", [3, 4, 1_000_000])
async def test_a_watch_from_the_end_of_an_ended_run_ends_at_once(after: int) -> None:
    recorded = Recorded()
    for kind in (Accepted("desk"), Warned("X", ""), END):
        recorded.record(kind)
    async with asyncio.timeout(1):
        assert await collected(recorded.watch(after=after)) == []


async def test_a_watch_from_beyond_the_end_of_an_active_run_ends_with_it_and_sends_nothing() -> None:
    recorded = Recorded()
    watching = asyncio.create_task(collected(recorded.watch(after=50)))
    await asyncio.sleep(0.01)
    await recorded.happen(Accepted("desk"), Warned("X", ""))
    await recorded.happen(END)
    async with asyncio.timeout(1):
        assert await watching == []


async def test_a_log_longer_than_a_page_is_read_to_its_end() -> None:
    recorded = Recorded()
    for _ in range(2 * LOG_PAGE - 1):
        recorded.record(Warned("X", ""))
    recorded.record(END)
    assert await collected(recorded.watch()) == list(range(1, 2 * LOG_PAGE + 1))


async def test_events_that_did_not_come_over_the_bus_are_fetched_from_the_log() -> None:
    recorded = Recorded()
    watching = asyncio.create_task(collected(recorded.watch()))
    await asyncio.sleep(0.01)
    recorded.record(Accepted("desk"))
    recorded.record(Warned("X", "not published"))
    await recorded.happen(Warned("X", "published"))
    await asyncio.sleep(0.01)
    await recorded.happen(END)
    assert await watching == [1, 2, 3, 4]


async def test_events_published_twice_or_out_of_order_are_sent_once_and_in_order() -> None:
    recorded = Recorded()
    watching = asyncio.create_task(collected(recorded.watch()))
    await asyncio.sleep(0.01)
    one, two = recorded.record(Accepted("desk")), recorded.record(Warned("X", ""))
    await recorded.bus.publish(REF, [two])
    await recorded.bus.publish(REF, [one])
    await recorded.bus.publish(REF, [two])
    await asyncio.sleep(0.01)
    await recorded.happen(END)
    assert await watching == [1, 2, 3]


async def test_a_watcher_that_does_not_read_loses_nothing() -> None:
    recorded = Recorded(buffered_events=3)
    watching = recorded.watch()
    await recorded.happen(Accepted("desk"))
    first = await anext(watching)
    for _ in range(10):
        await recorded.happen(Warned("X", ""))
    await recorded.happen(END)
    assert isinstance(first, RunEvent)
    assert [first.sequence, *await collected(watching)] == list(range(1, 13))


async def test_two_watchers_see_the_same_and_one_that_resumes_misses_and_repeats_nothing() -> None:
    recorded = Recorded()
    steady = asyncio.create_task(collected(recorded.watch()))
    seen: list[int] = []
    watching = recorded.watch()
    for number in range(1, 21):
        await recorded.happen(END if number == 20 else Warned("X", ""))
        event = await anext(watching)
        assert isinstance(event, RunEvent)
        seen.append(event.sequence)
        if number in (3, 4, 11):
            await watching.aclose()
            watching = recorded.watch(after=seen[-1])
    assert seen == await steady == list(range(1, 21))
    await watching.aclose()


async def test_silence_is_filled_with_where_to_resume() -> None:
    recorded = Recorded()
    recorded.record(Accepted("desk"))
    watching = recorded.watch(heartbeat_s=0.02)
    items: list[Any] = [await anext(watching) for _ in range(3)]
    assert isinstance(items[0], RunEvent)
    assert items[1:] == [Heartbeat(1), Heartbeat(1)]
    await watching.aclose()


async def test_events_of_a_run_executed_elsewhere_come_instead_of_the_heartbeat() -> None:
    recorded = Recorded()
    watching = recorded.watch(heartbeat_s=0.02)
    next_item = asyncio.ensure_future(anext(watching))
    await asyncio.sleep(0.005)
    recorded.record(Accepted("desk"))
    recorded.record(END)
    item = await next_item
    assert isinstance(item, RunEvent)
    assert await collected(watching) == [2]


async def test_an_unknown_run_and_a_negative_sequence_are_refused() -> None:
    recorded = Recorded()
    for caller, after, reason in (
        (Caller("birch", "desk"), 0, Reason.RUN_NOT_FOUND),
        (DESK, -1, Reason.INVALID_FIELD),
    ):
        watching = WatchRun(cast(RunRepository, recorded), cast(EventLog, recorded), recorded.bus, 1.0)(caller, "r1", after)
        with pytest.raises(PowerFillError) as raised:
            await anext(watching)
        assert raised.value.reason == reason
