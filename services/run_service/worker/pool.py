"""The worker processes, seen from the service: started with it, replaced when they end."""

import asyncio
import contextlib
import logging
import multiprocessing
import threading
from collections.abc import Callable, Coroutine, Sequence
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from types import TracebackType
from typing import Any, Self

from services.run_service.application.ports import Job, Message, Worker
from services.run_service.domain.outcome import Abandoned, Broke, Computed, Died, Stopped
from services.run_service.worker.process import Command, Prepared, StopJob, WorkerSettings, work

Work = Callable[[Connection, WorkerSettings], None]
"""What a worker process executes; it must be importable by its name."""

_SPAWN = multiprocessing.get_context("spawn")  # a fork of a process with threads and an event loop is not safe
_OUTCOMES = (Computed, Stopped, Broke, Died, Abandoned)

_logger = logging.getLogger(__name__)


class ProcessPool:
    """`application.ports.WorkerPool` over processes of this machine."""

    def __init__(self, size: int, settings: WorkerSettings, work: Work = work) -> None:
        self._workers = [ProcessWorker(number, settings, work) for number in range(1, size + 1)]
        self._free: asyncio.Queue[Worker] = asyncio.Queue()
        self._starting: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        """Start the processes, which get ready while the service serves; the second when the first is ready.

        The first compiles what was never compiled on this machine, the others then find it done.
        """
        for worker in self._workers:
            self._free.put_nowait(worker)
        for first in self._workers[:1]:
            await first.ensure_process()
        self._start_others = asyncio.create_task(self._start_behind_the_first())
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """End every process; none has a job any more, so there is nothing to wait for."""
        self._start_others.cancel()
        await asyncio.gather(*self._starting)
        await asyncio.gather(*(worker.aclose() for worker in self._workers))

    async def prepared(self) -> None:
        """Until every process has loaded what a job needs, or ended before it had."""
        for worker in self._workers:
            await worker.prepared.wait()

    async def acquire(self) -> Worker:
        """Wait for a free worker. Being cancelled loses none."""
        return await self._free.get()

    def release(self, worker: Worker) -> None:
        """Give it back. A job that has not had its Outcome is ended with its process; the process is replaced."""
        mine = next(one for one in self._workers if one is worker)
        mine.abandon()
        self._free.put_nowait(mine)
        self._start(mine.ensure_process())

    async def _start_behind_the_first(self) -> None:
        for first in self._workers[:1]:
            await first.prepared.wait()
        for worker in self._workers[1:]:
            self._start(worker.ensure_process())

    def _start(self, starting: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(starting)
        self._starting.add(task)
        task.add_done_callback(self._starting.discard)


class ProcessWorker:
    """`application.ports.Worker`: one process at a time, and a thread that hears what it tells."""

    def __init__(self, number: int, settings: WorkerSettings, work: Work) -> None:
        self._name, self._settings, self._work = f"worker-{number}", settings, work
        self._starting = asyncio.Lock()
        self._process: SpawnProcess | None = None
        self._connection: Connection | None = None
        self._told: list[Message] = []
        self._something = asyncio.Event()
        self.prepared = asyncio.Event()
        """Set when a process of its was ready, or ended before it was."""
        self._is_busy = False
        self._is_closing = False

    async def ensure_process(self) -> None:
        """Start a process if there is none."""
        async with self._starting:
            if self._process is None:
                await self._spawn()

    async def start(self, job: Job) -> None:
        """Hand it a job, to a new process if the last one died or was ended."""
        self._told.clear()
        self._something.clear()
        self._is_busy = True
        await self.ensure_process()
        self._send(job)

    async def messages(self) -> Sequence[Message]:
        """Wait for the job's messages and take all there are. The last of a job is its Outcome: Died if the process ended."""
        await self._something.wait()
        self._something.clear()
        told, self._told = self._told, []
        if any(isinstance(message, _OUTCOMES) for message in told):
            self._is_busy = False
        return told

    def ask_to_stop(self) -> None:
        """Raise the flag that the engine looks at; no effect on a worker that is done."""
        if self._is_busy:
            self._send(StopJob())

    def kill(self) -> None:
        """End the process now; no effect on a worker that is done."""
        if self._is_busy and self._process is not None:
            self._process.kill()

    def abandon(self) -> None:
        """End a process whose job has not had its Outcome; nothing of that job is heard any more."""
        if self._is_busy:
            if self._process is not None:
                self._process.kill()
            self._process = self._connection = None
            self._is_busy = False

    async def aclose(self) -> None:
        """End the process."""
        self._is_closing = True
        if self._process is not None:
            self._process.kill()
            await asyncio.to_thread(self._process.join)

    async def _spawn(self) -> None:
        ours, theirs = _SPAWN.Pipe(duplex=True)
        process = _SPAWN.Process(target=self._work, args=(theirs, self._settings), name=self._name, daemon=True)
        await asyncio.to_thread(process.start)  # it takes some milliseconds, in which the event loop serves others
        theirs.close()
        self._process, self._connection = process, ours
        listening = threading.Thread(
            target=self._listen, args=(process, ours, asyncio.get_running_loop()), name=self._name, daemon=True
        )
        listening.start()

    def _send(self, command: Command) -> None:
        if self._connection is not None:
            with contextlib.suppress(OSError):  # it has just ended: the listener tells
                self._connection.send(command)

    def _listen(self, process: SpawnProcess, connection: Connection, loop: asyncio.AbstractEventLoop) -> None:
        """In a thread: pass on what one process tells, and its end."""
        with contextlib.suppress(RuntimeError):  # the event loop is closed
            try:
                while True:
                    message: Message | Prepared = connection.recv()
                    loop.call_soon_threadsafe(self._heard, process, message)
            except (EOFError, OSError):
                process.join()
                connection.close()
                loop.call_soon_threadsafe(self._ended, process)

    def _heard(self, process: SpawnProcess, message: Message | Prepared) -> None:
        if isinstance(message, Prepared):
            self.prepared.set()
        elif self._process is process:
            self._told.append(message)
            self._something.set()

    def _ended(self, process: SpawnProcess) -> None:
        if not self._is_closing:
            _logger.warning("%s (process %s) ended with exit code %s", self._name, process.pid, process.exitcode)
        self.prepared.set()
        if self._is_busy:
            self._heard(process, Died())
        if self._process is process:
            self._process = self._connection = None
