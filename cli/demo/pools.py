"""The demo's pools: those forming on open trades, those delivered, which loans are posted, and some posted to the wrong one."""

import numpy as np
import numpy.typing as npt
import polars as pl

from cli.demo.hedge import NONE, Hedges
from cli.demo.instruments import note_window
from cli.demo.market import Market
from cli.demo.schema import conform
from cli.demo.trades import trade_dates
from shared.money import to_scaled

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

POOLED_KINDS = ("TBA", "SPEC")
STANDARD = ("TBA", "HB")
COUPON_STEP = 0.5
FIRST_DELIVERED = 1_000_001
FIRST_FORMING = 5_000_001
"""Pool names are numbered from here, delivered ones by settlement."""
LARGE_TRADE = 8_000_000.0
"""A trade from this amount on is made of two or three pools."""
UNPOOLED_SHARE = 0.05
"""Open trades whose pool nobody has opened yet."""
SHARED_SHARE = 0.02
"""Forming pools that also serve another trade of the same instrument and settlement."""
POSTED_SHARE = 0.55
"""Of the closed loans."""
WRONG_SHARE = 0.15
"""Of the posted ones: put into a plain pool of the same or the next lower coupon instead of where they pay most."""
FULLEST = 0.9
SHIPPED_DELIVERED_SHARE = 0.8
SHIPPED_FORMING_SHARE = 0.1
"""Shipped loans posted to a delivered pool, and those whose pool is still open."""


