"""A run in the words of a desk."""

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from google.type.decimal_pb2 import Decimal as DecimalMessage
from powerfill.common.v1.run_status_pb2 import RunStatus
from powerfill.run.v1.run_pb2 import BoundKind, EndedBy, Run, RunSummary, Step, StepOutcome

from cli.exit_codes import ExitCode
from cli.run_summary import EXIT_CODES, answers_differ, print_options, print_run, print_steps, summary_rows
from services.run_service.domain.options import RunOptions
from services.run_service.domain.run import TERMINAL
from shared.rpc.options import options_to_proto
from shared.rpc.values import enum_words
from tests.builders import AS_OF


def dollars(text: str) -> DecimalMessage:
    return DecimalMessage(value=text)


def complete_run() -> Run:
    summary = RunSummary(
        value=dollars("1000.00"), baseline_value=dollars("900.00"), upper_bound=dollars("1010.00"), gap_amount=dollars("10.00"),
        gap_bp=dollars("0.2500"), bound_kind=BoundKind.BOUND_KIND_LP, ended_by=EndedBy.ENDED_BY_TIME_LIMIT,
        passes_value=dollars("950.00"), allocated_count=2, in_scope_count=5, allocated_amount=dollars("400000.00"),
        in_scope_amount=dollars("1000000.00"), trades_filled=1, trades_underfilled=2, total_pair_off=dollars("12.34"),
        kicked_out_count=3, kickouts_by_reason={"LIMIT": 0, "DATA_ERROR": 1, "NO_CAPACITY": 2}, candidate_count=1234,
        constraint_count=7, allocated_not_closed_amount=dollars("0.00"),
    )  # fmt: skip
    return Run(
        run_id="r1", tenant_id="acme", status=RunStatus.RUN_STATUS_COMPLETE, submitted_at=Timestamp(seconds=100),
        ended_at=Timestamp(seconds=112, nanos=500_000_000), options=options_to_proto(RunOptions(AS_OF).to_json()),
        summary=summary, requested_by="desk",
    )  # fmt: skip


def test_exit_codes_cover_every_end() -> None:
    words = enum_words(RunStatus.DESCRIPTOR)
    assert {words[number]: int(code) for number, code in EXIT_CODES.items()} == {"COMPLETE": 0, "FAILED": 3, "CANCELLED": 4}
    assert {words[number] for number in EXIT_CODES} == set(TERMINAL)
    assert EXIT_CODES[RunStatus.RUN_STATUS_COMPLETE] is ExitCode.DONE


def test_a_complete_run(capsys: pytest.CaptureFixture[str]) -> None:
    print_run(complete_run())
    assert capsys.readouterr().out.splitlines() == [
        "run r1 of acme: COMPLETE in 12.5 s (as of 2026-04-17, OPTIMAL)",
        "  value              $1,000.00, $100.00 more than with every unlocked loan left out",
        "  left on the table  at most $10.00, 0.25 bp of the balance in scope",
        "  upper bound        $1,010.00 (LP); the time limit ended the improvement",
        "  over PASSES        $50.00 (PASSES reaches $950.00)",
        "  allocated          2 of 5 loans, $400,000.00 of $1,000,000.00",
        "  not yet closed     $0.00 of the allocated may fall out",
        "  trades             1 filled, 2 under their band; pair-off $12.34",
        "  left out           3 loans: NO_CAPACITY 2, DATA_ERROR 1",
        "  candidates         1,234 under 7 constraints",
    ]


def test_a_run_whose_outputs_are_removed_still_tells_its_figures(capsys: pytest.CaptureFixture[str]) -> None:
    run = complete_run()
    run.outputs_removed = True
    print_run(run)
    _, removed, value, *_ = capsys.readouterr().out.splitlines()
    assert removed == "  its outputs and inputs were removed by retention; these figures and its events remain"
    assert value.startswith("  value  ")


def test_what_a_run_without_bound_leaves_out() -> None:
    summary = RunSummary(value=dollars("5.00"), baseline_value=dollars("7.00"))
    rows = dict(summary_rows(summary))
    assert rows["value"] == "$5.00, $2.00 less than with every unlocked loan left out"
    assert not {"left on the table", "upper bound", "over PASSES"} & rows.keys()
    assert rows["left out"] == "0 loans"
    assert dict(summary_rows(RunSummary()))["value"] == "-"


def test_a_failed_run_says_where_and_why(capsys: pytest.CaptureFixture[str]) -> None:
    run = complete_run()
    run.status = RunStatus.RUN_STATUS_FAILED
    run.failure.step, run.failure.message = "allocation", "no memory"
    print_run(run)
    assert capsys.readouterr().out.splitlines() == [
        "run r1 of acme: FAILED in 12.5 s (as of 2026-04-17, OPTIMAL)",
        "  in allocation: no memory",
    ]


def test_an_active_run_has_no_length(capsys: pytest.CaptureFixture[str]) -> None:
    run = complete_run()
    run.status = RunStatus.RUN_STATUS_ALLOCATING
    run.ClearField("ended_at")
    print_run(run)
    assert capsys.readouterr().out.startswith("run r1 of acme: ALLOCATING submitted 1970-01-0")


def test_steps_and_options(capsys: pytest.CaptureFixture[str]) -> None:
    run = complete_run()
    run.steps.add(step=Step.STEP_BX_CASH_GRIDS, outcome=StepOutcome.STEP_OUTCOME_SKIPPED, message="no bx_price_floor")
    done = run.steps.add(step=Step.STEP_UE, outcome=StepOutcome.STEP_OUTCOME_COMPLETED, row_count=1234)
    done.duration.FromMilliseconds(2500)
    print_steps(run)
    print_options(run)
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == [
        "  bx_cash_grids             skipped: no bx_price_floor",
        "  ue                 2.5 s  1,234 rows",
    ]
    assert "  requested by                 desk" in lines
    assert "  bx_price_floor               none" in lines
    assert "  pair_off_cost                TBA 0.03125, SPEC 0.25, CASH 0.125, BULK 0.25" in lines


def test_a_replay_has_the_same_answer_or_another() -> None:
    original, replay = complete_run().summary, complete_run().summary
    assert answers_differ(original, replay) == []
    replay.value.value, replay.allocated_count = "1000.01", 3
    assert answers_differ(original, replay) == ["value $1,000.01 instead of $1,000.00", "allocated 3 instead of 2"]
