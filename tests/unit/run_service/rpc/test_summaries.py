import pytest
from google.protobuf.duration_pb2 import Duration
from google.type.decimal_pb2 import Decimal as DecimalMessage
from powerfill.run.v1 import run_pb2 as pb

from services.run_service.rpc.mapping.summaries import SUMMARY_NAMES, summary_from_proto, summary_to_proto

# Specification 01 section 9, "Run summary", with the spellings of the contract where it gives words and no name.
SPECIFIED = [
    "constraint_count",
    "candidate_count",
    "candidates_per_constraint",
    "carry_matched",
    "carry_missed",
    "allocated_count",
    "kicked_out_count",
    "cblock_count",
    "pool_guide_count",
    "syn_trade_base_count",
    "syn_powerfill_guide_all_rank_count",
    "syn_powerfill_guide_count",
    "pfill_powerfill_log_count",
    "post_ue_allocated_count",
    "post_ue_pool_guide_count",
    "in_scope_count",
    "in_scope_amount",
    "allocated_amount",
    "trades_filled",
    "trades_underfilled",
    "total_pair_off",
    "value",
    "baseline_value",
    "upper_bound",
    "bound_kind",
    "gap_amount",
    "gap_bp",
    "passes_value",
    "ended_by",
    "allocated_not_closed_amount",
    "kickouts_by_reason",
    "step_durations",
    "work_done",
]

STORED = {
    "constraint_count": 3,
    "candidate_count": 398_000,
    "candidates_per_constraint": {"C00001": 5, "C00002": 0},
    "in_scope_amount": "3421000123.45",
    "value": "-12.30",
    "bound_kind": "LP",
    "ended_by": "WORK_LIMIT",
    "gap_bp": "0.1234",
    "kickouts_by_reason": {"NO_CAPACITY": 7},
    "step_durations": {"candidate_builder": 0.75, "ue": 0.0},
    "work_done": 2**40,
}


def test_the_summary_of_the_contract_is_that_of_the_specification() -> None:
    assert sorted(SUMMARY_NAMES) == sorted(SPECIFIED)


def test_every_kind_of_figure_is_written() -> None:
    assert summary_to_proto(STORED) == pb.RunSummary(
        constraint_count=3,
        candidate_count=398_000,
        candidates_per_constraint={"C00001": 5, "C00002": 0},
        in_scope_amount=DecimalMessage(value="3421000123.45"),
        value=DecimalMessage(value="-12.30"),
        bound_kind=pb.BOUND_KIND_LP,
        ended_by=pb.ENDED_BY_WORK_LIMIT,
        gap_bp=DecimalMessage(value="0.1234"),
        kickouts_by_reason={"NO_CAPACITY": 7},
        step_durations={"candidate_builder": Duration(nanos=750_000_000), "ue": Duration()},
        work_done=2**40,
    )


def test_what_is_missing_or_null_stays_unset() -> None:
    summary = summary_to_proto({"value": None, "upper_bound": None, "bound_kind": None, "allocated_count": None})
    assert summary == pb.RunSummary()
    assert not summary.HasField("upper_bound")


def test_a_figure_of_another_version_is_left_out() -> None:
    assert summary_to_proto({"moon_phase": "full", "carry_matched": 1}) == pb.RunSummary(carry_matched=1)


def test_the_summary_comes_back() -> None:
    back = summary_from_proto(summary_to_proto(STORED))
    assert {name: back[name] for name in STORED} == STORED


def test_an_empty_summary_has_every_count_and_no_decimal() -> None:
    back = summary_from_proto(pb.RunSummary())
    assert back["allocated_count"] == 0
    assert back["kickouts_by_reason"] == {}
    assert not {"value", "upper_bound", "bound_kind", "ended_by"} & set(back)


@pytest.mark.parametrize("word", ["CONVERGED", "WORK_LIMIT", "TIME_LIMIT", "CANCELLED"])
def test_every_end_of_the_improvement_has_a_number(word: str) -> None:
    assert summary_from_proto(summary_to_proto({"ended_by": word}))["ended_by"] == word


@pytest.mark.parametrize("word", ["LP", "LAGRANGIAN", "MIP"])
def test_every_kind_of_bound_has_a_number(word: str) -> None:
    assert summary_from_proto(summary_to_proto({"bound_kind": word}))["bound_kind"] == word
