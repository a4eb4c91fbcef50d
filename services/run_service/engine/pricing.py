"""Prices and carry, exact to the last of their eight decimals (specification 01 section 6).

What a loan adds to a trade's base price depends on the instrument alone (`Adjustment`), what carry it earns on the instrument
and the number of days alone; both are computed once for each instrument and reused for all of its trades.

Sums are kept in units of 1e-14 points. A payup whose quotient has no finite decimal there is represented by a number strictly
between the same two multiples of 1e-13, so that the one rounding to 1e-8 comes out as for the exact value.
"""

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import polars as pl

from services.run_service.engine.book import Book, BoolArray, Instrument, Int32Array
from shared.money import Int64Array, divide_half_away_array, to_scaled

_SUM_PLACES = 14
_TO_PRICE = 10**6
_PART_LIMIT = 20_000.0
"""Points; beyond it in either direction a part of a price is not computed, so that sums stay within int64."""
_STORABLE = 10**12
"""1e-8 points; a price, carry or score from here on cannot be stored, in either direction, and counts as none."""


@dataclass(frozen=True)
class Adjustment:
    """What some loans add to the base price of an instrument, one element a loan."""

    total: Int64Array
    """Excess servicing and payups, 1e-14 points."""
    excess: Int64Array
    """Value of excess servicing, 1e-8 points."""
    payup: Int64Array
    """Sum of payups, 1e-8 points."""
    storable: BoolArray
    """The parts are within the range of a price."""


@dataclass(frozen=True)
class Carry:
    """What holding some loans earns or costs, one element a loan."""

    points: Int64Array
    """1e-8 points."""
    matched: BoolArray
    """A row of the curve applied."""
    storable: BoolArray
    """Within the range of a price."""


