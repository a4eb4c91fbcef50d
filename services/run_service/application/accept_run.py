"""From a request for a run to a run that waits for a worker: once a request, one active run a tenant, recorded, then queued."""

from collections.abc import Awaitable, Callable

from services.run_service.application.background import to_the_end
from services.run_service.application.errors import queue_full, request_id_reused, run_active, shutting_down
from services.run_service.application.leases import Leases
from services.run_service.application.ports import (
    Clock,
    IdSource,
    QueueFullError,
    RunBus,
    RunConflictError,
    RunRepository,
)
from services.run_service.application.requested_options import RequestedRun
from services.run_service.application.sweep import Sweep
from services.run_service.domain import life
from services.run_service.domain.events import Accepted
from services.run_service.domain.run import Run, RunStatus
from shared.auth.caller import Caller
from shared.errors import invalid_field

MAX_REQUEST_ID_LENGTH = 64
QUEUE_PATIENCE_S = 2.0
INSERT_ATTEMPTS = 3
"""How often a run that stood in the way may end just before it is looked at."""


class AcceptRun:
    """Records and queues a run, whatever it works on."""

    def __init__(
        self,
        runs: RunRepository,
        bus: RunBus,
        leases: Leases,
        sweep: Sweep,
        clock: Clock,
        ids: IdSource,
        is_draining: Callable[[], bool],
    ) -> None:
        self._runs, self._bus, self._leases, self._sweep = runs, bus, leases, sweep
        self._clock, self._ids, self._is_draining = clock, ids, is_draining

    async def made_before(self, tenant_id: str, request_id: str, digest: str) -> Run | None:
        """The run that was accepted for this request before. Raises INVALID_FIELD, REQUEST_ID_REUSED."""
        if len(request_id) > MAX_REQUEST_ID_LENGTH:
            raise invalid_field(
                "request_id", f"it has {len(request_id)} characters; it must have at most {MAX_REQUEST_ID_LENGTH}"
            )
        run = await self._runs.find_by_request(tenant_id, request_id) if request_id else None
        if run is not None and run.request_digest != digest:
            raise request_id_reused(run)
        return run

    async def __call__(
        self, caller: Caller, asked: RequestedRun, request_id: str, refuse_unready: Callable[[], Awaitable[None]]
    ) -> Run:
        """The accepted run, or the one that was accepted for this request before.

        `refuse_unready` raises what else stands in the way; it is asked last, as it costs most. Raises INVALID_FIELD,
        REQUEST_ID_REUSED, RUN_ACTIVE, QUEUE_FULL, SHUTTING_DOWN, and what reaching the tenant's database raises.
        """
        earlier = await self.made_before(caller.tenant_id, request_id, asked.digest)
        if earlier is not None:
            return earlier
        if self._is_draining():
            raise shutting_down()
        active = await self._active(caller.tenant_id)
        if active is not None:
            return self._joined(active, request_id, asked)
        await refuse_unready()
        # A client that goes away must not leave a run that is recorded and never queued.
        return await to_the_end(self._record_and_queue(caller, request_id, asked))

    async def _active(self, tenant_id: str) -> Run | None:
        """The run in the way, which spares the checks; the database decides at the insert. One that nobody holds is seen to."""
        active = await self._runs.find_active(tenant_id)
        if active is None or not life.is_free(active, self._clock.now()):
            return active
        await self._sweep.tenant(tenant_id)
        return await self._runs.find_active(tenant_id)

    @staticmethod
    def _joined(active: Run, request_id: str, asked: RequestedRun) -> Run:
        """The active run, if it is this request's own, recorded a moment ago by a repetition of it."""
        if not request_id or active.request_id != request_id:
            raise run_active(active)
        if active.request_digest != asked.digest:
            raise request_id_reused(active)
        return active

    async def _record_and_queue(self, caller: Caller, request_id: str, asked: RequestedRun) -> Run:
        for _ in range(INSERT_ATTEMPTS):
            lease = self._leases.new_lease()
            run = Run(
                run_id=self._ids.new_id(),
                tenant_id=caller.tenant_id,
                status=RunStatus.PENDING,
                requested_by=caller.subject,
                options=asked.options,
                submitted_at=self._clock.now(),
                replay_of=asked.replay_of,
                request_id=request_id,
                request_digest=asked.digest,
                last_sequence=1,
                lease_owner=lease.owner,
                lease_until=lease.until,
            )
            try:
                event = await self._runs.insert(run, Accepted(caller.subject))
            except RunConflictError:
                earlier = await self.made_before(caller.tenant_id, request_id, asked.digest)
                if earlier is not None:
                    return earlier
                active = await self._runs.find_active(caller.tenant_id)
                if active is not None:
                    return self._joined(active, request_id, asked)
                continue
            self._leases.hold(run.ref, self._leases.prepare(run.ref))
            await self._queue(run)
            await self._bus.publish(run.ref, [event])
            return run
        raise queue_full()  # runs of this tenant come and go faster than this one can be recorded

    async def _queue(self, run: Run) -> None:
        try:
            await self._bus.put(run.ref, QUEUE_PATIENCE_S)
        except QueueFullError:
            self._leases.drop(run.ref)
            await self._runs.take_back(run.ref)
            raise queue_full() from None
