"""The book: one run's inputs cleaned, ordered and laid out as arrays, which every step reads and none changes.

Loans are the in-scope ones in order of loan_id, trades the participating ones in trade order (specification 01 section 8), so
that a smaller index wins every tie and the answer does not depend on the order of the input rows. Amounts are cents,
rates 1e-6 percent, prices and scores 1e-8 points, days count from as_of_date.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from services.run_service.domain.options import Kind, RunOptions
from services.run_service.domain.rules import Rule, compile_rule
from shared.money import Int64Array

BoolArray = npt.NDArray[np.bool_]
Int32Array = npt.NDArray[np.int32]
SmallArray = npt.NDArray[np.signedinteger]
"""Integers in the smallest type that holds them."""

POOLED_KINDS = (Kind.TBA, Kind.SPEC)
DATA_ERRORS = ("", "loan_amount", "note_rate", "loan_instrument", "close_date and lock_expiration_date")
"""What is wrong with a loan that cannot be allocated, by `Loans.data_error`; 0 is nothing."""


@dataclass(frozen=True)
class Loans:
    """The in-scope loans in order of loan_id; every array has one element a loan."""

    frame: pl.DataFrame
    amount: Int64Array
    """Cents; 0 where missing."""
    note: Int64Array
    """Note rate, 1e-6 percent."""
    eligible_day: Int32Array
    """Days from as_of_date to coalesce(close_date, lock_expiration_date)."""
    has_close_date: BoolArray
    data_error: npt.NDArray[np.int8]
    """Index into DATA_ERRORS."""
    held: BoolArray
    """Kept out of allocation by a lockdown."""
    locked_trade: Int32Array
    """Index of the participating trade a lockdown puts the loan on, or -1."""
    current_pool: pl.Series
    """Name of the loan's current pool, or null."""

    def __len__(self) -> int:
        return len(self.amount)

    @property
    def free(self) -> BoolArray:
        """Loans that may become candidates: no data error, not held (locked loans included)."""
        return np.asarray((self.data_error == 0) & ~self.held)


@dataclass(frozen=True)
class Instrument:
    """One instrument that can be delivered. Rates are 1e-6 percent, multiples 1e-6."""

    name: str
    investor: str
    kind: Kind
    coupon: int | None
    low_over_coupon: int | None
    high_over_coupon: int | None
    fees: int
    """Guaranty and servicing fee together."""
    buyup_multiple: int
    buydown_multiple: int
    min_pool_amount: int
    """Cents."""
    max_loan_amount: int | None
    """Cents."""


@dataclass(frozen=True)
class Constraint:
    """One enabled line of the desk's policy, in order of (priority, constraint_id)."""

    constraint_id: str
    priority: int
    investor: str
    investor_instrument: str
    rule_name: str


@dataclass(frozen=True)
class Trades:
    """The participating trades in trade order; every array has one element a trade."""

    frame: pl.DataFrame
    instrument: tuple[str, ...]
    need: Int64Array
    """Open amount, cents."""
    lo: Int64Array
    hi: Int64Array
    settle_day: Int32Array
    in_window: BoolArray
    """Settles within max_trade_settle_days: may take loans, appears in the recap, and its shortfall counts."""
    own_price: Int64Array
    has_own_price: BoolArray
    market_price: Int64Array
    """Today's price of its instrument for the nearest date."""
    has_market_price: BoolArray
    pair_off: Int64Array
    """Points lost on every dollar of shortfall."""

    def __len__(self) -> int:
        return len(self.need)

    @property
    def ids(self) -> pl.Series:
        """Trade ids in trade order."""
        return self.frame["trade_id"]


@dataclass(frozen=True)
class SyntheticTrades:
    """Trades the desk could make today, in order of (settlement_date, investor_instrument)."""

    frame: pl.DataFrame
    instrument: tuple[str, ...]
    settle_day: Int32Array
    price: Int64Array


@dataclass(frozen=True)
class Book:
    """Everything a run decides on."""

    options: RunOptions
    tables: Mapping[str, pl.DataFrame]
    """The cleaned input tables."""
    loans: Loans
    instruments: Mapping[str, Instrument]
    constraints: tuple[Constraint, ...]
    rules: Mapping[str, Rule]
    trades: Trades
    synthetic: SyntheticTrades
    trade_rank: Mapping[str, int]
    """Place of every known trade, participating or not, in trade order."""

    def constraints_by_instrument(self) -> dict[str, list[int]]:
        """Indices of the constraints of each instrument, in order."""
        by_instrument: dict[str, list[int]] = {}
        for index, constraint in enumerate(self.constraints):
            by_instrument.setdefault(constraint.investor_instrument, []).append(index)
        return by_instrument

    def passes(self, rule_name: str) -> BoolArray:
        """Which loans pass a rule; every loan passes the empty name."""
        if not rule_name:
            return np.ones(len(self.loans), dtype=np.bool_)
        return self.loans.frame.select(compile_rule(self.rules[rule_name]).alias("passes"))["passes"].to_numpy()


def current_pools(tables: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    """loan_id and pool_name of every posted loan's current pool, in scope or not."""
    forming = tables["pscat_pools"].filter(pl.col("pool_status") == "FORMING").select("pool_name")
    return (
        tables["pscat_pool_loans"]
        .join(forming, on="pool_name", how="semi")
        .sort("loan_id", "posted_date", "pool_name")
        .unique("loan_id", keep="last", maintain_order=True)
        .select("loan_id", "pool_name")
    )


def first_trades(tables: Mapping[str, pl.DataFrame], trade_rank: Mapping[str, int]) -> pl.DataFrame:
    """pool_name and trade_id: the first trade, in trade order, of every pool that is related to a known one."""
    ranks = pl.DataFrame(
        {"trade_id": list(trade_rank), "rank": list(trade_rank.values())}, schema={"trade_id": pl.String, "rank": pl.Int64}
    )
    return (
        tables["pscat_trades_pools_relation"]
        .join(ranks, on="trade_id")
        .sort("pool_name", "rank")
        .unique("pool_name", keep="first", maintain_order=True)
        .select("pool_name", "trade_id")
    )


def gather(names: pl.Series, index: Int64Array | SmallArray, name: str) -> pl.Series:
    """The names at these indices; null where the index is -1."""
    positions = pl.Series(index, dtype=pl.Int64)
    return names.gather(positions.set(positions < 0, None)).alias(name)


def at(values: Int64Array | SmallArray, index: Int64Array, missing: int = 0) -> Int64Array:
    """The values at these indices; `missing` where the index is -1."""
    found = np.full(len(index), missing, dtype=np.int64)
    known = index >= 0
    found[known] = values[index[known]]
    return found
