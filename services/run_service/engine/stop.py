"""When the engine must stop: a seam so small that a test satisfies it with a subclass of two lines. The engine has no clock."""


class RunCancelledError(Exception):
    """Raised by the engine at a checkpoint after somebody asked it to stop."""


class Stop:
    """Never stops. Override to cancel a run or to bound the improvement phase by a clock."""

    def cancelled(self) -> bool:
        """Whether somebody asked for the run to end. Called often; must be cheap."""
        return False

    def start_improvement(self, time_limit_s: float | None) -> None:
        """The improvement phase begins and may take this many seconds, or goes on with what is left of them; None: no limit."""

    def pause_improvement(self) -> None:
        """What follows, until the phase starts again, does not count against its time."""

    def time_is_up(self) -> bool:
        """Whether the improvement phase used up its time."""
        return False

    def checkpoint(self) -> None:
        """Raise RunCancelledError if the run was cancelled."""
        if self.cancelled():
            raise RunCancelledError
