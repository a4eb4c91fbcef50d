"""Processes that compute answers with the engine, beside those that execute runs: a question never waits for a run."""

import asyncio
import logging
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from types import TracebackType
from typing import Any, Self

from services.run_service.application.ports import Answer, PackedInputs
from services.run_service.repositories.inputs import unpack

_SPAWN = multiprocessing.get_context("spawn")  # a fork of a process with threads and an event loop is not safe

_logger = logging.getLogger(__name__)


class AnswerProcesses:
    """`application.ports.Answers` over at most `size` processes of this machine, which start when they are needed."""

    def __init__(self, size: int = 1) -> None:
        self._size = size
        self._pool: ProcessPoolExecutor | None = None

    async def __aenter__(self) -> Self:
        """Nothing is started yet."""
        return self

    async def start(self) -> None:
        """Start a process and let it load what questions need, so that the first one finds it loaded."""
        await self.compute(_load, ())

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """End the processes; nobody waits for an answer any more."""
        if self._pool is not None:
            _end(self._pool)

    async def compute(self, question: Callable[..., Answer], inputs: Sequence[PackedInputs], *facts: object) -> Answer:
        """The answer; once more in a new process if the first one died (of want of memory, for one)."""
        pool = self._ready_pool()
        try:
            return await self._ask(pool, question, inputs, facts)
        except BrokenProcessPool:
            _logger.warning("the process that computed %s died; it is asked again", question.__name__)
            if self._pool is pool:
                self._pool = None
            return await self._ask(self._ready_pool(), question, inputs, facts)

    async def _ask(
        self, pool: ProcessPoolExecutor, question: Callable[..., Answer], inputs: Sequence[PackedInputs], facts: Sequence[object]
    ) -> Answer:
        return await asyncio.get_running_loop().run_in_executor(pool, _answer, question, inputs, facts)

    def _ready_pool(self) -> ProcessPoolExecutor:
        if self._pool is None:
            self._pool = ProcessPoolExecutor(self._size, mp_context=_SPAWN, initializer=_prepare)
        return self._pool


def _end(pool: ProcessPoolExecutor) -> None:
    processes = list((pool._processes or {}).values())  # a question at work cannot be ended otherwise before 3.14
    pool.shutdown(wait=False, cancel_futures=True)
    for process in processes:
        process.kill()


def _prepare() -> None:
    """Signals to the process group are the service's affair, and its end is the process's."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    threading.Thread(target=_end_with_the_service, name="service", daemon=True).start()


def _end_with_the_service() -> None:
    """A process of the pool would wait for questions for ever after its service was killed."""
    service = multiprocessing.parent_process()
    if service is not None:
        service.join()
        os._exit(1)


def _load() -> None:
    """A question whose answer is that the engine's kernels are loaded."""
    from services.run_service.engine.warmup import warm_up  # noqa: PLC0415 - the service needs no compiler and no solver

    warm_up()


def _answer(question: Callable[..., Any], inputs: Sequence[PackedInputs], facts: Sequence[object]) -> Any:
    return question(*(unpack(packed) for packed in inputs), *facts)
