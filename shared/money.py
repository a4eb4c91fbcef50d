"""Exact decimals: the scales of money, prices and rates, the one rounding rule, and conversions to and from scaled integers.

A value is stored, sent and shown as a decimal; inside the engine it is an integer number of its last decimal place
(cents for amounts, 1e-8 points for prices). Rounding is half away from zero, the databases' rule, and happens here and in
`shared.digits` only.
"""

from collections.abc import Sequence
from decimal import Decimal, InvalidOperation

import numpy as np
import numpy.typing as npt
import polars as pl

from shared.digits import (
    AMOUNT_DIGITS,
    AMOUNT_PLACES,
    PRICE_DIGITS,
    PRICE_PLACES,
    RATE_DIGITS,
    RATE_PLACES,
    TOTAL_DIGITS,
    WIDE,
    round_half_away,
)

__all__ = [
    "AMOUNT", "AMOUNT_PLACES", "PRICE", "PRICE_PLACES", "RATE", "RATE_PLACES", "TOTAL", "Int64Array", "divide_half_away",
    "divide_half_away_array", "exact", "exact_dot", "from_scaled", "grouped_mean", "points_to_cents", "round_half_away", "scaled",
    "sum_exact", "to_decimal", "to_scaled", "unscaled",
]  # fmt: skip

AMOUNT, PRICE = pl.Decimal(*AMOUNT_DIGITS), pl.Decimal(*PRICE_DIGITS)
RATE, TOTAL = pl.Decimal(*RATE_DIGITS), pl.Decimal(*TOTAL_DIGITS)

Int64Array = npt.NDArray[np.int64]

_AMOUNT_LIMB = 10**7
_PRICE_LIMB = 10**4


def exact(value: Decimal, places: int) -> Decimal | None:
    """The same number in its shortest form, or None if it is not finite, too large or has more than `places` decimals."""
    try:
        rounded = round_half_away(value, places)
    except InvalidOperation:
        return None
    return rounded.normalize(WIDE) + 0 if rounded == value else None  # + 0: there is no negative zero


def scaled(value: Decimal | int | float | str, places: int) -> int:
    """The value as an integer number of 10**-places, half away from zero; a float counts as the shortest decimal that prints it.

    Raises ValueError for what is not a finite number.
    """
    try:
        number = Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
        return int(round_half_away(number, places).scaleb(places, WIDE))
    except (InvalidOperation, OverflowError, ValueError) as error:
        raise ValueError(f"{value!r} is not a finite number") from error


def unscaled(value: int, places: int) -> Decimal:
    """The decimal that `value` counts in units of 10**-places."""
    return Decimal(value).scaleb(-places)


def divide_half_away(numerator: int, denominator: int) -> int:
    """The quotient of two integers (denominator > 0), rounded half away from zero."""
    quotient, rest = divmod(abs(numerator), denominator)
    quotient += 2 * rest >= denominator
    return quotient if numerator >= 0 else -quotient