def forming_pools(trades: pl.DataFrame, at_most: int, rng: np.random.Generator) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Pools of the open TBA and SPEC trades, and their relation to the trades, in floats.

    Takes numbered trades with `bucket` and `kind`. The pools carry `bucket` and the first `trade` they serve as a position
    among the given trades.
    """
    pooled = (trades["status"] == "OPEN").to_numpy() & trades["kind"].is_in(POOLED_KINDS).to_numpy()
    pooled &= rng.random(len(trades)) >= UNPOOLED_SHARE
    serves = np.nonzero(pooled)[0]
    whole = np.round(trades["trade_amount"].to_numpy()[serves] * 100).astype(np.int64)
    parts = np.where(whole >= LARGE_TRADE * 100, rng.integers(1, 4, len(serves)), 1)
    if len(serves):
        parts[whole.argmax()] = 3
    trade = np.repeat(np.arange(len(serves)), parts)[:at_most]
    first = np.concatenate([[True], trade[1:] != trade[:-1]])[: len(trade)]
    even = whole[trade] // parts[trade]
    amount = np.where(first, whole[trade] - even * (parts[trade] - 1), even) / 100
    position = serves[trade]
    pools = (
        trades[position]
        .select("bucket", "investor_instrument", "settlement_date")
        .with_columns(
            trade=pl.Series(position),
            pool_amount=pl.Series(amount),
            pool_status=pl.lit("FORMING"),
            pool_name=pl.format("PL{}", pl.int_range(FIRST_FORMING, FIRST_FORMING + len(trade))),
        )
    )
    own = pl.DataFrame({"trade_id": trades["trade_id"][position], "pool_name": pools["pool_name"], "amount": amount})
    return pools, pl.concat([own, _shared(trades, pools, rng)])


def delivered_pools(trades: pl.DataFrame, count: int, rng: np.random.Generator) -> tuple[pl.DataFrame, pl.DataFrame]:
    """`count` pools of settled TBA and SPEC trades, one a trade before any gets a second, and their relation.

    Without such a trade there is no instrument to deliver: ValueError unless `count` is 0.
    """
    settled = trades.filter((pl.col("status") == "SETTLED") & pl.col("kind").is_in(POOLED_KINDS))
    if settled.is_empty() and count:
        raise ValueError(f"{count} delivered pools need at least one settled TBA or SPEC trade: ask for more trades")
    order = rng.permutation(len(settled))
    position = order[np.arange(count) % max(1, len(settled))]
    pools_of_trade = np.bincount(position, minlength=len(settled))
    amount = np.floor(settled["delivered_amount"].to_numpy()[position] / pools_of_trade[position])
    pools = (
        settled[position]
        .select("trade_id", "investor_instrument", "settlement_date")
        .with_columns(pool_amount=pl.Series(amount), pool_status=pl.lit("DELIVERED"))
        .sort("settlement_date", maintain_order=True)
        .with_columns(pool_name=pl.format("PL{}", pl.int_range(FIRST_DELIVERED, FIRST_DELIVERED + count)))
    )
    return pools, pools.select("trade_id", "pool_name", amount="pool_amount")


def posting_table(
    market: Market,
    loan: pl.DataFrame,
    shipped: pl.DataFrame,
    hedges: Hedges,
    *,
    forming: pl.DataFrame,
    delivered: pl.DataFrame,
    rng: np.random.Generator,
) -> pl.DataFrame:
    """`pscat_pool_loans`: closed loans in forming pools, shipped ones in the pools delivered last and a few still forming."""
    closed = loan["close_date"].is_not_null().to_numpy()
    posted = closed & (hedges.bucket != NONE) & (rng.random(len(loan)) < POSTED_SHARE)
    pool = _fill(hedges, posted, forming, rng)
    wrong = np.nonzero((pool != NONE) & (rng.random(len(loan)) < WRONG_SHARE))[0]
    pool[wrong] = _misplaced(market, loan, wrong, pool[wrong], hedges=hedges, forming=forming, rng=rng)
    here = np.nonzero(pool != NONE)[0]
    posted_on = trade_dates(market.as_of, rng.integers(1, 15, len(here)))
    current = pl.DataFrame(
        {
            "pool_name": forming["pool_name"][pool[here]],
            "loan_id": loan["loan_id"][here],
            "posted_date": np.maximum(posted_on, loan["close_date"].to_numpy()[here]),
        }
    )
    names = [delivered["pool_name"].tail(max(1, len(delivered) // 40)), forming["pool_name"]]
    line = rng.random(len(shipped))
    lines = (line < SHIPPED_DELIVERED_SHARE, line >= 1 - SHIPPED_FORMING_SHARE)
    past = [_gone(shipped.filter(pl.Series(here)), shelf, rng) for here, shelf in zip(lines, names, strict=True) if len(shelf)]
    return conform("pscat_pool_loans", pl.concat([current, *past]))


def _gone(shipped: pl.DataFrame, shelf: pl.Series, rng: np.random.Generator) -> pl.DataFrame:
    """Postings of shipped loans to any of the named pools, on the day they shipped."""
    return shipped.select(
        pool_name=shelf[rng.integers(0, len(shelf), len(shipped))], loan_id="loan_id", posted_date="shipped_date"
    )


def pool_table(pools: list[pl.DataFrame]) -> pl.DataFrame:
    """`pscat_pools`."""
    return pl.concat([conform("pscat_pools", part) for part in pools]).sort("pool_name")


def relation_table(relations: list[pl.DataFrame]) -> pl.DataFrame:
    """`pscat_trades_pools_relation`."""
    return pl.concat([conform("pscat_trades_pools_relation", part) for part in relations]).sort("trade_id", "pool_name")


def _shared(trades: pl.DataFrame, pools: pl.DataFrame, rng: np.random.Generator) -> pl.DataFrame:
    """Relations of a few pools to a second trade of their bucket, for a tenth of their amount."""
    chosen = pools.filter(pl.Series(rng.random(len(pools)) < SHARED_SHARE))
    others = trades.with_row_index("other").filter((pl.col("status") == "OPEN") & (pl.col("bucket") != NONE))
    return (
        chosen.join(others.select("other", "bucket", "settlement_date", "trade_id"), on=["bucket", "settlement_date"])
        .filter(pl.col("other") != pl.col("trade"))
        .sort("pool_name", "other")
        .unique("pool_name", keep="first", maintain_order=True)
        .select("trade_id", "pool_name", amount=(pl.col("pool_amount") * 0.1).round(2))
    )


def _fill(hedges: Hedges, posted: Bools, forming: pl.DataFrame, rng: np.random.Generator) -> Ints:
    """For each loan the forming pool (by position) of the bucket it was sold in, up to a part of each pool; else NONE.

    Loans of a bucket stand in a random line and its pools in a row; each loan falls to the pool that its cumulative amount
    reaches.
    """
    pool = np.full(len(posted), NONE, dtype=np.int64)
    shelf = forming["bucket"].to_numpy()
    room = forming["pool_amount"].to_numpy() * rng.uniform(0.3, FULLEST, len(forming))
    line = rng.permutation(np.nonzero(posted)[0])
    for bucket in np.unique(shelf):
        here = line[hedges.bucket[line] == bucket]
        row = np.nonzero(shelf == bucket)[0]
        reached = np.searchsorted(np.cumsum(room[row]), np.cumsum(hedges.amount[here]))
        fits = reached < len(row)
        pool[here[fits]] = row[reached[fits]]
    return pool


def _misplaced(
    market: Market,
    loan: pl.DataFrame,
    at: Ints,
    pool: Ints,
    *,
    hedges: Hedges,
    forming: pl.DataFrame,
    rng: np.random.Generator,
) -> Ints:
    """For each loan at the given positions a standard pool it is eligible for but was not sold in.

    A specified-pool loan goes into a plain pool of its coupon; another into the next lower coupon where its note rate allows,
    otherwise into the other month or agency. Where no such pool is forming the loan stays where it is.
    """
    securities = [market.instruments[b.instrument] for b in hedges.buckets]
    shelf = forming["bucket"].to_numpy()
    note_rate = to_scaled(loan["note_rate"])[at] / 1e6
    home = hedges.bucket[at]
    result = pool.copy()
    line = rng.random(len(at))
    for bucket in np.unique(home):
        mine = securities[bucket]
        if mine.coupon is None:
            continue
        here = np.nonzero(home == bucket)[0]
        lower = mine.coupon - COUPON_STEP
        steps_down = (note_rate[here] - lower <= note_window(mine)[1]) & (mine.label in STANDARD)
        for coupon, movers in ((mine.coupon, here[~steps_down]), (lower, here[steps_down])):
            alike = [
                k
                for k, other in enumerate(securities)
                if other.group is mine.group and other.label in STANDARD and other.coupon == coupon and k != bucket
            ]
            row = np.nonzero(np.isin(shelf, alike))[0]
            if len(row):
                result[movers] = row[(line[movers] * len(row)).astype(np.int64)]
    return result
