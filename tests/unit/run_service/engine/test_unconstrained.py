"""Unconstrained execution (specification 01 section 9.6): every loan against every synthetic trade."""

from decimal import Decimal

from tests.instances.execute import run
from tests.instances.rows import constraint, curve, desk, instrument, loan, lock, pool, posting, relation, rule, today, trade


def test_synthetic_trades_are_todays_prices_that_settle_within_the_window() -> None:
    prices = [today(100 + day, day) for day in (-1, 0, 20, 60, 61)]
    ran = run(desk(loan("A", closed=-9), *prices))
    assert [(row["syn_trade_id"], row["investor_instrument"], row["price"]) for row in ran.rows("syn_trade_base")] == [
        ("SYN-X-20260417", "X", 100),
        ("SYN-X-20260507", "X", 120),
        ("SYN-X-20260616", "X", 160),
    ]


def test_ranks_are_by_score_then_settlement_then_instrument() -> None:
    # scores: Y day 20 101; X day 10, X day 20, W day 20 100 each; X day 30 99
    ran = run(
        desk(
            loan("A"), *(instrument(name) for name in "WXY"), *(constraint(f"C{name}", on=name) for name in "WXY"),
            today(99, 30), today(100, 20), today(100, 10), today(100, 20, on="W"), today(101, 20, on="Y"),
        )
    )  # fmt: skip
    ranks = [(row["rank"], row["syn_trade_id"], row["score"]) for row in ran.rows("syn_powerfill_guide_all_rank")]
    assert ranks == [
        (1, "SYN-Y-20260507", 101),
        (2, "SYN-X-20260427", 100),
        (3, "SYN-W-20260507", 100),
        (4, "SYN-X-20260507", 100),
        (5, "SYN-X-20260517", 99),
    ]
    assert ran.row("syn_powerfill_guide", loan_id="A")["syn_trade_id"] == "SYN-Y-20260507"


def test_as_many_ranks_as_are_asked_for() -> None:
    tables = desk(loan("A"), loan("B"), *(today(100 + day, day) for day in (10, 20, 30)))
    ran = run(tables, candidate_top_k=2)
    assert [(row["loan_id"], row["rank"]) for row in ran.rows("syn_powerfill_guide_all_rank")] == [
        ("A", 1),
        ("A", 2),
        ("B", 1),
        ("B", 2),
    ]
    assert ran.summary["syn_powerfill_guide_all_rank_count"] == 4


def test_synthetic_trades_pass_the_same_filters_and_prices_as_real_ones() -> None:
    # A passes everything; B has the wrong note rate, C is too large, D fails the rule, E is eligible too late
    ran = run(
        desk(
            loan("A", note="6.5", fico=700), loan("B", note=9, fico=700), loan("C", 200_000, fico=700), loan("D", fico=600),
            loan("E", fico=700, closed=30), today(100), curve("3.65"),
            instrument("X", coupon=6, window=("0.25", "1.125"), buyup=2, max_loan=150_000),
            rule("good", '{"field":"fico","op":"ge","value":700}'), constraint("C1", rule_name="good"),
        )
    )  # fmt: skip
    (row,) = ran.rows("syn_powerfill_guide_all_rank")
    # 100 + 0.5 * 2 = 101; carry 3.65 * 20 / 365 = 0.2
    assert (row["loan_id"], row["price"], row["carry"], row["score"]) == ("A", 101, Decimal("0.2"), Decimal("101.2"))


def test_held_loans_and_loans_with_data_errors_have_none() -> None:
    ran = run(desk(loan("A"), loan("B", 0), trade("T1"), lock("A"), today(99)))
    assert ran.rows("syn_powerfill_guide") == []
    assert {row["syn_trade_id"] for row in ran.rows("kickout_guide_01")} == {None}