class Pricer:
    """Prices loans of a book on instruments and trades."""

    def __init__(self, book: Book) -> None:
        self.book = book
        loans = book.loans
        self._payups = _payup_rows(book.tables["rmusr_payups"])
        self._curves = _curve_rows(book.tables["pfill_carry_cost"])
        grid = book.tables["pscat_trade_cash_grid"].sort("trade_id", "rate", "sequence_number")
        self._grids = _rows_by(grid, "trade_id")
        self._rule_masks = {name: book.passes(name) for name in grid["syntax_name"].fill_null("").unique().to_list() if name}
        self._attributes = {
            name: (_in_millionths(loans.frame[name]), loans.frame[name].is_not_null().to_numpy())
            for name in book.tables["rmusr_payups"]["attribute"].unique().to_list()
        }

    def has_grid(self, trade_id: str) -> bool:
        """Whether a trade is priced by a cash grid."""
        return trade_id in self._grids

    def adjustment(self, instrument: Instrument, loans: Int64Array) -> Adjustment:
        """Excess servicing and payups of the loans at these indices on an instrument."""
        excess, excess_fits = self._excess(instrument, loans)
        payup, payup_fits = self._payup(instrument, loans)
        return Adjustment(
            total=excess + payup,
            excess=divide_half_away_array(excess, _TO_PRICE),
            payup=divide_half_away_array(payup, _TO_PRICE),
            storable=excess_fits & payup_fits,
        )

    def base_price(self, trade: int, loans: Int64Array) -> tuple[Int64Array, BoolArray]:
        """Base price, 1e-8 points, of the loans at these indices on a trade, and whether there is one."""
        trades = self.book.trades
        grid = self._grids.get(trades.ids[trade])
        if grid is not None:
            row = self.grid_row(grid, loans)
            return np.where(row >= 0, to_scaled(grid["price"])[row], 0), row >= 0
        if trades.has_own_price[trade]:
            price, known = trades.own_price[trade], True
        else:
            price, known = trades.market_price[trade], bool(trades.has_market_price[trade])
        return np.full(len(loans), price), np.full(len(loans), known)

    def grid_of(self, trade_id: str) -> pl.DataFrame:
        """The grid rows of a trade in order of (rate, sequence_number)."""
        return self._grids[trade_id]

    def grid_row(self, grid: pl.DataFrame, loans: Int64Array) -> Int64Array:
        """Index of the grid row that applies to each loan, or -1.

        It is the row with the greatest rate at or under the note rate whose rule, if it names one, the loan passes; of rows
        with one rate the one with the lowest sequence number.
        """
        note = self.book.loans.note[loans]
        best = np.full(len(loans), -1, dtype=np.int64)
        rates, names = to_scaled(grid["rate"]), grid["syntax_name"].fill_null("").to_numpy()
        for name in sorted(set(names.tolist())):
            rows = np.nonzero(names == name)[0]
            own_rates = rates[rows]
            last = np.searchsorted(own_rates, note, side="right") - 1
            first = np.searchsorted(own_rates, own_rates[np.maximum(last, 0)], side="left")  # lowest sequence of that rate
            row = np.where(last >= 0, rows[first], -1)
            if name:
                row = np.where(self._rule_masks[name][loans], row, -1)
            better = (row >= 0) & ((best < 0) | (rates[row] > rates[best]) | ((rates[row] == rates[best]) & (row < best)))
            best = np.where(better, row, best)
        return best

    def price(self, base: Int64Array, known: BoolArray, adjustment: Adjustment) -> tuple[Int64Array, BoolArray]:
        """Price, 1e-8 points, and whether there is one that can be stored."""
        storable = known & adjustment.storable
        price = divide_half_away_array(base * _TO_PRICE + np.where(storable, adjustment.total, 0), _TO_PRICE)
        return price, storable & (np.abs(price) < _STORABLE)

    def carry(self, instrument: str, settle_day: int, eligible_day: Int32Array) -> Carry:
        """Carry of loans eligible on these days, for a settlement on that day."""
        days = settle_day - eligible_day.astype(np.int64)
        curve = self._curves.get(instrument)
        if curve is None or not len(days):
            nothing = np.zeros(len(days), dtype=np.int64)
            return Carry(nothing, nothing != 0, nothing == 0)
        low = int(days.min())
        distinct = np.arange(low, int(days.max()) + 1) if days.max() - low < 4096 else np.unique(days)
        total = np.zeros(len(distinct), dtype=np.int64)
        count = np.zeros(len(distinct), dtype=np.int64)
        for first, last, rate in curve:
            applies = (distinct >= first) & (distinct <= last)
            total += np.where(applies, rate, 0)
            count += applies
        count_or_one = np.maximum(count, 1)
        storable = np.abs(total.astype(np.float64) * distinct / count_or_one / 365e6) < _STORABLE / 1e8 - 1
        carry = _divide_each(np.where(storable, total, 0) * distinct * 100, 365 * count_or_one)
        place = np.searchsorted(distinct, days)
        return Carry(carry[place], count[place] > 0, storable[place])

    def on_trade(self, trade: int, loans: Int64Array) -> tuple[Int64Array, Int64Array, BoolArray]:
        """Price and carry, 1e-8 points, of loans on a trade whether or not they are candidates there, and who has both."""
        book = self.book
        instrument = book.instruments[book.trades.instrument[trade]]
        base, known = self.base_price(trade, loans)
        price, priced = self.price(base, known, self.adjustment(instrument, loans))
        carry = self.carry(instrument.name, int(book.trades.settle_day[trade]), book.loans.eligible_day[loans])
        return price, carry.points, priced & self.scored(price, carry)

    def scored(self, price: Int64Array, carry: Carry) -> BoolArray:
        """Pairs whose carry and score can be stored beside their price."""
        return np.asarray(carry.storable & (np.abs(self.score(price, carry.points)) < _STORABLE))

    def score(self, price: Int64Array, carry: Int64Array) -> Int64Array:
        """Score, 1e-8 points, by the run's price_mode."""
        return price + carry if self.book.options.price_mode == "PRICE_PLUS_CARRY" else price

    def _excess(self, instrument: Instrument, loans: Int64Array) -> tuple[Int64Array, BoolArray]:
        """Value of excess servicing, 1e-14 points: the note rate over coupon and fees times the buy-up or buy-down multiple."""
        if instrument.coupon is None:
            return np.zeros(len(loans), dtype=np.int64), np.ones(len(loans), dtype=np.bool_)
        over = self.book.loans.note[loans] - instrument.coupon - instrument.fees
        multiple = np.where(over >= 0, instrument.buyup_multiple, instrument.buydown_multiple)
        fits = np.abs(over.astype(np.float64) * multiple) < _PART_LIMIT * 1e12
        return np.where(fits, over, 0) * multiple * 100, fits

    def _payup(self, instrument: Instrument, loans: Int64Array) -> tuple[Int64Array, BoolArray]:
        """Sum of the payups of every row whose attribute's value lies in its range, 1e-14 points (see the module)."""
        rows = self._payups.get(instrument.name)
        total = np.zeros(len(loans), dtype=np.int64)
        fits = np.ones(len(loans), dtype=np.bool_)
        if rows is None:
            return total, fits
        pattern = np.zeros(len(loans), dtype=np.int64)  # numbers the distinct sets of rows that apply
        sums: list[Fraction] = [Fraction(0)]
        for attribute, low, high, added in rows:
            values, known = self._attributes[attribute]
            applies = known[loans] & (values[loans] >= low) & (values[loans] <= high)
            present, pattern = np.unique(pattern * 2 + applies, return_inverse=True)
            sums = [sums[int(key) // 2] + (added if int(key) % 2 else 0) for key in present]
        units = np.array([_between(value) for value in sums], dtype=np.int64)
        small = np.array([abs(value) < _PART_LIMIT for value in sums], dtype=np.bool_)
        return units[pattern], small[pattern]


def _between(value: Fraction) -> int:
    """A fraction in units of 1e-14, strictly between the same multiples of 1e-13 where it is no such multiple itself."""
    if abs(value) >= _PART_LIMIT:
        return 0
    scale: int = 10 ** (_SUM_PLACES - 1)
    tenths, rest = divmod(value.numerator * scale, value.denominator)
    return tenths * 10 + (5 if rest else 0)


def _divide_each(numerator: Int64Array, denominator: Int64Array) -> Int64Array:
    """Quotients rounded half away from zero."""
    magnitude = (2 * np.abs(numerator) + denominator) // (2 * denominator)
    return np.where(numerator < 0, -magnitude, magnitude)


def _curve_rows(table: pl.DataFrame) -> dict[str, list[tuple[int, int, int]]]:
    """The carry curve of each instrument: first day, last day, annual rate (1e-6 percent)."""
    curves: dict[str, list[tuple[int, int, int]]] = {}
    columns = (table["investor_instrument"], table["from_day"], table["to_day"])
    rates = to_scaled(table["annual_rate_pct"]).tolist()
    for name, first, last, rate in zip(*(column.to_list() for column in columns), rates, strict=True):
        curves.setdefault(name, []).append((first, last, rate))
    return curves


def _payup_rows(table: pl.DataFrame) -> dict[str, list[tuple[str, int, int, Fraction]]]:
    """The payups of each instrument: loan field, lowest and highest value (1e-6), points."""
    payups: dict[str, list[tuple[str, int, int, Fraction]]] = {}
    columns = (table["investor_instrument"], table["attribute"], table["payup"], table["div_by"])
    ranges = (to_scaled(table["low_value"]).tolist(), to_scaled(table["high_value"]).tolist())
    for name, field, payup, divisor, low, high in zip(*(column.to_list() for column in columns), *ranges, strict=True):
        points = Fraction(payup) / Fraction(divisor if divisor is not None else 1)
        payups.setdefault(name, []).append((field, low, high, points))
    return payups


def _rows_by(frame: pl.DataFrame, column: str) -> dict[str, pl.DataFrame]:
    """The rows of a frame by the value of a column, in their order."""
    return {str(key[0]): part for key, part in frame.partition_by(column, as_dict=True, maintain_order=True).items()}


def _in_millionths(series: pl.Series) -> Int64Array:
    """A numeric loan field in units of 1e-6; a value beyond every range of a payup stays beyond."""
    factor = 10 ** (6 - (series.dtype.scale if isinstance(series.dtype, pl.Decimal) else 0))
    most = int(np.iinfo(np.int64).max) // factor
    return np.asarray(np.clip(to_scaled(series), -most, most) * factor, dtype=np.int64)
