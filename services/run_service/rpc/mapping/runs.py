"""A recorded run to powerfill.run.v1.Run."""

from collections.abc import Mapping
from typing import Any

from powerfill.common.v1 import run_status_pb2
from powerfill.run.v1 import run_pb2

from services.run_service.domain.run import Failure, Run
from services.run_service.rpc.mapping.summaries import summary_to_proto
from shared.rpc.options import options_to_proto
from shared.rpc.values import duration_to_proto, enum_numbers, timestamp_to_proto

STATUS_NUMBERS = enum_numbers(run_status_pb2.RunStatus.DESCRIPTOR)
STEP_NUMBERS = {word.lower(): number for word, number in enum_numbers(run_pb2.Step.DESCRIPTOR).items()}
_OUTCOME_NUMBERS = enum_numbers(run_pb2.StepOutcome.DESCRIPTOR)


def run_to_proto(run: Run) -> run_pb2.Run:
    """The run as it stands."""
    return run_pb2.Run(
        run_id=run.run_id,
        tenant_id=run.tenant_id,
        status=status_to_proto(run.status),
        requested_by=run.requested_by,
        options=options_to_proto(run.options.to_json()),
        submitted_at=timestamp_to_proto(run.submitted_at),
        started_at=timestamp_to_proto(run.started_at) if run.started_at else None,
        ended_at=timestamp_to_proto(run.ended_at) if run.ended_at else None,
        attempt=run.attempt,
        failure=failure_to_proto(run.failure),
        summary=summary_to_proto(run.summary),
        replay_of=run.replay_of,
        last_sequence=run.last_sequence,
        steps=[_step_report(step) for step in run.steps],
        request_id=run.request_id,
        outputs_removed=run.outputs_removed,
    )


def failure_to_proto(failure: Failure | None) -> run_pb2.RunFailure | None:
    """Where and why a run ended without a result."""
    return run_pb2.RunFailure(step=failure.step, message=failure.message) if failure else None


def status_to_proto(status: str) -> run_status_pb2.RunStatus.ValueType:
    """A status by its word."""
    return run_status_pb2.RunStatus.ValueType(STATUS_NUMBERS[status])


def step_to_proto(step: str) -> run_pb2.Step.ValueType:
    """A step by its name."""
    return run_pb2.Step.ValueType(STEP_NUMBERS[step])


def _step_report(step: Mapping[str, Any]) -> run_pb2.StepReport:
    return run_pb2.StepReport(
        step=step_to_proto(step["step"]),
        outcome=run_pb2.StepOutcome.ValueType(_OUTCOME_NUMBERS[step["outcome"]]),
        row_count=step["row_count"],
        duration=duration_to_proto(step["duration_s"]),
        message=step["message"],
    )
