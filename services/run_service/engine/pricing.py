"""Prices and carry, exact to the last of their eight decimals (specification 01 section 6).

What a loan adds to a trade's base price depends on the instrument alone (`Adjustment`), what carry it earns on the instrument
and the number of days alone; both are computed once for each instrument and reused for all of its trades. Sums are kept in
units of 1e-14 points, so that a price is rounded once.
"""

from dataclasses import dataclass

import numba
import numpy as np
import polars as pl

from services.run_service.engine.book import Book, BoolArray, Instrument, Int32Array, SyntheticTrades, Trades
from services.run_service.engine.payups import PART_LIMIT, Payups
from services.run_service.engine.rows import grouped
from shared.money import Int64Array, divide_half_away_array, to_scaled

_TO_PRICE = 10**6
STORABLE = 10**12
"""1e-8 points; a price, carry or score from here on cannot be stored, in either direction, and counts as none."""
_DAYS_LISTED = 4096

_Curves = dict[str, list[tuple[int, int, int]]]


@dataclass(frozen=True)
class Adjustment:
    """What some loans add to the base price of an instrument, one element a loan."""

    total: Int64Array
    """Excess servicing and payups, 1e-14 points."""
    excess: Int64Array
    """Value of excess servicing, 1e-14 points."""
    payup: Int64Array
    """Sum of payups, 1e-14 points."""
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


@dataclass(frozen=True)
class Grid:
    """The cash grid of a trade, rows in order of (rate, sequence_number)."""

    frame: pl.DataFrame
    rate: Int64Array
    """1e-6 percent."""
    price: Int64Array
    by_rule: tuple[tuple[str, Int64Array], ...]
    """Name of a rule, or empty, and the rows that ask for it."""


class Pricer:
    """Prices loans of a book on instruments and trades."""

    def __init__(self, book: Book, like: "Pricer | None" = None) -> None:
        """`like`: a pricer of a book that has other loans, and the same in all other tables."""
        self.book = book
        self.with_carry = book.options.price_mode == "PRICE_PLUS_CARRY"
        self._trade_ids = book.trades.ids.to_list()
        self._payups = Payups(book)
        self._curves: _Curves = like._curves if like is not None else _curve_rows(book.tables["pfill_carry_cost"])
        self._grids: dict[str, Grid] = like._grids if like is not None else _grids(book.tables["pscat_trade_cash_grid"])
        names = book.tables["pscat_trade_cash_grid"]["syntax_name"].fill_null("").unique().to_list()
        self._rule_masks = {name: book.passes(name) for name in names if name}

    def has_grid(self, trade_id: str) -> bool:
        """Whether a trade is priced by a cash grid."""
        return trade_id in self._grids

    def grid_of(self, trade_id: str) -> Grid:
        """The grid of a trade."""
        return self._grids[trade_id]

    def adjustment(self, instrument: Instrument, loans: Int64Array) -> Adjustment:
        """Excess servicing and payups of the loans at these indices on an instrument."""
        excess, excess_fits = self._excess(instrument, loans)
        payup, payup_fits = self._payups.total(instrument.name, loans)
        return Adjustment(total=excess + payup, excess=excess, payup=payup, storable=excess_fits & payup_fits)

    def base_price(self, trade: int, loans: Int64Array) -> tuple[Int64Array, BoolArray]:
        """Base price, 1e-8 points, of the loans at these indices on a trade, and whether there is one."""
        trades = self.book.trades
        grid = self._grids.get(self._trade_ids[trade])
        if grid is not None:
            row = self.grid_row(grid, loans)
            return np.where(row >= 0, grid.price[row], 0), row >= 0
        if trades.has_own_price[trade]:
            price, known = trades.own_price[trade], True
        else:
            price, known = trades.market_price[trade], bool(trades.has_market_price[trade])
        return np.full(len(loans), price), np.full(len(loans), known)

    def grid_row(self, grid: Grid, loans: Int64Array) -> Int64Array:
        """Index of the grid row that applies to each loan, or -1.

        It is the row with the greatest rate at or under the note rate whose rule, if it names one, the loan passes; of rows
        with one rate the one with the lowest sequence number.
        """
        note = self.book.loans.note[loans]
        best = np.full(len(loans), -1, dtype=np.int64)
        for name, rows in grid.by_rule:
            rates = grid.rate[rows]
            first = rows[np.searchsorted(rates, rates, side="left")]  # of each row: the lowest sequence of its rate
            last = np.searchsorted(rates, note, side="right") - 1
            row = np.where(last >= 0, first[last], -1)
            if name:
                row = np.where(self._rule_masks[name][loans], row, -1)
            higher = (grid.rate[row] > grid.rate[best]) | ((grid.rate[row] == grid.rate[best]) & (row < best))
            best = np.where((row >= 0) & ((best < 0) | higher), row, best)
        return best

    def price(self, base: Int64Array, known: BoolArray, adjustment: Adjustment) -> tuple[Int64Array, BoolArray]:
        """Price, 1e-8 points, and whether there is one that can be stored."""
        price, priced = np.empty(len(base), dtype=np.int64), np.empty(len(base), dtype=np.bool_)
        _price(base, known, adjustment.total, adjustment.storable, price, priced)
        return price, priced

    def carry(self, instrument: str, settle_day: int, eligible_day: Int32Array) -> Carry:
        """Carry of loans eligible on these days, for a settlement on that day."""
        days = settle_day - eligible_day.astype(np.int64)
        curve = self._curves.get(instrument)
        if curve is None or not len(days):
            nothing = np.zeros(len(days), dtype=np.int64)
            return Carry(nothing, nothing != 0, nothing == 0)
        low, high = int(days.min()), int(days.max())
        if high - low < _DAYS_LISTED:
            distinct, place = np.arange(low, high + 1), days - low
        else:
            distinct, place = np.unique(days, return_inverse=True)
        total = np.zeros(len(distinct), dtype=np.int64)
        count = np.zeros(len(distinct), dtype=np.int64)
        for first, last, rate in curve:
            applies = (distinct >= first) & (distinct <= last)
            total += np.where(applies, rate, 0)
            count += applies
        count_or_one = np.maximum(count, 1)
        storable = np.abs(total.astype(np.float64) * distinct / count_or_one / 365e6) < STORABLE / 1e8 - 1
        carry = _divide_each(np.where(storable, total, 0) * distinct * 100, 365 * count_or_one)
        return Carry(carry[place], count[place] > 0, storable[place])

    def on_trade(self, trade: int, loans: Int64Array) -> tuple[Int64Array, Int64Array, BoolArray]:
        """Price and carry, 1e-8 points, of loans on a trade whether or not they are candidates there, and who has both."""
        book = self.book
        instrument = book.instruments[book.trades.instrument[trade]]
        base, known = self.base_price(trade, loans)
        price, priced = self.price(base, known, self.adjustment(instrument, loans))
        carry = self.carry(instrument.name, int(book.trades.settle_day[trade]), book.loans.eligible_day[loans])
        return price, carry.points, priced & carry.storable & (np.abs(self.score(price, carry.points)) < STORABLE)

    def behind(
        self, on: Trades | SyntheticTrades, loan: Int64Array, trade: Int32Array, score: Int64Array
    ) -> tuple[Int64Array, Int64Array]:
        """Price and carry, 1e-8 points, behind the scores of candidates: loans, and the trades they are candidates on."""
        carry = np.zeros(len(loan), dtype=np.int64)
        order, start = grouped(trade, len(on.settle_day))
        for j in np.nonzero(np.diff(start))[0].tolist():
            here = order[start[j] : start[j + 1]]
            carry[here] = self.carry(on.instrument[j], int(on.settle_day[j]), self.book.loans.eligible_day[loan[here]]).points
        return (score - carry if self.with_carry else score), carry

    def score(self, price: Int64Array, carry: Int64Array) -> Int64Array:
        """Score, 1e-8 points, by the run's price_mode."""
        return price + carry if self.with_carry else price

    def _excess(self, instrument: Instrument, loans: Int64Array) -> tuple[Int64Array, BoolArray]:
        """Value of excess servicing, 1e-14 points: the note rate over coupon and fees times the buy-up or buy-down multiple."""
        if instrument.coupon is None:
            return np.zeros(len(loans), dtype=np.int64), np.ones(len(loans), dtype=np.bool_)
        over = self.book.loans.note[loans] - instrument.coupon - instrument.fees
        multiple = np.where(over >= 0, instrument.buyup_multiple, instrument.buydown_multiple)
        fits = np.abs(over.astype(np.float64) * multiple) < PART_LIMIT * 1e12
        return np.where(fits, over, 0) * multiple * 100, fits


