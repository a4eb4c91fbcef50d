"""Computing a run again from the inputs that were stored with it."""

import asyncio
import dataclasses

from services.run_service.application.ports import InputStore, RunRepository
from services.run_service.domain.options import RunOptions
from services.run_service.domain.run import Run, RunRef
from services.run_service.engine.pipeline import run_pipeline
from services.run_service.engine.progress import Progress
from services.run_service.engine.result import RunResult
from services.run_service.engine.stop import Stop


def replay_options(run: Run) -> RunOptions:
    """The options that give the run's answer again: the work it did as the limit, and no clock."""
    work_done = run.summary.get("work_done")
    work_limit = run.options.work_limit if work_done is None else int(work_done)
    return dataclasses.replace(run.options, work_limit=work_limit, time_limit=None)


async def recompute(ref: RunRef, runs: RunRepository, inputs: InputStore) -> RunResult:
    """The run's result, computed once more in this process. Raises RUN_NOT_FOUND, RUN_EXPIRED and what the engine raises."""
    run = await runs.get(ref)
    stored = await inputs.load(ref)
    return await asyncio.to_thread(run_pipeline, stored, replay_options(run), Progress(), Stop())
