"""Constraints: which of them a candidate belongs to, counts, rules with missing fields (specification 01 sections 4 and 7)."""

from decimal import Decimal

import pytest

from services.run_service.domain.errors import InputError
from tests.instances.execute import run
from tests.instances.rows import constraint, curve, desk, inputs, instrument, loan, rule, today, trade

GOOD_SCORE = rule("good_score", '{"field":"fico","op":"ge","value":700}')


def test_a_pair_belongs_to_the_lowest_priority_number() -> None:
    ran = run(desk(loan("L1"), trade("T1"), constraint("A", 2), constraint("B", 1)))
    assert (ran.allocated("L1")["constraint_id"], ran.allocated("L1")["priority"]) == ("B", 1)


def test_of_equal_priorities_to_the_smallest_id() -> None:
    ran = run(desk(loan("L1"), trade("T1"), constraint("C10"), constraint("C2"), constraint("D")))
    assert ran.allocated("L1")["constraint_id"] == "C10"  # ids are text


def test_only_constraints_whose_rule_the_loan_passes_count() -> None:
    rows = [GOOD_SCORE, constraint("A", 1, rule_name="good_score"), constraint("B", 2)]
    ran = run(desk(loan("L1", fico=699), loan("L2", fico=700), trade("T1", 200_000), *rows))
    assert ran.allocated("L1")["constraint_id"] == "B"
    assert ran.allocated("L2")["constraint_id"] == "A"


def test_a_disabled_constraint_does_not_exist() -> None:
    ran = run(desk(loan("L1"), trade("T1"), constraint("A", 1, enabled=False, rule_name="unknown"), constraint("B", 2)))
    assert ran.allocated("L1")["constraint_id"] == "B"
    assert ran.summary["constraint_count"] == 1


def test_twenty_constraints_count_each_loan_and_trade_once() -> None:
    # 3 loans x 2 trades are 6 candidates, all under C01, the first of twenty in policy order
    constraints = [constraint(f"C{number:02}", number) for number in range(1, 21)]
    loans = [loan(name) for name in ("L1", "L2", "L3")]
    ran = run(desk(*loans, *constraints, trade("T1", 200_000), trade("T2")))
    assert ran.summary["constraint_count"] == 20
    assert ran.summary["candidate_count"] == 6
    assert ran.summary["candidates_per_constraint"] == {"C01": 6}
    assert (ran.summary["carry_matched"], ran.summary["carry_missed"]) == (0, 6)
    assert [row["constraint_id"] for row in ran.rows("cblock_guide")] == ["C01"]
    assert ran.summary["allocated_count"] == 3


def test_blocks_hold_what_each_constraint_produced() -> None:
    # C1 takes scores from 700: L1 and L2 on both trades; C2 the rest: L3. T1 at 100 for 160,000: L1 and L2 (best first by
    # amount); T2 at 99: L3. Averages by amount: C1 100, C2 99; carry 3.65 * 20 / 365 = 0.2 makes the scores.
    ran = run(
        desk(
            loan("L1", fico=700), loan("L2", 60_000, fico=720), loan("L3", 50_000, fico=600),
            trade("T1", 160_000), trade("T2", 50_000, price=99), GOOD_SCORE,
            constraint("C1", 1, rule_name="good_score"), constraint("C2", 2), constraint("C3", 3), curve("3.65"),
        )
    )  # fmt: skip
    assert ran.placement == {"L1": "T1", "L2": "T1", "L3": "T2"}
    blocks = [
        (row["constraint_id"], row["candidate_count"], row["loan_count"], row["loan_amount"], row["avg_price"], row["avg_score"])
        for row in ran.rows("cblock_guide")
    ]
    assert blocks == [
        ("C1", 4, 2, 160_000, 100, Decimal("100.2")),
        ("C2", 2, 1, 50_000, 99, Decimal("99.2")),
    ]
    pairs = [
        (row["trade_id"], row["constraint_id"], row["candidate_count"], row["loan_count"])
        for row in ran.rows("trade_cblock_base")
    ]
    assert pairs == [("T1", "C1", 2, 2), ("T1", "C2", 1, 0), ("T2", "C1", 2, 0), ("T2", "C2", 1, 1)]
    assert ran.row("trade_cblock_base", trade_id="T2", constraint_id="C1")["avg_price"] is None


@pytest.mark.parametrize(
    ("expression", "placed"),
    [
        ('{"field":"fico","op":"ne","value":700}', ["L2"]),
        ('{"field":"fico","op":"not_in","value":[700]}', ["L2"]),
        ('{"not":{"field":"fico","op":"ne","value":700}}', ["L1", "L3"]),
        ('{"not":{"field":"fico","op":"ge","value":0}}', ["L3"]),
    ],
)
def test_a_missing_field_fails_every_comparison_and_not_turns_that_round(expression: str, placed: list[str]) -> None:
    loans = [loan("L1", 100, fico=700), loan("L2", 100, fico=650), loan("L3", 100, fico=None)]
    ran = run(desk(*loans, trade("T1"), rule("r", expression), constraint("C1", rule_name="r")))
    assert sorted(ran.placement) == placed


def test_a_rule_that_does_not_parse_stops_the_run_with_its_name_and_place() -> None:
    broken = rule("broken", '{"all":[{"field":"fico","op":"over","value":1}]}')
    with pytest.raises(InputError, match=r"'broken'.*\$\.all\[0\]\.op"):
        run(desk(loan("L1"), trade("T1"), broken, constraint("C1", rule_name="broken")))


def test_an_unknown_rule_of_an_enabled_constraint_stops_the_run() -> None:
    with pytest.raises(InputError, match=r"'C1'.*'gone'"):
        run(desk(loan("L1"), constraint("C1", rule_name="gone")))


def test_a_constraint_on_an_unknown_instrument_leads_nowhere() -> None:
    ran = run(desk(loan("L1"), trade("T1"), constraint("C1", on="GONE"), today(99)))
    assert ran.kickout("L1")["reason"] == "NO_OPEN_TRADE"
    assert ran.kickout("L1")["syn_score"] is None


def test_without_constraints_no_loan_matches() -> None:
    ran = run(inputs(loan("L1"), trade("T1"), instrument("X"), today(99)))
    kickout = ran.kickout("L1")
    assert kickout["reason"] == "NO_RULE_MATCH"
    assert (kickout["nearest_constraint_id"], kickout["failed_condition"]) == (None, None)
    assert ran.summary["constraint_count"] == 0
    assert ran.recap("T1")["status"] == "EMPTY"


def test_priorities_of_any_size_are_only_an_order() -> None:
    rows = [instrument("X"), instrument("Y"), constraint("A", 2**63 - 1), constraint("B", -(2**63), on="Y")]
    ran = run(desk(loan("L1"), *rows, trade("T1"), trade("T2", on="Y")))
    assert ran.placement == {"L1": "T2"}
