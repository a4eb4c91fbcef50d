"""`pfill_cblock_guide` and `pfill_trade_cblock_base`: what each constraint allocated, in all and on each trade."""

import numba
import numpy as np
import polars as pl

from services.run_service.engine.book import Book, Int32Array, SmallArray
from services.run_service.engine.ledger import Ledger
from services.run_service.engine.rows import starts
from shared.money import PRICE, TOTAL, Int64Array, from_scaled, grouped_mean

_POLICY = {
    "constraint": pl.Int64,
    "constraint_id": pl.String,
    "priority": pl.Int64,
    "investor": pl.String,
    "investor_instrument": pl.String,
    "rule_name": pl.String,
}


def constraint_blocks(ledger: Ledger) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Rows by constraint_id and by (trade_id, constraint_id), where there is a candidate. Locked loans are in none of them."""
    book, candidates = ledger.book, ledger.candidates
    first, place, trade, constraint = _blocks_of(book)
    counts = np.zeros(len(trade), dtype=np.int64)
    _count(candidates.trade, candidates.constraint, first, place, counts)
    own = candidates.constraint[ledger.taken].astype(np.int64)
    by_constraint = np.zeros(len(book.constraints), dtype=np.int64)
    np.add.at(by_constraint, constraint, counts)
    policy = _policy(book)
    trade_ids = book.trades.ids.to_frame("trade_id").with_columns(trade=pl.int_range(pl.len(), dtype=pl.Int64))
    blocks = _figures(ledger, counts, first[candidates.trade[ledger.taken]] + place[own])
    return (
        _figures(ledger, by_constraint, own).rename({"block": "constraint"}).join(policy, on="constraint").sort("constraint_id"),
        blocks.with_columns(trade=pl.Series(trade[blocks["block"]]), constraint=pl.Series(constraint[blocks["block"]]))
        .join(policy, on="constraint")
        .join(trade_ids, on="trade")
        .sort("trade_id", "constraint_id"),
    )


def _blocks_of(book: Book) -> tuple[Int64Array, Int64Array, Int64Array, Int64Array]:
    """Blocks are numbered by trade, then by constraint on its instrument.

    Gives the first block of each trade, the place of each constraint among those of its instrument, and each block's trade and
    constraint.
    """
    by_instrument = book.constraints_by_instrument()
    of_trade = [by_instrument.get(name, []) for name in book.trades.instrument]
    place = np.zeros(len(book.constraints), dtype=np.int64)
    for constraints in by_instrument.values():
        place[constraints] = np.arange(len(constraints))
    width = np.array([len(constraints) for constraints in of_trade], dtype=np.int64)
    constraint = np.array([number for constraints in of_trade for number in constraints], dtype=np.int64)
    return starts(width), place, np.repeat(np.arange(len(width)), width), constraint


@numba.njit(cache=True)
def _count(trade: Int32Array, constraint: SmallArray, first: Int64Array, place: Int64Array, counts: Int64Array) -> None:
    """Candidates of each block."""
    for c in range(len(trade)):
        counts[first[trade[c]] + place[constraint[c]]] += 1


def _figures(ledger: Ledger, counts: Int64Array, mine: Int64Array) -> pl.DataFrame:
    """Blocks with candidates: how many, loans, amount, average price and score; `mine` is the block of each placed loan."""
    amount, price, score = (of_loan[ledger.placed] for of_loan in (ledger.book.loans.amount, ledger.price, ledger.score))
    total = np.zeros(len(counts), dtype=np.int64)
    np.add.at(total, mine, amount)
    average_price, has = grouped_mean(mine, amount, price, len(counts))
    average_score, _ = grouped_mean(mine, amount, score, len(counts))
    return pl.DataFrame(
        [
            pl.Series("block", np.arange(len(counts))),
            pl.Series("candidate_count", counts),
            pl.Series("loan_count", np.bincount(mine, minlength=len(counts)).astype(np.int64)),
            from_scaled(total, TOTAL, name="loan_amount"),
            from_scaled(average_price, PRICE, has, "avg_price"),
            from_scaled(average_score, PRICE, has, "avg_score"),
        ]
    ).filter(pl.col("candidate_count") > 0)


def _policy(book: Book) -> pl.DataFrame:
    """The constraints by their numbers."""
    rows = [
        {
            "constraint": number,
            "constraint_id": c.constraint_id,
            "priority": c.priority,
            "investor": c.investor,
            "investor_instrument": c.investor_instrument,
            "rule_name": c.rule_name or None,
        }
        for number, c in enumerate(book.constraints)
    ]
    return pl.DataFrame(rows, schema=_POLICY)
