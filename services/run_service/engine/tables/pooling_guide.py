"""`pfill_pooling_guide`: a row per pool that is recommended or left, with what each pool action does to it.

A loan counts in the pool the run recommends for it and in the one it leaves: there as SWAPPED_OUT if it switches, otherwise as
LEAVING, whatever its own action. So nothing counts as UNPOOLED, which is what happens to a loan outside every pool.
"""

import numpy as np
import polars as pl

from services.run_service.engine.book import Book, first_trades, gather
from services.run_service.engine.ledger import Ledger
from services.run_service.engine.steps.pool_guide import Action, PoolGuide, proposed_pools
from services.run_service.engine.tables.group_figures import averages, percentages
from services.run_service.engine.tables.pool_rows import SWAPPED_IN, SWAPPED_OUT
from shared.money import TOTAL, from_scaled, to_scaled

SWITCHING, LEAVING = Action.SWITCHING.name, Action.LEAVING.name
COUNTED = {action.name: [action.name] for action in Action} | {
    SWITCHING: [SWAPPED_OUT, SWAPPED_IN],
    SWAPPED_OUT: [SWAPPED_OUT],
    SWAPPED_IN: [SWAPPED_IN],
}
"""The eight actions, each with the sides that count as it: a switch counts on either."""


def pooling_guide(ledger: Ledger, pools: PoolGuide) -> pl.DataFrame:
    """The pools with counts, dollars and averages, in order of pool.

    A pool that trades are related to should hold what they are related by, a proposed one what its trade needs. It is under its
    minimum where the pool guide says so of a loan that goes there: with all that is in it, out-of-scope loans too.
    """
    moves = _moves(ledger, pools)
    entering = moves.filter("enters")
    guide = (
        moves.group_by("pool")
        .agg(*_counts())
        .join(_known(ledger.book), on="pool", how="left")
        .sort("pool")
        .with_columns(pl.col("amount", "target_amount").cast(TOTAL))
    )
    number = guide.select("pool", number=pl.int_range(pl.len(), dtype=pl.Int64))
    group = entering.join(number, on="pool", how="left", maintain_order="left")["number"].to_numpy()
    return guide.with_columns(
        percentages(to_scaled(guide["amount"]), to_scaled(guide["target_amount"]), "fill_pct"),
        *averages(ledger, entering["loan"].to_numpy(), group, len(guide)),
    )


def _moves(ledger: Ledger, pools: PoolGuide) -> pl.DataFrame:
    """A row per loan in the pool it enters or stays in (`enters`) and in the one it leaves; `side` is how it counts there."""
    loans = np.nonzero(pools.concerned)[0]
    actions = pl.Series([action.name for action in Action], dtype=pl.String)
    frame = pl.DataFrame(
        [
            pl.Series("loan", loans, dtype=pl.Int64),
            ledger.book.loans.frame["loan_amount"].gather(loans),
            pools.recommended.gather(loans).alias("recommended"),
            gather(pools.pools.names, pools.current[loans], "current"),
            gather(actions, pools.action[loans], "action"),
            pl.Series("below_minimum", pools.below_minimum[loans]),
        ]
    )
    switches = pl.col("action") == SWITCHING
    entering = frame.filter(pl.col("recommended") != "").select(
        "loan",
        "loan_amount",
        "below_minimum",
        pool="recommended",
        side=pl.when(switches).then(pl.lit(SWAPPED_IN)).otherwise("action"),
        enters=True,
    )
    leaving = frame.filter(switches | (pl.col("current") != pl.col("recommended"))).select(
        "loan",
        "loan_amount",
        below_minimum=False,
        pool="current",
        side=pl.when(switches).then(pl.lit(SWAPPED_OUT)).otherwise(pl.lit(LEAVING)),
        enters=False,
    )
    return pl.concat([entering, leaving.select(entering.columns)])


def _counts() -> list[pl.Expr]:
    """How many loans enter a pool and their dollars, the same by action, and whether it is under its minimum."""
    amount = pl.col("loan_amount")
    counts = [
        pl.col("enters").sum().cast(pl.Int64).alias("loan_count"),
        amount.filter(pl.col("enters")).sum().alias("amount"),
        pl.col("below_minimum").any(),
    ]
    for action, sides in COUNTED.items():
        counts_so = pl.col("side").is_in(sides)
        counts += [
            counts_so.sum().cast(pl.Int64).alias(f"{action.lower()}_count"),
            amount.filter(counts_so).sum().alias(f"{action.lower()}_amount"),
        ]
    return counts


def _known(book: Book) -> pl.DataFrame:
    """First trade, instrument and target of every pool of the lender and of every one that could be proposed."""
    known_trades = pl.DataFrame({"trade_id": list(book.trade_rank)}, schema={"trade_id": pl.String})
    related = book.tables["pscat_trades_pools_relation"].join(known_trades, on="trade_id", how="semi")
    target = related.group_by("pool_name").agg(target_amount=pl.col("amount").sum().cast(TOTAL))
    own = (
        book.tables["pscat_pools"]
        .join(first_trades(book.tables, book.trade_rank), on="pool_name", how="left")
        .join(target, on="pool_name", how="left")
        .select("trade_id", "investor_instrument", pl.col("target_amount").fill_null(0), pool="pool_name")
    )
    proposed = book.trades.frame.select("trade_id", "investor_instrument").with_columns(
        from_scaled(book.trades.need, TOTAL, name="target_amount"), proposed_pools(book).alias("pool")
    )
    # A pool of the lender's may have the name of a proposed one.
    return pl.concat([own, proposed]).unique("pool", keep="first", maintain_order=True)
