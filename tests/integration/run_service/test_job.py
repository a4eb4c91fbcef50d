"""What a worker does with one job, in this process, over a real database."""

import dataclasses
import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa

from services.run_service.application.ports import Happened, InputsRead, Job, TableWritten
from services.run_service.domain import life
from services.run_service.domain.errors import NotYet
from services.run_service.domain.events import Accepted, StepCompleted
from services.run_service.domain.life import Lease
from services.run_service.domain.options import RunOptions
from services.run_service.domain.outcome import Broke, Computed, Stopped
from services.run_service.domain.outputs import DIAGNOSTIC_TABLES
from services.run_service.domain.run import Run, RunStatus, Step
from services.run_service.engine.frames import INPUT_TABLES, OUTPUT_TABLES, RunInputs
from services.run_service.engine.progress import Progress
from services.run_service.engine.result import RunResult
from services.run_service.engine.stop import Stop
from services.run_service.repositories.lender_tables import read_inputs
from services.run_service.repositories.run_rows import HISTORY
from services.run_service.repositories.runs import SqlRuns
from services.run_service.worker import job as job_module
from services.run_service.worker.job import perform
from services.run_service.worker.stopping import WorkerStop
from shared.errors import tenant_unavailable
from shared.tenancy.connections import TenantConnections
from shared.tenancy.database import TenantDatabase
from tests.fakes import fake_pipeline
from tests.integration.run_service.desk import output_counts

NOW = dt.datetime(2026, 4, 17, 12, tzinfo=dt.UTC)
LEASE = Lease("me", NOW + dt.timedelta(seconds=30))
Message = Happened | InputsRead | TableWritten


class FixedClock:
    def now(self) -> dt.datetime:
        return NOW


@pytest.fixture
async def job(connections: TenantConnections, filled: TenantDatabase) -> Job:
    """A job whose run is recorded and claimed."""
    runs = SqlRuns(connections, FixedClock())
    run = Run(
        "r1", "acme", RunStatus.PENDING, "desk", RunOptions(as_of_date=NOW.date()), NOW,
        last_sequence=1, lease_owner="me", lease_until=LEASE.until,
    )  # fmt: skip
    await runs.insert(run, Accepted("desk"))
    await runs.change(run.ref, lambda current: life.claim(current, LEASE, NOW))
    return Job(run.ref, 1, "me", run.options)


@pytest.fixture
def pipeline(connections: TenantConnections) -> Callable[[RunInputs, RunOptions, Progress, Stop], RunResult]:
    return lambda *given: fake_pipeline(connections.registry.path.parent, *given)


def raising(error: Exception) -> Callable[..., RunResult]:
    def pipeline(inputs: RunInputs, options: RunOptions, progress: Progress, stop: Stop) -> RunResult:
        progress.step_started(Step.CANDIDATE_BUILDER)
        raise error

    return pipeline


async def test_a_job_stores_its_inputs_writes_its_outputs_and_tells_both(
    job: Job, connections: TenantConnections, filled: TenantDatabase, pipeline: Any
) -> None:
    told: list[Message] = []
    outcome = await perform(job, connections, told.append, WorkerStop(lambda: False), pipeline)
    assert isinstance(outcome, Computed)
    assert outcome.input_loan_ids == '["L001", "L002", "L003", "L004", "L005", "L006"]'
    assert outcome.output_counts["pfill_loan2trade_candy_level_01"] == 2
    read = next(message for message in told if isinstance(message, InputsRead))
    assert set(read.row_counts) == set(INPUT_TABLES)
    written = [message.name for message in told if isinstance(message, TableWritten)]
    assert set(written) == set(OUTPUT_TABLES)
    assert set(written[: len(DIAGNOSTIC_TABLES)]) == set(DIAGNOSTIC_TABLES)
    happened = [message.kind for message in told if isinstance(message, Happened)]
    assert {Step.READ_INPUTS, Step.WRITE_OUTPUTS} <= {kind.step for kind in happened if isinstance(kind, StepCompleted)}
    assert await output_counts(filled, "r1") == {"pfill_loan2trade_candy_level_01": 2, "pfill_powerfill_log": 1}


async def test_a_second_attempt_replaces_what_the_first_left(
    job: Job, connections: TenantConnections, filled: TenantDatabase, pipeline: Any
) -> None:
    for _ in range(2):
        outcome = await perform(job, connections, lambda message: None, WorkerStop(lambda: False), pipeline)
        assert isinstance(outcome, Computed)
    assert await output_counts(filled, "r1") == {"pfill_loan2trade_candy_level_01": 2, "pfill_powerfill_log": 1}


