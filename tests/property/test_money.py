"""Exact arithmetic against `Decimal` and Python's integers, over the whole range of the columns."""

from decimal import ROUND_HALF_UP, Decimal, localcontext
from fractions import Fraction

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.money import (
    AMOUNT,
    PRICE,
    RATE,
    divide_half_away,
    divide_half_away_array,
    exact_dot,
    from_scaled,
    grouped_mean,
    points_to_cents,
    scaled,
    sum_exact,
    to_decimal,
    to_scaled,
)

MORE = settings(max_examples=settings().max_examples * 3)
CENTS = st.integers(-(10**14) + 1, 10**14 - 1)
POINTS = st.integers(-(10**12) + 1, 10**12 - 1)
DTYPES = pytest.mark.parametrize("dtype", [AMOUNT, RATE, PRICE, pl.Decimal(18, 6)], ids=str)


def half_away(value: Fraction) -> int:
    """The nearest integer, ties away from zero."""
    whole, rest = divmod(abs(value.numerator), value.denominator)
    whole += 2 * rest >= value.denominator
    return whole if value >= 0 else -whole


def column_value(text: str, dtype: pl.Decimal) -> Decimal | None:
    """What a column of this type holds of a number; None where it does not fit."""
    with localcontext() as context:
        context.prec = 400
        units = Decimal(text).scaleb(dtype.scale).to_integral_value(ROUND_HALF_UP)
        return units.scaleb(-dtype.scale) if abs(units) < 10 ** (dtype.precision or 38) else None


@DTYPES
@MORE
@given(values=st.lists(st.floats(-1e13, 1e13) | st.floats(-1e4, 1e4).map(lambda value: round(value, 3)), min_size=1, max_size=20))
def test_floats_become_their_shortest_decimal(dtype: pl.Decimal, values: list[float]) -> None:
    assert to_decimal(pl.Series(values, dtype=pl.Float64), dtype).to_list() == [column_value(repr(v), dtype) for v in values]


@DTYPES
@MORE
@given(units=st.integers(-(10**15), 10**15), tie=st.sampled_from(["5", "4999", "5001", "50"]))
def test_floats_beside_a_tie_go_the_right_way(dtype: pl.Decimal, units: int, tie: str) -> None:
    # the number one place beyond the column's, as a float prints it
    text = f"{Decimal(units).scaleb(-dtype.scale):f}" + ("." if not dtype.scale else "") + tie
    value = float(text)
    assert to_decimal(pl.Series([value]), dtype).to_list() == [column_value(repr(value), dtype)]


@DTYPES
@MORE
@given(value=st.decimals(-(10**14), 10**14, places=10))
def test_text_and_decimals_round_half_away(dtype: pl.Decimal, value: Decimal) -> None:
    wanted = [column_value(str(value), dtype)]
    assert to_decimal(pl.Series([str(value)]), dtype).to_list() == wanted
    assert to_decimal(pl.Series([value], dtype=pl.Decimal(30, 10)), dtype).to_list() == wanted


@given(value=st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**30), max_value=10**30), places=st.integers(0, 12))
def test_scaled_is_exact(value: Decimal, places: int) -> None:
    assert scaled(value, places) == half_away(Fraction(value) * 10**places)


@MORE
@given(numerator=st.integers(-(10**17), 10**17), denominator=st.integers(1, 10**9))
def test_quotients_round_half_away(numerator: int, denominator: int) -> None:
    wanted = half_away(Fraction(numerator, denominator))
    assert divide_half_away(numerator, denominator) == wanted
    assert divide_half_away_array(np.array([numerator]), denominator).tolist() == [wanted]


PAIRS = st.lists(st.tuples(CENTS, POINTS), max_size=30)


def arrays(pairs: list[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray]:
    cents = np.array([cents for cents, _ in pairs], dtype=np.int64)
    return cents, np.array([points for _, points in pairs], dtype=np.int64)


@MORE
@given(pairs=PAIRS)
def test_dot_products_and_points_are_exact(pairs: list[tuple[int, int]]) -> None:
    cents, points = arrays(pairs)
    assert exact_dot(cents, points) == sum(one * other for one, other in pairs)
    assert points_to_cents(cents, points).tolist() == [half_away(Fraction(one * other, 10**10)) for one, other in pairs]


@given(values=st.lists(st.integers(-(2**63), 2**63 - 1), max_size=30))
def test_sums_are_exact(values: list[int]) -> None:
    assert sum_exact(np.array(values, dtype=np.int64)) == sum(values)


@MORE
@given(rows=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 10**14), POINTS), max_size=20))
def test_means_by_group_are_exact(rows: list[tuple[int, int, int]]) -> None:
    groups, weights, values = (np.array([row[part] for row in rows], dtype=np.int64) for part in range(3))
    mean, known = grouped_mean(groups, weights, values, 4)
    for group in range(4):
        weight = sum(row[1] for row in rows if row[0] == group)
        assert bool(known[group]) is (weight > 0)
        if weight:
            assert mean[group] == half_away(Fraction(sum(row[1] * row[2] for row in rows if row[0] == group), weight))


@DTYPES
@given(units=st.lists(st.integers(-(2**62), 2**62), max_size=10))
def test_scaled_integers_survive_being_decimals(dtype: pl.Decimal, units: list[int]) -> None:
    limit = 10 ** (dtype.precision or 38)
    series = from_scaled(np.array(units, dtype=np.int64), dtype)
    assert to_scaled(series, fill=7).tolist() == [unit if abs(unit) < limit else 7 for unit in units]
