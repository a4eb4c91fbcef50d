"""What every RunBus promises (application/ports.py); each implementation runs the whole suite."""

import asyncio
import datetime as dt
from collections.abc import Callable

import pytest

from services.run_service.application.ports import QueueFullError, RunBus
from services.run_service.bus.in_process import InProcessBus
from services.run_service.domain.events import RunEvent, Warned
from services.run_service.domain.run import RunRef

QUEUE_SIZE, BUFFERED_EVENTS = 3, 4
ONE, OTHER = RunRef("acme", "r1"), RunRef("birch", "r1")

BUSES: dict[str, Callable[[], RunBus]] = {"in process": lambda: InProcessBus(QUEUE_SIZE, BUFFERED_EVENTS)}


@pytest.fixture(params=BUSES)
async def bus(request: pytest.FixtureRequest) -> RunBus:
    return BUSES[request.param]()


def event(sequence: int, run_id: str = "r1") -> RunEvent:
    return RunEvent(run_id, sequence, dt.datetime(2026, 4, 17, tzinfo=dt.UTC), 1, Warned("X", str(sequence)))


def ref(number: int) -> RunRef:
    return RunRef("acme", f"run-{number}")


async def test_runs_are_taken_in_the_order_they_were_queued(bus: RunBus) -> None:
    for number in range(3):
        await bus.put(ref(number), 0)
    assert [await bus.take() for _ in range(3)] == [ref(0), ref(1), ref(2)]


async def test_each_run_goes_to_one_taker_and_a_taker_waits(bus: RunBus) -> None:
    takers = [asyncio.create_task(bus.take()) for _ in range(2)]
    await asyncio.sleep(0.01)
    await bus.put(ONE, 0)
    await bus.put(OTHER, 0)
    assert {await taker for taker in takers} == {ONE, OTHER}


async def test_a_run_that_waits_is_not_queued_twice_even_when_the_queue_is_full(bus: RunBus) -> None:
    for number in range(QUEUE_SIZE):
        await bus.put(ref(number), 0)
    await bus.put(ref(0), 0)
    assert [await bus.take() for _ in range(QUEUE_SIZE)] == [ref(number) for number in range(QUEUE_SIZE)]
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.02):
            await bus.take()


async def test_a_full_queue_refuses_after_the_patience_given(bus: RunBus) -> None:
    for number in range(QUEUE_SIZE):
        await bus.put(ref(number), 0)
    before = asyncio.get_running_loop().time()
    with pytest.raises(QueueFullError):
        await bus.put(ONE, 0.05)
    assert asyncio.get_running_loop().time() - before >= 0.04


@pytest.mark.parametrize("how", ["taken", "withdrawn"])
async def test_room_that_comes_in_time_is_used(bus: RunBus, how: str) -> None:
    for number in range(QUEUE_SIZE):
        await bus.put(ref(number), 0)
    putting = asyncio.create_task(bus.put(ONE, 2.0))
    await asyncio.sleep(0.01)
    await (bus.take() if how == "taken" else bus.withdraw(ref(0)))
    await putting
    assert ONE in [await bus.take() for _ in range(QUEUE_SIZE)]


async def test_a_taker_that_gives_up_takes_nothing_with_it(bus: RunBus) -> None:
    taker = asyncio.create_task(bus.take())
    await asyncio.sleep(0.01)
    taker.cancel()
    await asyncio.wait([taker])
    await bus.put(ONE, 0)
    async with asyncio.timeout(1):
        assert await bus.take() == ONE


async def test_a_withdrawn_run_is_not_taken_and_may_be_queued_again(bus: RunBus) -> None:
    await bus.put(ONE, 0)
    await bus.put(OTHER, 0)
    await bus.withdraw(ONE)
    await bus.withdraw(ONE)
    assert await bus.take() == OTHER
    await bus.put(ONE, 0)
    assert await bus.take() == ONE


async def test_subscribers_hear_their_run_and_no_other(bus: RunBus) -> None:
    with bus.subscribe(ONE) as mine, bus.subscribe(ONE) as too, bus.subscribe(OTHER) as others:
        await bus.publish(ONE, [event(1), event(2)])
        await bus.publish(OTHER, [event(7)])
        assert await mine.get() == await too.get() == (event(1), event(2))
        assert await others.get() == (event(7),)


async def test_a_subscriber_hears_nothing_from_before_or_after(bus: RunBus) -> None:
    await bus.publish(ONE, [event(1)])
    with bus.subscribe(ONE) as mine:
        await bus.publish(ONE, [event(2)])
        assert await mine.get() == (event(2),)
    await bus.publish(ONE, [event(3)])
    with bus.subscribe(ONE) as again, pytest.raises(TimeoutError):
        async with asyncio.timeout(0.02):
            await again.get()


async def test_a_subscriber_that_gives_up_waiting_loses_nothing(bus: RunBus) -> None:
    with bus.subscribe(ONE) as mine:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await mine.get()
        await bus.publish(ONE, [event(1)])
        assert await mine.get() == (event(1),)


async def test_a_subscriber_that_does_not_take_is_told_of_its_overflow_and_nothing_waits_for_it(bus: RunBus) -> None:
    with bus.subscribe(ONE) as slow:
        for sequence in range(1, BUFFERED_EVENTS + 2):
            await bus.publish(ONE, [event(sequence)])
        await bus.publish(ONE, [event(100)])
        assert await slow.get() is None
        await bus.publish(ONE, [event(101)])
        assert await slow.get() == (event(101),)


async def test_as_many_events_as_the_buffer_holds_are_kept(bus: RunBus) -> None:
    with bus.subscribe(ONE) as mine:
        await bus.publish(ONE, [event(sequence) for sequence in range(BUFFERED_EVENTS)])
        assert await mine.get() == tuple(event(sequence) for sequence in range(BUFFERED_EVENTS))


async def test_a_cancel_reaches_those_who_listen_for_that_run(bus: RunBus) -> None:
    heard: list[str] = []
    await bus.signal_cancel(ONE)
    with bus.on_cancel(ONE, lambda: heard.append("one")), bus.on_cancel(OTHER, lambda: heard.append("other")):
        await bus.signal_cancel(ONE)
        await bus.signal_cancel(ONE)
    await bus.signal_cancel(ONE)
    assert heard == ["one", "one"]
