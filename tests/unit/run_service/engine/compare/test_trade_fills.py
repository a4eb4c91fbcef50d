"""Trades that are filled otherwise."""

from decimal import Decimal
from typing import Any

from services.run_service.engine.compare.comparison import FILL
from tests.instances.compare import compare, done
from tests.instances.rows import Row, desk, loan, trade


def fills(before: tuple[Row, ...], after: tuple[Row, ...]) -> list[dict[str, Any]]:
    return list(compare(done(desk(*before)), done(desk(*after))).trades.iter_rows(named=True))


def fill(row: dict[str, Any], suffix: str = "") -> tuple[Any, ...]:
    return tuple(row[f"{column}{suffix}"] for column in FILL)


def test_a_trade_that_is_filled_as_before_is_not_told() -> None:
    rows = loan("A"), trade("T1")
    assert fills(rows, rows) == []
    assert fills(rows, (loan("A"), trade("T1", price=101))) == []


def test_what_moved_most_comes_first() -> None:
    before = loan("A"), loan("B", 60_000), trade("T1"), trade("T2", 60_000, price=99), trade("T3", 50_000)
    after = loan("A"), trade("T1", price=99), trade("T2", 60_000, price=99), trade("T3", 100_000, price=101)
    found = fills(before, after)
    assert [row["trade_id"] for row in found] == ["T1", "T3", "T2"]
    t3 = found[1]
    assert fill(t3) == (0, 0, 0, "EMPTY", 50_000, Decimal("15.63"))
    assert fill(t3, "_b") == (100_000, 1, 100, "FILLED", 0, 0)
    assert (t3["investor_instrument"], t3["settlement_date"].isoformat()) == ("X", "2026-05-07")


def test_trades_of_one_recap_alone() -> None:
    before, after = (loan("A"), trade("T1")), (loan("A"), trade("T2", 200_000))
    gone, new = fills(before, after)
    assert (gone["trade_id"], gone["in_a"], gone["in_b"], fill(gone, "_b")) == ("T1", True, False, (None,) * len(FILL))
    assert (new["trade_id"], new["in_a"], new["in_b"]) == ("T2", False, True)
    assert fill(new, "_b")[:4] == (100_000, 1, 50, "UNDERFILLED")
    assert new["investor_instrument"] == "X"
