"""The engine's stop criterion in a worker: a flag raised from outside, and the clock of the improvement phase."""

import time
from collections.abc import Callable

from services.run_service.engine.stop import Stop


class WorkerStop(Stop):
    """Cancelled when `is_asked` says so; out of time when the improvement phase has had its seconds."""

    def __init__(self, is_asked: Callable[[], bool]) -> None:
        self._is_asked = is_asked
        self._end_s = float("inf")
        self._left_s: float | None = None

    def cancelled(self) -> bool:
        """Whether somebody asked for the run to end."""
        return self._is_asked()

    def start_improvement(self, time_limit_s: float | None) -> None:
        """The improvement phase begins and may take this many seconds, or goes on with what is left of them; None: no limit."""
        if self._left_s is None:
            self._left_s = float("inf") if time_limit_s is None else time_limit_s
        self._end_s = time.monotonic() + self._left_s

    def pause_improvement(self) -> None:
        """What follows, until the phase starts again, does not count against its time."""
        if self._left_s is not None:
            self._left_s = max(0.0, self._end_s - time.monotonic())
        self._end_s = float("inf")

    def time_is_up(self) -> bool:
        """Whether the improvement phase used up its time."""
        return time.monotonic() >= self._end_s
