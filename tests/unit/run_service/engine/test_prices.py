"""Prices and scores (specification 01 section 6): base price, excess servicing, rounding, price mode."""

from decimal import Decimal

import pytest

from tests.instances.execute import run
from tests.instances.rows import Row, curve, desk, instrument, loan, lock, payup, today, trade


def price_of(*rows: Row, **options: object) -> Decimal | None:
    """The price of loan L1 on trade T1; None where the pair is no candidate."""
    found = run(desk(*rows), **options).rows("loan2trade_candy_level_01", loan_id="L1", trade_id="T1")
    return found[0]["price"] if found else None


def test_the_worked_example_of_the_specification() -> None:
    # x = 6.625 - 6 - 0.45 - 0.25 = -0.075, times 4.5 = -0.3375; payup 28/32 = 0.875; price 100.10 - 0.3375 + 0.875 = 100.6375.
    # Closed 10 days before, settling in 20: days 30, carry 0.9 * 30 / 365 = 0.07397260; score 100.71147260.
    candidate = run(
        desk(
            loan("L1", 85_000, note="6.625", closed=-10),
            instrument(coupon=6, guaranty="0.45", servicing="0.25", buyup=3, buydown="4.5"),
            trade("T1", price="100.10", settles=20),
            payup("loan_amount", 0, 85_000, 28, 32),
            curve("0.9", 0, 45),
        )
    ).candidate("L1", "T1")
    assert candidate["excess"] == Decimal("-0.3375")
    assert candidate["payup"] == Decimal("0.875")
    assert candidate["price"] == Decimal("100.6375")
    assert candidate["carry"] == Decimal("0.07397260")
    assert candidate["score"] == Decimal("100.71147260")


def test_price_only_leaves_the_carry_out_of_the_score() -> None:
    # days 20, carry 3.65 * 20 / 365 = 0.2
    tables = desk(loan("L1"), trade("T1", price=100, settles=20), curve("3.65"))
    assert run(tables).candidate("L1", "T1")["score"] == Decimal("100.2")
    candidate = run(tables, price_mode="PRICE_ONLY").candidate("L1", "T1")
    assert (candidate["carry"], candidate["score"]) == (Decimal("0.2"), Decimal(100))


class TestBase:
    """A trade without a grid: its own price, else today's price of the nearest date."""

    def test_the_own_price_comes_before_todays(self) -> None:
        assert price_of(loan("L1"), trade("T1", price="100.5"), today(99)) == Decimal("100.5")

    def test_todays_price_for_the_settlement_date(self) -> None:
        assert price_of(loan("L1"), trade("T1", price=None, settles=20), today(99, 20), today(98, 19)) == 99

    def test_todays_price_for_the_nearest_date(self) -> None:
        # 20 is 5 days from 25 and 7 from 13
        assert price_of(loan("L1"), trade("T1", price=None, settles=20), today(99, 13), today(98, 25)) == 98

    def test_of_two_equally_near_dates_the_earlier(self) -> None:
        assert price_of(loan("L1"), trade("T1", price=None, settles=20), today(99, 25), today(98, 15)) == 98

    def test_a_date_outside_the_window_can_be_the_nearest(self) -> None:
        # prices of days 0..60 alone become synthetic trades, but any date gives a base price
        assert price_of(loan("L1"), trade("T1", price=None, settles=59), today(99, 62), today(98, 20)) == 99

    def test_todays_price_of_another_instrument_does_not_count(self) -> None:
        ran = run(desk(loan("L1"), instrument("X"), instrument("Y"), trade("T1", price=None), today(99, on="Y")))
        assert ran.reasons == {"L1": "NO_PRICE"}

    def test_without_any_price_the_loan_is_no_candidate(self) -> None:
        ran = run(desk(loan("L1"), trade("T1", price=None)))
        assert ran.reasons == {"L1": "NO_PRICE"}
        assert ran.kickout("L1")["reason_detail"] == "no price on trade T1"


class TestExcessServicing:
    """The note rate over coupon and fees, times the buy-up or buy-down multiple."""

    KEPT = instrument(coupon=6, guaranty="0.2", servicing="0.25", buyup="3.1", buydown="4.5")

    @pytest.mark.parametrize(
        ("note", "price"),
        [
            ("6.45", "100"),  # x = 0
            ("6.7", "100.775"),  # x = 0.25, bought up: 0.25 * 3.1
            ("6.25", "99.1"),  # x = -0.2, bought down: -0.2 * 4.5
        ],
    )
    def test_buyup_and_buydown(self, note: str, price: str) -> None:
        assert price_of(loan("L1", note=note), self.KEPT, trade("T1", price=100)) == Decimal(price)

    def test_without_a_coupon_there_is_none(self) -> None:
        free = instrument(coupon=None, guaranty="0.2", servicing="0.25", buyup="3.1", buydown="4.5")
        assert price_of(loan("L1", note="9"), free, trade("T1", price=100)) == 100

    def test_a_multiple_may_be_negative(self) -> None:
        odd = instrument(coupon=6, buyup="-2", buydown=0)
        assert price_of(loan("L1", note="6.5"), odd, trade("T1", price=100)) == 99


