"""An allocation of another system: every hard rule it can break, what it is worth, and why it differs from the run."""

from decimal import Decimal
from typing import Any

import pytest

from services.run_service.engine.frames import RunInputs
from services.run_service.engine.validate.validation import HardRule
from tests.instances import named
from tests.instances.execute import run
from tests.instances.rows import (
    constraint,
    desk,
    grid,
    inputs,
    instrument,
    loan,
    lock,
    rule,
    shipped,
    today,
    trade,
)
from tests.instances.validate import Placement, judge

NEW_YORK = rule("new_york", '{"all":[{"field":"fico","op":"ge","value":600},{"field":"state","op":"eq","value":"NY"}]}')


def test_an_allocation_that_breaks_nothing_and_is_the_runs_differs_in_nothing() -> None:
    tables = named.two_trades_one_specialist()
    judged = judge(tables, {"P": "W2", "Q": "W1"}, strategy="OPTIMAL")
    found, totals = judged.found, judged.found.totals
    assert (found.violation_count, found.difference_count, found.reasons, found.rules) == (0, 0, (), ())
    assert totals.value == totals.value_of_allowed == totals.run_value == Decimal("205900.00")
    assert {totals.value_difference, totals.loan_difference, totals.pair_off_difference, totals.rounding} == {Decimal(0)}
    assert totals.upper_bound is not None
    assert totals.gap == totals.run_gap == totals.upper_bound - Decimal("205900.00")
    assert (found.placement_count, found.placed_count, found.run_placed_count) == (2, 2, 2)


