"""What happens when somebody asks a run to stop."""

import dataclasses

from services.run_service.application.background import to_the_end
from services.run_service.application.errors import run_not_active
from services.run_service.application.ports import Clock, OutputStore, RunBus, RunRepository
from services.run_service.domain import life
from services.run_service.domain.life import Change
from services.run_service.domain.outcome import Stopped
from services.run_service.domain.run import Run, RunRef, RunStatus
from shared.auth.caller import Caller


class CancelRun:
    """Records the request and tells whoever works on the run; ends it here where nobody does."""

    def __init__(self, runs: RunRepository, outputs: OutputStore, bus: RunBus, clock: Clock) -> None:
        self._runs, self._outputs, self._bus, self._clock = runs, outputs, bus, clock

    async def __call__(self, caller: Caller, run_id: str) -> Run:
        """The run after the request was recorded. Raises RUN_NOT_FOUND, and RUN_NOT_ACTIVE for one that ended otherwise."""
        # A client that goes away must not leave a request that is recorded and never told.
        return await to_the_end(self._cancel(RunRef(caller.tenant_id, run_id)))

    async def _cancel(self, ref: RunRef) -> Run:
        changed = await self._runs.change(ref, self._decide)
        run = changed.run if changed is not None else await self._runs.get(ref)
        if run.is_active:
            await self._bus.signal_cancel(ref)
            return run
        if run.status != RunStatus.CANCELLED:
            raise run_not_active(run)
        if changed is not None:
            await self._bus.publish(ref, changed.events)
            await self._bus.withdraw(ref)
            await self._outputs.remove(ref)
        return run

    def _decide(self, run: Run) -> Change | None:
        now = self._clock.now()
        if run.status == RunStatus.PENDING or life.is_free(run, now):
            return life.conclude(dataclasses.replace(run, cancel_requested=True), Stopped(), now)
        return life.ask_to_cancel(run) if run.is_active and not run.cancel_requested else None
