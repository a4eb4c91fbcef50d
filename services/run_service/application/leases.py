"""The runs this server holds: their leases are extended at every heartbeat, and whoever works on one learns when it is lost."""

import asyncio
import datetime as dt
import logging
from collections import defaultdict

from services.run_service.application.ports import Clock, RunRepository
from services.run_service.domain import life
from services.run_service.domain.life import Lease
from services.run_service.domain.run import Run, RunRef
from shared.errors import PowerFillError

_logger = logging.getLogger(__name__)


class Held:
    """One run this server holds. `cancel` is set when its cancel was requested, `lost` when the lease passed or it ended."""

    def __init__(self, lease: Lease) -> None:
        self.lease = lease
        self.cancel = asyncio.Event()
        self.lost = asyncio.Event()


class Leases:
    """All runs held, under one owner name that no other server has."""

    def __init__(self, owner: str, runs: RunRepository, clock: Clock, lease_s: float) -> None:
        self.owner = owner
        self._runs, self._clock = runs, clock
        self._lease_s = lease_s
        self._held: dict[RunRef, Held] = {}

    def new_lease(self) -> Lease:
        """A lease from now."""
        return Lease(self.owner, self._clock.now() + dt.timedelta(seconds=self._lease_s))

    def prepare(self, ref: RunRef) -> Held:
        """What this server holds of the run, or will once it has it; `hold` then keeps its lease."""
        return self._held.get(ref) or Held(self.new_lease())

    def hold(self, ref: RunRef, held: Held) -> None:
        """Keep this run's lease alive from now on. Called after the row was given it, or a heartbeat takes it for lost."""
        self._held[ref] = held

    def drop(self, ref: RunRef) -> None:
        """Let it pass."""
        self._held.pop(ref, None)

    def is_held(self, ref: RunRef) -> bool:
        """Whether this server holds it."""
        return ref in self._held

    async def release_all(self) -> None:
        """Leave every run still held to the next server, at once; what cannot be reached is left by its lease's passing."""
        for ref in list(self._held):
            self.drop(ref)
            try:
                await self._runs.change(ref, lambda run: life.release(run) if self._is_mine(run) else None)
            except PowerFillError as error:
                _logger.warning("lease of run %s not released: %s", ref.run_id, error, extra={"tenant": ref.tenant_id})

    def _is_mine(self, run: Run) -> bool:
        return run.is_active and run.lease_owner == self.owner

    async def beat(self) -> None:
        """Extend all leases once; a tenant whose database hangs delays no other's."""
        by_tenant: dict[str, dict[str, Held]] = defaultdict(dict)
        for ref, held in self._held.items():
            by_tenant[ref.tenant_id][ref.run_id] = held
        await asyncio.gather(*(self._beat_tenant(tenant_id, held) for tenant_id, held in by_tenant.items()))

    async def _beat_tenant(self, tenant_id: str, held: dict[str, Held]) -> None:
        lease = self.new_lease()
        try:
            async with asyncio.timeout(self._lease_s / 3):
                extended = await self._runs.renew(tenant_id, held.keys(), lease)
        except (PowerFillError, TimeoutError) as error:
            _logger.warning("leases of tenant %s not extended: %s", tenant_id, error, extra={"tenant": tenant_id})
            now = self._clock.now()
            for run_id, one in held.items():
                if one.lease.until <= now:
                    self._lose(RunRef(tenant_id, run_id), one)
            return
        for run_id, one in held.items():
            if run_id not in extended:
                self._lose(RunRef(tenant_id, run_id), one)
                continue
            one.lease = lease
            if extended[run_id]:
                one.cancel.set()

    def _lose(self, ref: RunRef, held: Held) -> None:
        held.lost.set()
        if self._held.get(ref) is held:
            del self._held[ref]