def divide_half_away_array(numerator: Int64Array, denominator: int) -> Int64Array:
    """`divide_half_away` of every element; |numerator| + denominator must stay under 2**63."""
    magnitude = (np.abs(numerator) + denominator // 2) // denominator
    if denominator % 2:  # for an odd denominator there are no ties and the half rounds down in the sum above
        magnitude = (2 * np.abs(numerator) + denominator) // (2 * denominator)
    return np.where(numerator < 0, -magnitude, magnitude)


def to_decimal(series: pl.Series, dtype: pl.Decimal) -> pl.Series:
    """A series of numbers or numeric strings as decimals of `dtype`, rounded half away from zero.

    A float counts as the shortest decimal that prints it. What does not fit the dtype, NaN, infinity and text that is no
    number become null; callers that must refuse them compare the null counts.
    """
    scale, precision = dtype.scale, dtype.precision or 38
    source = series.dtype
    if source in (dtype, pl.Null):
        return series.cast(dtype)
    if source.is_integer():
        return _from_scaled(_times_power_of_ten(series.cast(pl.Int128), scale), series.name, scale, precision)
    if isinstance(source, pl.Decimal) and source.scale <= scale:
        units = _times_power_of_ten(series.to_physical().cast(pl.Int128), scale - source.scale)
        return _from_scaled(units, series.name, scale, precision)
    if source.is_float():
        return _from_scaled(_scaled_floats(series.cast(pl.Float64), scale), series.name, scale, precision)
    return _from_scaled(_scaled_one_by_one(series, scale), series.name, scale, precision)


def to_scaled(series: pl.Series, fill: int = 0) -> Int64Array:
    """A decimal (or integer) series as int64 in units of its last place; nulls become `fill`."""
    physical = series.to_physical() if isinstance(series.dtype, pl.Decimal) else series
    return physical.cast(pl.Int64).fill_null(fill).to_numpy()


def from_scaled(values: Int64Array, dtype: pl.Decimal, valid: npt.NDArray[np.bool_] | None = None, name: str = "") -> pl.Series:
    """The inverse of `to_scaled`: int64 units of the dtype's last place as decimals; null where `valid` is False."""
    series = pl.Series(name, values, dtype=pl.Int64)
    if valid is not None:
        series = series.set(pl.Series(~valid), None)
    return _from_scaled(series.cast(pl.Int128), name, dtype.scale, dtype.precision or 38)


def exact_dot(amounts: Int64Array, points: Int64Array) -> int:
    """Sum of amounts * points without overflow or rounding, as a Python integer.

    Both are split into limbs whose products sum within int64 for 10 million rows.
    """
    total = 0
    amount_high, amount_low = np.divmod(amounts, _AMOUNT_LIMB)
    rest = points
    scale = 1
    for _ in range(3):
        rest, low = np.divmod(rest, _PRICE_LIMB)
        total += scale * (int(np.dot(amount_low, low)) + _AMOUNT_LIMB * int(np.dot(amount_high, low)))
        scale *= _PRICE_LIMB
    return total + scale * (int(np.dot(amount_low, rest)) + _AMOUNT_LIMB * int(np.dot(amount_high, rest)))


def _from_scaled(units: pl.Series, name: str, scale: int, precision: int) -> pl.Series:
    limit = 10**precision
    fits = units.is_between(1 - limit, limit - 1)
    checked = units.set(~fits, None) if not fits.all() else units
    exact = pl.Series([Decimal(1).scaleb(-scale)], dtype=pl.Decimal(38, scale))
    wide = checked.cast(pl.Decimal(38, scale)) * exact if scale else checked.cast(pl.Decimal(38, 0))
    return wide.cast(pl.Decimal(precision, scale)).rename(name)


def _times_power_of_ten(units: pl.Series, places: int) -> pl.Series:
    return units * pl.Series([10**places], dtype=pl.Int128) if places else units


def _scaled_floats(series: pl.Series, scale: int) -> pl.Series:
    """Floats times 10**scale as Int128; where the product's own rounding could decide, the shortest decimal does."""
    values = series.fill_null(float("nan")).to_numpy()
    finite = np.isfinite(values) & (np.abs(values) < 10.0 ** (18 - scale))
    product = np.where(finite, values, 0.0) * 10.0**scale
    units = np.sign(product) * np.floor(np.abs(product) + 0.5)
    result = units.astype(np.int64)
    unsure = np.abs(np.abs(product) % 1.0 - 0.5) <= 1e-6 + np.abs(product) * 2.0**-51
    for row in np.nonzero(finite & unsure)[0]:
        result[row] = scaled(float(values[row]), scale)
    out = pl.Series(series.name, result)
    return (out.set(pl.Series(~finite), None) if not finite.all() else out).cast(pl.Int128)


def _scaled_one_by_one(series: pl.Series, scale: int) -> pl.Series:
    """Strings and finer decimals, over their distinct values (Python's decimal decides)."""
    distinct = series.unique()
    units = [_scaled_or_none(value, scale) for value in distinct.to_list()]
    mapping = pl.DataFrame({"key": distinct, "units": pl.Series(units, dtype=pl.Int128)})
    return series.to_frame("key").join(mapping, on="key", how="left", nulls_equal=True, maintain_order="left")["units"]


def _scaled_or_none(value: object, scale: int) -> int | None:
    if not isinstance(value, (str, Decimal)):
        return None
    try:
        units = scaled(value, scale)
    except ValueError:
        return None
    return units if abs(units) < 10**18 else None


def sum_exact(values: Sequence[int] | Int64Array) -> int:
    """Sum of integers as a Python integer, without overflow."""
    array = np.asarray(values, dtype=np.int64)
    high, low = np.divmod(array, 10**9)
    return int(high.sum()) * 10**9 + int(low.sum())


def points_to_cents(amounts: Int64Array, points: Int64Array) -> Int64Array:
    """What `points` (1e-8) of each amount (cents) come to, cents, rounded half away from zero; exact at any size."""
    product = pl.Series(amounts).cast(pl.Int128) * pl.Series(points).cast(pl.Int128)
    divisor = pl.Series([10**10], dtype=pl.Int128)
    magnitude = (product.abs() + divisor // pl.Series([2], dtype=pl.Int128)) // divisor
    cents = magnitude.cast(pl.Int64).to_numpy()
    return np.where((amounts < 0) ^ (points < 0), -cents, cents)


def grouped_mean(
    groups: Int64Array, weights: Int64Array, values: Int64Array, count: int
) -> tuple[Int64Array, npt.NDArray[np.bool_]]:
    """Weighted mean of the values in each of `count` groups, half away from zero, and whether a group has any weight. Exact."""
    frame = pl.DataFrame(
        {"group": groups, "weight": pl.Series(weights).cast(pl.Int128), "value": pl.Series(values).cast(pl.Int128)}
    )
    sums = frame.group_by("group").agg(weighted=(pl.col("weight") * pl.col("value")).sum(), weight=pl.col("weight").sum())
    mean = np.zeros(count, dtype=np.int64)
    known = np.zeros(count, dtype=np.bool_)
    for group, weighted, weight in sums.filter(pl.col("weight") > 0).iter_rows():
        mean[group], known[group] = divide_half_away(int(weighted), int(weight)), True
    return mean, known
