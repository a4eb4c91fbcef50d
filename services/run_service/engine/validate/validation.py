"""The validation of another system's allocation as values: what goes in of the run, and what is found."""

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

import polars as pl

from services.run_service.domain.options import RunOptions
from shared.money import AMOUNT, PRICE, PRICE_PLACES, TOTAL, round_half_away

TEXT, INTEGER = pl.String(), pl.Int64()
DIFFERENCE = pl.Decimal(13, 8)
"""One price less another."""

PLACEMENTS: Mapping[str, pl.DataType] = {"loan_id": TEXT, "trade_id": TEXT, "price": PRICE}
"""An allocation to validate: a row per loan on a trade, in the order they were given; the price may be null."""


def placements_frame(loan_ids: Sequence[str], trade_ids: Sequence[str], prices: Sequence[Decimal | None]) -> pl.DataFrame:
    """Placements, their prices (points, at most 9,999 either way) rounded to 8 decimals, half away from zero."""
    rounded = [None if price is None else round_half_away(price, PRICE_PLACES) for price in prices]
    return pl.DataFrame({"loan_id": loan_ids, "trade_id": trade_ids, "price": rounded}, schema=dict(PLACEMENTS))


@dataclass(frozen=True)
class RunSide:
    """What the run decided. Frames have the columns of the ports' `Decisions`; `upper_bound` is dollars, None where unknown."""

    options: RunOptions
    allocation: pl.DataFrame
    kickouts: pl.DataFrame
    upper_bound: Decimal | None


class HardRule(enum.StrEnum):
    """What an allocation must not break."""

    LOAN_REPEATED = "LOAN_REPEATED"
    """A loan goes to at most one trade. Of its placements the first counts, this is a later one."""
    LOAN_UNKNOWN = "LOAN_UNKNOWN"
    """The run's inputs have no such loan."""
    LOAN_NOT_IN_SCOPE = "LOAN_NOT_IN_SCOPE"
    """Shipped, or of a status that the run's options leave out."""
    LOAN_DATA_ERROR = "LOAN_DATA_ERROR"
    """The loan lacks what it takes to be placed."""
    LOAN_HELD = "LOAN_HELD"
    """A lockdown keeps the loan off every trade."""
    LOCKED_ELSEWHERE = "LOCKED_ELSEWHERE"
    """A lockdown puts the loan on another trade."""
    LOCKED_MISSING = "LOCKED_MISSING"
    """A lockdown puts the loan on a trade, and it is not placed at all."""
    TRADE_UNKNOWN = "TRADE_UNKNOWN"
    """The run's inputs have no such trade."""
    TRADE_TAKES_NO_PART = "TRADE_TAKES_NO_PART"
    """Not open, a phantom, of an unknown instrument, or nothing of it is open."""
    TRADE_OUTSIDE_WINDOW = "TRADE_OUTSIDE_WINDOW"
    """It does not settle within max_trade_settle_days."""
    NO_RULE_MATCH = "NO_RULE_MATCH"
    """No constraint on the trade's instrument takes the loan."""
    NOTE_RATE_WINDOW = "NOTE_RATE_WINDOW"
    LOAN_SIZE = "LOAN_SIZE"
    SETTLEMENT_WINDOW = "SETTLEMENT_WINDOW"
    NO_PRICE = "NO_PRICE"
    BELOW_PRICE_FLOOR = "BELOW_PRICE_FLOOR"
    TRADE_OVERFILLED = "TRADE_OVERFILLED"
    """More than its band allows, and not by lockdowns alone."""


class DifferenceReason(enum.StrEnum):
    """Why a loan is not where the run has it; of several the first."""

    BREAKS_A_RULE = "BREAKS_A_RULE"
    """Its placement, or that it has none, breaks a rule."""
    LEFT_OUT_THERE = "LEFT_OUT_THERE"
    """The other system has no trade for it."""
    LEFT_OUT_HERE = "LEFT_OUT_HERE"
    """The run has no trade for it."""
    EQUAL_VALUE = "EQUAL_VALUE"
    """Both trades pay the same for it."""
    WORSE_PRICE = "WORSE_PRICE"
    """The other system's trade pays less for it."""
    MADE_ROOM = "MADE_ROOM"
    """That trade pays more, and the run gave its room to others."""
    PRIORITY = "PRIORITY"
    """That trade pays more; priority_mode STRICT placed the loan before it came to that."""
    LEAVES_SHORT = "LEAVES_SHORT"
    """That trade pays more, but the run's trade would lose more by the loan's leaving than the loan gains."""
    MISSED = "MISSED"
    """That trade pays more and has room in the run: part of the run's gap."""


