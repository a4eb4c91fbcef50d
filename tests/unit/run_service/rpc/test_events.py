import datetime as dt
import typing
from decimal import Decimal

import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp
from google.type.decimal_pb2 import Decimal as DecimalMessage
from powerfill.common.v1 import run_status_pb2 as status_pb
from powerfill.run.v1 import event_pb2 as pb
from powerfill.run.v1 import run_pb2, run_service_pb2

from services.run_service.application.watch_run import Heartbeat
from services.run_service.domain import events
from services.run_service.domain.run import Failure, RunStatus, Step
from services.run_service.rpc.mapping.events import event_to_proto, heartbeat_to_proto

AT = dt.datetime(2026, 4, 17, 14, 0, tzinfo=dt.UTC)
RECORDED_AT = Timestamp(seconds=int(AT.timestamp()))
BEST_FIT: dict[str, typing.Any] = {"pass": "best_fit"}
MOVED: dict[str, typing.Any] = {"from": status_pb.RUN_STATUS_PENDING, "to": status_pb.RUN_STATUS_PRE_PROCESSING}

KINDS: list[tuple[events.EventKind, dict[str, typing.Any]]] = [
    (events.Accepted("ann"), {"accepted": pb.Accepted(requested_by="ann")}),
    (
        events.StatusChanged(RunStatus.PENDING, RunStatus.PRE_PROCESSING),
        {"status_changed": pb.StatusChanged(**MOVED)},
    ),
    (events.StepStarted(Step.UE), {"step_started": pb.StepStarted(step=run_pb2.STEP_UE)}),
    (
        events.StepProgress(Step.ALLOCATION, 0.5, "bidding", {"rounds": 7}),
        {"step_progress": pb.StepProgress(step=run_pb2.STEP_ALLOCATION, fraction=0.5, message="bidding", counters={"rounds": 7})},
    ),
    (
        events.StepCompleted(Step.CANDIDATE_BUILDER, 398_000, 0.75),
        {
            "step_completed": pb.StepCompleted(
                step=run_pb2.STEP_CANDIDATE_BUILDER, row_count=398_000, duration=Duration(nanos=750_000_000)
            )
        },
    ),
    (
        events.StepSkipped(Step.BX_CASH_GRIDS, "no floor"),
        {"step_skipped": pb.StepSkipped(step=run_pb2.STEP_BX_CASH_GRIDS, reason="no floor")},
    ),
    (
        events.StepFailed(Step.READ_INPUTS, "no loans"),
        {"step_failed": pb.StepFailed(step=run_pb2.STEP_READ_INPUTS, message="no loans")},
    ),
    (
        events.PassCompleted("best_fit", Decimal("1E+3"), None, 12),
        {"pass_completed": pb.PassCompleted(value=DecimalMessage(value="1000"), allocated_count=12, **BEST_FIT)},
    ),
    (
        events.Warned("DATA_QUALITY", "two loans", 2, ("L1", "L2")),
        {"warning": pb.Warning(code="DATA_QUALITY", message="two loans", count=2, examples=["L1", "L2"])},
    ),
    (
        events.Finished(RunStatus.FAILED, Failure("ue", "broke"), {"carry_missed": 1}),
        {
            "finished": pb.Finished(
                status=status_pb.RUN_STATUS_FAILED,
                failure=run_pb2.RunFailure(step="ue", message="broke"),
                summary=run_pb2.RunSummary(carry_missed=1),
            )
        },
    ),
]


def test_every_kind_of_event_is_tried_below_and_is_in_the_contract() -> None:
    assert {type(kind) for kind, _ in KINDS} == set(typing.get_args(events.EventKind))
    fields = {field.name for field in pb.RunEvent.DESCRIPTOR.oneofs_by_name["kind"].fields}
    assert {name for _, message in KINDS for name in message} == fields


@pytest.mark.parametrize(("kind", "message"), KINDS, ids=lambda value: type(value).__name__)
def test_an_event(kind: events.EventKind, message: dict[str, typing.Any]) -> None:
    event = event_to_proto(events.RunEvent("r-1", 7, AT, 2, kind))
    assert event == pb.RunEvent(sequence=7, run_id="r-1", recorded_at=RECORDED_AT, attempt=2, **message)


def test_a_bound_that_is_known_is_told() -> None:
    known = events.PassCompleted("auction", Decimal("1.50"), Decimal("2.25"), 1)
    event = event_to_proto(events.RunEvent("r-1", 1, AT, 1, known))
    assert event.pass_completed.upper_bound.value == "2.25"


def test_a_run_that_ended_well_has_no_failure() -> None:
    event = event_to_proto(events.RunEvent("r-1", 1, AT, 1, events.Finished(RunStatus.COMPLETE, None, {})))
    assert not event.finished.HasField("failure")


def test_a_heartbeat() -> None:
    assert heartbeat_to_proto(Heartbeat(9)) == run_service_pb2.Heartbeat(last_sequence=9)