def test_uplift_is_over_what_the_loan_got() -> None:
    # A is on T1 at 100 while the market pays 100.75; B, too large for T1, got nothing: its best synthetic trade is the sale
    ran = run(desk(loan("A"), loan("B", 200_000), trade("T1"), today("100.75")))
    best = {row["loan_id"]: row for row in ran.rows("syn_powerfill_guide")}
    assert (best["A"]["taken_score"], best["A"]["uplift"], best["A"]["recommended_sale"]) == (100, Decimal("0.75"), False)
    assert (best["B"]["taken_score"], best["B"]["uplift"], best["B"]["recommended_sale"]) == (None, None, True)
    assert (ran.allocated("A")["syn_trade_id"], ran.allocated("A")["syn_score"]) == ("SYN-X-20260507", Decimal("100.75"))
    assert [(row["loan_instrument"], row["loan_amount"], row["trade_id"]) for row in (best["A"], best["B"])] == [
        ("30YR", 100_000, "T1"),
        ("30YR", 200_000, None),
    ]


def test_a_negative_uplift_stays_negative() -> None:
    assert run(desk(loan("A"), trade("T1"), today(99))).row("syn_powerfill_guide", loan_id="A")["uplift"] == -1


def test_a_locked_loan_without_a_price_has_no_uplift() -> None:
    tables = desk(loan("A"), trade("T1", price=None), instrument("X"), instrument("Y"), constraint("CY", on="Y"),
                  today(99, on="Y"), lock("A", "T1"))  # fmt: skip
    row = run(tables).row("syn_powerfill_guide", loan_id="A")
    assert (row["taken_score"], row["uplift"], row["recommended_sale"]) == (None, None, False)


def test_the_recommended_sales_are_summed_per_synthetic_trade() -> None:
    # B (200,000) and C (150,000) find no room; B and C sell at 100.75: 201,500 and 151,125. A is allocated and not in the sums.
    ran = run(desk(loan("A"), loan("B", 200_000), loan("C", 150_000), trade("T1"), today("100.75"), today(99, 30)))
    sums = [(row["syn_trade_id"], row["loan_count"], row["loan_amount"], row["value"]) for row in ran.rows("syn_trade_base")]
    assert sums == [("SYN-X-20260507", 2, 350_000, 352_625), ("SYN-X-20260517", 0, 0, 0)]


def test_without_todays_prices_there_is_nothing_and_the_guides_keep_their_rows() -> None:
    ran = run(
        desk(loan("A"), loan("B", 70_000), trade("T1"), pool("P"), relation("T1", "P"), posting("P", "A"), posting("P", "B"))
    )
    for name in ("syn_trade_base", "syn_powerfill_guide_all_rank", "syn_powerfill_guide"):
        assert ran.rows(name) == []
    assert ran.placement == {"A": "T1"}
    assert [row["pool_action"] for row in ran.rows("pool_guide")] == ["REMAINING", "LEAVING"]
    summary = ran.summary
    assert (summary["post_ue_allocated_count"], summary["post_ue_pool_guide_count"]) == (1, 2)
    assert (summary["syn_trade_base_count"], summary["syn_powerfill_guide_count"]) == (0, 0)
    (found,) = ran.told("NO_SYNTHETIC_PRICES")
    assert found.remedy == "load today's prices"
    assert ran.row("powerfill_log", code="NO_SYNTHETIC_PRICES")["step"] == "ue"


def test_prices_outside_the_window_are_as_good_as_none() -> None:
    ran = run(desk(loan("A"), trade("T1", price=None), today(99, 61)))
    assert len(ran.told("NO_SYNTHETIC_PRICES")) == 1
    assert ran.allocated("A")["price"] == 99  # still the nearest date's price of a real trade


def test_an_instrument_without_a_constraint_is_a_synthetic_trade_nobody_takes() -> None:
    ran = run(desk(loan("A"), instrument("X"), instrument("Y"), today(99, on="Y")))
    (row,) = ran.rows("syn_trade_base")
    assert (row["syn_trade_id"], row["loan_count"], row["value"]) == ("SYN-Y-20260507", 0, 0)
    assert ran.told("NO_SYNTHETIC_PRICES") == []
