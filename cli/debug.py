"""Whether `--debug` was given: tracebacks, and the log of services hosted in this process on stderr."""

from contextvars import ContextVar

_on: ContextVar[bool] = ContextVar("powerfill_debug", default=False)


def turn_on() -> None:
    """From now on."""
    _on.set(True)


def is_on() -> bool:
    """Whether it was given."""
    return _on.get()
