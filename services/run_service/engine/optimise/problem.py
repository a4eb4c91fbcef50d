"""The allocation problem as flat arrays: what both strategies, the value and the bound work on.

Loans, trades and candidates are those of the book; a smaller index wins every tie. Amounts are cents, scores and costs
1e-8 points, so an amount times a score counts 1e-12 dollars.
"""

from dataclasses import dataclass

import numba
import numpy as np
import polars as pl

from services.run_service.engine.book import Book, BoolArray, Int32Array, SmallArray, at
from services.run_service.engine.pairs import Candidates, SyntheticCandidates
from services.run_service.engine.pricing import Pricer
from services.run_service.engine.rows import best_of_rows, small_type, spans, starts
from services.run_service.engine.stop import Stop
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
    priority: SmallArray
    """Place of each candidate's priority among those of the constraints, from 0: the numbers themselves are only an order."""
    start: Int64Array
    """Candidates of loan i are start[i] to start[i + 1]."""

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
    options = book.options
    best, best_synthetic = best_of_rows(candidates.start, candidates.score), synthetic.best()
    unsold = at(candidates.score, best) - scaled(options.unsold_discount, 8)
    sold = at(synthetic.score, best_synthetic) - scaled(options.synthetic_spread, 8)
    return np.where(best_synthetic >= 0, sold, np.where(best >= 0, unsold, 0))


def leaves_pool(book: Book, loan: Int64Array, trade: Int32Array) -> BoolArray:
    """Whether each loan, put on the trade beside it, leaves the pool it is in: its current pool is not related to that trade."""
    pool_of, start, related = _pool_relations(book)
    leaves = np.empty(len(loan), dtype=np.bool_)
    _leaves(pool_of, start, related, loan, trade, leaves)
    return leaves


def _pool_relations(book: Book) -> tuple[Int64Array, Int64Array, Int32Array]:
    """Number of each loan's current pool (-1: none), and the trades related to pool p: related[start[p]] to [start[p + 1]]."""
    pools = book.loans.current_pool
    names = pools.drop_nulls().unique().sort().alias("pool_name").to_frame().with_row_index("pool")
    number = pl.col("pool").cast(pl.Int64)
    pool_of = pools.alias("pool_name").to_frame().join(names, on="pool_name", how="left", maintain_order="left")
    places = book.trades.ids.alias("trade_id").to_frame().with_row_index("trade")
    related = (
        book.tables["pscat_trades_pools_relation"].join(names, on="pool_name").join(places, on="trade_id").sort("pool", "trade")
    )
    counts = np.bincount(related["pool"].to_numpy(), minlength=len(names)).astype(np.int64)
    pool_of_loan = pool_of.select(number.fill_null(-1))["pool"].to_numpy().copy()
    return pool_of_loan, starts(counts), related["trade"].to_numpy().astype(np.int32)


@numba.njit(cache=True)
def _leaves(
    pool_of: Int64Array, start: Int64Array, related: Int32Array, loan: Int64Array, trade: Int32Array, leaves: BoolArray
) -> None:
    for position in range(len(loan)):
        pool = pool_of[loan[position]]
        leaves[position] = pool >= 0 and trade[position] not in related[start[pool] : start[pool + 1]]


@numba.njit(cache=True)
def _charge_switches(
    first_loan: int,
    end_loan: int,
    pool_of: Int64Array,
    pool_start: Int64Array,
    related: Int32Array,
    start: Int64Array,
    trade: Int32Array,
    score: Int64Array,
    cost: int,
    net: Int64Array,
) -> None:
    """Scores, less the cost where a loan leaves another trade's pool; trades are in order for a pool as for a loan."""
    for i in range(first_loan, end_loan):
        pool = pool_of[i]
        r, end = (pool_start[pool], pool_start[pool + 1]) if pool >= 0 else (0, 0)
        for c in range(start[i], start[i + 1]):
            while r < end and related[r] < trade[c]:
                r += 1
            leaves = pool >= 0 and (r == end or related[r] != trade[c])
            net[c] = score[c] - cost if leaves else score[c]


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


@numba.njit(cache=True)
def _gathered(values: SmallArray, index: SmallArray) -> SmallArray:
    """values[index] without the copy of the index that numpy makes."""
    found = np.empty(len(index), dtype=values.dtype)
    for position in range(len(index)):
        found[position] = values[index[position]]
    return found


def pose(book: Book, candidates: Candidates, synthetic: SyntheticCandidates, locks: Locks, stop: Stop) -> AllocationProblem:
    """The allocation problem of a book. Where nobody can leave a pool, `net` is `score` itself, not a copy.

    Raises RunCancelledError after a cancel.
    """
    stop.checkpoint()
    switch_cost = scaled(book.options.switch_cost, 8)
    locked = np.zeros(len(book.loans), dtype=np.bool_)
    locked[locks.loan] = True
    locked_fill = np.zeros(len(book.trades), dtype=np.int64)
    np.add.at(locked_fill, locks.trade, book.loans.amount[locks.loan])
    priorities = np.array([constraint.priority for constraint in book.constraints], dtype=np.int64)
    priority_of = np.unique(priorities, return_inverse=True)[1].astype(small_type(len(priorities)))
    net = candidates.score
    fallback = fallbacks(book, candidates, synthetic)
    stop.checkpoint()
    if switch_cost and book.loans.current_pool.null_count() < len(book.loans):
        pool_of, pool_start, related = _pool_relations(book)
        net = np.empty_like(candidates.score)
        for first, end in spans(len(book.loans)):
            stop.checkpoint()
            _charge_switches(
                first, end, pool_of, pool_start, related, candidates.start, candidates.trade, candidates.score, switch_cost, net
            )
    stop.checkpoint()
    return AllocationProblem(
        amount=np.array(book.loans.amount),
        fallback=fallback,
        locked=locked,
        lo=np.array(book.trades.lo),
        hi=np.array(book.trades.hi),
        locked_fill=locked_fill,
        pair_off=np.where(book.trades.in_window, book.trades.pair_off, 0),
        loan=candidates.loan,
        trade=candidates.trade,
        score=candidates.score,
        net=net,
        priority=_gathered(priority_of, candidates.constraint),
        start=candidates.start,
    )
