"""`pfill_cblock_guide` and `pfill_trade_cblock_base`: what each constraint allocated, in all and on each trade."""

import numpy as np
import polars as pl

from services.run_service.engine.ledger import Ledger
from shared.money import PRICE, TOTAL, Int64Array, from_scaled, grouped_mean


def constraint_blocks(ledger: Ledger) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Rows by constraint and by (trade, constraint), for those with a candidate. Locked loans belong to no constraint."""
    book, candidates = ledger.book, ledger.candidates
    width = max(1, len(book.constraints))
    taken = ledger.decision.allocation.taken[ledger.placed]
    pair = candidates.trade.astype(np.int64) * width + candidates.constraint
    by_constraint = _blocks(ledger, candidates.constraint.astype(np.int64), taken)
    by_pair = _blocks(ledger, pair, taken)
    policy = pl.DataFrame(
        [
            {
                "constraint": number,
                "constraint_id": c.constraint_id,
                "priority": c.priority,
                "investor": c.investor,
                "investor_instrument": c.investor_instrument,
                "rule_name": c.rule_name or None,
            }
            for number, c in enumerate(book.constraints)
        ],
        schema={
            "constraint": pl.Int64,
            "constraint_id": pl.String,
            "priority": pl.Int64,
            "investor": pl.String,
            "investor_instrument": pl.String,
            "rule_name": pl.String,
        },
    )
    trade_ids = book.trades.ids.to_frame("trade_id").with_columns(trade=pl.int_range(pl.len(), dtype=pl.Int64))
    return (
        by_constraint.rename({"group": "constraint"}).join(policy, on="constraint"),
        by_pair.with_columns(constraint=pl.col("group") % width, trade=pl.col("group") // width)
        .join(policy, on="constraint")
        .join(trade_ids, on="trade"),
    )


def _blocks(ledger: Ledger, group: Int64Array, taken: Int64Array) -> pl.DataFrame:
    """Candidates, loans, amount and average price and score of each group of candidates."""
    candidates = ledger.candidates
    groups, number, counts = np.unique(group, return_inverse=True, return_counts=True)
    mine = number[taken]
    amount = ledger.book.loans.amount[ledger.placed]
    total = np.zeros(len(groups), dtype=np.int64)
    np.add.at(total, mine, amount)
    price, has = grouped_mean(mine, amount, candidates.price[taken], len(groups))
    score, _ = grouped_mean(mine, amount, candidates.score[taken], len(groups))
    return pl.DataFrame(
        [
            pl.Series("group", groups),
            pl.Series("candidate_count", counts.astype(np.int64)),
            pl.Series("loan_count", np.bincount(mine, minlength=len(groups)).astype(np.int64)),
            from_scaled(total, TOTAL, name="loan_amount"),
            from_scaled(price, PRICE, has, "avg_price"),
            from_scaled(score, PRICE, has, "avg_score"),
        ]
    )
