"""The demo tenant's tables, whole: `demo_tables` makes them, `write_tables` stores them as Parquet."""

import datetime as dt
from pathlib import Path

import numpy as np
import polars as pl

from cli.demo import dirt, hedge, instruments, lockdowns, market, pipeline, policy
from cli.demo import pools as pool_module
from cli.demo import trades as trade_module

STAGES = (
    "market",
    "loans",
    "segments",
    "shipped",
    "hedges",
    "open",
    "settled",
    "grids",
    "pools",
    "postings",
    "locks",
    "dirt",
)
"""Each stage draws from its own stream, so that a change in one leaves the others' rows as they are."""


def demo_tables(
    as_of: dt.date,
    seed: int = 20260417,
    *,
    loans: int = 11_674,
    open_trades: int = 300,
    trades: int = 8_902,
    pools: int = 6_246,
    dirty: bool = True,
) -> dict[str, pl.DataFrame]:
    """Every input table of a tenant, by name, with dates around `as_of`; the same arguments give the same frames.

    `loans`, `trades` and `pools` are the rows of those tables and `open_trades` the OPEN ones among the trades; with `dirty` a
    few rows are broken in the ways lenders' tables are. Raises ValueError for a negative number, no loan, more open trades than
    trades, or delivered pools without a settled trade.
    """
    _check(seed, loans, open_trades, trades, pools)
    stream = {name: np.random.default_rng([seed, number]) for number, name in enumerate(STAGES)}
    prices = market.Market(as_of, stream["market"])
    loan = pipeline.loan_table(as_of, loans, stream["loans"])
    shipped = pipeline.shipped_table(as_of, loan, stream["shipped"])
    hedges = hedge.hedge(prices, loan, shipped, open_trades, stream["hedges"])
    trade = trade_module.number(
        pl.concat(
            [
                trade_module.settled_trades(prices, trades - open_trades, stream["settled"]),
                trade_module.open_trades(prices, hedges, open_trades, stream["open"]),
            ]
        )
    )
    forming, forming_relation = pool_module.forming_pools(trade, pools, stream["pools"])
    delivered, delivered_relation = pool_module.delivered_pools(trade, pools - len(forming), stream["pools"])
    tables = {
        "loan": loan,
        "rmcat_loan": pipeline.segment_table(as_of, loan, stream["segments"]),
        "loan_shipped": shipped,
        "pscat_instruments": instruments.instrument_table(),
        "pscat_trades": trade_module.trade_table(trade),
        "pscat_trade_cash_grid": trade_module.grid_table(prices, trade, stream["grids"]),
        "pscat_pools": pool_module.pool_table([delivered, forming]),
        "pscat_trades_pools_relation": pool_module.relation_table([delivered_relation, forming_relation]),
        "pscat_pool_loans": pool_module.posting_table(
            prices, loan, shipped, hedges, forming=forming, delivered=delivered, rng=stream["postings"]
        ),
        "rmcat_todays_prices": market.todays_price_table(prices),
        "rmusr_payups": market.payup_table(),
        **policy.policy_tables(),
        "pfill_lockdown": lockdowns.lockdown_table(prices, loan, hedges, trade, stream["locks"]),
    }
    return dirt.soil(tables, stream["dirt"]) if dirty else tables


def write_tables(tables: dict[str, pl.DataFrame], directory: Path) -> None:
    """Write one `<table>.parquet` a table into `directory`, which is made if it is not there."""
    directory.mkdir(parents=True, exist_ok=True)
    for name, frame in tables.items():
        frame.write_parquet(directory / f"{name}.parquet")


def _check(seed: int, loans: int, open_trades: int, trades: int, pools: int) -> None:
    given = {"seed": seed, "loans": loans, "open_trades": open_trades, "trades": trades, "pools": pools}
    least = {"loans": 1, "trades": open_trades}
    for name, value in given.items():
        if value < least.get(name, 0):
            raise ValueError(f"{name} is {value}, it must be at least {least.get(name, 0)}")
