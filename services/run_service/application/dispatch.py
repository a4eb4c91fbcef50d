"""Runs from the queue to free workers, for as long as the server takes any."""

import asyncio

from services.run_service.application.execute_run import RunExecutor
from services.run_service.application.ports import RunBus, Worker, WorkerPool
from services.run_service.domain.run import RunRef


class Dispatcher:
    """Takes a run whenever a worker is free."""

    def __init__(self, bus: RunBus, pool: WorkerPool, executor: RunExecutor) -> None:
        self._bus, self._pool, self._executor = bus, pool, executor
        self._at_work: set[asyncio.Task[None]] = set()

    async def dispatch(self) -> None:
        """Until cancelled; runs that are at work then go on."""
        while True:
            worker = await self._pool.acquire()
            try:
                ref = await self._bus.take()
            except BaseException:
                self._pool.release(worker)
                raise
            task = asyncio.create_task(self._work(ref, worker))
            self._at_work.add(task)
            task.add_done_callback(self._at_work.discard)

    async def drain(self, grace_s: float) -> None:
        """Wait for the runs at work, at most `grace_s` seconds; the rest is left to the next server."""
        if self._at_work:
            await asyncio.wait(self._at_work, timeout=grace_s)
        self._executor.stop_now()
        if self._at_work:
            await asyncio.wait(self._at_work)
        await self._executor.stop_removals()

    async def _work(self, ref: RunRef, worker: Worker) -> None:
        try:
            await self._executor.execute(ref, worker)
        finally:
            self._pool.release(worker)
