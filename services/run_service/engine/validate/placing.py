"""Where placements put the loans of a book, and what they are worth there: by the code that values every run.

A loan counts on the trade of its first placement if it can be priced there, candidate or not. On the trade of its lockdown it
counts in any case, as in a run. All others are left out.
"""

import dataclasses
from dataclasses import dataclass

import numpy as np
import polars as pl

from services.run_service.engine.book import BoolArray, Int32Array
from services.run_service.engine.compare.revalue import Terms
from services.run_service.engine.optimise.problem import Locks, leaves_pool
from services.run_service.engine.optimise.value import Allocation, filled, pair_off_units, value_units
from services.run_service.engine.pricing import Pricer
from services.run_service.engine.rows import grouped, starts
from shared.money import Int64Array, scaled


@dataclass(frozen=True)
class Resolved:
    """Placements in the terms of a book, one element each."""

    loan: Int64Array
    """Index of the in-scope loan, or -1."""
    trade: Int64Array
    """Index of the participating trade, or -1."""
    is_first: BoolArray
    """No placement before it is of the same loan."""
    price: Int64Array
    """PowerFill's, 1e-8 points, where it is `priced`."""
    points: Int64Array
    """Net score: less the switch cost where the loan leaves another trade's pool; of an obeyed lockdown its score."""
    priced: BoolArray
    """Loan and trade are there and have a price together."""
    obeys_lock: BoolArray
    """The loan is on the trade that a lockdown puts it on."""

    @property
    def counts(self) -> BoolArray:
        """Placements that put their loan on their trade."""
        return np.asarray(self.is_first & (self.priced | self.obeys_lock))


def resolve(terms: Terms, pricer: Pricer, placements: pl.DataFrame) -> Resolved:
    """Look the placements (loan_id, trade_id) up and price them."""
    book = terms.book
    ours = book.loans.frame.select("loan_id").with_row_index("loan")
    places = book.trades.ids.alias("trade_id").to_frame().with_row_index("trade")
    found = (
        placements.select("loan_id", "trade_id", pl.col("loan_id").is_first_distinct().alias("is_first"))
        .join(ours, on="loan_id", how="left", maintain_order="left")
        .join(places, on="trade_id", how="left", maintain_order="left")
        .with_columns(pl.col("loan", "trade").cast(pl.Int64).fill_null(-1))
    )
    loan, trade = found["loan"].to_numpy(), found["trade"].to_numpy()
    sound = (loan >= 0) & (trade >= 0)
    sound[sound] = book.loans.data_error[loan[sound]] == 0
    price, points, priced = _priced(terms, pricer, loan, trade, np.nonzero(sound)[0])
    obeys_lock = sound.copy()
    obeys_lock[sound] = book.loans.locked_trade[loan[sound]] == trade[sound]
    return Resolved(loan, trade, found["is_first"].to_numpy(), price, points, priced, obeys_lock)


def _priced(
    terms: Terms, pricer: Pricer, loan: Int64Array, trade: Int64Array, sound: Int64Array
) -> tuple[Int64Array, Int64Array, BoolArray]:
    """Price and net score of every placement of `sound`, and whether it has them."""
    book = terms.book
    price, score = np.zeros(len(loan), dtype=np.int64), np.zeros(len(loan), dtype=np.int64)
    priced = np.zeros(len(loan), dtype=np.bool_)
    order, start = grouped(trade[sound].astype(np.int32), len(book.trades))
    for j in np.nonzero(np.diff(start))[0].tolist():
        here = sound[order[start[j] : start[j + 1]]]
        price[here], carry, priced[here] = pricer.on_trade(j, loan[here])
        score[here] = pricer.score(price[here], carry)
    leaves = np.zeros(len(loan), dtype=np.bool_)
    leaves[sound] = leaves_pool(book, loan[sound], trade[sound].astype(np.int32))
    leaves[sound] &= book.loans.locked_trade[loan[sound]] != trade[sound]
    net = score - np.where(leaves, scaled(book.options.switch_cost, 8), 0)
    return np.where(priced, price, 0), np.where(priced, net, 0), priced


@dataclass(frozen=True)
class Placing:
    """An allocation of the in-scope loans, which need not be one that the rules allow; one element a loan."""

    trade: Int64Array
    """Index of its trade, or -1: left out."""
    points: Int64Array
    """What it counts in the value, 1e-8 points of its amount: net score, or fallback where it is left out."""
    by_lock: BoolArray
    """On the trade that a lockdown puts it on."""


def placing_of(terms: Terms, resolved: Resolved, which: BoolArray) -> Placing:
    """The allocation that some of the placements make, at most one a loan."""
    count = len(terms.book.loans)
    loan = resolved.loan[which]
    trade, by_lock = np.full(count, -1, dtype=np.int64), np.zeros(count, dtype=np.bool_)
    points = np.array(terms.problem.fallback)
    trade[loan], points[loan], by_lock[loan] = resolved.trade[which], resolved.points[which], resolved.obeys_lock[which]
    return Placing(trade, points, by_lock)


@dataclass(frozen=True)
class Worth:
    """What a placing is worth, 1e-12 dollars, and the cents on every trade."""

    units: int
    pair_off_units: int
    fill: Int64Array


def worth_of(terms: Terms, placing: Placing) -> Worth:
    """The value of specification 01 section 8, with each placement as the only candidate of its loan."""
    free: Int32Array = np.nonzero((placing.trade >= 0) & ~placing.by_lock)[0].astype(np.int32)
    locked = np.nonzero(placing.by_lock)[0].astype(np.int64)
    locked_fill = np.zeros(terms.problem.trade_count, dtype=np.int64)
    np.add.at(locked_fill, placing.trade[locked], terms.problem.amount[locked])
    is_free = np.zeros(terms.problem.loan_count, dtype=np.int64)
    is_free[free] = 1
    problem = dataclasses.replace(
        terms.problem,
        locked=placing.by_lock,
        locked_fill=locked_fill,
        loan=free,
        trade=placing.trade[free].astype(np.int32),
        score=placing.points[free],
        net=placing.points[free],
        priority=np.zeros(len(free), dtype=np.int16),
        start=starts(is_free),
    )
    nothing = np.zeros(len(locked), dtype=np.int64)
    locks = Locks(locked, placing.trade[locked], nothing, nothing, placing.points[locked], nothing == 0)
    taken = np.full(problem.loan_count, -1, dtype=np.int64)
    taken[free] = np.arange(len(free))
    allocation = Allocation(taken, taken)
    fill = filled(problem, allocation)
    return Worth(value_units(problem, locks, allocation), pair_off_units(problem, fill), fill)
