"""Exact decimals: rounding half away from zero, conversions to scaled integers, sums without overflow.

`Decimal` with ROUND_HALF_UP (which is half away from zero) is the judge.
"""

from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction

import numpy as np
import polars as pl
import pytest

from shared.money import (
    AMOUNT,
    PRICE,
    RATE,
    TOTAL,
    divide_half_away,
    divide_half_away_array,
    exact_dot,
    from_scaled,
    grouped_mean,
    points_to_cents,
    round_half_away,
    scaled,
    sum_exact,
    to_decimal,
    to_scaled,
    unscaled,
)


@pytest.mark.parametrize(
    ("value", "rounded"),
    [("0.005", "0.01"), ("-0.005", "-0.01"), ("0.0049", "0.00"), ("2.675", "2.68"), ("-2.675", "-2.68"), ("1", "1.00")],
)
def test_ties_round_away_from_zero_on_either_side(value: str, rounded: str) -> None:
    assert str(round_half_away(Decimal(value), 2)) == rounded


@pytest.mark.parametrize(
    ("value", "places", "units"),
    [
        (2.675, 2, 268),  # the shortest decimal that prints it is a tie, the binary number lies under it
        (-2.675, 2, -268),
        (1.005, 2, 101),
        (0.1, 8, 10_000_000),
        ("100.10", 8, 10_010_000_000),
        (Decimal("-0.005"), 2, -1),
        (7, 2, 700),
        ("1e3", 2, 100_000),
        ("0.00499999999999999999999999999999999", 2, 0),  # more digits than a decimal context holds
    ],
)
def test_a_number_is_counted_in_its_last_place(value: Decimal | int | float | str, places: int, units: int) -> None:
    assert scaled(value, places) == units


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf"), "NaN", "Infinity", "", "12,5", "abc"])
def test_what_is_no_finite_number_is_refused(value: float | str) -> None:
    with pytest.raises(ValueError, match="not a finite number"):
        scaled(value, 2)


def test_unscaled_is_the_inverse_of_scaled() -> None:
    assert unscaled(-1_005, 2) == Decimal("-10.05")
    assert unscaled(0, 8) == Decimal("0E-8")


@pytest.mark.parametrize(
    ("numerator", "denominator", "quotient"),
    [(5, 2, 3), (-5, 2, -3), (4, 3, 1), (5, 3, 2), (-4, 3, -1), (-5, 3, -2), (0, 7, 0), (10**40 + 5, 10, 10**39 + 1)],
)
def test_integers_divide_half_away(numerator: int, denominator: int, quotient: int) -> None:
    assert divide_half_away(numerator, denominator) == quotient


@pytest.mark.parametrize("denominator", [1, 2, 3, 7, 10, 10**6])
def test_arrays_divide_as_single_integers_do(denominator: int) -> None:
    numerators = np.array([0, 1, -1, 4, 5, -5, 499_999, 500_000, -500_000, 10**17, -(10**17) - 5], dtype=np.int64)
    wanted = [divide_half_away(int(value), denominator) for value in numerators]
    assert divide_half_away_array(numerators, denominator).tolist() == wanted


