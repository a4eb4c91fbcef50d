"""Loans that moved: where from, where to, what it earns and why. Figures of the instances are worked out beside them."""

from decimal import Decimal
from typing import Any

import pytest

from services.run_service.engine.compare.comparison import MOVES, MoveReason, MoveTotal
from tests.instances.compare import Done, compare, done
from tests.instances.rows import (
    Row,
    constraint,
    desk,
    instrument,
    loan,
    lock,
    pool,
    posting,
    relation,
    shipped,
    today,
    trade,
)

ONE = (loan("A"), trade("T1"))


def moves(a: Done, b: Done) -> dict[str, dict[str, Any]]:
    return {row["loan_id"]: row for row in compare(a, b).moves.iter_rows(named=True)}


def move(before: tuple[Row, ...], after: tuple[Row, ...], loan_id: str = "A", **options: object) -> tuple[Any, ...]:
    row = moves(done(desk(*before)), done(desk(*after), **options))[loan_id]
    return tuple(row[name] for name in MOVES if name not in ("loan_id", "loan_amount"))


def test_a_better_trade() -> None:
    before = (*ONE, trade("T2", price=99, settles=30))
    after = (*ONE, trade("T2", price="100.5", settles=30))
    assert move(before, after) == ("T1", "T2", 100, Decimal("100.5"), 500, MoveReason.BETTER_HERE)


def test_points_are_net_of_the_switch_cost() -> None:
    pools = pool("P"), relation("T1", "P"), posting("P", "A")
    before = (*ONE, trade("T2", price=99, settles=30), *pools)
    after = (*ONE, trade("T2", price=101, settles=30), *pools)
    assert move(before, after) == ("T1", "T2", 100, Decimal("100.96875"), Decimal("968.75"), MoveReason.BETTER_HERE)


def test_a_loan_that_makes_room() -> None:
    # B earns another point where A was, A goes outside: 102 - 0.125
    before = (loan("A", note=7), loan("B", note=6), trade("T1"), today(100), instrument("X", coupon=6, buyup=2))
    after = (loan("A", note=7), loan("B", note=9), trade("T1"), today(100), instrument("X", coupon=6, buyup=2))
    assert move(before, after) == ("T1", None, 102, Decimal("101.875"), -125, MoveReason.MADE_ROOM)
    assert move(before, after, "B") == (None, "T1", Decimal("105.875"), 106, 125, MoveReason.BETTER_HERE)


def test_equal_places() -> None:
    # of two equal trades the earlier id, until it is full of a locked loan
    before = (loan("A"), loan("B"), trade("T1"), trade("T2"))
    after = (*before, lock("B", "T1"))
    assert move(before, after) == ("T1", "T2", 100, 100, 0, MoveReason.EQUAL)
    assert move(before, after, "B") == ("T2", "T1", 100, 100, 0, MoveReason.LOCK_CHANGED)


@pytest.mark.parametrize(
    ("locks_before", "locks_after", "told"),
    [
        ((), (lock("A", "T2"),), ("T1", "T2", 100, 90, 0)),  # the lock's cost is a matter of the data
        ((lock("A", "T2"),), (), ("T2", "T1", 90, 100, 10_000)),
        ((lock("A", "T1"),), (lock("A", "T2"),), ("T1", "T2", 100, 90, 0)),
        ((), (lock("A"),), ("T1", None, None, 0, 0)),
        ((lock("A"),), (), (None, "T1", 99, 100, 1_000)),
    ],
)
def test_a_lockdown_that_came_went_or_changed(
    locks_before: tuple[Row, ...], locks_after: tuple[Row, ...], told: tuple[object, ...]
) -> None:
    rows = (*ONE, trade("T2", price=90))
    assert move((*rows, *locks_before), (*rows, *locks_after)) == (*told, MoveReason.LOCK_CHANGED)


def test_a_locked_loan_without_a_price_has_no_points() -> None:
    rows = (*ONE, trade("T2", price=None, on="Y"), instrument("X"), instrument("Y"))
    assert move(rows, (*rows, lock("A", "T2"))) == ("T1", "T2", 100, None, 0, MoveReason.LOCK_CHANGED)


def test_scope() -> None:
    gone = (*ONE, shipped("A"))
    assert move(ONE, gone) == ("T1", None, None, None, 0, MoveReason.LEFT_SCOPE)
    assert move(gone, ONE) == (None, "T1", 99, 100, 1_000, MoveReason.NEWLY_IN_SCOPE)
    assert move(gone, (*ONE, lock("A", "T1"))) == (None, "T1", 99, 100, 0, MoveReason.NEWLY_IN_SCOPE)


def test_trades_that_came_and_went() -> None:
    other = loan("A"), trade("T2", price=101)
    assert move(ONE, other) == ("T1", "T2", None, 101, 1_000, MoveReason.TRADE_GONE)  # over 101 - 1 outside
    both = (*ONE, trade("T2", price=101))
    assert move(ONE, both) == ("T1", "T2", 100, 101, 1_000, MoveReason.NEW_TRADE)
    late = (loan("A"), trade("T1", settles=90))
    assert move(ONE, late) == ("T1", None, None, 0, 0, MoveReason.TRADE_GONE)


def test_a_loan_that_may_not_go_there_any_more() -> None:
    rows = (*ONE, trade("T2", price=99, on="Y"), instrument("X"), instrument("Y"))
    on_both = constraint("C1"), constraint("C2", on="Y")
    assert move((*rows, *on_both), (*rows, constraint("C2", on="Y"))) == (
        "T1", "T2", None, 99, 1_000, MoveReason.NO_LONGER_CANDIDATE,
    )  # fmt: skip


def test_the_greatest_come_first_and_the_list_ends_where_it_is_told_to() -> None:
    amounts = {"A": 10_000, "B": 30_000, "C": 20_000, "D": 20_000}
    loans = tuple(loan(name, amount) for name, amount in amounts.items())
    a = done(desk(*loans, trade("T1", 80_000), trade("T2", 80_000, price=99)))
    b = done(desk(*loans, trade("T1", 80_000), trade("T2", 80_000, price=101)))
    found = compare(a, b, max_moves=3)
    assert found.moves["loan_id"].to_list() == ["B", "C", "D"]
    assert dict(found.moves.schema) == dict(MOVES)
    assert (found.moved_count, found.moved_amount) == (4, Decimal(80_000))
    assert found.totals == (MoveTotal(MoveReason.BETTER_HERE, 4, Decimal(80_000), Decimal(800)),)


def test_no_moves() -> None:
    found = compare(done(desk(*ONE)), done(desk(*ONE, trade("T2", price=1))))
    assert (found.moved_count, found.moved_amount, found.totals, found.moves.height) == (0, Decimal(0), (), 0)
    assert dict(found.moves.schema) == dict(MOVES)
