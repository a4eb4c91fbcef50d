"""Loans that are not where they were: from where to where, what that earns, and why."""

from decimal import Decimal

import polars as pl

from services.run_service.engine.book import at
from services.run_service.engine.compare.comparison import MOVES, MoveReason, MoveTotal, Side
from services.run_service.engine.compare.revalue import Terms
from services.run_service.engine.optimise.value import dollars
from shared.money import (
    AMOUNT_PLACES,
    PRICE,
    TOTAL,
    exact_dot,
    from_scaled,
    points_to_cents,
    sum_exact,
    to_scaled,
    unscaled,
)

HELD = ""
"""The place a lockdown without a trade keeps a loan in."""


def moved_loans(a: Side, b: Side) -> pl.DataFrame:
    """The loans whose trade differs.

    Columns: loan_id, loan_amount, from_trade_id, to_trade_id, from_lock, to_lock (see HELD), was_in_scope, in_scope.
    """
    both = _loans(a).join(_loans(b), on="loan_id", how="full", suffix="_b", coalesce=True)
    return both.filter(pl.col("trade_id").ne_missing(pl.col("trade_id_b"))).select(
        "loan_id",
        pl.coalesce("loan_amount_b", "loan_amount").alias("loan_amount"),
        pl.col("trade_id").alias("from_trade_id"),
        pl.col("trade_id_b").alias("to_trade_id"),
        pl.col("lock").alias("from_lock"),
        pl.col("lock_b").alias("to_lock"),
        pl.col("in_scope").fill_null(value=False).alias("was_in_scope"),
        pl.col("in_scope_b").fill_null(value=False).alias("in_scope"),
    )


def find_moves(moved: pl.DataFrame, a: Side, b: Side, terms: Terms) -> tuple[pl.DataFrame, tuple[MoveTotal, ...], Decimal]:
    """The moves of `moved_loans` (columns of MOVES), totals by reason, and what all of them earn; dollars, each rounded once.

    `terms` are those of run b. A move's dollars are what its loan counts in the value of b over what it counts in the value of
    a's allocation under b's inputs and options. The greatest come first, of whatever sign, then by loan_id.
    """
    found = _worth(moved, a, b, terms).with_columns(_reason(a, b).alias("reason"), size=pl.col("dollars").abs())
    by_reason = {str(reason): rows for (reason,), rows in found.partition_by("reason", as_dict=True).items()}
    totals = tuple(
        MoveTotal(reason, by_reason[reason].height, _amount(by_reason[reason]), _earned(by_reason[reason]))
        for reason in MoveReason
        if reason in by_reason
    )
    ordered = found.sort("size", "loan_id", descending=[True, False])
    return ordered.select(pl.col(name).cast(dtype) for name, dtype in MOVES.items()), totals, _earned(found)


def _amount(rows: pl.DataFrame) -> Decimal:
    return unscaled(sum_exact(to_scaled(rows["loan_amount"])), AMOUNT_PLACES)


def _earned(rows: pl.DataFrame) -> Decimal:
    return dollars(exact_dot(rows["cents"].to_numpy(), rows["gain"].to_numpy()))


def _loans(side: Side) -> pl.DataFrame:
    """The in-scope loans of a run: loan_id, loan_amount, trade_id, lock."""
    allocated = side.allocation.select(
        "loan_id",
        "loan_amount",
        "trade_id",
        pl.when("locked").then("trade_id").alias("lock"),
        pl.lit(value=True).alias("in_scope"),
    )
    left_out = side.kickouts.select(
        "loan_id",
        "loan_amount",
        pl.lit(None, dtype=pl.String).alias("trade_id"),
        pl.when(pl.col("reason") == "LOCKED_OUT").then(pl.lit(HELD)).alias("lock"),
        pl.lit(value=True).alias("in_scope"),
    )
    return pl.concat([allocated, left_out])


def _worth(moved: pl.DataFrame, a: Side, b: Side, terms: Terms) -> pl.DataFrame:
    """The moves with what each loan is worth on either side under run b's terms; nulls where it is not in scope there."""
    book, problem, locks = terms.book, terms.problem, terms.locks
    before, after = terms.candidates(a.allocation), terms.candidates(b.allocation)
    points_after = terms.points(after)
    gain = points_after - terms.points(before)
    has_place = after >= 0
    has_place[locks.loan] = locks.priced
    worth = pl.DataFrame(
        [
            book.loans.frame["loan_id"],
            pl.Series("cents", book.loans.amount),
            pl.Series("gain", gain),
            pl.Series("was_candidate", before >= 0),
            from_scaled(at(problem.net, before), PRICE, before >= 0, "net_before"),
            from_scaled(problem.fallback, PRICE, name="fallback"),
            from_scaled(points_after, PRICE, has_place, "net_after"),
            from_scaled(points_to_cents(book.loans.amount, gain), TOTAL, name="dollars"),
        ]
    )
    return moved.join(worth, on="loan_id", how="left").with_columns(
        pl.col("cents", "gain").fill_null(0),
        pl.col("was_candidate").fill_null(value=False),
        pl.col("dollars").fill_null(Decimal(0)),
        from_points=pl.when(pl.col("from_trade_id").is_null()).then("fallback").otherwise("net_before"),
        to_points=pl.when(pl.col("to_trade_id").is_null()).then("fallback").otherwise("net_after"),
    )


def _reason(a: Side, b: Side) -> pl.Expr:
    """The first reason that applies."""
    before, after = pl.col("from_trade_id"), pl.col("to_trade_id")
    known_before, known_after = a.trades["trade_id"].implode(), b.trades["trade_id"].implode()
    applies = {
        MoveReason.LEFT_SCOPE: ~pl.col("in_scope"),
        MoveReason.NEWLY_IN_SCOPE: ~pl.col("was_in_scope"),
        MoveReason.LOCK_CHANGED: pl.col("from_lock").ne_missing(pl.col("to_lock")),
        MoveReason.TRADE_GONE: before.is_not_null() & ~before.is_in(known_after),
        MoveReason.NO_LONGER_CANDIDATE: before.is_not_null() & ~pl.col("was_candidate"),
        MoveReason.NEW_TRADE: after.is_not_null() & ~after.is_in(known_before),
        MoveReason.BETTER_HERE: pl.col("gain") > 0,
        MoveReason.MADE_ROOM: pl.col("gain") < 0,
    }
    chosen = pl.lit(MoveReason.EQUAL.value)
    for reason, condition in reversed(applies.items()):
        chosen = pl.when(condition).then(pl.lit(reason.value)).otherwise(chosen)
    return chosen
