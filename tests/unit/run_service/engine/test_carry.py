"""Carry (section 6.5): days from eligible date to settlement, the mean of the curve's rows, missed where none applies."""

from decimal import Decimal

import pytest

from tests.instances.execute import Ran, run
from tests.instances.rows import Row, curve, desk, instrument, loan, lock, trade


def ran_with(*rows: Row) -> Ran:
    return run(desk(loan("L1", closed=0), trade("T1", settles=20), *rows))


def carry_of(*rows: Row) -> Decimal:
    """The carry of a loan that closes today on a trade in 20 days."""
    found: Decimal = ran_with(*rows).candidate("L1", "T1")["carry"]
    return found


def test_one_row() -> None:
    assert carry_of(curve("3.65", 0, 60)) == Decimal("0.2")  # 3.65 * 20 / 365


def test_the_mean_of_overlapping_rows_is_not_rounded_in_between() -> None:
    # mean of 1, 1 and 2 is 4/3; 4/3 * 20 / 365 = 0.0730593607...
    rows = [curve(1, 0, 20), curve(1, 20, 20), curve(2, 0, 99), curve(50, 21, 99), curve(50, 0, 19)]
    assert carry_of(*rows) == Decimal("0.07305936")


@pytest.mark.parametrize(("low", "high", "matched"), [(20, 20, 1), (0, 19, 0), (21, 60, 0), (20, 60, 1), (0, 20, 1)])
def test_both_ends_of_a_row_belong_to_it(low: int, high: int, matched: int) -> None:
    summary = ran_with(curve(1, low, high)).summary
    assert (summary["carry_matched"], summary["carry_missed"]) == (matched, 1 - matched)


def test_no_row_is_no_carry_and_counted_as_missed() -> None:
    ran = ran_with(curve(1, 0, 19), curve(1, on="Y"), instrument("X"), instrument("Y"))
    assert ran.candidate("L1", "T1")["carry"] == 0
    assert (ran.summary["carry_matched"], ran.summary["carry_missed"]) == (0, 1)


def test_a_rate_of_nought_is_matched() -> None:
    assert ran_with(curve(0)).summary["carry_matched"] == 1


def test_the_eligible_date_is_the_closing_date_before_the_locks_end() -> None:
    # closed 5 days ago: 25 days; not closed, lock ends in 10 days: 10 days
    ran = run(
        desk(
            loan("A", closed=-5, lock_expires=10), loan("B", status="Locked", closed=None, lock_expires=10),
            trade("T1", 200_000, settles=20), curve("3.65"),
        )
    )  # fmt: skip
    assert [ran.candidate(name, "T1")["carry"] for name in "AB"] == [Decimal("0.25"), Decimal("0.1")]


def test_days_are_not_clamped() -> None:
    # A locked loan that closes 10 days after the settlement of its trade: days -10, carry 3.65 * -10 / 365 = -0.1.
    ran = run(desk(loan("L1", closed=30), trade("T1", settles=20), curve("3.65", -365, 365), lock("L1", "T1")))
    assert ran.allocated("L1")["carry"] == Decimal("-0.1")
    assert ran.allocated("L1")["score"] == Decimal("99.9")


def test_each_trade_has_its_own_days() -> None:
    ran = run(
        desk(loan("L1", closed=-10), trade("T1", settles=5), trade("T2", settles=60), curve("3.65", 0, 15), curve(1, 16, 99))
    )
    assert ran.candidate("L1", "T1")["carry"] == Decimal("0.15")
    assert ran.candidate("L1", "T2")["carry"] == Decimal("0.19178082")  # 1 * 70 / 365 = 0.191780821...


def test_days_far_apart_in_one_run() -> None:
    # closed 20,000 and 1 days ago: 20,020 and 21 days at 0.01 %
    ran = run(desk(loan("A", closed=-20_000), loan("B", closed=-1), trade("T1", 200_000, settles=20), curve("0.01", 0, 50_000)))
    assert [ran.candidate(name, "T1")["carry"] for name in "AB"] == [Decimal("0.54849315"), Decimal("0.00057534")]
