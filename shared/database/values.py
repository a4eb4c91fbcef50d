"""Values of a file's column as values of a table's column: what fits is converted, what does not is named.

Money that arrives as a binary float becomes the shortest decimal that prints it, rounded half away from zero to the column's
scale. NaN, infinity, text in a number, a fraction in an integer and a date that is none do not fit.
"""

import datetime as dt
import re
from collections.abc import Callable
from decimal import Decimal, InvalidOperation

import polars as pl

from shared.money import to_decimal

_NUMBER = r"^[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?$"
_INTEGER = r"^[+-]?[0-9]+(\.0*)?$"
_DATE = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}([T ]00:00(:00(\.0+)?)?)?$"
_FIRST_DATE, _LAST_DATE = dt.date(1, 1, 1), dt.date(9999, 12, 31)
_TRUE, _FALSE = ["true", "t", "1"], ["false", "f", "0"]


def convert(series: pl.Series, dtype: pl.DataType) -> pl.Series:
    """The series in `dtype` (a decimal, Int64, Date, Boolean or String); null where a value does not fit it."""
    if series.dtype == pl.Null:
        return series.cast(dtype)
    if isinstance(dtype, pl.Decimal):
        return _decimals(series, dtype)
    return _CONVERTERS[dtype](series)


def describe_misfit(value: object, dtype: pl.DataType) -> str:
    """Why a value, which `convert` made null, does not fit."""
    shown = _shown(value)
    if dtype == pl.Date:
        return f"{shown} is not a date (YYYY-MM-DD)"
    if dtype == pl.Boolean:
        return f"{shown} is not true or false"
    if dtype == pl.String:
        return f"{shown} is not text"
    try:
        number = Decimal(str(value).strip())
    except InvalidOperation:
        return f"{shown} is not a number"
    if not number.is_finite():
        return f"{shown} is not a finite number"
    if not re.search(_NUMBER, str(value).strip()):  # Python takes 1_000 for a number
        return f"{shown} is not a number"
    if isinstance(dtype, pl.Decimal):
        return f"{shown} is out of range; numbers here are under 10^{(dtype.precision or 38) - dtype.scale}"
    return f"{shown} is not an integer" if number != number.to_integral_value() else f"{shown} is out of range of integers"


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return repr(value if len(value) <= 40 else f"{value[:40]}...")
    return str(value)


def _decimals(series: pl.Series, dtype: pl.Decimal) -> pl.Series:
    if series.dtype == pl.String:
        return to_decimal(_where(series.str.strip_chars(), _NUMBER), dtype)
    return to_decimal(series, dtype) if series.dtype.is_numeric() else _nothing(series, dtype)


def _integers(series: pl.Series) -> pl.Series:
    if series.dtype == pl.String:
        digits = _where(series.str.strip_chars(), _INTEGER).str.replace(r"\.0*$", "").str.strip_prefix("+")
        return digits.cast(pl.Int64, strict=False)
    if series.dtype.is_float():
        finite = series.set(~(series.is_finite().fill_null(value=False)), None)
        return finite.set(finite != finite.floor(), None).cast(pl.Int64, strict=False)
    if series.dtype.is_decimal():
        return series.set(series != series.round(0), None).cast(pl.Int64, strict=False)
    return series.cast(pl.Int64, strict=False) if series.dtype.is_integer() else _nothing(series, pl.Int64())


def _dates(series: pl.Series) -> pl.Series:
    if series.dtype == pl.String:
        series = _where(series.str.strip_chars(), _DATE).str.slice(0, 10).str.to_date("%Y-%m-%d", strict=False)
    elif isinstance(series.dtype, pl.Datetime):
        local = series.dt.replace_time_zone(None)
        series = local.set(local != local.dt.truncate("1d"), None).dt.date()
    if series.dtype != pl.Date:
        return _nothing(series, pl.Date())
    return series.set(~series.is_between(_FIRST_DATE, _LAST_DATE), None)


def _booleans(series: pl.Series) -> pl.Series:
    if series.dtype == pl.Boolean:
        return series
    if series.dtype == pl.String:
        words = series.str.strip_chars().str.to_lowercase()
        values = [True] * len(_TRUE) + [False] * len(_FALSE)
        return words.replace_strict(_TRUE + _FALSE, values, default=None, return_dtype=pl.Boolean)
    if series.dtype.is_numeric():
        return series.set(~series.is_in([0, 1]), None).cast(pl.Boolean)
    return _nothing(series, pl.Boolean())


def _texts(series: pl.Series) -> pl.Series:
    if isinstance(series.dtype, (pl.String, pl.Categorical, pl.Enum)) or series.dtype.is_integer():
        return series.cast(pl.String)
    return _nothing(series, pl.String())


_CONVERTERS: dict[pl.DataType, Callable[[pl.Series], pl.Series]] = {
    pl.Int64(): _integers,
    pl.Date(): _dates,
    pl.Boolean(): _booleans,
    pl.String(): _texts,
}


def _where(series: pl.Series, pattern: str) -> pl.Series:
    """The texts that match; null for others."""
    return series.set(~series.str.contains(pattern).fill_null(value=True), None)


def _nothing(series: pl.Series, dtype: pl.DataType) -> pl.Series:
    return pl.Series(series.name, [None] * len(series), dtype=dtype)
