"""One job in the worker: read the tenant's tables or the inputs it replays, store them, compute, write the outputs."""

import asyncio
import hashlib
import json
import logging
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeVar

import polars as pl

from services.run_service.application.ports import InputsRead, Job, TableWritten
from services.run_service.domain.errors import InputError, LeaseLostError, NotYet
from services.run_service.domain.options import RunOptions
from services.run_service.domain.outcome import Broke, Computed, Outcome, Stopped
from services.run_service.domain.outputs import DIAGNOSTIC_TABLES
from services.run_service.domain.run import Step
from services.run_service.engine.frames import INPUT_TABLES, OUTPUT_TABLES, RunInputs
from services.run_service.engine.progress import Progress
from services.run_service.engine.result import RunResult
from services.run_service.engine.stop import RunCancelledError, Stop
from services.run_service.repositories.inputs import SqlInputs, copy_inputs, store_inputs
from services.run_service.repositories.lender_tables import read_inputs
from services.run_service.repositories.outputs import write_output
from services.run_service.worker.telling import Tell, TellingProgress
from shared.errors import PowerFillError, Reason
from shared.tenancy.connections import TenantConnections
from shared.tenancy.database import TenantDatabase

Pipeline = Callable[[RunInputs, RunOptions, Progress, Stop], RunResult]

LISTED_LOANS = 100_000
"""Up to so many in-scope loans are listed in the audit row; beyond, their count and a digest."""

DATABASE_PATIENCE_S = 30.0
"""How long a database that does not answer is tried again: as long as a lease lasts."""

RETRY_DELAY_S = 0.5

LOG_TABLE = "pfill_powerfill_log"

T = TypeVar("T")

_logger = logging.getLogger(__name__)


async def perform(job: Job, connections: TenantConnections, tell: Tell, stop: Stop, pipeline: Pipeline) -> Outcome:
    """Execute the job; tells what happens on the way, and gives how it went."""
    progress = TellingProgress(tell)
    try:
        database = await connections.database(job.ref.tenant_id)
        try:
            return await _compute(job, connections, database, progress, stop, pipeline)
        except LeaseLostError:
            raise
        except Exception:
            await _leave_log(job, database, progress)
            raise
    except (RunCancelledError, LeaseLostError):
        return Stopped()
    except (NotYet, InputError, PowerFillError) as error:
        return Broke(progress.step.value, str(error))
    except Exception:
        error_id = secrets.token_hex(8)
        _logger.exception("run %s, step %s: unexpected error %s", job.ref.run_id, progress.step, error_id)
        return Broke(progress.step.value, f"unexpected error {error_id}; the log of the run service has it under this id")


async def _compute(
    job: Job,
    connections: TenantConnections,
    database: TenantDatabase,
    progress: TellingProgress,
    stop: Stop,
    pipeline: Pipeline,
) -> Outcome:
    progress.step_started(Step.READ_INPUTS)
    if job.replay_of:
        inputs = await _stored_inputs(job, connections, database, progress, stop)
    else:
        inputs = await _patiently(lambda: read_inputs(database, _Reading(progress, stop).between_chunks), stop)
        await _patiently(lambda: store_inputs(database, job, inputs, stop.checkpoint), stop)
    counts = {name: frame.height for name, frame in inputs.tables.items()}
    progress.tell(InputsRead(counts))
    progress.step_completed(Step.READ_INPUTS, sum(counts.values()))

    result = pipeline(inputs, job.options, progress, stop)

    progress.step_started(Step.WRITE_OUTPUTS)
    await _write(job, database, result.tables, progress, stop)
    return Computed(
        result.summary, {name: frame.height for name, frame in result.tables.items()}, _loan_ids(result.in_scope_loan_ids)
    )


async def _stored_inputs(
    job: Job, connections: TenantConnections, database: TenantDatabase, progress: TellingProgress, stop: Stop
) -> RunInputs:
    """The inputs of the run that the job replays, from now on stored with its own run too."""
    reading = _Reading(progress, stop, f" of run {job.replay_of}")
    await _patiently(lambda: copy_inputs(database, job, lambda name: reading.between_chunks(name, 0)), stop)
    return await _patiently(lambda: SqlInputs(connections).load(job.ref), stop)


