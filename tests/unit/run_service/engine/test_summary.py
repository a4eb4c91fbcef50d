"""The run summary (specification 01 section 9): every name, and figures that agree with the tables."""

import json
from decimal import Decimal

from tests.instances.execute import Ran, run
from tests.instances.rows import constraint, curve, desk, instrument, loan, lock, pool, posting, relation, today, trade

NAMES = [
    "constraint_count", "candidate_count", "candidates_per_constraint", "carry_matched", "carry_missed", "allocated_count",
    "kicked_out_count", "cblock_count", "pool_guide_count", "syn_trade_base_count", "syn_powerfill_guide_all_rank_count",
    "syn_powerfill_guide_count", "pfill_powerfill_log_count", "post_ue_allocated_count", "post_ue_pool_guide_count",
    "in_scope_count", "in_scope_amount", "allocated_amount", "trades_filled", "trades_underfilled", "total_pair_off", "value",
    "baseline_value", "upper_bound", "bound_kind", "gap_amount", "gap_bp", "passes_value", "ended_by",
    "allocated_not_closed_amount", "kickouts_by_reason",
]  # fmt: skip


def a_run(strategy: str) -> Ran:
    """Two of four loans find a place on one of two trades, one loan is held, one has no amount."""
    return run(
        desk(
            loan("A"), loan("B", 60_000, closed=None, lock_expires=5), loan("C", 0), loan("D"), loan("E", 90_000),
            trade("T1", 160_000), trade("T2", 5_000, settles=30), lock("D"), today(99), curve(1, 0, 18),
            constraint("C1", 2), constraint("C2", 1), pool("P"), relation("T1", "P"), posting("P", "E"),
        ),
        strategy=strategy,
    )  # fmt: skip


def test_every_name_is_there_for_either_strategy() -> None:
    for strategy in ("PASSES", "OPTIMAL"):
        summary = a_run(strategy).summary
        assert set(NAMES) <= set(summary)
        assert json.loads(json.dumps(summary)) == summary


def test_the_figures_of_a_small_run() -> None:
    # A and B fill T1; E (90,000) fits nowhere; candidates A, B and E on both trades, all under C2. B's days are 15 on T1 and
    # 25 on T2, A's and E's 20 and 30: the curve ends at 18, so one of six is matched.
    summary = a_run("PASSES").summary
    wanted = {
        "constraint_count": 2,
        "candidate_count": 6,
        "candidates_per_constraint": {"C2": 6},
        "carry_matched": 1,
        "carry_missed": 5,
        "in_scope_count": 5,
        "in_scope_amount": "350000.00",
        "allocated_count": 2,
        "kicked_out_count": 3,
        "kickouts_by_reason": {"DATA_ERROR": 1, "LOCKED_OUT": 1, "NO_CAPACITY": 1},
        "allocated_amount": "160000.00",
        "allocated_not_closed_amount": "60000.00",
        "trades_filled": 1,
        "trades_underfilled": 1,
        "total_pair_off": "1.56",  # 5,000 * 0.03125 / 100 = 1.5625
        "cblock_count": 1,
        "pool_guide_count": 3,
        "syn_trade_base_count": 1,
        "ended_by": None,
        "upper_bound": None,
        "bound_kind": None,
        "gap_amount": None,
        "gap_bp": None,
    }
    assert {name: summary[name] for name in wanted} == wanted
    assert summary["passes_value"] == summary["value"]


def test_an_optimal_run_has_bound_gap_and_how_it_ended() -> None:
    summary = a_run("OPTIMAL").summary
    assert (summary["bound_kind"], summary["ended_by"]) == ("LP", "CONVERGED")
    assert Decimal(summary["upper_bound"]) - Decimal(summary["value"]) == Decimal(summary["gap_amount"]) >= 0
    assert summary["work_done"] > 0


def test_a_constraint_that_no_pair_belongs_to_has_no_count() -> None:
    ran = run(desk(loan("A"), trade("T1"), instrument("X"), instrument("Y"), constraint("C1"), constraint("C2", on="Y")))
    assert ran.summary["candidates_per_constraint"] == {"C1": 1}
    assert ran.summary["cblock_count"] == 1


def test_the_log_tells_passes_and_warnings_in_order() -> None:
    log = a_run("PASSES").rows("powerfill_log")
    assert [row["sequence"] for row in log] == list(range(1, len(log) + 1))
    passes = [row["pass"] for row in log if row["code"] == "PASS"]
    assert passes == ["exact_fit", "best_fit", "fill_remaining", "orphan_handling"]
    assert {row["pass"] for row in log if row["code"] != "PASS"} == {None}
    assert {row["step"] for row in log if row["code"] == "PASS"} == {"allocation"}
