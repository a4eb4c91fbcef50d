"""Work that goes on beside or beyond a request."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

_logger = logging.getLogger(__name__)
_running: set[asyncio.Task[Any]] = set()


async def to_the_end(work: Coroutine[Any, Any, T]) -> T:
    """Await `work`, which goes on to its end even if whoever awaits it is cancelled."""
    task = asyncio.create_task(work)
    _running.add(task)
    task.add_done_callback(_forget)
    return await asyncio.shield(task)


async def every(interval_s: float, action: Callable[[], Awaitable[None]]) -> None:
    """`action` now and again `interval_s` seconds after each end, until cancelled; what it raises is logged."""
    while True:
        try:
            await action()
        except Exception:
            _logger.exception("background work failed; it is tried again")
        await asyncio.sleep(interval_s)


def _forget(task: asyncio.Task[Any]) -> None:
    _running.discard(task)
    if not task.cancelled():
        task.exception()  # the one who awaited it has it, or is gone
