"""Runs that nobody works on: queued again after a server's stop or loss, or ended when they were lost once before."""

import asyncio
import datetime as dt
import logging
from collections.abc import Callable

from services.run_service.application.ports import (
    Clock,
    OutputStore,
    QueueFullError,
    RunBus,
    RunRepository,
    TenantDirectory,
)
from services.run_service.domain import life
from services.run_service.domain.life import Change
from services.run_service.domain.outcome import Abandoned
from services.run_service.domain.run import Run, RunRef
from shared.errors import PowerFillError

TENANTS_AT_ONCE = 8
RETENTION_INTERVAL = dt.timedelta(minutes=10)
"""How often a tenant is looked through for old runs, beside the looks after its runs."""

TENANT_PATIENCE_S = 15.0

_logger = logging.getLogger(__name__)


class Sweep:
    """Looks for active runs that nobody holds. Who takes one from the queue claims it in its row, so sweeping twice is safe."""

    def __init__(
        self,
        runs: RunRepository,
        outputs: OutputStore,
        tenants: TenantDirectory,
        bus: RunBus,
        clock: Clock,
        is_held_here: Callable[[RunRef], bool],
        begin_retention: Callable[[str], None],
    ) -> None:
        self._runs, self._outputs, self._tenants, self._bus, self._clock = runs, outputs, tenants, bus, clock
        self._is_held_here, self._begin_retention = is_held_here, begin_retention
        self._told: dict[str, str] = {}
        self._tidied: set[str] = set()
        self._retention_due: dict[str, dt.datetime] = {}

    async def all_tenants(self) -> None:
        """Every tenant of the registry; one that cannot be reached is logged, once a reason, and skipped."""
        try:
            tenant_ids = self._tenants.ids()
        except PowerFillError as error:
            self._tell_once("", "the tenants are unknown", error)
            return
        self._told.pop("", None)
        places = asyncio.Semaphore(TENANTS_AT_ONCE)

        async def sweep(tenant_id: str) -> None:
            async with places:
                await self._unless_unreachable(tenant_id)

        await asyncio.gather(*(sweep(tenant_id) for tenant_id in tenant_ids))

    async def tenant(self, tenant_id: str) -> None:
        """One tenant. Raises what reaching its database raises."""
        for run in await self._runs.find_free(tenant_id, self._clock.now()):
            if self._is_held_here(run.ref):
                continue
            if life.is_abandoned(run, self._clock.now()):
                await self._end(run.ref)
            else:
                try:
                    await self._bus.put(run.ref, timeout_s=0)
                except QueueFullError:
                    _logger.warning("run %s waits for room in the queue", run.run_id, extra={"tenant": tenant_id})

    async def _unless_unreachable(self, tenant_id: str) -> None:
        try:
            async with asyncio.timeout(TENANT_PATIENCE_S):
                await self.tenant(tenant_id)
                if tenant_id not in self._tidied:
                    await self._outputs.remove_leftovers(tenant_id)
                    self._tidied.add(tenant_id)
                self._retire(tenant_id)
            self._told.pop(tenant_id, None)
        except (PowerFillError, TimeoutError) as error:
            self._tell_once(tenant_id, f"tenant {tenant_id} skipped", error)

    def _retire(self, tenant_id: str) -> None:
        """Have old runs removed in the background, the first time and now and then: a crash may have left some."""
        now = self._clock.now()
        if now >= self._retention_due.get(tenant_id, now):
            self._retention_due[tenant_id] = now + RETENTION_INTERVAL
            self._begin_retention(tenant_id)

    def _tell_once(self, subject: str, what: str, error: Exception) -> None:
        """Log a reason when it is new: the sweep meets it every few seconds."""
        reason = str(error) or "no answer in time"
        if self._told.get(subject) != reason:
            self._told[subject] = reason
            _logger.warning("sweep: %s: %s", what, reason, extra={"tenant": subject})

    async def _end(self, ref: RunRef) -> None:
        await self._outputs.remove(ref)  # all of it: nobody can tell which tables were written whole
        changed = await self._runs.change(ref, self._abandon)
        if changed is not None:
            _logger.warning("run %s ended as %s by the sweep", ref.run_id, changed.run.status, extra={"tenant": ref.tenant_id})
            await self._bus.publish(ref, changed.events)

    def _abandon(self, run: Run) -> Change | None:
        now = self._clock.now()
        return life.conclude(run, Abandoned(), now) if life.is_abandoned(run, now) else None
