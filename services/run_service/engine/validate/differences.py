"""Loan by loan where another system's allocation and the run's differ, and why; and price by price."""

from decimal import Decimal

import numpy as np
import polars as pl

from services.run_service.domain.options import PriorityMode, Strategy
from services.run_service.engine.book import at
from services.run_service.engine.compare.revalue import Terms
from services.run_service.engine.optimise.bands import FloatArray
from services.run_service.engine.validate.placing import Placing, Resolved
from services.run_service.engine.validate.validation import (
    DIFFERENCE,
    DIFFERENCES,
    PRICE_DIFFERENCES,
    DifferenceReason,
    PriceComparison,
    ReasonTotal,
    RunSide,
)
from shared.money import AMOUNT_PLACES, PRICE, TOTAL, Int64Array, from_scaled, points_to_cents, sum_exact, to_scaled, unscaled


def find_differences(
    terms: Terms, theirs: Placing, ours: Placing, run_fill: Int64Array, told: pl.DataFrame, broken: pl.DataFrame, run: RunSide
) -> pl.DataFrame:
    """The loans with another trade here and there (columns of DIFFERENCES), the greatest difference first, then by loan_id.

    `told` are the trades of the other system by loan (loan_id, trade_id), whether or not its placements count; `broken` the rule
    that each loan's placement breaks (loan_id, rule); `run_fill` the cents that the run puts on each trade.
    """
    book, problem = terms.book, terms.problem
    value, run_value = (points_to_cents(problem.amount, side.points) for side in (theirs, ours))
    rows = pl.DataFrame(
        [
            *book.loans.frame.select("loan_id", "loan_amount").get_columns(),
            from_scaled(theirs.points, PRICE, name="points"),
            from_scaled(ours.points, PRICE, name="run_points"),
            from_scaled(value, TOTAL, name="value"),
            from_scaled(run_value, TOTAL, name="run_value"),
            from_scaled(value - run_value, TOTAL, name="difference"),
            pl.Series("stays", _why_it_stayed(terms, theirs, ours, run_fill), dtype=pl.String),
        ]
    )
    return (
        rows.join(told, on="loan_id", how="left")
        .join(run.allocation.select("loan_id", pl.col("trade_id").alias("run_trade_id")), on="loan_id", how="left")
        .filter(pl.col("trade_id").ne_missing(pl.col("run_trade_id")))
        .join(broken, on="loan_id", how="left")
        .join(run.kickouts.select("loan_id", pl.col("reason").alias("kickout_reason")), on="loan_id", how="left")
        .with_columns(_reason().alias("reason"), pl.coalesce("rule", "kickout_reason").alias("detail"))
        .with_columns(size=pl.col("difference").abs())
        .sort("size", "loan_id", descending=[True, False])
        .select(pl.col(column).cast(dtype) for column, dtype in DIFFERENCES.items())
    )


def _reason() -> pl.Expr:
    """The first reason that applies."""
    applies = {
        DifferenceReason.BREAKS_A_RULE: pl.col("rule").is_not_null(),
        DifferenceReason.LEFT_OUT_THERE: pl.col("trade_id").is_null(),
        DifferenceReason.LEFT_OUT_HERE: pl.col("run_trade_id").is_null(),
        DifferenceReason.EQUAL_VALUE: pl.col("points") == pl.col("run_points"),
        DifferenceReason.WORSE_PRICE: pl.col("points") < pl.col("run_points"),
    }
    reason = pl.col("stays")
    for word, condition in reversed(applies.items()):
        reason = pl.when(condition).then(pl.lit(word.value)).otherwise(reason)
    return reason


def _why_it_stayed(terms: Terms, theirs: Placing, ours: Placing, run_fill: Int64Array) -> list[str]:
    """Why the run did not put each loan on the other system's trade, if that pays more; of no meaning for other loans."""
    problem, options = terms.problem, terms.book.options
    there, here, amount = theirs.trade, ours.trade, problem.amount
    full = at(run_fill, there) + amount > at(problem.hi, there)
    lost = _saved(terms, run_fill, here, -amount) + _saved(terms, run_fill, there, amount)
    gained = (theirs.points - ours.points).astype(np.float64) * amount
    strict = options.strategy is Strategy.OPTIMAL and options.priority_mode is PriorityMode.STRICT
    words = np.select(
        [full, np.full(len(amount), strict), gained + lost <= 0],
        [DifferenceReason.MADE_ROOM, DifferenceReason.PRIORITY, DifferenceReason.LEAVES_SHORT],
        default=DifferenceReason.MISSED,
    )
    return [str(word) for word in words]


def _saved(terms: Terms, fill: Int64Array, trade: Int64Array, change: Int64Array) -> FloatArray:
    """What changing the fill of each trade by so many cents saves of its pair-off, 1e-10 dollars; 0 where the trade is -1."""
    lo, now, points = at(terms.problem.lo, trade), at(fill, trade), at(terms.problem.pair_off, trade)
    shrinks = np.maximum(0, lo - now) - np.maximum(0, lo - now - change)
    return np.asarray(points * shrinks.astype(np.float64))


def totals_by_reason(differences: pl.DataFrame) -> tuple[ReasonTotal, ...]:
    """Loans and dollars of every reason that occurs."""
    by_reason = differences.partition_by("reason", as_dict=True)
    found = ((reason, by_reason[reason.value,]) for reason in DifferenceReason if (reason.value,) in by_reason)
    return tuple(ReasonTotal(reason, rows.height, total_of(rows["difference"])) for reason, rows in found)


def total_of(dollars: pl.Series) -> Decimal:
    """The exact sum of whole cents."""
    return unscaled(sum_exact(to_scaled(dollars)), AMOUNT_PLACES)


def compare_prices(terms: Terms, placements: pl.DataFrame, resolved: Resolved) -> tuple[pl.DataFrame, PriceComparison]:
    """The prices that are not PowerFill's (columns of PRICE_DIFFERENCES), the most dollars first, then by loan_id; and totals.

    A price is compared where it is given for a loan's first placement, and PowerFill can price that.
    """
    given = placements["price"].is_not_null().to_numpy()
    compared = np.nonzero(given & resolved.is_first & resolved.priced)[0]
    theirs, ours = to_scaled(placements["price"])[compared], resolved.price[compared]
    loan = resolved.loan[compared]
    cents = points_to_cents(terms.problem.amount[loan], theirs - ours)
    rows = pl.concat(
        [
            placements.select("loan_id", "trade_id", "price")[compared],
            terms.book.loans.frame.select("loan_amount")[loan],
            pl.DataFrame(
                [
                    from_scaled(ours, PRICE, name="run_price"),
                    from_scaled(theirs - ours, DIFFERENCE, name="difference"),
                    from_scaled(cents, TOTAL, name="dollars"),
                ]
            ),
        ],
        how="horizontal",
    ).filter(pl.col("difference") != 0)
    ordered = rows.with_columns(size=pl.col("dollars").abs()).sort("size", "loan_id", descending=[True, False])
    found = ordered.select(pl.col(column).cast(dtype) for column, dtype in PRICE_DIFFERENCES.items())
    return found, PriceComparison(len(compared), len(found), total_of(found["dollars"]))
