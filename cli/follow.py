"""Watching a run to its end: across lost connections, with Ctrl-C meaning what the user expects."""

import asyncio
import contextlib
import signal
import uuid
from collections.abc import AsyncIterator, Iterator
from typing import Any

import grpc
from powerfill.common.v1.run_options_pb2 import RunOptions

from cli.clients import RunClient, UnreachableError
from cli.console import program
from cli.displays import Display, Quiet
from cli.exit_codes import CommandError, LeftError
from cli.progress import RunProgress
from shared.errors import Reason
from shared.rpc.status import ReceivedError

PATIENCE_S = 60.0
"""How long a lost server is tried again without a sign of it."""

FIRST_DELAY_S, MAX_DELAY_S = 0.5, 5.0

FINISHED_FIRST = 2
"""How many runs that stand in the way a command finishes, one after the other, before it gives up submitting its own."""


async def execute(client: RunClient, options: RunOptions, display: Display) -> RunProgress:
    """Submit a run and watch it to its end.

    Where the service is local an active run is finished first: one whose process was lost is taken up by this one and by
    nobody else. Raises CommandError, with what to type, where a server has another active run.
    """
    left = FINISHED_FIRST if client.is_local else 0
    while True:
        try:
            return await _Watch(client, display, RunProgress(), options).to_the_end()
        except ReceivedError as error:
            active = error.metadata.get("run_id", "")
            if error.reason != Reason.RUN_ACTIVE:
                raise
            if not left or not active:
                lines = (f"watch it:  {watch_command(client, active)}", f"cancel it: {_cancel_command(client, active)}")
                raise CommandError(f"{error.message} ({error.reason})", lines=lines) from None
        left -= 1
        await _finish(client, active, display)


async def watch(client: RunClient, run_id: str, display: Display) -> RunProgress:
    """Watch a run that is there already, from its first event to its end."""
    return await _Watch(client, display, RunProgress(run_id=run_id), None).to_the_end()


def watch_command(client: RunClient, run_id: str) -> str:
    """What to type to watch a run, or to find it where its id is not known yet."""
    command = f"runs show {client.tenant_id} {run_id} --watch" if run_id else f"runs list {client.tenant_id}"
    return f"{program()} {command}{client.again}"


def _cancel_command(client: RunClient, run_id: str) -> str:
    return f"{program()} runs cancel {client.tenant_id} {run_id}{client.again}"


async def _finish(client: RunClient, run_id: str, display: Display) -> None:
    """Wait for the end of a run that is not this command's, and say so."""
    display.remark(f"run {run_id} of {client.tenant_id} is active and is finished first; Ctrl-C leaves it")
    other = await _OthersWatch(client, _Remarks(display), RunProgress(run_id=run_id), None).to_the_end()
    display.remark(f"run {run_id} ended {other.status}; now the run asked for")


class _Remarks(Quiet):
    """Passes on remarks to a display that shall not show this run's events."""

    def __init__(self, display: Display) -> None:
        self._display = display

    def remark(self, text: str) -> None:
        """As the display does."""
        self._display.remark(text)


class _Watch:
    """One run being watched. `options` submit it; without them it is there already."""

    def __init__(self, client: RunClient, display: Display, progress: RunProgress, options: RunOptions | None) -> None:
        self._client, self._display, self._progress, self._options = client, display, progress, options
        self._request_id = str(uuid.uuid4())
        self._cancelling: asyncio.Task[None] | None = None
        self._known = asyncio.Event()
        if progress.run_id:
            self._known.set()

    async def to_the_end(self) -> RunProgress:
        """What the events said. Ctrl-C cancels a run of a local service, and only leaves one of a server: LeftError."""
        reading = asyncio.create_task(self._read())
        try:
            with _interrupts() as presses:
                while not reading.done():
                    press = asyncio.create_task(presses.get())
                    await asyncio.wait({reading, press}, return_when=asyncio.FIRST_COMPLETED)
                    if not press.cancel() and not reading.done():
                        self._interrupted()
            return await reading
        finally:
            for task in (reading, self._cancelling):
                if task is not None and not task.done():
                    task.cancel()
                    await asyncio.wait({task})

    def _interrupted(self) -> None:
        run_id = self._progress.run_id
        if not self._client.is_local:
            raise LeftError(f"left; the run goes on. Watch it again: {watch_command(self._client, run_id)}")
        if self._cancelling is not None:
            raise LeftError("left without waiting for the end of the run; the next command on this tenant ends it")
        self._display.remark("cancelling the run; Ctrl-C once more leaves without waiting")
        self._cancelling = asyncio.create_task(self._cancel())

    async def _cancel(self) -> None:
        await self._known.wait()
        try:
            await self._client.cancel(self._progress.run_id)
        except ReceivedError as error:
            if error.reason != Reason.RUN_NOT_ACTIVE:  # else it has ended meanwhile, which the events tell
                self._display.remark(f"not cancelled: {error.message}")

    async def _read(self) -> RunProgress:
        """Every event, resuming after the last one whenever the connection is lost."""
        loop = asyncio.get_running_loop()
        delay_s, heard_s = FIRST_DELAY_S, 0.0
        while not self._progress.finished:
            try:
                async for message in self._stream():
                    if delay_s > FIRST_DELAY_S:
                        self._display.remark("connected again")
                    delay_s, heard_s = FIRST_DELAY_S, loop.time()
                    if message.WhichOneof("message") == "event" and message.event.sequence > self._progress.last_sequence:
                        self._progress.apply(message.event)
                        self._known.set()
                        self._display.show(message.event, self._progress)
                if not self._progress.finished:
                    raise UnreachableError("the stream of events ended before the run did")
            except (ReceivedError, UnreachableError) as error:
                lost = isinstance(error, UnreachableError) or error.code == grpc.StatusCode.UNAVAILABLE
                if not lost or not heard_s:
                    raise
                if loop.time() - heard_s > PATIENCE_S:
                    again = watch_command(self._client, self._progress.run_id)
                    raise UnreachableError(f"the run service is lost; the run may go on. Watch it again: {again}") from None
                self._display.remark(f"connection lost; resuming after event {self._progress.last_sequence}")
                await asyncio.sleep(delay_s)
                delay_s = min(MAX_DELAY_S, 2 * delay_s)
        return self._progress

    def _stream(self) -> AsyncIterator[Any]:
        if self._progress.run_id or self._options is None:
            return self._client.watch(self._progress.run_id, self._progress.last_sequence)
        return self._client.execute(self._options, self._request_id)


class _OthersWatch(_Watch):
    """A run that somebody else asked for: Ctrl-C leaves it, wherever it executes."""

    def _interrupted(self) -> None:
        cancel = _cancel_command(self._client, self._progress.run_id)
        raise LeftError(f"left; the run asked for was not submitted. The active run can be cancelled: {cancel}")


@contextlib.contextmanager
def _interrupts() -> Iterator["asyncio.Queue[int]"]:
    """Ctrl-C and SIGTERM into a queue instead of an exception, until the block ends."""
    loop, presses = asyncio.get_running_loop(), asyncio.Queue[int]()
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number in before:
        loop.add_signal_handler(number, presses.put_nowait, number)
    try:
        yield presses
    finally:
        for number, handler in before.items():
            loop.remove_signal_handler(number)
            signal.signal(number, handler)
