"""How candidates compare with what a loan got: full trades with their rivals, what leaving costs, what was missed."""

from decimal import Decimal

from services.run_service.engine.explain.explanation import Verdict
from tests.instances.explained import Explained, explain
from tests.instances.rows import constraint, desk, instrument, loan, lock, pool, posting, relation, today, trade

BY_NOTE = instrument("X", coupon=6, buyup=1)
"""Adds the note rate over 6 to the price."""


def verdicts(explained: Explained) -> dict[str, str]:
    return {
        candidate.trade_id: one.verdict for candidate, one in zip(explained.view.candidates, explained.standings, strict=True)
    }


def test_a_full_trade_names_the_loans_that_earn_the_least_on_it() -> None:
    rows = [loan(name, 25_000, note="7") for name in ("A", "B", "C", "D")]
    explained = explain(desk(*rows, loan("L1", 50_000), BY_NOTE, trade("T1"), trade("T2", 50_000, price="99.9"), today(99)))
    assert explained.decided.trade_id == "T2"
    assert verdicts(explained) == {"T1": Verdict.FULL, "T2": Verdict.TAKEN}
    full = explained.standing("T1")
    assert (full.advantage, full.allocated_amount, full.hi, full.space_left) == (
        Decimal("0.1"), Decimal(100_000), Decimal(100_000), Decimal(0),
    )  # fmt: skip
    assert [(rival.loan_id, rival.advantage) for rival in full.rivals] == [(name, Decimal("1.125")) for name in ("A", "B", "C")]
    assert explained.standing("T2").rivals == ()


def test_rivals_pay_the_switch_cost_where_they_left_a_pool_and_locked_ones_cannot_go() -> None:
    rows = [
        loan("A", 40_000, note="7"), loan("B", 30_000, note="7"), loan("C", 30_000), loan("L1", 50_000), BY_NOTE,
        trade("T1"), trade("T2", price="99.9"), pool("P1"), relation("T1", "P1"), pool("P2"), relation("T2", "P2"),
        posting("P2", "A"), posting("P1", "B"), lock("C", "T1"), today(99),
    ]  # fmt: skip
    full = explain(desk(*rows)).standing("T1")
    assert full.verdict is Verdict.FULL
    assert full.locked_amount == Decimal(30_000)
    assert [(rival.loan_id, rival.net_score) for rival in full.rivals] == [
        ("A", Decimal("100.96875")), ("B", Decimal(101)),
    ]  # fmt: skip


def test_a_locked_loan_was_considered_for_nothing_else() -> None:
    explained = explain(desk(loan("L1"), trade("T1", price=90), trade("T2"), lock("L1", "T1")))
    assert (explained.decided.is_locked, verdicts(explained)) == (True, {"T2": Verdict.LOCKED, "T1": Verdict.TAKEN})
    assert explained.standing("T2").advantage == Decimal(10)


def test_a_loan_that_is_locked_where_it_is_no_candidate() -> None:
    explained = explain(desk(loan("L1"), trade("T1", price=None), trade("T2"), lock("L1", "T1")))
    assert (explained.decided.trade_id, explained.decided.score) == ("T1", None)
    assert verdicts(explained) == {"T2": Verdict.LOCKED}
    assert explained.standing("T2").advantage == Decimal(100)


def test_nothing_pays_more_than_the_fallback() -> None:
    explained = explain(desk(loan("L1"), trade("T1", tolerance=1), today(101)), strategy="OPTIMAL")
    assert explained.decided.reason == "NOT_WORTH_IT"
    assert verdicts(explained) == {"T1": Verdict.NOT_BETTER}
    assert explained.standing("T1").advantage == Decimal("-0.875")


def test_every_trade_that_pays_is_full() -> None:
    explained = explain(desk(loan("A"), loan("L1", note="6.4"), BY_NOTE, trade("T1")))
    assert explained.decided.reason == "NO_CAPACITY"
    (full,) = explained.standings
    assert (full.verdict, full.advantage, [rival.loan_id for rival in full.rivals]) == (Verdict.FULL, Decimal(1), ["A"])


def test_leaving_would_cost_the_own_trade_more() -> None:
    # T2 pays 0.1 more and owes nothing; every dollar that T1 is short of costs 0.5.
    explained = explain(
        desk(
            loan("L1"), instrument("X"), instrument("Y"), trade("T1"), trade("T2", 300_000, on="Y", price="100.1", tolerance=1),
            constraint("C1", 1), constraint("C2", 2, on="Y"),
        ),
        strategy="OPTIMAL", pair_off_cost={"TBA": "0.5"},
    )  # fmt: skip
    assert explained.decided.trade_id == "T1"
    other = explained.standing("T2")
    assert (other.verdict, other.advantage, other.leaving_cost) == (Verdict.LEAVES_SHORT, Decimal("0.1"), Decimal("0.5"))


def test_what_passes_missed() -> None:
    # L1 alone does not bring T2 into its band, so exact_fit leaves it; best_fit goes by priority, T1 first.
    explained = explain(
        desk(
            loan("L1"), instrument("X"), instrument("Y"), trade("T1", tolerance=1), trade("T2", 300_000, on="Y", price="100.5"),
            constraint("C1", 1), constraint("C2", 2, on="Y"),
        )
    )  # fmt: skip
    assert explained.decided.trade_id == "T1"
    missed = explained.standing("T2")
    assert (missed.verdict, missed.advantage, missed.rivals) == (Verdict.MISSED, Decimal("0.5"), ())


def test_strict_moves_nothing_that_an_earlier_priority_placed() -> None:
    explained = explain(
        desk(
            loan("L1"), instrument("X"), instrument("Y"), trade("T1"), trade("T2", on="Y", price="100.5", tolerance=1),
            constraint("C1", 1), constraint("C2", 2, on="Y"),
        ),
        strategy="OPTIMAL", priority_mode="STRICT",
    )  # fmt: skip
    assert explained.decided.trade_id == "T1"
    assert explained.standing("T2").verdict is Verdict.PRIORITY


def test_marginal_values_are_those_of_the_run() -> None:
    data = desk(loan("A"), loan("L1", note="6.4"), BY_NOTE, trade("T1"))
    optimal = explain(data, strategy="OPTIMAL")
    assert optimal.standing("T1").room_value == optimal.ran.recap("T1")["room_value"]
    assert optimal.standing("T1").room_value is not None