async def test_an_unforeseen_error_is_told_by_an_id_that_is_in_the_log(
    job: Job, connections: TenantConnections, caplog: pytest.LogCaptureFixture
) -> None:
    error = ZeroDivisionError("internals")
    outcome = await perform(job, connections, lambda message: None, WorkerStop(lambda: False), raising(error))
    assert isinstance(outcome, Broke)
    assert outcome.step == "candidate_builder"
    assert "internals" not in outcome.message
    error_id = outcome.message.split()[2].rstrip(";")
    record = next(record for record in caplog.records if error_id in record.getMessage())
    assert record.exc_info is not None
    assert record.exc_info[1] is error


async def test_a_log_that_cannot_be_written_hides_nothing_of_what_broke_the_run(
    job: Job, connections: TenantConnections, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    second = RuntimeError("a log of another shape")

    async def breaks(*given: Any) -> None:
        raise second

    monkeypatch.setattr(job_module, "write_output", breaks)
    told: list[Message] = []
    outcome = await perform(job, connections, told.append, WorkerStop(lambda: False), raising(NotYet("this", "do that")))
    assert outcome == Broke("candidate_builder", "this is not available yet; do that")
    assert not [message for message in told if isinstance(message, TableWritten)]
    assert [record.exc_info[1] for record in caplog.records if record.exc_info] == [second]


async def test_what_is_not_built_yet_is_told_with_what_to_do_instead(job: Job, connections: TenantConnections) -> None:
    pipeline = raising(NotYet("this", "do that"))
    outcome = await perform(job, connections, lambda message: None, WorkerStop(lambda: False), pipeline)
    assert outcome == Broke("candidate_builder", "this is not available yet; do that")


@pytest.mark.parametrize("asked_after", [0, 3, 20])
async def test_a_job_stops_between_tables_when_asked(
    job: Job, connections: TenantConnections, filled: TenantDatabase, pipeline: Any, asked_after: int
) -> None:
    asked: list[None] = []

    def is_asked() -> bool:
        asked.append(None)
        return len(asked) > asked_after

    assert await perform(job, connections, lambda message: None, WorkerStop(is_asked), pipeline) == Stopped()
    assert "pfill_loan2trade_candy_level_01" not in await output_counts(filled, "r1")


@pytest.mark.parametrize("taken_by", [{"attempt": 2}, {"lease_owner": "another"}, {"status": "CANCELLED"}])
async def test_a_job_whose_run_somebody_else_has_writes_nothing(
    job: Job, connections: TenantConnections, filled: TenantDatabase, pipeline: Any, taken_by: dict[str, Any]
) -> None:
    async with filled.begin() as connection:
        await connection.execute(sa.update(HISTORY).values(**taken_by))
    assert await perform(job, connections, lambda message: None, WorkerStop(lambda: False), pipeline) == Stopped()
    assert await output_counts(filled, "r1") == {}


async def test_a_database_that_comes_back_in_time_is_waited_for(
    job: Job, connections: TenantConnections, pipeline: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    failures = [tenant_unavailable("acme"), tenant_unavailable("acme")]

    async def sometimes(*given: Any) -> RunInputs:
        if failures:
            raise failures.pop()
        return await read_inputs(*given)

    monkeypatch.setattr(job_module, "read_inputs", sometimes)
    monkeypatch.setattr(job_module, "RETRY_DELAY_S", 0.01)
    outcome = await perform(job, connections, lambda message: None, WorkerStop(lambda: False), pipeline)
    assert isinstance(outcome, Computed)


async def test_a_database_that_stays_away_fails_the_step_that_needs_it(
    job: Job, connections: TenantConnections, pipeline: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never(*given: Any) -> RunInputs:
        raise tenant_unavailable("acme")

    monkeypatch.setattr(job_module, "read_inputs", never)
    monkeypatch.setattr(job_module, "RETRY_DELAY_S", 0.01)
    monkeypatch.setattr(job_module, "DATABASE_PATIENCE_S", 0.05)
    outcome = await perform(job, connections, lambda message: None, WorkerStop(lambda: False), pipeline)
    assert isinstance(outcome, Broke)
    assert (outcome.step, "does not answer" in outcome.message) == ("read_inputs", True)


async def test_a_long_list_of_loans_is_told_by_count_and_digest(
    job: Job, connections: TenantConnections, pipeline: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job_module, "LISTED_LOANS", 5)
    outcome = await perform(dataclasses.replace(job), connections, lambda message: None, WorkerStop(lambda: False), pipeline)
    assert isinstance(outcome, Computed)
    assert outcome.input_loan_ids is not None
    assert '"count": 6' in outcome.input_loan_ids
