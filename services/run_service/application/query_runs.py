"""Reading runs: one, or a page of them."""

from services.run_service.application.ports import RunCursor, RunPage, RunRepository, RunSelection
from services.run_service.domain.run import Run, RunRef
from shared.auth.caller import Caller

__all__ = ["GetRun", "ListRuns", "RunCursor", "RunPage", "RunSelection"]


class GetRun:
    """One run as it stands."""

    def __init__(self, runs: RunRepository) -> None:
        self._runs = runs

    async def __call__(self, caller: Caller, run_id: str) -> Run:
        """Raises RUN_NOT_FOUND, also for a run of another tenant."""
        return await self._runs.get(RunRef(caller.tenant_id, run_id))


class ListRuns:
    """The tenant's runs, newest first."""

    def __init__(self, runs: RunRepository) -> None:
        self._runs = runs

    async def __call__(self, caller: Caller, selection: RunSelection, page_size: int, after: RunCursor | None) -> RunPage:
        """At most `page_size` runs of the selection, those after the cursor."""
        return await self._runs.page(caller.tenant_id, selection, page_size, after)