BROKEN: dict[str, tuple[RunInputs, list[Placement], list[tuple[str, str | None, str | None]]]] = {
    "a loan twice": (desk(loan("A"), trade("T"), trade("U")), [("A", "T"), ("A", "U"), ("A", "T")], [
        ("LOAN_REPEATED", "A", "U"), ("LOAN_REPEATED", "A", "T"),
    ]),
    "an unknown loan": (desk(loan("A"), trade("T")), [("B", "T")], [("LOAN_UNKNOWN", "B", "T")]),
    "a shipped loan": (desk(loan("A"), shipped("A"), trade("T")), [("A", "T")], [("LOAN_NOT_IN_SCOPE", "A", "T")]),
    "a loan of a status out of scope": (
        desk(loan("A", status="Started"), trade("T")), [("A", "T")], [("LOAN_NOT_IN_SCOPE", "A", "T")],
    ),
    "a loan without an amount": (desk(loan("A", None), trade("T")), [("A", "T")], [("LOAN_DATA_ERROR", "A", "T")]),
    "a held loan": (desk(loan("A"), lock("A"), trade("T")), [("A", "T")], [("LOAN_HELD", "A", "T")]),
    "a locked loan elsewhere": (
        desk(loan("A"), lock("A", "T"), trade("T"), trade("U")), [("A", "U")], [("LOCKED_ELSEWHERE", "A", "U")],
    ),
    "a locked loan nowhere": (
        desk(loan("A"), loan("B"), lock("A", "T"), trade("T"), trade("U")), [("B", "U")], [("LOCKED_MISSING", "A", "T")],
    ),
    "an unknown trade": (desk(loan("A"), trade("T")), [("A", "V")], [("TRADE_UNKNOWN", "A", "V")]),
    "a settled trade": (desk(loan("A"), trade("T", status="SETTLED")), [("A", "T")], [("TRADE_TAKES_NO_PART", "A", "T")]),
    "a phantom": (desk(loan("A"), trade("T", phantom=True)), [("A", "T")], [("TRADE_TAKES_NO_PART", "A", "T")]),
    "a trade of an unknown instrument": (desk(loan("A"), trade("T", on="?")), [("A", "T")], [("TRADE_TAKES_NO_PART", "A", "T")]),
    "a trade that is delivered": (
        desk(loan("A"), trade("T", delivered=100_000)), [("A", "T")], [("TRADE_TAKES_NO_PART", "A", "T")],
    ),
    "a trade without an amount": (desk(loan("A"), trade("T", None)), [("A", "T")], [("TRADE_TAKES_NO_PART", "A", "T")]),
    "a trade of negative tolerance": (
        desk(loan("A"), trade("T", tolerance="-0.1")), [("A", "T")], [("TRADE_TAKES_NO_PART", "A", "T")],
    ),
    "a trade that settles too late": (
        desk(loan("A"), trade("T", settles=61)), [("A", "T")], [("TRADE_OUTSIDE_WINDOW", "A", "T")],
    ),
    "no constraint on the instrument": (
        desk(loan("A"), instrument("X"), instrument("Y"), constraint(on="X"), trade("T", on="Y")), [("A", "T")],
        [("NO_RULE_MATCH", "A", "T")],
    ),
    "no constraint that takes the loan": (
        desk(loan("A", state="CA", fico=700), NEW_YORK, constraint(rule_name="new_york"), trade("T")), [("A", "T")],
        [("NO_RULE_MATCH", "A", "T")],
    ),
    "a note rate outside the window": (
        desk(loan("A", note="7"), instrument(coupon="6", window=("0.25", "0.5")), trade("T")), [("A", "T")],
        [("NOTE_RATE_WINDOW", "A", "T")],
    ),
    "a loan too large": (desk(loan("A"), instrument(max_loan=99_999), trade("T")), [("A", "T")], [("LOAN_SIZE", "A", "T")]),
    "a loan eligible too late": (desk(loan("A", closed=21), trade("T")), [("A", "T")], [("SETTLEMENT_WINDOW", "A", "T")]),
    "a trade without a price": (desk(loan("A"), trade("T", price=None)), [("A", "T")], [("NO_PRICE", "A", "T")]),
    "a trade filled beyond its band": (
        desk(loan("A", 60_000), loan("B", 60_000), trade("T", tolerance="0.1")), [("A", "T"), ("B", "T")],
        [("TRADE_OVERFILLED", None, "T")],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", BROKEN)
def test_each_hard_rule_is_told_by_loan_and_trade(case: str) -> None:
    tables, placements, broken = BROKEN[case]
    judged = judge(tables, placements)
    assert judged.broken == broken
    assert [(rule.rule.value, rule.count) for rule in judged.found.rules] == [(broken[0][0], len(broken))]


def test_below_the_floor() -> None:
    tables = desk(loan("A"), instrument(kind="CASH"), trade("T", price=99))
    judged = judge(tables, {"A": "T"}, bx_price_floor="99.5")
    assert judged.broken == [("BELOW_PRICE_FLOOR", "A", "T")]
    assert judged.violation("BELOW_PRICE_FLOOR")["message"] == "priced under 99.5"


def test_every_rule_has_a_case() -> None:
    tested = {rule for _, _, broken in BROKEN.values() for rule, _, _ in broken} | {"BELOW_PRICE_FLOOR"}
    assert tested == {rule.value for rule in HardRule}


def test_what_is_told_of_a_filter() -> None:
    rules = (NEW_YORK, constraint("C1", 2), constraint("C2", 1, rule_name="new_york"))
    tables = desk(
        loan("A", state="CA", fico=700), loan("B", 100_000, note="7"), *rules, trade("T", 200_000, on="Y"),
        instrument("X"), instrument("Y", coupon="6", window=("0.25", "0.5"), max_loan=100_000),
        constraint("C3", 3, on="Y", rule_name="new_york"), constraint("C4", 4, on="Y", rule_name="small"),
        rule("small", '{"field":"loan_amount","op":"gt","value":"99999.5"}'),
    )  # fmt: skip
    judged = judge(tables, {"A": "T", "B": "T"})
    assert [row["constraint_id"] for row in judged.found.violations.iter_rows(named=True)] == ["C4"]
    told = judged.violation("NOTE_RATE_WINDOW")
    assert (told["message"], told["loan_id"], told["position"]) == ("note rate 7.000000 is outside 6.25 to 6.5 of Y", "B", 1)

    tables = desk(loan("A", state="CA", fico=700), NEW_YORK, constraint("C2", rule_name="new_york"), trade("T"))
    told = judge(tables, {"A": "T"}).violation("NO_RULE_MATCH")
    assert (told["constraint_id"], told["message"]) == ("C2", "closest is C2, which needs state = NY")


def test_a_lockdown_that_is_obeyed_breaks_nothing_whatever_the_filters_say() -> None:
    tables = desk(
        loan("A", 150_000, note="9"), loan("B", 150_000), lock("A", "T"), lock("B", "LATE"),
        instrument(coupon="6", window=(0, "0.5")), trade("T", price=None), trade("LATE", settles=90),
    )  # fmt: skip
    judged = judge(tables, {"A": "T", "B": "LATE"})
    assert judged.broken == []
    assert judged.found.totals.value == judged.found.totals.run_value
    assert (judged.found.placed_count, judged.found.difference_count) == (2, 0)


def test_a_loan_beside_lockdowns_that_fill_a_trade_beyond_its_band() -> None:
    tables = named.locked_beyond_the_band()
    assert judge(tables, {"A": "T1", "B": "T1"}).broken == []
    assert judge(tables, {"A": "T1", "B": "T1", "C": "T1"}).broken == [("TRADE_OVERFILLED", None, "T1")]


def test_a_placement_can_break_a_rule_by_its_loan_and_another_by_its_trade() -> None:
    tables = desk(loan("A"), loan("B"), lock("A"), lock("B", "T"), trade("T"), trade("LATE", settles=61))
    assert judge(tables, {"A": "LATE", "B": "NO"}).broken == [
        ("LOAN_HELD", "A", "LATE"), ("LOCKED_ELSEWHERE", "B", "NO"), ("TRADE_UNKNOWN", "B", "NO"),
        ("TRADE_OUTSIDE_WINDOW", "A", "LATE"),
    ]  # fmt: skip


def test_the_value_takes_every_placement_that_can_be_priced_and_the_allowed_value_only_what_breaks_nothing() -> None:
    # A is too large for T by policy and would still earn 100 there; B is allowed; C has no trade it could be priced on.
    tables = desk(
        loan("A", 50_000), loan("B", 40_000), loan("C", 30_000), instrument(max_loan=45_000), trade("T"),
        trade("NONE", price=None, on="Y"), instrument("Y"), today(99), constraint("C1"), constraint("C2", on="Y"),
    )  # fmt: skip
    totals = judge(tables, {"A": "T", "B": "T", "C": "NONE"}).found.totals
    # Outside C is worth 98.875, A nothing, as it is a candidate of nothing. T is 10,000 short, NONE 100,000, each at 0.03125.
    assert totals.value == Decimal("119628.13")  # 50,000 + 40,000 + 29,662.50 - 3.125 - 31.25
    assert totals.value_of_allowed == Decimal("69612.50")  # 0 + 40,000 + 29,662.50 - 18.75 - 31.25


def test_a_locked_loan_that_is_not_placed_counts_as_left_out() -> None:
    tables = desk(loan("A"), lock("A", "T"), trade("T", price=90), trade("U"), today(95))
    judged = judge(tables, [("A", "U")])
    assert judged.difference("A")["points"] == Decimal(100)
    assert judged.difference("A")["run_points"] == Decimal(90)
    assert (judged.difference("A")["reason"], judged.difference("A")["detail"]) == ("BREAKS_A_RULE", "LOCKED_ELSEWHERE")
    # Allowed is nothing: A is outside at 95 - 0.125, T and U are short by all they need.
    short = 1_000 * (Decimal("5.03125") + Decimal("0.03125"))
    assert judged.found.totals.value_of_allowed == Decimal("94875.00") - short


def test_a_switch_costs_there_what_it_costs_in_a_run() -> None:
    tables = named.switch_cost_keeps_a_loan_in_its_pool()
    judged = judge(tables, {"A": "T2", "B": "T1"}, strategy="OPTIMAL")
    assert judged.found.totals.value == Decimal("199998.75")
    assert judged.found.totals.run_value == Decimal("200030.00")
    assert judged.difference("A")["points"] == Decimal("99.99875")


def test_loans_that_differ_are_told_with_both_sides_the_greatest_difference_first() -> None:
    tables = named.greedy_takes_the_wrong_loan()
    judged = judge(tables, {"A": "T1"}, strategy="OPTIMAL")
    assert judged.found.differences.select("loan_id", "trade_id", "run_trade_id", "difference", "reason").rows() == [
        ("A", "T1", None, Decimal("600.00"), "LEFT_OUT_HERE"),
        ("B", None, "T1", Decimal("-500.00"), "LEFT_OUT_THERE"),
        ("C", None, "T1", Decimal("-500.00"), "LEFT_OUT_THERE"),
    ]
    row = judged.difference("A")
    assert (row["points"], row["run_points"]) == (Decimal("100.9"), Decimal("99.9"))
    assert (row["value"], row["run_value"], row["detail"]) == (Decimal("60540.00"), Decimal("59940.00"), "NO_CAPACITY")
    totals = judged.found.totals
    assert (totals.value, totals.run_value) == (Decimal("160327.50"), Decimal("160740.00"))
    assert (totals.loan_difference, totals.pair_off_difference) == (Decimal("-400.00"), Decimal("-12.50"))
    assert (totals.pair_off, totals.run_pair_off, totals.rounding) == (Decimal("12.50"), Decimal(0), Decimal(0))
    assert [(total.reason, total.count, total.difference) for total in judged.found.reasons] == [
        ("LEFT_OUT_THERE", 2, Decimal("-1000.00")), ("LEFT_OUT_HERE", 1, Decimal("600.00")),
    ]  # fmt: skip
    assert totals.in_bp(totals.value_difference) == Decimal("-25.7813")


REASONED: dict[str, tuple[RunInputs, dict[str, str], dict[str, str], dict[str, Any]]] = {
    "WORSE_PRICE": (desk(loan("A"), trade("T"), trade("U", price=99)), {"A": "U"}, {"A": "WORSE_PRICE"}, {}),
    "EQUAL_VALUE": (desk(loan("A"), trade("T"), trade("U")), {"A": "U"}, {"A": "EQUAL_VALUE"}, {}),
    # T (at 102) has room for one of the two; B goes to U at 101, which pays A 100 only.
    "MADE_ROOM": (
        desk(
            loan("A", state="NY"), loan("B", state="CA"), rule("ny", '{"field":"state","op":"eq","value":"NY"}'),
            trade("T", price=102), grid("U", 1, 6, 101, "ny"), grid("U", 2, 6, 100), trade("U"),
        ),
        {"A": "T", "B": "U"}, {"A": "MADE_ROOM", "B": "WORSE_PRICE"}, {"strategy": "OPTIMAL"},
    ),
    # On T, 5 points under the market, a dollar short costs 5.03125: A stays there although U, which owes nothing, pays more.
    "LEAVES_SHORT": (
        desk(loan("A"), trade("T", price=95), trade("U", price=97, tolerance=1), today(100)),
        {"A": "U"}, {"A": "LEAVES_SHORT"}, {"strategy": "OPTIMAL"},
    ),
    # The first priority's trade pays less and is taken first.
    "PRIORITY": (
        desk(
            loan("A"), instrument("X"), instrument("Y"), constraint("C1", 1, on="X"), constraint("C2", 2, on="Y"),
            trade("T", price=100), trade("U", price="100.5", on="Y", tolerance=1),
        ),
        {"A": "U"}, {"A": "PRIORITY"}, {"strategy": "OPTIMAL", "priority_mode": "STRICT"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", REASONED)
def test_why_a_loan_is_elsewhere(case: str) -> None:
    tables, placements, reasons, options = REASONED[case]
    assert judge(tables, placements, **options).reasons == reasons


def test_a_gain_that_the_run_missed_is_told_as_such() -> None:
    # The run is made to have A on T, though U pays more, has room and nothing is owed.
    tables = desk(loan("A"), trade("T", price=99, tolerance=1), trade("U", tolerance=1))
    worse = run(desk(loan("A"), trade("T", price=99, tolerance=1)))
    judged = judge(tables, {"A": "U"}, ran=worse)
    assert judged.reasons == {"A": "MISSED"}
    assert judged.found.totals.value_difference == Decimal("1000.00")


def test_prices_that_differ_are_told_in_points_and_dollars_the_most_dollars_first() -> None:
    tables = desk(loan("A"), loan("B", 50_000), loan("C"), loan("D"), trade("T"), trade("U"), trade("V", 50_000))
    given: list[Placement] = [
        ("A", "T", "100.5"),
        ("B", "V", "98.123456785"),
        ("C", "U", "100"),
        ("D", "T"),
        ("A", "U", "7"),
        ("X", "T", "1"),
    ]
    found = judge(tables, given).found
    assert found.price_differences.rows() == [
        ("B", "V", Decimal("50000.00"), Decimal("98.12345679"), Decimal(100), Decimal("-1.87654321"), Decimal("-938.27")),
        ("A", "T", Decimal("100000.00"), Decimal("100.5"), Decimal(100), Decimal("0.5"), Decimal("500.00")),
    ]
    assert (found.prices.compared_count, found.prices.different_count, found.prices.dollars) == (3, 2, Decimal("-438.27"))


def test_lists_are_cut_and_counts_and_totals_are_not() -> None:
    loans = [loan(f"L{number}", 10_000 + number) for number in range(8)]
    tables = desk(*loans, *(lock(f"L{number}") for number in range(4)), trade("T", 40_010))
    given: list[Placement] = [(f"L{number}", "T", "99") for number in range(8)] + [("X", "T"), ("Y", "T")]
    found = judge(tables, given, listed=3).found
    assert (found.violation_count, len(found.violations)) == (7, 3)
    assert {rule.rule.value: (rule.count, rule.examples) for rule in found.rules} == {
        "LOAN_UNKNOWN": (2, ("X", "Y")), "LOAN_HELD": (4, ("L0", "L1", "L2", "L3")), "TRADE_OVERFILLED": (1, ("T",)),
    }  # fmt: skip
    assert set(found.violations["rule"]) == {"LOAN_UNKNOWN", "LOAN_HELD", "TRADE_OVERFILLED"}  # of each rule one
    assert (found.difference_count, len(found.differences)) == (5, 3)
    assert (found.prices.different_count, len(found.price_differences)) == (8, 3)
    assert found.totals.loan_difference == sum(total.difference for total in found.reasons)


def test_a_tenant_without_anything() -> None:
    judged = judge(inputs(), {"A": "T"})
    assert judged.broken == [("LOAN_UNKNOWN", "A", "T"), ("TRADE_UNKNOWN", "A", "T")]
    assert judged.found.totals.value == judged.found.totals.run_value == 0
    assert judged.found.totals.in_bp(Decimal(5)) == 0