VIOLATIONS: Mapping[str, pl.DataType] = {
    "rule": TEXT, "loan_id": TEXT, "trade_id": TEXT, "position": INTEGER, "constraint_id": TEXT, "message": TEXT,
}  # fmt: skip
"""A row per rule broken; `position` counts placements from 0. Null where it is about no loan, trade, placement or constraint."""

DIFFERENCES: Mapping[str, pl.DataType] = {
    "loan_id": TEXT, "loan_amount": AMOUNT, "trade_id": TEXT, "run_trade_id": TEXT, "points": PRICE, "run_points": PRICE,
    "value": TOTAL, "run_value": TOTAL, "difference": TOTAL, "reason": TEXT, "detail": TEXT,
}  # fmt: skip
"""A row per in-scope loan with another trade here and there (null: none). Points are what the loan counts in either value: net
score where it is placed, fallback where it is left out or cannot be placed. `value` and `run_value` are those points of its
amount, `difference` the first less the second. `detail`: the rule broken, or of a loan that the run left out its reason."""

PRICE_DIFFERENCES: Mapping[str, pl.DataType] = {
    "loan_id": TEXT, "trade_id": TEXT, "loan_amount": AMOUNT, "price": PRICE, "run_price": PRICE, "difference": DIFFERENCE,
    "dollars": TOTAL,
}  # fmt: skip
"""A row per placement with a price that is not PowerFill's for that loan on that trade; `difference` is theirs less ours."""


@dataclass(frozen=True)
class RuleCount:
    """How often a rule is broken, with some of the loans (of TRADE_OVERFILLED: trades)."""

    rule: HardRule
    count: int
    examples: tuple[str, ...]


@dataclass(frozen=True)
class ReasonTotal:
    """The differences of one reason: loans, and the sum of their differences in dollars."""

    reason: DifferenceReason
    count: int
    difference: Decimal


@dataclass(frozen=True)
class Totals:
    """Values in dollars, what they differ by and why.

    `value` takes every placement as it is, where the loan can be priced on the trade; `value_of_allowed` only those that break no
    rule, with the others left out. A trade filled beyond its band counts whole in both. value - run_value = loan_difference +
    pair_off_difference + rounding, exactly.
    """

    in_scope_amount: Decimal
    value: Decimal
    value_of_allowed: Decimal
    run_value: Decimal
    pair_off: Decimal
    run_pair_off: Decimal
    loan_difference: Decimal
    """The sum of all loans' differences, each in whole cents."""
    pair_off_difference: Decimal
    """run_pair_off - pair_off: what smaller shortfalls add to the value."""
    upper_bound: Decimal | None

    @property
    def value_difference(self) -> Decimal:
        """What the other system's allocation is worth more than the run's."""
        return self.value - self.run_value

    @property
    def gap(self) -> Decimal | None:
        """What the value stays under the bound; negative where only placements that break a rule make that possible."""
        return None if self.upper_bound is None else self.upper_bound - self.value

    @property
    def run_gap(self) -> Decimal | None:
        """What the run's value stays under the bound."""
        return None if self.upper_bound is None else self.upper_bound - self.run_value

    def in_bp(self, dollars: Decimal) -> Decimal:
        """Dollars in basis points of the balance in scope, 4 decimals; 0 where that is nothing."""
        return round_half_away(dollars * 10_000 / self.in_scope_amount if self.in_scope_amount else Decimal(0), 4)

    @property
    def rounding(self) -> Decimal:
        """What the parts, each rounded to cents, leave of the difference."""
        return self.value_difference - self.loan_difference - self.pair_off_difference


@dataclass(frozen=True)
class PriceComparison:
    """Prices given beside PowerFill's: how many could be compared, how many differ, and what that comes to in dollars."""

    compared_count: int
    different_count: int
    dollars: Decimal


@dataclass(frozen=True)
class Validation:
    """What is found. The frames (columns of the schemas above) are the first so many rows; counts and totals are of all."""

    totals: Totals
    placement_count: int
    placed_count: int
    """Loans that `value` counts on a trade."""
    run_placed_count: int
    violation_count: int
    rules: tuple[RuleCount, ...]
    violations: pl.DataFrame
    difference_count: int
    reasons: tuple[ReasonTotal, ...]
    differences: pl.DataFrame
    prices: PriceComparison
    price_differences: pl.DataFrame
