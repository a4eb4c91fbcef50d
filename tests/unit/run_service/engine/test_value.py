"""The value of an allocation and what goes into it (specification 01 section 8)."""

from decimal import Decimal

import pytest

from tests.instances.execute import run
from tests.instances.rows import constraint, curve, desk, instrument, loan, lock, pool, posting, relation, rule, today, trade


def test_the_three_sums_of_the_value() -> None:
    # T1 (100,000 at 100, the market at 100.5): A scores 101.5 and pays a point of switch cost, since its pool belongs to T2:
    #   100,000 * (101.5 - 1) / 100 = 100,500
    # B is left out: fallback = best synthetic 100.5 + 1.5 - 0.125 = 101.875 on 80,000 = 81,500
    # T2 (50,000, price 100) stays empty: 50,000 * (0.03125 + 0.5) / 100 = 265.625
    # 100,500 + 81,500 - 265.625 = 181,734.375, half a cent away from zero: 181,734.38
    ran = run(
        desk(
            loan("A", note="7.5"), loan("B", 80_000, note="7.5"), instrument("X", coupon=6, buyup=1),
            trade("T1"), trade("T2", 50_000, settles=30), today("100.5"), pool("P"), relation("T2", "P"), posting("P", "A"),
        ),
        switch_cost=1,
    )  # fmt: skip
    assert ran.placement == {"A": "T1"}
    assert ran.allocated("A")["value"] == 100_500
    assert ran.summary["value"] == "181734.38"
    assert ran.summary["total_pair_off"] == "265.63"
    # baseline: A 101,875 and B 81,500 outside; both trades short: 150,000 * 0.53125 / 100 = 796.875
    assert ran.summary["baseline_value"] == "182578.13"
    assert ran.summary["passes_value"] == ran.summary["value"]


class TestFallback:
    """Best synthetic score less spread; without one the best candidate score less discount; without either nothing."""

    def test_the_best_synthetic_trade_less_the_spread(self) -> None:
        tables = desk(loan("L1"), trade("T1"), today(98, 10), today(99, 30), today(97, 50))
        assert run(tables).allocated("L1")["fallback"] == Decimal("98.875")
        assert run(tables, synthetic_spread="0.5").allocated("L1")["fallback"] == Decimal("98.5")

    def test_without_a_synthetic_trade_the_best_candidate_less_the_discount(self) -> None:
        tables = desk(loan("L1"), trade("T1", price=100), trade("T2", 10, price=101))
        assert run(tables).allocated("L1")["fallback"] == 100
        assert run(tables, unsold_discount="2.5").allocated("L1")["fallback"] == Decimal("98.5")

    def test_a_synthetic_trade_outside_the_window_is_none(self) -> None:
        assert run(desk(loan("L1"), trade("T1"), today(105, 61), today(105, -1))).allocated("L1")["fallback"] == 99

    def test_without_either_nothing(self) -> None:
        # neither loan can be sold anywhere: they count 0
        ran = run(desk(loan("L1"), loan("L2", 0), trade("T1", settles=90)))
        assert ran.value == 0

    def test_it_holds_for_locked_loans_too_but_they_are_not_left_out(self) -> None:
        ran = run(desk(loan("L1"), trade("T1", price=90), today(99), lock("L1", "T1")))
        assert ran.allocated("L1")["fallback"] == Decimal("98.875")
        assert ran.value == 90_000

    def test_synthetic_scores_have_carry(self) -> None:
        # day 10: 99 + 3.65 * 10 / 365 = 99.1; day 30: 98.9 + 0.3 = 99.2
        tables = desk(loan("L1"), trade("T1"), today(99, 10), today("98.9", 30), curve("3.65"))
        assert run(tables).allocated("L1")["fallback"] == Decimal("99.075")
        assert run(tables, price_mode="PRICE_ONLY").allocated("L1")["fallback"] == Decimal("98.875")


