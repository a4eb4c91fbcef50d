"""What a worker does with one job, in this process, over a real database."""

import dataclasses
import hashlib
import json
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa

from services.run_service.application.ports import Happened, InputsRead, Job, TableWritten
from services.run_service.domain.errors import NotYet
from services.run_service.domain.events import StepCompleted, StepProgress
from services.run_service.domain.options import RunOptions
from services.run_service.domain.outcome import Broke, Computed, Stopped
from services.run_service.domain.outputs import DIAGNOSTIC_TABLES
from services.run_service.domain.run import Step
from services.run_service.engine.frames import INPUT_TABLES, OUTPUT_TABLES, RunInputs
from services.run_service.engine.progress import Progress
from services.run_service.engine.result import RunResult
from services.run_service.engine.stop import Stop
from services.run_service.repositories import inputs as inputs_module
from services.run_service.repositories.lender_tables import read_inputs
from services.run_service.repositories.run_rows import HISTORY
from services.run_service.worker import job as job_module
from services.run_service.worker.job import perform
from services.run_service.worker.stopping import WorkerStop
from shared.database import bulk
from shared.database.tables import AUDIT_TABLES, LENDER_TABLES
from shared.errors import tenant_unavailable
from shared.tenancy.connections import TenantConnections
from shared.tenancy.database import TenantDatabase
from tests.fakes import fake_pipeline
from tests.integration.run_service.desk import output_counts

INPUTS = AUDIT_TABLES["pfill_run_input"]
Message = Happened | InputsRead | TableWritten


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


async def test_a_job_stops_within_a_table_it_reads_or_stores(
    job: Job, connections: TenantConnections, pipeline: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk, "READ_CHUNK_ROWS", 1)
    monkeypatch.setattr(inputs_module, "DIGESTED_ROWS", 1)
    asked: list[int] = []

    def looks_until(last: int) -> WorkerStop:
        asked.clear()

        def is_asked() -> bool:
            asked.append(len(asked))
            return len(asked) > last

        return WorkerStop(is_asked)

    told: list[Message] = []
    assert await perform(job, connections, told.append, looks_until(5), pipeline) == Stopped()
    assert len(asked) == 6
    reading = [message.kind for message in told if isinstance(message, Happened) and isinstance(message.kind, StepProgress)]
    assert {kind.message for kind in reading} == {"reading loan"}  # the first table, of six rows: others were not begun

    monkeypatch.setattr(job_module, "read_inputs", lambda *given: read_inputs(given[0], lambda name, row_count: None))
    assert await perform(job, connections, lambda message: None, looks_until(4), pipeline) == Stopped()
    async with (await connections.database("acme")).connect() as connection:
        assert (await connection.execute(sa.select(sa.func.count()).select_from(INPUTS))).scalar_one() == 0


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


async def test_a_replay_reads_what_the_old_run_stored_and_stores_it_once_more(
    job: Job, connections: TenantConnections, filled: TenantDatabase, pipeline: Any
) -> None:
    stored = await read_inputs(filled, lambda name, row_count: None)
    await store_as(filled, "r0", job, stored)
    async with filled.begin() as connection:
        await connection.execute(sa.delete(LENDER_TABLES["loan"]))
    seen: list[RunInputs] = []

    def noting(inputs: RunInputs, *given: Any) -> RunResult:
        seen.append(inputs)
        result: RunResult = pipeline(inputs, *given)
        return result

    replay = dataclasses.replace(job, replay_of="r0")
    for _ in range(2):  # an attempt, and one after it
        outcome = await perform(replay, connections, lambda message: None, WorkerStop(lambda: False), noting)
        assert isinstance(outcome, Computed)
        assert all(seen[-1].tables[name].equals(frame) for name, frame in stored.tables.items())
        async with filled.begin() as connection:  # the next attempt needs the old run no more
            await connection.execute(sa.delete(INPUTS).where(INPUTS.c.run_id == "r0"))


@pytest.mark.parametrize("left", [0, 5])
async def test_a_replay_of_inputs_that_are_gone_fails_before_anything_is_computed(
    job: Job, connections: TenantConnections, filled: TenantDatabase, pipeline: Any, left: int
) -> None:
    await store_as(filled, "r0", job, await read_inputs(filled, lambda name, row_count: None))
    async with filled.begin() as connection:
        gone = list(INPUT_TABLES)[left:]
        await connection.execute(sa.delete(INPUTS).where(INPUTS.c.run_id == "r0", INPUTS.c.table_name.in_(gone)))
    replay = dataclasses.replace(job, replay_of="r0")
    outcome = await perform(replay, connections, lambda message: None, WorkerStop(lambda: False), pipeline)
    assert outcome == Broke("read_inputs", "no inputs are stored for run 'r0'; choose a newer run")


async def store_as(database: TenantDatabase, run_id: str, job: Job, inputs: RunInputs) -> None:
    """Store inputs as those of another run."""
    await inputs_module.store_inputs(database, job, inputs, lambda: None)
    async with database.begin() as connection:
        await connection.execute(sa.update(INPUTS).values(run_id=run_id))


async def test_a_long_list_of_loans_is_told_by_count_and_digest(
    job: Job, connections: TenantConnections, pipeline: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = json.dumps([f"L{number:03d}" for number in range(1, 7)])
    digest = {"count": 6, "sha256": hashlib.sha256(listed.encode()).hexdigest()}
    for most, told in ((6, json.loads(listed)), (5, digest)):
        monkeypatch.setattr(job_module, "LISTED_LOANS", most)
        outcome = await perform(job, connections, lambda message: None, WorkerStop(lambda: False), pipeline)
        assert isinstance(outcome, Computed)
        assert json.loads(outcome.input_loan_ids or "") == told


def test_a_hundred_thousand_loans_are_listed() -> None:
    assert job_module.LISTED_LOANS == 100_000
