"""One run from its claim to its end: a worker computes, every message of it is recorded before it is told on."""

import asyncio
import contextlib
import dataclasses
import logging
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

from services.run_service.application.leases import Held, Leases
from services.run_service.application.ports import (
    Changed,
    Clock,
    Decide,
    Happened,
    InputsRead,
    Job,
    Message,
    OutputStore,
    RunBus,
    RunRepository,
    TableWritten,
    Worker,
)
from services.run_service.application.run_trace import RunTrace
from services.run_service.domain import life
from services.run_service.domain.errors import LeaseLostError
from services.run_service.domain.life import Change
from services.run_service.domain.outcome import Broke, Computed, Outcome
from services.run_service.domain.outputs import DIAGNOSTIC_TABLES
from services.run_service.domain.run import Run, RunRef, RunStatus
from services.run_service.domain.steps import current_step
from shared.errors import PowerFillError, Reason

STOP_PATIENCE_S = 1.5
"""How long a worker may take to notice a cancel before its process is ended; the run is CANCELLED within 2 s."""

REMOVAL_BUDGET_S = 0.4
"""How much of those 2 s may go into removing outputs; what is left then is removed after the end."""

RETRY_DELAY_S = 0.2

_logger = logging.getLogger(__name__)


class RunExecutor:
    """Executes the runs this server takes up."""

    def __init__(
        self,
        runs: RunRepository,
        outputs: OutputStore,
        bus: RunBus,
        leases: Leases,
        clock: Clock,
        begin_retention: Callable[[str], None],
    ) -> None:
        self._runs, self._outputs, self._bus, self._leases, self._clock = runs, outputs, bus, leases, clock
        self._begin_retention = begin_retention
        self._stop_now = asyncio.Event()
        self._removals: set[asyncio.Task[bool]] = set()

    def stop_now(self) -> None:
        """The server stops: leave every run to the next server."""
        self._stop_now.set()

    async def stop_removals(self) -> None:
        """End what goes on after runs were ended; the next server's sweep removes what is left."""
        for task in self._removals:
            task.cancel()
        if self._removals:
            await asyncio.wait(self._removals)

    async def execute(self, ref: RunRef, worker: Worker) -> None:
        """Claim the run and see it through with this worker. Does nothing for a run that is not to be had.

        What goes wrong here without being foreseen is logged and ends the run as FAILED; nothing is raised.
        """
        held = self._leases.prepare(ref)
        try:
            with self._bus.on_cancel(ref, held.cancel.set):  # before the claim, so that no signal is missed
                run = await self._claim(ref)
                if run is not None:
                    self._leases.hold(ref, held)
                    await self._see_through(run, worker, held)
        except LeaseLostError:
            _logger.warning("run %s was lost to another server, or ended", ref.run_id, extra={"tenant": ref.tenant_id})
        except Exception:  # noqa: BLE001 - the outermost place of a run; what is unexpected is logged and ends it
            await self._end_unforeseen(ref)
        finally:
            self._leases.drop(ref)

    async def _claim(self, ref: RunRef) -> Run | None:
        def decide(run: Run) -> Change | None:
            return life.claim(run, self._leases.new_lease(), self._clock.now())

        try:
            claimed = await self._runs.change(ref, decide)
        except PowerFillError as error:  # its lease passes, and the sweep finds it when the database is back
            _logger.warning("run %s not taken up: %s", ref.run_id, error, extra={"tenant": ref.tenant_id})
            return None
        if claimed is None:
            return None
        await self._bus.publish(ref, claimed.events)
        _tell(claimed.run, "is taken up" if claimed.run.attempt == 1 else "is taken over")
        return claimed.run

    async def _see_through(self, run: Run, worker: Worker, held: Held) -> None:
        with RunTrace(run) as trace:
            while run.is_active and run.lease_owner:
                whole_tables: list[str] = []
                outcome = await self._attempt(run, worker, held, trace, whole_tables)
                run = await self._settle(run, outcome, held, [name for name in whole_tables if name in DIAGNOSTIC_TABLES])
            trace.ended(run)

    async def _attempt(self, run: Run, worker: Worker, held: Held, trace: RunTrace, whole_tables: list[str]) -> Outcome:
        """Let the worker work, record what it tells, and see to it that it stops when it must."""
        await worker.start(Job(run.ref, run.attempt, self._leases.owner, run.options, run.replay_of))
        async with self._stopping(worker, held):
            while True:
                messages = await worker.messages()
                await self._record(run, messages, held)
                for message in messages:
                    if isinstance(message, Happened):
                        trace.happened(message)
                    elif isinstance(message, TableWritten):
                        whole_tables.append(message.name)
                    elif not isinstance(message, InputsRead):
                        return message

    async def _record(self, run: Run, messages: Sequence[Message], held: Held) -> None:
        kinds = tuple(message.kind for message in messages if isinstance(message, Happened))
        counts = [message.row_counts for message in messages if isinstance(message, InputsRead)]
        if not kinds and not counts:
            return

        def decide(current: Run) -> Change:
            change = life.record(current, kinds, self._clock.now())
            return dataclasses.replace(change, run=dataclasses.replace(change.run, input_counts=counts[-1])) if counts else change

        await self._change(run, held, decide)

    async def _settle(self, run: Run, outcome: Outcome, held: Held, keep: Sequence[str]) -> Run:
        """Restart, release or end the run. Outputs of a run without a result are gone when it ends, but for what is kept."""
        if held.lost.is_set():
            raise LeaseLostError
        removed = False
        if not isinstance(outcome, Computed) or held.cancel.is_set():
            removed = await self._remove_outputs(run.ref, keep, REMOVAL_BUDGET_S if held.cancel.is_set() else None)
        is_stopping, lease = self._stop_now.is_set(), self._leases.new_lease()

        def decide(current: Run) -> Change:
            return life.settle(current, outcome, lease, self._clock.now(), is_stopping=is_stopping)

        settled = (await self._change(run, held, decide)).run
        if not settled.is_active:
            _tell(settled, f"ended {settled.status}")
        else:
            _tell(settled, "is started again" if settled.lease_owner else "is left to the next server")
        if not removed and settled.is_active:
            await self._remove_outputs(run.ref, keep, None)
        elif not removed and settled.status != RunStatus.COMPLETE:  # it has ended: neither its desk nor its worker waits
            task = asyncio.create_task(self._remove_outputs(run.ref, keep, None))
            self._removals.add(task)
            task.add_done_callback(self._removals.discard)
        if settled.status == RunStatus.COMPLETE:
            self._begin_retention(run.tenant_id)
        return settled

    async def _change(self, run: Run, held: Held, decide: Decide) -> Changed:
        """Change the row under this attempt's lease and tell the events; again while the database is away and the lease lasts."""

        def fenced(current: Run) -> Change | None:
            if not current.is_active or current.lease_owner != self._leases.owner or current.attempt != run.attempt:
                raise LeaseLostError
            return decide(current)

        while True:
            try:
                changed = await self._runs.change(run.ref, fenced)
            except PowerFillError as error:
                if error.reason != Reason.TENANT_UNAVAILABLE:
                    raise
                if held.lost.is_set():
                    raise LeaseLostError from error
                await asyncio.sleep(RETRY_DELAY_S)
                continue
            if changed is None:
                raise LeaseLostError
            await self._bus.publish(run.ref, changed.events)
            return changed

    @contextlib.asynccontextmanager
    async def _stopping(self, worker: Worker, held: Held) -> AsyncIterator[None]:
        """Meanwhile, stop the worker when the run is cancelled or lost, or the server stops."""
        task = asyncio.create_task(self._stop_when_told(worker, held))
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait([task])

    async def _stop_when_told(self, worker: Worker, held: Held) -> None:
        await _first_of(held.cancel.wait, held.lost.wait, self._stop_now.wait)
        if not held.lost.is_set() and not self._stop_now.is_set():
            worker.ask_to_stop()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(STOP_PATIENCE_S):
                    await _first_of(held.lost.wait, self._stop_now.wait)
        worker.kill()

    async def _remove_outputs(self, ref: RunRef, keep: Sequence[str], budget_s: float | None) -> bool:
        """Whether all of them are removed."""
        try:
            return await self._outputs.remove(ref, keep, budget_s)
        except PowerFillError as error:  # they are invisible, and the first sweep of a server removes them
            _logger.warning("outputs of run %s not removed: %s", ref.run_id, error, extra={"tenant": ref.tenant_id})
            return False

    async def _end_unforeseen(self, ref: RunRef) -> None:
        error_id = secrets.token_hex(8)
        _logger.exception("run %s: unexpected error %s", ref.run_id, error_id, extra={"error_id": error_id})
        message = f"unexpected error {error_id} in the run service; its log has it under this id"

        def decide(run: Run) -> Change | None:
            if run.lease_owner != self._leases.owner or not run.is_active:
                return None
            return life.conclude(run, Broke(current_step(run.steps), message), self._clock.now())

        await self._remove_outputs(ref, (), None)
        try:
            ended = await self._runs.change(ref, decide)
        except PowerFillError as error:  # the lease passes, and the sweep takes the run up or ends it
            _logger.warning("run %s not ended: %s", ref.run_id, error, extra={"tenant": ref.tenant_id})
            return
        if ended is not None:
            _tell(ended.run, f"ended {ended.run.status}")
            await self._bus.publish(ref, ended.events)


def _tell(run: Run, what: str) -> None:
    extra = {"tenant": run.tenant_id, "run": run.run_id, "attempt": run.attempt}
    _logger.info("run %s of tenant %s %s, attempt %d", run.run_id, run.tenant_id, what, run.attempt, extra=extra)


async def _first_of(*waits: Callable[[], Awaitable[object]]) -> None:
    tasks = [asyncio.ensure_future(wait()) for wait in waits]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
