import dataclasses
import datetime as dt

from powerfill.common.v1.run_status_pb2 import RUN_STATUS_FAILED
from powerfill.common.v1.run_status_pb2 import RunStatus as RunStatusEnum
from powerfill.run.v1 import run_pb2 as pb

from services.run_service.domain.options import RunOptions
from services.run_service.domain.run import Failure, Run, RunStatus, Step
from services.run_service.domain.steps import StepOutcome
from services.run_service.rpc.mapping.runs import STATUS_NUMBERS, STEP_NUMBERS, run_to_proto
from shared.rpc.options import options_from_proto
from shared.rpc.values import enum_words, timestamp_from_proto

SUBMITTED = dt.datetime(2026, 4, 17, 14, 0, 0, 123456, tzinfo=dt.UTC)
PENDING = Run(
    run_id="r-1",
    tenant_id="acme",
    status=RunStatus.PENDING,
    requested_by="ann",
    options=RunOptions(as_of_date=dt.date(2026, 4, 17)),
    submitted_at=SUBMITTED,
    request_id="key",
    last_sequence=1,
)
FAILED = dataclasses.replace(
    PENDING,
    status=RunStatus.FAILED,
    started_at=SUBMITTED + dt.timedelta(seconds=1),
    ended_at=SUBMITTED + dt.timedelta(seconds=3),
    attempt=2,
    failure=Failure("allocation", "the worker ended"),
    summary={"candidate_count": 5, "step_durations": {"allocation": 1.5}},
    replay_of="r-0",
    last_sequence=12,
    steps=(
        {"step": "bx_cash_grids", "outcome": "SKIPPED", "row_count": 0, "duration_s": 0.0, "message": "no floor"},
        {"step": "allocation", "outcome": "FAILED", "row_count": 0, "duration_s": 1.5, "message": "the worker ended"},
    ),
)


def test_statuses_steps_and_outcomes_are_the_same_in_the_contract_and_in_the_domain() -> None:
    assert list(enum_words(RunStatusEnum.DESCRIPTOR).values()) == list(RunStatus)
    assert set(STATUS_NUMBERS) == set(RunStatus)
    assert set(STEP_NUMBERS) == set(Step)
    assert list(enum_words(pb.StepOutcome.DESCRIPTOR).values()) == list(StepOutcome)


def test_a_pending_run_has_no_start_no_end_and_no_failure() -> None:
    message = run_to_proto(PENDING)
    assert (message.run_id, message.tenant_id, message.requested_by, message.request_id) == ("r-1", "acme", "ann", "key")
    assert timestamp_from_proto(message.submitted_at, "submitted_at") == SUBMITTED
    for field in ("started_at", "ended_at", "failure"):
        assert not message.HasField(field)
    assert (message.attempt, message.last_sequence, list(message.steps)) == (1, 1, [])
    assert not message.outputs_removed


def test_a_run_that_gave_its_outputs_up_says_so() -> None:
    assert run_to_proto(dataclasses.replace(FAILED, outputs_removed=True)).outputs_removed


def test_a_run_carries_all_its_options() -> None:
    given = options_from_proto(run_to_proto(PENDING).options)
    assert given == {name: value for name, value in PENDING.options.to_json().items() if value is not None}


def test_a_failed_run_says_where_why_and_every_step() -> None:
    message = run_to_proto(FAILED)
    assert message.status == RUN_STATUS_FAILED
    assert message.failure == pb.RunFailure(step="allocation", message="the worker ended")
    assert (message.attempt, message.replay_of, message.last_sequence) == (2, "r-0", 12)
    assert message.summary.candidate_count == 5
    assert [(step.step, step.outcome, step.message) for step in message.steps] == [
        (pb.STEP_BX_CASH_GRIDS, pb.STEP_OUTCOME_SKIPPED, "no floor"),
        (pb.STEP_ALLOCATION, pb.STEP_OUTCOME_FAILED, "the worker ended"),
    ]
    assert message.steps[1].duration.ToTimedelta() == dt.timedelta(seconds=1.5)
    assert timestamp_from_proto(message.ended_at, "ended_at") == FAILED.ended_at
