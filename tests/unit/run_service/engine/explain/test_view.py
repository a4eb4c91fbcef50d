"""What a run's inputs say of one loan: its candidates with the parts of their scores, and why it is none of the run's."""

from decimal import Decimal

import pytest

from services.run_service.engine.explain.explanation import NotInRun
from services.run_service.engine.explain.view import view_loan
from tests.instances.explained import chosen_options, viewed
from tests.instances.rows import (
    AS_OF,
    Row,
    constraint,
    curve,
    desk,
    instrument,
    loan,
    lock,
    payup,
    pool,
    posting,
    relation,
    shipped,
    today,
    trade,
)


def test_a_candidate_has_every_part_of_its_score() -> None:
    # The worked example of specification 01 section 6, twice: T2 is of another pool than the loan's.
    rows = [
        loan("L1", note="6.625", closed=-10),
        instrument("X", coupon=6, guaranty="0.45", servicing="0.25", buyup=3, buydown="4.5"),
        payup("loan_amount", 0, 100_000, 28, 32),
        curve("0.9"),
        trade("T2", price="100.10"), trade("T1", price="100.20"), pool("P"), relation("T1", "P"), posting("P", "L1"),
    ]  # fmt: skip
    best, other = viewed(desk(*rows)).candidates
    assert (best.trade_id, best.rank, best.price, best.net_score) == ("T1", 1, Decimal("100.7375"), best.score)
    assert (other.trade_id, other.rank, other.constraint_id, other.priority) == ("T2", 2, "C1", 1)
    assert (other.excess, other.payup, other.price) == (Decimal("-0.3375"), Decimal("0.875"), Decimal("100.6375"))
    assert (other.carry, other.score) == (Decimal("0.0739726"), Decimal("100.7114726"))
    assert other.net_score == Decimal("100.7114726") - Decimal("0.03125")
    assert (best.relations, other.relations) == (frozenset({"P"}), frozenset())


def test_every_candidate_is_there_not_just_those_that_a_run_stores() -> None:
    trades = [trade(f"T{number:02}", price=100 - number, settles=20) for number in range(15)]
    view = viewed(desk(loan("L1"), *trades), candidate_top_k=3)
    assert [candidate.trade_id for candidate in view.candidates] == [f"T{number:02}" for number in range(15)]
    assert (view.nearest, view.smallest_change) == (None, None)


def test_what_the_loan_is_worth_outside_and_where_it_would_be_sold() -> None:
    sold = viewed(desk(loan("L1"), trade("T1"), today("99.5")))
    unsold = viewed(desk(loan("L1"), trade("T1")))
    assert (sold.syn_trade_id, sold.syn_score, sold.fallback) == ("SYN-X-20260507", Decimal("99.5"), Decimal("99.375"))
    assert (unsold.syn_trade_id, unsold.syn_score, unsold.fallback) == (None, None, Decimal(99))


def test_the_lockdown_that_counts() -> None:
    locks = [lock("L1", "T1", reason="first"), lock("L1", "T2", expires=9, reason="second"), lock("L1", None, reason="third")]
    on_trade = viewed(desk(loan("L1"), trade("T1"), trade("T2"), *locks)).lockdown
    held = viewed(desk(loan("L1"), trade("T1"), lock("L1", reason="fraud review"))).lockdown
    expired = viewed(desk(loan("L1"), trade("T1"), lock("L1", expires=-1))).lockdown
    assert on_trade is not None
    assert held is not None
    assert (on_trade.trade_id, on_trade.reason, on_trade.expires_on) == ("T2", "second", AS_OF.replace(day=26))
    assert (held.trade_id, held.reason, held.expires_on) == (None, "fraud review", None)
    assert expired is None


NO_STATUS = "is none of Started, Locked, Approved, DocsOut, Closed, Purchased"


@pytest.mark.parametrize(
    ("rows", "options", "problem"),
    [
        ([], {}, "the loan table, as the run read it, has no such loan"),
        ([loan("L1"), shipped("L1")], {}, "it was shipped on 2026-04-17; shipped loans are never in scope"),
        ([loan("L1", status="Gone")], {}, f"its status_code 'Gone' {NO_STATUS}"),
        ([loan("L1", status=None)], {}, f"its status_code None {NO_STATUS}"),
        (
            [loan("L1", status="Locked")],
            {"scope": "CLOSED_ONLY"},
            "its status_code Locked is out of scope: scope is CLOSED_ONLY and min_status Closed",
        ),
    ],
)
def test_a_loan_that_the_run_did_not_decide_about(rows: list[Row], options: dict[str, str], problem: str) -> None:
    found = view_loan(desk(loan("L2"), *rows, constraint(), instrument()), chosen_options(**options), "L1")
    assert found == NotInRun(problem)