@numba.njit(cache=True)
def _price(
    base: Int64Array, known: BoolArray, added: Int64Array, storable: BoolArray, price: Int64Array, priced: BoolArray
) -> None:
    """Base price and what is added to it, rounded half away from zero."""
    for position in range(len(base)):
        total = base[position] * _TO_PRICE
        if known[position] and storable[position]:
            total += added[position]
        magnitude = (abs(total) + _TO_PRICE // 2) // _TO_PRICE
        price[position] = magnitude if total >= 0 else -magnitude
        priced[position] = known[position] and storable[position] and magnitude < STORABLE


def to_points(units: Int64Array) -> Int64Array:
    """1e-14 points as 1e-8 points, half away from zero."""
    return divide_half_away_array(units, _TO_PRICE)


def _divide_each(numerator: Int64Array, denominator: Int64Array) -> Int64Array:
    """Quotients rounded half away from zero."""
    magnitude = (2 * np.abs(numerator) + denominator) // (2 * denominator)
    return np.where(numerator < 0, -magnitude, magnitude)


def _curve_rows(table: pl.DataFrame) -> _Curves:
    """The carry curve of each instrument: first day, last day, annual rate (1e-6 percent)."""
    curves: _Curves = {}
    columns = (table["investor_instrument"], table["from_day"], table["to_day"])
    rates = to_scaled(table["annual_rate_pct"]).tolist()
    for name, first, last, rate in zip(*(column.to_list() for column in columns), rates, strict=True):
        curves.setdefault(name, []).append((first, last, rate))
    return curves


def _grids(table: pl.DataFrame) -> dict[str, Grid]:
    """The cash grids by trade."""
    rows = table.sort("trade_id", "rate", "sequence_number")
    by_trade = rows.partition_by("trade_id", as_dict=True, maintain_order=True)
    return {str(key[0]): _grid(frame) for key, frame in by_trade.items()}


def _grid(frame: pl.DataFrame) -> Grid:
    names = frame["syntax_name"].fill_null("").to_numpy()
    by_rule = tuple((name, np.nonzero(names == name)[0]) for name in sorted(set(names.tolist())))
    return Grid(frame, to_scaled(frame["rate"]), to_scaled(frame["price"]), by_rule)
