"""Payups (section 6.3): the sum of every row of the instrument whose attribute's value lies in the range, both ends included."""

from decimal import Decimal

import pytest

from tests.instances.execute import run
from tests.instances.rows import Row, desk, instrument, loan, payup, trade


def payup_of(one: Row, *rows: Row) -> Decimal:
    """The payup of a loan of id L1 on a trade of X."""
    found: Decimal = run(desk(one, trade("T1"), *rows)).candidate("L1", "T1")["payup"]
    return found


@pytest.mark.parametrize(
    ("points", "div_by", "wanted"),
    [
        ("28", "32", "0.875"),
        ("1", "3", "0.33333333"),
        ("-2", "3", "-0.66666667"),
        ("1.5", None, "1.5"),  # no div_by means 1
        ("1", "-4", "-0.25"),
        ("0.00000001", "2", "0.00000001"),  # a tie, away from zero
    ],
)
def test_a_payup_is_divided_by_div_by(points: str, div_by: str | None, wanted: str) -> None:
    assert payup_of(loan("L1"), payup("loan_amount", 0, 100_000, points, div_by)) == Decimal(wanted)


def test_div_by_nought_is_ignored_and_told() -> None:
    ran = run(desk(loan("L1"), trade("T1"), payup("loan_amount", 0, 100_000, 5, 0), payup("loan_amount", 0, 100_000, 1)))
    assert ran.candidate("L1", "T1")["payup"] == 1
    (found,) = ran.told("DATA_QUALITY", "rmusr_payups")
    assert (found.count, found.remedy) == (1, "correct div_by")


@pytest.mark.parametrize(("amount", "wanted"), [("85000", 1), ("85000.01", 0), ("50000", 1), ("49999.99", 0)])
def test_both_ends_of_the_range_belong_to_it(amount: str, wanted: int) -> None:
    assert payup_of(loan("L1", amount), payup("loan_amount", 50_000, 85_000, 1)) == wanted


def test_every_row_that_applies_is_added() -> None:
    # low balance 1/3 + low score -0.5 + low rate 0.25 = 0.0833...; the row on LTV does not apply, its twin counts twice
    rows = [
        payup("loan_amount", 0, 100_000, 1, 3),
        payup("fico", 0, 699, "-0.5"),
        payup("note_rate", 0, "6.5", "0.125"),
        payup("note_rate", 0, "6.5", "0.125"),
        payup("ltv", "80.01", 97, 9),
    ]
    assert payup_of(loan("L1", fico=650, ltv=80), *rows) == Decimal("0.08333333")


def test_a_loan_without_the_attribute_gets_none() -> None:
    assert payup_of(loan("L1", fico=None), payup("fico", -1_000, 1_000, 1)) == 0


def test_a_payup_belongs_to_its_instrument() -> None:
    assert payup_of(loan("L1"), instrument("X"), instrument("Y"), payup("loan_amount", 0, 100_000, 1, on="Y")) == 0


def test_loans_of_one_run_have_their_own_sums() -> None:
    # A: both rows, B: the first, C: neither
    ran = run(
        desk(
            loan("A", 50_000, fico=760), loan("B", 50_000, fico=700), loan("C", 150_000, fico=700), trade("T1", 250_000),
            payup("loan_amount", 0, 85_000, 1), payup("fico", 740, 850, 1, 4),
        )
    )  # fmt: skip
    assert [ran.candidate(name, "T1")["payup"] for name in "ABC"] == [Decimal("1.25"), Decimal(1), Decimal(0)]


def test_an_attribute_of_vast_size_is_in_no_range_it_is_not_in() -> None:
    # 18,446,744,073,710 is 0.448 if it is counted in millionths modulo 2**64
    assert payup_of(loan("L1", term_months=18_446_744_073_710), payup("term_months", 0, 1, 1)) == 0


@pytest.mark.parametrize("attribute", ["state", "high_balance", "close_date", "credit_score"])
def test_a_field_that_is_unknown_or_not_numeric_is_ignored_and_told(attribute: str) -> None:
    ran = run(desk(loan("L1"), trade("T1"), payup(attribute, 0, 1, 5)))
    assert ran.candidate("L1", "T1")["payup"] == 0
    assert [found.count for found in ran.told("DATA_QUALITY", "rmusr_payups")] == [1]
