"""The comparison of two runs as values: what goes in of each run, and what is found."""

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

import polars as pl

from services.run_service.domain.options import RunOptions
from shared.money import AMOUNT, PRICE, TOTAL

TEXT = pl.String()


@dataclass(frozen=True)
class Side:
    """What a complete run decided. Frames have the columns of the ports' `Decisions`; `value` is dollars."""

    options: RunOptions
    value: Decimal
    allocation: pl.DataFrame
    kickouts: pl.DataFrame
    trades: pl.DataFrame


@dataclass(frozen=True)
class ColumnChange:
    """In how many rows a column differs; `average_move` is the mean of after less before, of numbers given in both (8 places)."""

    column: str
    count: int
    average_move: Decimal | None


@dataclass(frozen=True)
class CellChange:
    """One value before and after, as text; None: null. `key` is what identifies the row, its parts joined by `/`."""

    key: str
    column: str
    before: str | None
    after: str | None


@dataclass(frozen=True)
class TableChange:
    """How one input table differs: rows that only one run read, and rows of one key with other values; some of each."""

    table: str
    added: int
    removed: int
    changed: int
    columns: tuple[ColumnChange, ...]
    added_keys: tuple[str, ...]
    removed_keys: tuple[str, ...]
    examples: tuple[CellChange, ...]


class MoveReason(enum.StrEnum):
    """Why a loan is not where it was; of several reasons the first in this order."""

    LEFT_SCOPE = "LEFT_SCOPE"
    NEWLY_IN_SCOPE = "NEWLY_IN_SCOPE"
    LOCK_CHANGED = "LOCK_CHANGED"
    TRADE_GONE = "TRADE_GONE"
    NO_LONGER_CANDIDATE = "NO_LONGER_CANDIDATE"
    NEW_TRADE = "NEW_TRADE"
    BETTER_HERE = "BETTER_HERE"
    MADE_ROOM = "MADE_ROOM"
    EQUAL = "EQUAL"


MOVES: Mapping[str, pl.DataType] = {
    "loan_id": TEXT, "loan_amount": AMOUNT, "from_trade_id": TEXT, "to_trade_id": TEXT, "from_points": PRICE,
    "to_points": PRICE, "dollars": TOTAL, "reason": TEXT,
}  # fmt: skip
"""A row per loan whose trade differs; a null trade is none. Points are what the loan earns there under the later run's inputs and
options: net score, or fallback where it is left out; null where it has no place. `dollars`: see `moves.find_moves`."""

FILL = ("allocated_amount", "allocated_count", "fill_pct", "status", "shortfall", "pair_off_dollars")
"""Columns of the trade recap that say how a trade is filled."""


@dataclass(frozen=True)
class MoveTotal:
    """The moves of one reason: loans, their amount, and what they earn; dollars, rounded once."""

    reason: MoveReason
    count: int
    amount: Decimal
    dollars: Decimal


@dataclass(frozen=True)
class ValueSplit:
    """Why the values differ, in dollars; the five parts add up to the difference to the cent (see `split.split_value`)."""

    by_market: Decimal
    by_data: Decimal
    by_options: Decimal
    by_moves: Decimal
    by_pair_off: Decimal

    @property
    def by_inputs(self) -> Decimal:
        """New market and new data."""
        return self.by_market + self.by_data

    @property
    def by_decision(self) -> Decimal:
        """What loans earn where they moved to, and what it saves of the pair-offs."""
        return self.by_moves + self.by_pair_off

    @property
    def total(self) -> Decimal:
        """The whole difference."""
        return self.by_inputs + self.by_options + self.by_decision


@dataclass(frozen=True)
class Comparison:
    """What changed from one run to another. `moves` are the first ones (columns of MOVES); counts and totals are of all."""

    split: ValueSplit
    inputs: tuple[TableChange, ...]
    moved_count: int
    moved_amount: Decimal
    totals: tuple[MoveTotal, ...]
    moves: pl.DataFrame
    trades: pl.DataFrame
