"""The bus within one process: needs nothing, reaches nobody outside."""

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Iterator, Sequence

from services.run_service.application.ports import QueueFullError
from services.run_service.domain.events import RunEvent
from services.run_service.domain.run import RunRef

BUFFERED_EVENTS = 512
"""Events kept for a subscriber that does not take them."""


class InProcessBus:
    """A bounded queue, and listeners by run. For one event loop."""

    def __init__(self, queue_size: int, buffered_events: int = BUFFERED_EVENTS) -> None:
        self._queue_size, self._buffered_events = queue_size, buffered_events
        self._waiting: dict[RunRef, None] = {}
        self._changed = asyncio.Condition()
        self._subscriptions: dict[RunRef, set[BufferedSubscription]] = {}
        self._cancel_listeners: dict[RunRef, list[Callable[[], None]]] = {}

    async def put(self, ref: RunRef, timeout_s: float) -> None:
        """Queue a run; no effect if it waits already. Raises QueueFullError if there is no room for `timeout_s` seconds."""
        async with self._changed:
            if len(self._waiting) >= self._queue_size and ref not in self._waiting:
                try:
                    async with asyncio.timeout(timeout_s):
                        await self._changed.wait_for(lambda: len(self._waiting) < self._queue_size)
                except TimeoutError:
                    raise QueueFullError from None
            self._waiting[ref] = None
            self._changed.notify_all()

    async def take(self) -> RunRef:
        """Wait for the run that was queued first."""
        async with self._changed:
            await self._changed.wait_for(lambda: bool(self._waiting))
            ref = next(iter(self._waiting))
            del self._waiting[ref]
            self._changed.notify_all()
            return ref

    async def withdraw(self, ref: RunRef) -> None:
        """Forget a run that waits; no effect if it does not."""
        async with self._changed:
            self._waiting.pop(ref, None)
            self._changed.notify_all()

    async def publish(self, ref: RunRef, events: Sequence[RunEvent]) -> None:
        """Tell the run's subscribers. Never waits for them."""
        for subscription in self._subscriptions.get(ref, ()):
            subscription.offer(events)

    @contextlib.contextmanager
    def subscribe(self, ref: RunRef) -> Iterator["BufferedSubscription"]:
        """Hear every event published from now until the context ends."""
        subscription = BufferedSubscription(self._buffered_events)
        mine = self._subscriptions.setdefault(ref, set())
        mine.add(subscription)
        try:
            yield subscription
        finally:
            mine.discard(subscription)
            if not mine:
                self._subscriptions.pop(ref, None)

    async def signal_cancel(self, ref: RunRef) -> None:
        """Tell whoever listens that the run's cancel was requested."""
        for listener in list(self._cancel_listeners.get(ref, ())):
            listener()

    @contextlib.contextmanager
    def on_cancel(self, ref: RunRef, listener: Callable[[], None]) -> Iterator[None]:
        """Call `listener` at each such signal until the context ends."""
        mine = self._cancel_listeners.setdefault(ref, [])
        mine.append(listener)
        try:
            yield
        finally:
            mine.remove(listener)
            if not mine:
                self._cancel_listeners.pop(ref, None)


class BufferedSubscription:
    """A bounded buffer of one reader; what does not fit empties it and is told as an overflow."""

    def __init__(self, size: int) -> None:
        self._buffer: deque[RunEvent] = deque()
        self._size = size
        self._overflowed = False
        self._something = asyncio.Event()

    def offer(self, events: Sequence[RunEvent]) -> None:
        """Add events for the reader."""
        if not self._overflowed:
            self._buffer.extend(events)
            self._overflowed = len(self._buffer) > self._size
        if self._overflowed:
            self._buffer.clear()
        if self._buffer or self._overflowed:
            self._something.set()

    async def get(self) -> Sequence[RunEvent] | None:
        """Wait for events and take all there are; None after an overflow."""
        await self._something.wait()
        self._something.clear()
        if self._overflowed:
            self._overflowed = False
            return None
        taken = tuple(self._buffer)
        self._buffer.clear()
        return taken
