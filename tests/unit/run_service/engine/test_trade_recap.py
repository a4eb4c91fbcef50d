"""The trade recap (specification 03 report 3): before and after the run, status, averages, what a dollar of room is worth."""

from decimal import Decimal

from tests.instances.execute import run
from tests.instances.rows import curve, desk, instrument, loan, lock, pool, posting, relation, shipped, today, trade


def test_every_figure_of_a_trade() -> None:
    # T1: need 300,000, tolerance 1 % of 400,000: 296,000 to 304,000. A 200,000 (locked) and B 100,000 fill it.
    # Averages by amount: note (2 * 6.5 + 7) / 3 = 6.666667; fico of A alone: 700; ltv (2 * 80 + 95) / 3 = 85.
    # Before: A and C (60,000, not allocated) sit in pool P of T1; D in P is shipped; need left 300,000 - 260,000.
    # Carry 3.65 * 20 / 365 = 0.2.
    ran = run(
        desk(
            loan("A", 200_000, fico=700, ltv=80), loan("B", note=7, ltv=95), loan("C", 60_000), loan("D", 70_000), shipped("D"),
            trade("T1", 400_000, delivered=60_000, pair_off=40_000, tolerance="0.01", price="101.5"),
            lock("A", "T1"), pool("P"), relation("T1", "P"), posting("P", "A"), posting("P", "C"),
            posting("P", "D"), curve("3.65"),
        )
    )  # fmt: skip
    recap = ran.recap("T1")
    assert {name: recap[name] for name in ("counterparty", "investor", "investor_instrument", "kind", "trade_price")} == {
        "counterparty": "DEALER",
        "investor": "FNMA",
        "investor_instrument": "X",
        "kind": "TBA",
        "trade_price": Decimal("101.5"),
    }
    assert {
        name: recap[name]
        for name in (
            "need", "lo", "hi", "allocated_amount", "allocated_count", "locked_amount", "pre_session_amount", "pre_session_need",
            "post_session_need", "space_left", "shortfall", "pair_off_dollars", "avg_fico", "avg_ltv", "avg_price", "avg_score",
        )
    } == {
        "need": 300_000,
        "lo": 296_000,
        "hi": 304_000,
        "allocated_amount": 300_000,
        "allocated_count": 2,
        "locked_amount": 200_000,
        "pre_session_amount": 260_000,
        "pre_session_need": 40_000,
        "post_session_need": 0,
        "space_left": 4_000,
        "shortfall": 0,
        "pair_off_dollars": 0,
        "avg_fico": 700,
        "avg_ltv": 85,
        "avg_price": Decimal("101.5"),
        "avg_score": Decimal("101.7"),
    }  # fmt: skip
    assert recap["avg_note_rate"] == Decimal("6.666667")
    assert (recap["status"], recap["fill_pct"]) == ("FILLED", 100)


def test_a_trade_that_gets_nothing() -> None:
    recap = run(desk(loan("L1", 200_000), trade("T1", 100_000))).recap("T1")
    assert (recap["status"], recap["fill_pct"], recap["allocated_count"]) == ("EMPTY", 0, 0)
    assert (recap["shortfall"], recap["post_session_need"], recap["space_left"]) == (100_000, 100_000, 100_000)
    assert [recap[name] for name in ("avg_note_rate", "avg_fico", "avg_ltv", "avg_price", "avg_score")] == [None] * 5


def test_an_average_that_cannot_be_stored_is_unset() -> None:
    # 18,446,744,073,710 is 0.448 if it is counted in millionths modulo 2**64
    recap = run(desk(loan("A", fico=18_446_744_073_710), trade("T1"))).recap("T1")
    assert recap["avg_fico"] is None


def test_a_fill_is_rounded_half_away_at_the_sixth_decimal() -> None:
    # 100 * 1 / 3 = 33.333333; 100 * 2 / 3 = 66.666667
    assert run(desk(loan("L1", 1), trade("T1", 3, tolerance="0.5"))).recap("T1")["fill_pct"] == Decimal("33.333333")
    assert run(desk(loan("L1", 2), trade("T1", 3, tolerance="0.5"))).recap("T1")["fill_pct"] == Decimal("66.666667")


def test_a_pool_of_two_trades_counts_before_the_session_on_both() -> None:
    ran = run(desk(loan("A"), trade("T1"), trade("T2"), pool("P"), relation("T1", "P"), relation("T2", "P"), posting("P", "A")))
    assert [row["pre_session_amount"] for row in ran.rows("trade_base")] == [100_000, 100_000]


def test_passes_prove_no_value_of_room() -> None:
    recap = run(desk(loan("A"), trade("T1"))).recap("T1")
    assert (recap["room_value"], recap["fill_value"]) == (None, None)


def test_room_on_a_full_trade_is_worth_what_the_next_loan_would_gain() -> None:
    # three loans at 100 against a fallback of 99 - 0.125 = 98.875: one more dollar of room would earn 1.125 points
    ran = run(desk(loan("A"), loan("B"), loan("C"), trade("T1", price=100), today(99)), strategy="OPTIMAL")
    assert (ran.recap("T1")["room_value"], ran.recap("T1")["fill_value"]) == (Decimal("1.125"), 0)


def test_a_dollar_towards_the_band_saves_its_pair_off() -> None:
    # 5 + 0.03125 points are paid for every dollar short of a trade 5 points under the market; the 40,000 still missing would save
    # that much each. A loses 4.875 points against selling it outside, which is less.
    ran = run(desk(loan("A", 60_000), trade("T1", price=95), today(100)), strategy="OPTIMAL")
    assert ran.placement == {"A": "T1"}
    recap = ran.recap("T1")
    assert (recap["pair_off_points"], recap["room_value"], recap["fill_value"]) == (Decimal("5.03125"), 0, Decimal("5.03125"))


def test_where_no_loan_can_go_a_dollar_towards_the_band_still_saves_its_pair_off() -> None:
    ran = run(desk(loan("A", status="Started"), trade("T1")), strategy="OPTIMAL")
    assert ran.recap("T1")["fill_value"] == Decimal("0.03125")


def test_trades_of_every_kind_are_in_the_recap() -> None:
    kinds = ["TBA", "SPEC", "CASH", "BULK"]
    ran = run(desk(*(instrument(kind, kind) for kind in kinds), *(trade(f"T-{kind}", on=kind) for kind in kinds)))
    assert {row["trade_id"]: row["kind"] for row in ran.rows("trade_base")} == {f"T-{kind}": kind for kind in kinds}
