"""The complete run that somebody asks about."""

from services.run_service.application.errors import no_complete_run, outputs_expired, run_not_complete
from services.run_service.application.ports import RunRepository
from services.run_service.domain.run import Run, RunRef, RunStatus


async def complete_run(runs: RunRepository, tenant_id: str, run_id: str) -> Run:
    """The run of that id, or the tenant's latest complete one where it is empty.

    Raises RUN_NOT_FOUND, RUN_NOT_COMPLETE, and RUN_EXPIRED for a run that gave its outputs up.
    """
    if not run_id:
        latest = await runs.find_latest_complete(tenant_id)
        if latest is None:
            raise no_complete_run(tenant_id)
        return latest
    run = await runs.get(RunRef(tenant_id, run_id))
    if run.status != RunStatus.COMPLETE:
        raise run_not_complete(run)
    if run.outputs_removed:
        raise outputs_expired(run_id)
    return run
