"""Events of a run, as its service would send them: one a second."""

from typing import Any

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp
from google.type.decimal_pb2 import Decimal as DecimalMessage
from powerfill.common.v1.run_status_pb2 import RunStatus
from powerfill.run.v1 import event_pb2 as ev
from powerfill.run.v1.event_pb2 import RunEvent
from powerfill.run.v1.run_pb2 import Step

RUN_ID = "0d1f7c1e-8a51-4b7e-9d3c-2f4f0c6f1f0a"


def event(sequence: int, *, second: float | None = None, attempt: int = 1, **kind: Any) -> RunEvent:
    """An event recorded `second` seconds after the first, its sequence less one if not given."""
    at_s = sequence - 1 if second is None else second
    recorded_at = Timestamp(seconds=1_776_400_000 + int(at_s), nanos=round(at_s % 1 * 1e9))
    return RunEvent(sequence=sequence, run_id=RUN_ID, recorded_at=recorded_at, attempt=attempt, **kind)


def accepted() -> dict[str, Any]:
    return {"accepted": ev.Accepted(requested_by="desk")}


def status(after: RunStatus.ValueType) -> dict[str, Any]:
    return {"status_changed": ev.StatusChanged(to=after)}


def started(step: Step.ValueType) -> dict[str, Any]:
    return {"step_started": ev.StepStarted(step=step)}


def going_on(step: Step.ValueType, fraction: float, message: str) -> dict[str, Any]:
    return {"step_progress": ev.StepProgress(step=step, fraction=fraction, message=message)}


def completed(step: Step.ValueType, rows: int, seconds: int = 1) -> dict[str, Any]:
    return {"step_completed": ev.StepCompleted(step=step, row_count=rows, duration=Duration(seconds=seconds))}


def skipped(step: Step.ValueType, reason: str) -> dict[str, Any]:
    return {"step_skipped": ev.StepSkipped(step=step, reason=reason)}


def failed(step: Step.ValueType, message: str) -> dict[str, Any]:
    return {"step_failed": ev.StepFailed(step=step, message=message)}


def passed(phase: str, value: str, bound: str = "", loans: int = 0) -> dict[str, Any]:
    told = ev.PassCompleted(value=DecimalMessage(value=value), allocated_count=loans)
    setattr(told, "pass", phase)
    if bound:
        told.upper_bound.value = bound
    return {"pass_completed": told}


def warning(code: str, message: str, rows: int = 0) -> dict[str, Any]:
    return {"warning": ev.Warning(code=code, message=message, count=rows)}


def finished(status: RunStatus.ValueType, step: str = "", message: str = "") -> dict[str, Any]:
    told = ev.Finished(status=status)
    if message:
        told.failure.step, told.failure.message = step, message
    return {"finished": told}


def whole_run() -> list[RunEvent]:
    """A run that completes: every kind of event but a failure."""
    kinds = [
        accepted(),
        status(RunStatus.RUN_STATUS_PRE_PROCESSING),
        started(Step.STEP_READ_INPUTS),
        going_on(Step.STEP_READ_INPUTS, 0.5, "reading loan"),
        completed(Step.STEP_READ_INPUTS, 1234),
        warning("DATA_QUALITY", "postings of an unknown loan", 2),
        skipped(Step.STEP_BX_CASH_GRIDS, "no bx_price_floor"),
        status(RunStatus.RUN_STATUS_ALLOCATING),
        started(Step.STEP_ALLOCATION),
        passed("passes", "100.00", loans=3),
        passed("improve", "150.00", "160.00", 4),
        completed(Step.STEP_ALLOCATION, 4, 3),
        status(RunStatus.RUN_STATUS_COMPLETE),
        finished(RunStatus.RUN_STATUS_COMPLETE),
    ]
    return [event(number, **kind) for number, kind in enumerate(kinds, start=1)]