class TestRounding:
    """Half away from zero at the eighth decimal, once, over the sum of the parts."""

    @pytest.mark.parametrize(
        ("base", "excess_over", "multiple", "price"),
        [
            # 0.000001 * 0.005 = 0.000000005, a tie at the eighth decimal
            ("100", "6.000001", "0.005", "100.00000001"),
            ("100", "6.000001", "0.004999", "100.00000000"),
            ("100", "6.000001", "-0.005", "100.00000000"),  # 99.999999995 is a tie, away from zero is up
            ("-1", "6.000001", "-0.005", "-1.00000001"),
            ("-1", "6.000001", "0.005", "-1.00000000"),  # -0.999999995, away from zero is down
        ],
    )
    def test_a_tie_goes_away_from_zero(self, base: str, excess_over: str, multiple: str, price: str) -> None:
        kept = instrument(coupon=6, buyup=multiple)
        assert price_of(loan("L1", note=excess_over), kept, trade("T1", price=base)) == Decimal(price)

    def test_parts_are_not_rounded_before_the_sum(self) -> None:
        # payups 1/3 + 1/3 + 1/3 are 1, not 0.99999999
        thirds = [payup("loan_amount", 0, 200_000, 1, 3) for _ in range(3)]
        assert price_of(loan("L1"), trade("T1", price=100), *thirds) == Decimal(101)

    def test_a_payup_under_a_tie_stays_under_it(self) -> None:
        # 0.000000014999... (0.00000045 / 30.0000001) + 100 rounds down: 100.00000001
        low = payup("loan_amount", 0, 200_000, "0.00000045", "30.000001")
        assert price_of(loan("L1"), trade("T1", price=100), low) == Decimal("100.00000001")
        tie = payup("loan_amount", 0, 200_000, "0.00000045", "30")
        assert price_of(loan("L1"), trade("T1", price=100), tie) == Decimal("100.00000002")

    def test_negative_thirds_round_away_too(self) -> None:
        # -2/3 = -0.666666666..., rounded at the eighth decimal -0.66666667
        price = price_of(loan("L1", fico=700), trade("T1", price=0), payup("fico", 0, 900, -2, 3))
        assert price == Decimal("-0.66666667")

    def test_a_quotient_a_hair_from_a_tie_is_not_one(self) -> None:
        # -99.99994999 / 9999.999999 is -0.009999995 but for 5e-19 points less: rounded to -0.00999999, not to -0.01
        price = price_of(loan("L1", fico=700), trade("T1", price=0), payup("fico", 0, 900, "-99.99994999", "9999.999999"))
        assert price == Decimal("-0.00999999")

    @pytest.mark.parametrize(("rate", "carry"), [("0.000001", "0.00000003"), ("-0.000001", "-0.00000003")])
    def test_carry_rounds_a_tie_away_from_zero(self, rate: str, carry: str) -> None:
        # eight rows with a mean of 0.000000125, days 73: 0.000000125 * 73 / 365 = 0.000000025
        rows = [curve(rate), *(curve(0) for _ in range(7))]
        candidate = run(desk(loan("L1", closed=-53), trade("T1", settles=20), *rows)).candidate("L1", "T1")
        assert candidate["carry"] == Decimal(carry)


@pytest.mark.parametrize("points", ["9998", "9999.99999999", "-9999.99999999"])
def test_a_price_up_to_the_last_its_column_holds_is_a_price(points: str) -> None:
    assert price_of(loan("L1"), trade("T1", price=points)) == Decimal(points)


def test_a_price_that_cannot_be_stored_is_none() -> None:
    # 9,999 points of payup on a base of 100 do not fit a price; the run goes on
    ran = run(desk(loan("L1"), loan("L2", 50_000), trade("T1"), payup("loan_amount", 100_000, 100_000, 9_999)))
    assert ran.reasons == {"L1": "NO_PRICE"}
    assert ran.placement == {"L2": "T1"}


@pytest.mark.parametrize(
    ("closed", "rate", "price"),
    [
        (-730_485, 6, 100),  # the year 26, the century was left out: 730,505 days at 6 % are a carry of 12,008 points
        (-730_485, -6, 100),
        (-730_485, 3, 5_000),  # price 5,000 and carry 6,004 fit each alone, their sum does not
    ],
)
def test_a_score_that_cannot_be_stored_is_no_candidate(closed: int, rate: int, price: int) -> None:
    # no column holds the score: such a loan must not reach the tables with a price and without a score
    rows = [loan("L1", closed=closed), loan("L2", 50_000), curve(rate, 100, 1_000_000), today(price, 30)]
    ran = run(desk(*rows, trade("T1", price=price)))
    for name in ("loan2trade_candy_level_01", "powerfill_guide", "syn_powerfill_guide_all_rank"):
        assert {row["loan_id"] for row in ran.rows(name)} == {"L2"}
        assert all(row["score"] is not None for row in ran.rows(name))
    assert ran.reasons == {"L1": "NO_PRICE"}


def test_a_locked_loan_whose_score_cannot_be_stored_counts_nothing() -> None:
    ran = run(desk(loan("L1", closed=-730_485), trade("T1"), lock("L1", "T1"), curve(6, 0, 1_000_000)))
    row = ran.allocated("L1")
    assert (row["price"], row["carry"], row["score"], row["value"]) == (None, None, None, 0)
    assert ran.value == 0
