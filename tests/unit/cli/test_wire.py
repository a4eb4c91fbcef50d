"""Messages as JSON: the specification's names and words, exact decimals, null where unset."""

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp
from google.type.decimal_pb2 import Decimal as DecimalMessage
from powerfill.common.v1.run_status_pb2 import RunStatus
from powerfill.run.v1.event_pb2 import PassCompleted, RunEvent, StepCompleted
from powerfill.run.v1.run_pb2 import BoundKind, EndedBy, Run, RunSummary, Step

from cli.wire import event_json, run_json, summary_json
from services.run_service.domain.options import OPTION_NAMES, RunOptions, parse_options
from services.run_service.rpc.mapping.summaries import SUMMARY_NAMES
from shared.rpc.options import options_to_proto
from tests.builders import AS_OF

AT = Timestamp(seconds=1_776_400_000, nanos=250_000_000)


def test_options_are_spelled_as_the_run_service_stores_them() -> None:
    """Whatever the service makes of options, `run.json` says the same, with every name."""
    for options in (RunOptions(AS_OF), parse_options({"min_status": "DocsOut", "bx_price_floor": "101.5", "seed": 3}, AS_OF)):
        stored = options.to_json()
        run = Run(options=options_to_proto(stored))
        assert run_json(run)["options"] == stored
        assert tuple(run_json(run)["options"]) == OPTION_NAMES


def test_summary_has_every_name_and_null_for_what_passes_leaves_unset() -> None:
    summary = RunSummary(
        value=DecimalMessage(value="3896556050.68"),
        allocated_count=2,
        kickouts_by_reason={"NO_CAPACITY": 3, "LIMIT": 0},
        step_durations={"ue": Duration(seconds=1, nanos=500_000_000)},
    )
    told = summary_json(summary)
    assert tuple(told) == SUMMARY_NAMES
    assert told["value"] == "3896556050.68"
    assert told["allocated_count"] == 2
    assert told["kicked_out_count"] == 0
    assert told["kickouts_by_reason"] == {"LIMIT": 0, "NO_CAPACITY": 3}
    assert told["step_durations"] == {"ue": 1.5}
    assert [told[name] for name in ("upper_bound", "bound_kind", "gap_amount", "ended_by")] == [None] * 4


def test_words_of_a_summary_have_no_prefix() -> None:
    told = summary_json(RunSummary(bound_kind=BoundKind.BOUND_KIND_LP, ended_by=EndedBy.ENDED_BY_TIME_LIMIT))
    assert (told["bound_kind"], told["ended_by"]) == ("LP", "TIME_LIMIT")


def test_a_run_has_words_times_and_nulls() -> None:
    run = Run(run_id="r1", tenant_id="acme", status=RunStatus.RUN_STATUS_FAILED, submitted_at=AT, attempt=1)
    run.failure.step, run.failure.message = "ue", "no"
    run.steps.add(step=Step.STEP_UE, row_count=4)
    told = run_json(run)
    assert told["status"] == "FAILED"
    assert told["submitted_at"] == "2026-04-17T04:26:40.250000Z"
    assert (told["ended_at"], told["replay_of"]) == (None, None)
    assert told["failure"] == {"step": "ue", "message": "no"}
    assert told["steps"] == [{"step": "ue", "outcome": None, "row_count": 4, "duration": None, "message": None}]


def test_an_event_is_flat() -> None:
    done = StepCompleted(step=Step.STEP_CANDIDATE_BUILDER, row_count=7, duration=Duration(seconds=2))
    event = RunEvent(sequence=3, run_id="r1", recorded_at=AT, attempt=1, step_completed=done)
    assert event_json(event) == {
        "sequence": 3, "run_id": "r1", "recorded_at": "2026-04-17T04:26:40.250000Z", "attempt": 1, "kind": "step_completed",
        "step": "candidate_builder", "row_count": 7, "duration": 2.0,
    }  # fmt: skip


def test_the_bound_of_a_pass_may_be_unset() -> None:
    passed = PassCompleted(value=DecimalMessage(value="10.00"), allocated_count=1)
    told = event_json(RunEvent(sequence=1, pass_completed=passed))
    assert (told["value"], told["upper_bound"]) == ("10.00", None)
