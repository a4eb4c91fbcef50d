"""A new run on the stored inputs of an old one: it gives the old answer again, and is never the current run."""

import dataclasses

from services.run_service.application.accept_run import AcceptRun
from services.run_service.application.complete_run import complete_run
from services.run_service.application.ports import InputStore, RunRepository, TenantTables
from services.run_service.application.requested_options import RequestedRun, replay_digest
from services.run_service.domain.options import RunOptions
from services.run_service.domain.run import Run
from shared.auth.caller import Caller
from shared.errors import schema_version


class ReplayRun:
    """Has a run recorded and queued that works on another run's inputs.

    Only a complete run is replayed: one that failed or was cancelled has no answer to give again. The tenant's tables and
    policy are not looked at, as the run reads none of them; of the limits that SubmitRun refuses there are none in the inputs of
    a complete run.
    """

    def __init__(self, accept: AcceptRun, runs: RunRepository, inputs: InputStore, tables: TenantTables) -> None:
        self._accept, self._runs, self._inputs, self._tables = accept, runs, inputs, tables

    async def __call__(self, caller: Caller, run_id: str, request_id: str) -> Run:
        """The accepted run, or the one that was accepted for this request before.

        Raises RUN_NOT_FOUND, RUN_NOT_COMPLETE, RUN_EXPIRED, SCHEMA_VERSION, and what `AcceptRun` raises.
        """
        digest = replay_digest(run_id)
        earlier = await self._accept.made_before(caller.tenant_id, request_id, digest)
        if earlier is not None:  # also when the run it replays has expired since
            return earlier
        run = await complete_run(self._runs, caller.tenant_id, run_id)
        await self._inputs.digests(run.ref)  # raises RUN_EXPIRED
        asked = RequestedRun(replay_options(run), digest, run_id)
        return await self._accept(caller, asked, request_id, lambda: self._refuse_other_schema(caller.tenant_id))

    async def _refuse_other_schema(self, tenant_id: str) -> None:
        survey = await self._tables.survey(tenant_id)
        if survey.revision != survey.expected_revision:
            raise schema_version(tenant_id, survey.revision, survey.expected_revision)


def replay_options(run: Run) -> RunOptions:
    """The options that give the run's answer again: the work it did as the limit, and no clock."""
    work_done = run.summary.get("work_done")
    work_limit = run.options.work_limit if work_done is None else int(work_done)
    return dataclasses.replace(run.options, work_limit=work_limit, time_limit=None)