class TestSwitchCost:
    """Paid where the loan's current pool is not related to the trade it gets."""

    @pytest.mark.parametrize(
        ("kind", "related_to", "pays"),
        [
            ("TBA", "T1", False),
            ("TBA", "T2", True),
            ("TBA", None, True),  # a pool related to none
            ("TBA", "GONE", True),
            ("CASH", "T2", True),  # a trade that is not pooled
            ("CASH", None, True),
        ],
    )
    def test_who_pays(self, kind: str, related_to: str | None, pays: bool) -> None:
        relations = [] if related_to is None else [relation(related_to, "P")]
        ran = run(
            desk(
                loan("L1"), instrument("X", kind), trade("T1"), trade("T2", settles=70), pool("P"), posting("P", "L1"), *relations
            ),
            switch_cost=1,
        )
        assert ran.allocated("L1")["value"] == (99_000 if pays else 100_000)

    def test_without_a_current_pool_nobody_pays(self) -> None:
        rows = [pool("P", "DELIVERED"), posting("P", "L1"), relation("T2", "P")]
        assert run(desk(loan("L1"), trade("T1"), *rows), switch_cost=1).allocated("L1")["value"] == 100_000


@pytest.mark.parametrize("tolerance", ["0.0001", "0.333333", "0.00000001"])
def test_the_band_is_the_tolerance_of_the_trade_amount_around_what_is_open(tolerance: str) -> None:
    # need 1,000,000.05 - 200,000 - 100,000.02 = 700,000.03; tolerance of the whole amount, rounded half away to cents
    ran = run(desk(loan("L1"), trade("T1", "1000000.05", pair_off=200_000, delivered="100000.02", tolerance=tolerance)))
    band = {"0.0001": "100.00", "0.333333": "333333.02", "0.00000001": "0.01"}[tolerance]
    recap = ran.recap("T1")
    assert recap["need"] == Decimal("700000.03")
    assert recap["lo"] == Decimal("700000.03") - Decimal(band)
    assert recap["hi"] == Decimal("700000.03") + Decimal(band)


def test_a_tie_of_the_band_rounds_away_and_the_lower_end_is_never_negative() -> None:
    # 0.00005 * 100 = 0.005: a cent; 1.5 * 100 = 150: lo max(0, 100 - 150)
    assert run(desk(trade("T1", 100, tolerance="0.00005"))).recap("T1")["hi"] == Decimal("100.01")
    recap = run(desk(trade("T1", 100, tolerance="1.5"))).recap("T1")
    assert (recap["lo"], recap["hi"]) == (0, 250)


def test_trades_outside_the_window_pay_no_pair_off_and_appear_in_no_recap() -> None:
    trades = [trade(f"T{settles}", settles=settles) for settles in (-1, 0, 60, 61)]
    ran = run(desk(loan("L1", status="Started"), *trades))
    assert [row["trade_id"] for row in ran.rows("trade_base")] == ["T0", "T60"]
    assert ran.value == Decimal("-62.50")  # 31.25 each


def test_amounts_of_any_size_are_exact() -> None:
    # 999,999,999,999.99 at 101.12345678: 1,011,234,567,799.98988... dollars
    ran = run(desk(loan("L1", "999999999999.99"), trade("T1", "999999999999.99", price="101.12345678")))
    exact = Decimal("999999999999.99") * Decimal("101.12345678") / 100
    assert Decimal(ran.summary["value"]) == round(exact, 2)
    assert ran.allocated("L1")["value"] == round(exact, 2)


def test_the_gap_is_in_dollars_and_basis_points_of_the_balance() -> None:
    # One trade of 100,000 without tolerance, a loan of 150,000 that does not fit. The relaxation delivers two thirds of it:
    # gain 100,000 * (100 - 99) / 100 = 1,000 and no pair-off (31.25). Gap 1,031.25 and a cent for rounding up;
    # 1,031.26 / 150,000 * 10,000 = 68.7507 bp.
    ran = run(desk(loan("L1", 150_000), trade("T1")), strategy="OPTIMAL")
    summary = ran.summary
    assert (summary["value"], summary["bound_kind"]) == ("148468.75", "LP")
    gap = Decimal(summary["upper_bound"]) - Decimal(summary["value"])
    assert Decimal("1031.25") <= gap <= Decimal("1031.26")
    assert Decimal(summary["gap_amount"]) == gap
    assert Decimal(summary["gap_bp"]) == round(gap * 10_000 / 150_000, 4)


def test_rules_and_constraints_change_nothing_in_the_value_of_a_pair() -> None:
    rows = [rule("all", '{"field":"loan_amount","op":"gt","value":0}'), constraint("A", 7, rule_name="all")]
    assert run(desk(loan("L1"), trade("T1"), *rows)).value == run(desk(loan("L1"), trade("T1"))).value
