"""Payups, exact: the sum of every row of an instrument whose attribute's value lies in its range (specification 01 section 6).

Sums are kept in units of 1e-14 points. Where all payups of an instrument are whole numbers of these, which div_by 32 leaves them,
they are simply added. A payup whose quotient has no finite decimal there is represented by a number strictly between the same two
multiples of 1e-13, so that the one rounding to 1e-8 comes out as for the exact value: once for each set of rows that applies.
"""

from dataclasses import dataclass
from fractions import Fraction

import numba
import numpy as np
import polars as pl

from services.run_service.engine.book import Book, BoolArray
from shared.money import Int64Array, to_scaled

PART_LIMIT = 20_000.0
"""Points; beyond it in either direction a part of a price is not computed, so that sums stay within int64."""
_UNIT = 10**14
_MOST_UNITS = 2**62
"""Sums of payups up to here, taken without their signs, are added as they are."""


@dataclass(frozen=True)
class _Payup:
    attribute: str
    """A numeric loan field."""
    low: int
    """1e-6, as the field's values."""
    high: int
    points: Fraction


class Payups:
    """The payups of a book by instrument."""

    def __init__(self, book: Book) -> None:
        table = book.tables["rmusr_payups"]
        self._rows = _rows_by_instrument(table)
        self._attributes = {
            name: (_in_millionths(book.loans.frame[name]), book.loans.frame[name].is_not_null().to_numpy().copy())
            for name in table["attribute"].unique().to_list()
        }

    def total(self, instrument: str, loans: Int64Array) -> tuple[Int64Array, BoolArray]:
        """Sum of payups of the loans at these indices, 1e-14 points, and whether it is within PART_LIMIT (0 where it is not)."""
        rows = self._rows.get(instrument, [])
        whole = all(_UNIT % row.points.denominator == 0 for row in rows)
        if whole and sum(abs(row.points) for row in rows) * _UNIT < _MOST_UNITS:
            return self._added(rows, loans)
        return self._by_pattern(rows, loans)

    def _added(self, rows: list[_Payup], loans: Int64Array) -> tuple[Int64Array, BoolArray]:
        total = np.zeros(len(loans), dtype=np.int64)
        for row in rows:
            values, known = self._attributes[row.attribute]
            _add(values, known, loans, row.low, row.high, int(row.points * _UNIT), total)
        fits = np.abs(total) < int(PART_LIMIT) * _UNIT
        return np.where(fits, total, 0), fits

    def _by_pattern(self, rows: list[_Payup], loans: Int64Array) -> tuple[Int64Array, BoolArray]:
        pattern = np.zeros(len(loans), dtype=np.int64)  # numbers the distinct sets of rows that apply
        sums: list[Fraction] = [Fraction(0)]
        for row in rows:
            values, known = self._attributes[row.attribute]
            applies = known[loans] & (values[loans] >= row.low) & (values[loans] <= row.high)
            present, pattern = np.unique(pattern * 2 + applies, return_inverse=True)
            sums = [sums[int(key) // 2] + (row.points if int(key) % 2 else 0) for key in present]
        units = np.array([_between(value) for value in sums], dtype=np.int64)
        small = np.array([abs(value) < PART_LIMIT for value in sums], dtype=np.bool_)
        return units[pattern], small[pattern]


@numba.njit(cache=True)
def _add(values: Int64Array, known: BoolArray, loans: Int64Array, low: int, high: int, units: int, total: Int64Array) -> None:
    for position in range(len(loans)):
        i = loans[position]
        if known[i] and low <= values[i] <= high:
            total[position] += units


def _between(value: Fraction) -> int:
    """A fraction in units of 1e-14, strictly between the same multiples of 1e-13 where it is no such multiple itself."""
    if abs(value) >= PART_LIMIT:
        return 0
    scale: int = _UNIT // 10
    tenths, rest = divmod(value.numerator * scale, value.denominator)
    return tenths * 10 + (5 if rest else 0)


def _rows_by_instrument(table: pl.DataFrame) -> dict[str, list[_Payup]]:
    payups: dict[str, list[_Payup]] = {}
    columns = (table["investor_instrument"], table["attribute"], table["payup"], table["div_by"])
    ranges = (to_scaled(table["low_value"]).tolist(), to_scaled(table["high_value"]).tolist())
    for name, field, payup, divisor, low, high in zip(*(column.to_list() for column in columns), *ranges, strict=True):
        points = Fraction(payup) / Fraction(divisor if divisor is not None else 1)
        payups.setdefault(name, []).append(_Payup(field, low, high, points))
    return payups


def _in_millionths(series: pl.Series) -> Int64Array:
    """A numeric loan field in units of 1e-6; a value beyond every range of a payup stays beyond."""
    factor = 10 ** (6 - (series.dtype.scale if isinstance(series.dtype, pl.Decimal) else 0))
    most = int(np.iinfo(np.int64).max) // factor
    return np.asarray(np.clip(to_scaled(series), -most, most) * factor, dtype=np.int64)
