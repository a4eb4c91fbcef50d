"""The allocation problem as flat arrays: what both strategies, the value and the bound work on.

Loans, trades and candidates are those of the book; a smaller index wins every tie. Amounts are cents, scores and costs
1e-8 points, so an amount times a score counts 1e-12 dollars.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl

from services.run_service.engine.book import Book, BoolArray, Int32Array
from services.run_service.engine.pricing import Pricer
from services.run_service.engine.steps.candidates import Candidates, SyntheticCandidates
from shared.money import Int64Array, scaled


@dataclass(frozen=True)
class Locks:
    """Loans placed by a lockdown; one element each."""

    loan: Int64Array
    trade: Int64Array
    price: Int64Array
    carry: Int64Array
    score: Int64Array
    """0 where the price cannot be computed."""
    priced: BoolArray


@dataclass(frozen=True)
class AllocationProblem:
    """Which unlocked loan goes to which trade, given what the lockdowns placed."""

    amount: Int64Array
    """Of each loan."""
    fallback: Int64Array
    """What each loan is worth outside: points."""
    locked: BoolArray
    """Loans that a lockdown placed."""
    lo: Int64Array
    hi: Int64Array
    locked_fill: Int64Array
    """What the lockdowns put on each trade."""
    pair_off: Int64Array
    """Points lost on every dollar under `lo`; 0 for trades outside the window."""
    loan: Int32Array
    """Of each candidate; candidates are in order of (loan, trade order)."""
    trade: Int32Array
    score: Int64Array
    net: Int64Array
    """Score of each candidate less the switch cost where the loan leaves another trade's pool."""
    priority: Int64Array
    start: Int64Array
    """Candidates of loan i are start[i] to start[i + 1]."""
    usable: BoolArray
    """Candidates of loans that are not locked."""

    @property
    def loan_count(self) -> int:
        """In-scope loans."""
        return len(self.amount)

    @property
    def trade_count(self) -> int:
        """Participating trades."""
        return len(self.lo)


def fallbacks(book: Book, candidates: Candidates, synthetic: SyntheticCandidates) -> Int64Array:
    """What each loan is worth when left out, points (specification 01 section 8)."""
    count = len(book.loans)
    options = book.options
    best, has = synthetic.best(count)
    fallback = np.zeros(count, dtype=np.int64)
    lowest = np.iinfo(np.int64).min
    top = np.full(count, lowest, dtype=np.int64)
    np.maximum.at(top, candidates.loan, candidates.score)
    fallback[top > lowest] = top[top > lowest] - scaled(options.unsold_discount, 8)
    fallback[has] = synthetic.score[best[has]] - scaled(options.synthetic_spread, 8)
    return fallback


def leaves_pool(book: Book, loan: Int64Array | Int32Array, trade: Int64Array | Int32Array) -> BoolArray:
    """Whether each loan, put on the trade beside it, leaves the pool it is in: its current pool is not related to that trade."""
    pools = book.loans.current_pool
    names = pools.drop_nulls().unique().sort()
    number = {name: index for index, name in enumerate(names)}
    place = {trade_id: index for index, trade_id in enumerate(book.trades.ids)}
    pool_of = pools.replace_strict(number, default=-1, return_dtype=pl.Int64).fill_null(-1).to_numpy()
    relation = book.tables["pscat_trades_pools_relation"].filter(pl.col("pool_name").is_in(names.to_list()))
    related = relation.select(
        pool=pl.col("pool_name").replace_strict(number, default=-1, return_dtype=pl.Int64),
        trade=pl.col("trade_id").replace_strict(place, default=-1, return_dtype=pl.Int64),
    ).filter(pl.col("trade") >= 0)
    width = max(1, len(book.trades))
    linked = np.zeros(max(1, len(names)) * width, dtype=np.bool_)
    linked[(related["pool"] * width + related["trade"]).to_numpy()] = True
    pool = pool_of[loan]
    return np.asarray((pool >= 0) & ~linked[np.maximum(pool, 0) * width + trade])


def price_locks(book: Book, pricer: Pricer) -> Locks:
    """Price, carry and score of every locked loan on its trade, whether or not it is a candidate there."""
    loan = np.nonzero(book.loans.locked_trade >= 0)[0].astype(np.int64)
    trade = book.loans.locked_trade[loan].astype(np.int64)
    price, carry = np.zeros(len(loan), dtype=np.int64), np.zeros(len(loan), dtype=np.int64)
    priced = np.zeros(len(loan), dtype=np.bool_)
    for j in np.unique(trade).tolist():
        here = np.nonzero(trade == j)[0]
        price[here], carry[here], priced[here] = pricer.on_trade(j, loan[here])
    score = np.where(priced, pricer.score(price, carry), 0)
    return Locks(loan, trade, price, carry, score, priced)


def pose(book: Book, candidates: Candidates, synthetic: SyntheticCandidates, locks: Locks) -> AllocationProblem:
    """The allocation problem of a book."""
    switch_cost = scaled(book.options.switch_cost, 8)
    locked = np.zeros(len(book.loans), dtype=np.bool_)
    locked[locks.loan] = True
    locked_fill = np.zeros(len(book.trades), dtype=np.int64)
    np.add.at(locked_fill, locks.trade, book.loans.amount[locks.loan])
    priorities = np.array([constraint.priority for constraint in book.constraints], dtype=np.int64)
    leaving = leaves_pool(book, candidates.loan, candidates.trade)
    return AllocationProblem(
        amount=np.array(book.loans.amount),
        fallback=fallbacks(book, candidates, synthetic),
        locked=locked,
        lo=np.array(book.trades.lo),
        hi=np.array(book.trades.hi),
        locked_fill=locked_fill,
        pair_off=np.where(book.trades.in_window, book.trades.pair_off, 0),
        loan=candidates.loan,
        trade=candidates.trade,
        score=candidates.score,
        net=candidates.score - np.where(leaving, switch_cost, 0),
        priority=priorities[candidates.constraint] if len(candidates) else np.zeros(0, dtype=np.int64),
        start=candidates.start,
        usable=~locked[candidates.loan],
    )
