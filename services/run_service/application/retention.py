"""Retention: old runs give up their outputs and stored inputs; their history and events stay (specification 01 section 11.10).

1. Who goes is decided on the runs of which anything is stored (`expired`).
2. Each of them is marked first: readers are told RUN_EXPIRED at once, and nobody meets half of a report.
3. Then its rows are deleted in short transactions, between which others get their turn; those by which a run is found last.

Whatever ends this early, a marked run is found again by its last rows. Two servers at the same run do no harm.
"""

import asyncio
import datetime as dt
import logging
from collections.abc import Sequence

from services.run_service.application.ports import InputStore, OutputStore, RunRepository, StoredRun, TenantDirectory
from services.run_service.domain.run import ACTIVE, RunRef, RunStatus
from shared.errors import PowerFillError

TENANTS_AT_ONCE = 4

_logger = logging.getLogger(__name__)


def expired(runs: Sequence[StoredRun], keep: int) -> list[StoredRun]:
    """The runs that give up what is stored of them, the oldest first, where the `keep` newest complete ones stay.

    A run that failed or was cancelled goes when it is older than all of those, which needs `keep` of them. A replay goes then
    too, whatever became of it, and as soon as there are `keep` newer replays. Marked runs always go; an active run, and the run
    that it replays, never do.
    """
    newest_first = sorted((run for run in runs if not run.is_marked), key=_age, reverse=True)
    at_work = [run for run in newest_first if run.status in ACTIVE]
    needed = {run.run_id for run in at_work} | {run.replay_of for run in at_work}
    complete = [run for run in newest_first if run.status == RunStatus.COMPLETE and not run.replay_of]
    replays = [run for run in newest_first if run.status not in ACTIVE and run.replay_of]
    older = [run for run in newest_first if _age(run) < _age(complete[keep - 1])] if len(complete) >= keep else []
    gone = {run.run_id for run in [*older, *replays[keep:]]} - needed
    return sorted((run for run in runs if run.is_marked or run.run_id in gone), key=_age)


def _age(run: StoredRun) -> tuple[dt.datetime, str]:
    """Runs in the order in which they were submitted."""
    return run.submitted_at, run.run_id


class Retention:
    """Applies it to tenants in the background: a few of them at one time, each by one task."""

    def __init__(self, runs: RunRepository, outputs: OutputStore, inputs: InputStore, tenants: TenantDirectory) -> None:
        self._runs, self._outputs, self._inputs, self._tenants = runs, outputs, inputs, tenants
        self._places = asyncio.Semaphore(TENANTS_AT_ONCE)
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._wanted: set[str] = set()

    def begin(self, tenant_id: str) -> None:
        """Apply it to the tenant; where that goes on already, once more afterwards. Returns at once."""
        self._wanted.add(tenant_id)
        if tenant_id not in self._tasks:
            self._tasks[tenant_id] = asyncio.create_task(self._while_wanted(tenant_id))

    async def stop(self) -> None:
        """End what goes on; the next server's sweep finds what is left."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def apply(self, tenant_id: str) -> None:
        """Once, to the end. Raises TENANT_UNKNOWN and what reaching the tenant's database raises."""
        stored = await self._runs.stored(tenant_id)
        gone = [(RunRef(tenant_id, run.run_id), run) for run in expired(stored, self._tenants.keep_runs(tenant_id))]
        given_up = [ref for ref, run in gone if run.is_marked or await self._runs.mark_removed(ref)]
        for ref in given_up:
            await self._outputs.remove(ref)
            await self._inputs.remove(ref)
            _logger.info("outputs and inputs of run %s removed", ref.run_id, extra={"tenant": tenant_id, "run": ref.run_id})

    async def _while_wanted(self, tenant_id: str) -> None:
        try:
            async with self._places:
                while tenant_id in self._wanted:
                    self._wanted.discard(tenant_id)
                    await self.apply(tenant_id)
        except PowerFillError as error:
            _logger.warning("retention: tenant %s left to a later sweep: %s", tenant_id, error, extra={"tenant": tenant_id})
        except Exception:
            _logger.exception("retention: tenant %s left to a later sweep", tenant_id, extra={"tenant": tenant_id})
        finally:
            del self._tasks[tenant_id]