async def _write(
    job: Job, database: TenantDatabase, tables: Mapping[str, pl.DataFrame], progress: TellingProgress, stop: Stop
) -> None:
    """The tables that are kept for diagnosis first: whatever happens to the others, these are whole."""
    writing = _Writing(progress, stop, sum(frame.height for frame in tables.values()))
    for name in [*DIAGNOSTIC_TABLES, *(name for name in OUTPUT_TABLES if name not in DIAGNOSTIC_TABLES)]:
        stop.checkpoint()
        await _patiently(_writer(job, database, name, tables[name], writing.between_chunks), stop)
        writing.done += tables[name].height
        progress.tell(TableWritten(name))
    progress.step_completed(Step.WRITE_OUTPUTS, writing.total)


def _writer(
    job: Job, database: TenantDatabase, name: str, frame: pl.DataFrame, between_chunks: Callable[[int], None]
) -> Callable[[], Awaitable[None]]:
    return lambda: write_output(database, job, name, frame, between_chunks)


class _Reading:
    """Progress and the stop criterion between the chunks read; `whose` follows the name of a table."""

    def __init__(self, progress: TellingProgress, stop: Stop, whose: str = "") -> None:
        self._progress, self._stop, self._whose = progress, stop, whose
        self._order = {name: number for number, name in enumerate(INPUT_TABLES)}

    def between_chunks(self, name: str, row_count: int) -> None:
        """After `row_count` rows of the table `name`."""
        self._stop.checkpoint()
        fraction = self._order[name] / len(self._order)
        rows = f", {row_count:,} rows" if row_count else ""
        self._progress.step_progress(Step.READ_INPUTS, fraction, f"reading {name}{self._whose}{rows}", {"rows": row_count})


class _Writing:
    """Progress and the stop criterion between the chunks written; `done` counts the rows of whole tables."""

    def __init__(self, progress: TellingProgress, stop: Stop, total: int) -> None:
        self._progress, self._stop = progress, stop
        self.total, self.done = total, 0

    def between_chunks(self, row_count: int) -> None:
        """After `row_count` rows of the current table."""
        self._stop.checkpoint()
        done = self.done + row_count
        self._progress.step_progress(
            Step.WRITE_OUTPUTS, done / max(1, self.total), f"{done} of {self.total} rows", {"rows": done}
        )


async def _leave_log(job: Job, database: TenantDatabase, progress: TellingProgress) -> None:
    """What a run that broke or was stopped wrote down until then, unless its whole log is written already."""
    if progress.step == Step.WRITE_OUTPUTS:
        return
    try:
        await write_output(database, job, LOG_TABLE, progress.log.table(), lambda row_count: None)
    except (LeaseLostError, PowerFillError) as error:  # what ended the run matters more
        _logger.warning("log of run %s not written: %s", job.ref.run_id, error)
        return
    except Exception:
        _logger.exception("log of run %s not written", job.ref.run_id)
        return
    progress.tell(TableWritten(LOG_TABLE))


async def _patiently(action: Callable[[], Awaitable[T]], stop: Stop) -> T:
    """`action`, again and again while the database does not answer; it must be safe to repeat."""
    end_s = time.monotonic() + DATABASE_PATIENCE_S
    while True:
        stop.checkpoint()
        try:
            return await action()
        except PowerFillError as error:
            if error.reason != Reason.TENANT_UNAVAILABLE or time.monotonic() > end_s:
                raise
        await asyncio.sleep(RETRY_DELAY_S)


def _loan_ids(loan_ids: pl.Series) -> str:
    """The in-scope loans as JSON: a list, or count and digest where that would be long."""
    ordered = loan_ids.sort().to_list()
    listed = json.dumps(ordered)
    if len(ordered) <= LISTED_LOANS:
        return listed
    return json.dumps({"count": len(ordered), "sha256": hashlib.sha256(listed.encode()).hexdigest()})
