"""The demo desk's orders about single loans: kept on their trade, held back, or ordered once and expired since."""

import numpy as np
import polars as pl

from cli.demo.hedge import NONE, Hedges
from cli.demo.market import Market
from cli.demo.schema import conform

LOANS_A_LOCK = 90
HOLD_SHARE = 0.35
EXPIRED_SHARE = 0.12
DATED_SHARE = 0.4
"""Of the orders still in force, those that end by themselves."""
HOLD_REASONS = (
    "awaiting final title policy",
    "quality control review",
    "payment history in dispute",
    "trailing documents",
)
COMMITMENT_REASONS = ("promised to dealer", "pool already certified", "investor asked for this loan")


def lockdown_table(
    market: Market, loan: pl.DataFrame, hedges: Hedges, trades: pl.DataFrame, rng: np.random.Generator
) -> pl.DataFrame:
    """`pfill_lockdown`: one order a loan, on closed loans that were sold.

    A commitment names the largest open trade of the instrument and settlement that the loan was sold for; where there is none
    the loan is held.
    """
    sold = np.nonzero((hedges.bucket != NONE) & loan["close_date"].is_not_null().to_numpy())[0]
    chosen = np.sort(rng.permutation(sold)[: max(3, len(loan) // LOANS_A_LOCK)])
    count = len(chosen)
    hold = rng.random(count) < HOLD_SHARE
    open_trade = (
        trades.filter(pl.col("status") == "OPEN")
        .sort("trade_amount", "trade_id", descending=[True, False])
        .unique("bucket", keep="first", maintain_order=True)
        .select(bucket="bucket", largest="trade_id")
    )
    home = pl.DataFrame({"bucket": hedges.bucket[chosen]}).join(open_trade, on="bucket", how="left", maintain_order="left")
    trade_id = home["largest"].set(pl.Series(hold), None)
    held = trade_id.is_null().to_numpy()
    state = rng.random(count)
    expires = np.where(state < EXPIRED_SHARE, -rng.integers(1, 10, count), rng.integers(2, 30, count))
    dated = state < EXPIRED_SHARE + DATED_SHARE
    expires_on = pl.Series(np.datetime64(market.as_of, "D") + expires).set(pl.Series(~dated), None)
    reason = np.where(
        held,
        np.array(HOLD_REASONS)[rng.integers(0, len(HOLD_REASONS), count)],
        np.array(COMMITMENT_REASONS)[rng.integers(0, len(COMMITMENT_REASONS), count)],
    )
    return conform(
        "pfill_lockdown",
        pl.DataFrame({"loan_id": loan["loan_id"][chosen], "trade_id": trade_id, "reason": reason, "expires_on": expires_on}),
    )