class TestToDecimal:
    """Series of any source as exact decimals."""

    def test_floats_count_as_the_shortest_decimal_that_prints_them(self) -> None:
        values = [2.675, -2.675, 0.005, 1.005, 250_000.555, 0.1 + 0.2, 123_456_789.125, -0.0]
        wanted = [Decimal(repr(value)).quantize(Decimal("0.01"), ROUND_HALF_UP) for value in values]
        assert to_decimal(pl.Series(values), AMOUNT).to_list() == wanted

    def test_large_floats_are_exact_to_the_last_place(self) -> None:
        # doubles still tell these decimals apart, times 10**6 they do not
        values = [12_345_678_901.123457, 98_765_432_101.54321]
        wanted = [Decimal(repr(value)).quantize(Decimal("0.000001"), ROUND_HALF_UP) for value in values]
        assert to_decimal(pl.Series(values), pl.Decimal(18, 6)).to_list() == wanted

    def test_what_does_not_fit_or_is_no_number_is_null(self) -> None:
        assert to_decimal(pl.Series([float("nan"), float("inf"), 1e13, -1e13, None]), AMOUNT).to_list() == [None] * 5
        assert to_decimal(pl.Series(["x", "", "NaN", "1e300", None]), AMOUNT).to_list() == [None] * 5
        assert to_decimal(pl.Series([10**12, -(10**12)]), AMOUNT).to_list() == [None] * 2

    @pytest.mark.parametrize("text", ["1e999999", "-1e999999", "1e999999999"])
    def test_text_with_a_vast_exponent_is_null(self, text: str) -> None:
        assert to_decimal(pl.Series([text]), AMOUNT).to_list() == [None]

    def test_the_ends_of_the_range_fit(self) -> None:
        ends = [Decimal("999999999999.99"), Decimal("-999999999999.99")]
        assert to_decimal(pl.Series([str(end) for end in ends]), AMOUNT).to_list() == ends
        assert to_decimal(pl.Series([float(end) for end in ends]), AMOUNT).to_list() == ends

    def test_text_and_finer_decimals_round_half_away(self) -> None:
        texts = ["1.005", "-1.005", "1e2", " 7 ", "0.0049999"]
        wanted = [Decimal(value) for value in ("1.01", "-1.01", "100.00", "7.00", "0.00")]
        assert to_decimal(pl.Series(texts), AMOUNT).to_list() == wanted
        finer = pl.Series([Decimal("1.00500"), Decimal("-1.00500")], dtype=pl.Decimal(20, 5))
        assert to_decimal(finer, AMOUNT).to_list() == wanted[:2]

    def test_integers_and_coarser_decimals_gain_zeros(self) -> None:
        assert to_decimal(pl.Series([3, -4, None]), PRICE).to_list() == [Decimal(3), Decimal(-4), None]
        coarser = pl.Series([Decimal("6.5"), None], dtype=pl.Decimal(10, 1))
        assert to_decimal(coarser, RATE).to_list() == [Decimal("6.500000"), None]

    @pytest.mark.parametrize("dtype", [pl.Float64, pl.Int64, pl.String, pl.Null, pl.Decimal(10, 4)])
    def test_an_empty_series_stays_empty(self, dtype: pl.DataType) -> None:
        series = to_decimal(pl.Series("a", [], dtype=dtype), AMOUNT)
        assert (series.len(), series.dtype, series.name) == (0, AMOUNT, "a")


def test_decimals_and_scaled_integers_go_back_and_forth() -> None:
    series = pl.Series([Decimal("1.05"), None, Decimal("-999999999999.99")], dtype=AMOUNT)
    units = to_scaled(series, fill=-7)
    assert units.tolist() == [105, -7, -99_999_999_999_999]
    assert from_scaled(units, AMOUNT, np.array([True, False, True])).to_list() == series.to_list()
    assert from_scaled(np.array([10**12]), PRICE).to_list() == [None]  # 10,000 points are no price


def test_dot_products_are_exact_where_64_bits_are_too_few() -> None:
    amounts = np.array([99_999_999_999_999, 12_345, 0, 77], dtype=np.int64)
    points = np.array([999_999_999_999, -10_010_000_001, 5, -1], dtype=np.int64)
    assert exact_dot(amounts, points) == sum(int(a) * int(p) for a, p in zip(amounts, points, strict=True))
    assert exact_dot(-amounts, points) == -exact_dot(amounts, points)
    assert exact_dot(amounts[:0], points[:0]) == 0


def test_sums_are_exact_where_64_bits_are_too_few() -> None:
    assert sum_exact(np.full(5, 2**63 - 1, dtype=np.int64)) == 5 * (2**63 - 1)
    assert sum_exact([]) == 0


def test_points_of_an_amount_are_cents_half_away() -> None:
    # 100.00 dollars at 0.005 points are half a cent; a billion dollars at -9,999.99999999 points need more than 64 bits
    amounts = np.array([10_000, 10_000, 10_000, 10**11], dtype=np.int64)
    points = np.array([500_000, -500_000, 499_999, -999_999_999_999], dtype=np.int64)
    wanted = [1, -1, 0, divide_half_away(-(10**11) * 999_999_999_999, 10**10)]
    assert points_to_cents(amounts, points).tolist() == wanted
    assert points_to_cents(amounts[:0], points[:0]).tolist() == []


def test_means_by_group_are_exact_and_know_what_they_lack() -> None:
    groups = np.array([0, 0, 2, 1], dtype=np.int64)
    weights = np.array([10**14, 1, 0, 3], dtype=np.int64)
    values = np.array([10**12, 1, 5, -7], dtype=np.int64)
    mean, known = grouped_mean(groups, weights, values, 4)
    weighted = Fraction(10**14 * 10**12 + 1, 10**14 + 1)
    assert mean.tolist()[:2] == [round(weighted), -7]
    assert known.tolist() == [True, True, False, False]


def test_a_total_holds_what_amounts_sum_to() -> None:
    assert from_scaled(np.array([10**17]), TOTAL).to_list() == [Decimal(10) ** 15]
