"""What a watcher sees: the log first, then live events, none lost and none twice, until the run ends."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass

from services.run_service.application.ports import EventLog, RunBus, RunRepository, Subscription
from services.run_service.domain.events import Finished, RunEvent
from services.run_service.domain.run import RunRef
from shared.auth.caller import Caller
from shared.errors import invalid_field

LOG_PAGE = 500
"""Events read from the log at once."""


@dataclass(frozen=True)
class Heartbeat:
    """Nothing happened for a while; everything up to `last_sequence` was sent."""

    last_sequence: int


class WatchRun:
    """Follows a run's events."""

    def __init__(self, runs: RunRepository, events: EventLog, bus: RunBus, heartbeat_s: float) -> None:
        self._runs, self._events, self._bus, self._heartbeat_s = runs, events, bus, heartbeat_s

    async def __call__(self, caller: Caller, run_id: str, after_sequence: int) -> AsyncGenerator[RunEvent | Heartbeat]:
        """Every event with a greater sequence, then live ones; ends after `finished`.

        Raises INVALID_FIELD, RUN_NOT_FOUND, and what reading the tenant's tables raises.
        """
        if after_sequence < 0:
            raise invalid_field("after_sequence", f"{after_sequence} is not allowed; it must be at least 0")
        ref = RunRef(caller.tenant_id, run_id)
        last, was_silent = after_sequence, False
        with self._bus.subscribe(ref) as live:  # before the log is read: what comes meanwhile waits here
            while True:
                ended = not (await self._runs.get(ref)).is_active
                before = last
                async for event in self._log(ref, last):
                    last = event.sequence
                    yield event
                if ended:  # read before the log, which therefore was complete
                    return
                if was_silent and last == before:
                    yield Heartbeat(last)
                while (events := await self._next(live)) and not _has_gap(events, last):
                    for event in events:
                        if event.sequence > last:
                            last = event.sequence
                            yield event
                        if isinstance(event.kind, Finished):
                            return
                was_silent = events == ()

    async def _log(self, ref: RunRef, after_sequence: int) -> AsyncGenerator[RunEvent]:
        last, is_whole = after_sequence, False
        while not is_whole:
            page = await self._events.read(ref, last, LOG_PAGE)
            is_whole = len(page) < LOG_PAGE
            for event in page:
                last = event.sequence
                yield event

    async def _next(self, live: Subscription) -> Sequence[RunEvent] | None:
        """The next live events; empty after a silence, None after an overflow."""
        try:
            async with asyncio.timeout(self._heartbeat_s):
                return await live.get()
        except TimeoutError:
            return ()


def _has_gap(events: Sequence[RunEvent], last: int) -> bool:
    """Whether an event is missing between `last` and the end of these."""
    for event in events:
        if event.sequence > last + 1:
            return True
        last = max(last, event.sequence)
    return False
