"""`pfill_pool_guide`: a row per loan that is allocated or has a current pool, two for a loan that switches pools."""

import numpy as np
import polars as pl

from services.run_service.engine.book import Book, gather
from services.run_service.engine.ledger import Ledger
from services.run_service.engine.steps.pool_guide import Action, PoolGuide
from shared.money import PRICE, TOTAL, Int64Array, from_scaled, points_to_cents, scaled

SWAPPED_OUT, SWAPPED_IN = "SWAPPED_OUT", "SWAPPED_IN"


def pool_rows(ledger: Ledger, pools: PoolGuide) -> pl.DataFrame:
    """Which pool each loan joins, keeps, leaves or switches, in order of (loan_id, trade_id, pool_name, pool_action)."""
    book = ledger.book
    switching = pools.concerned & (pools.action == Action.SWITCHING)
    plain = np.nonzero(pools.concerned & ~switching)[0]
    swapped = np.nonzero(switching)[0]
    leaving = pools.action[plain] == Action.LEAVING
    got = gather(book.trades.ids, ledger.trade, "trade_id").fill_null("")
    old_pool = gather(pools.pools.names, pools.current, "current_pool")
    old_trade = gather(pl.Series(pools.pools.first_trade, dtype=pl.String), pools.current, "old_trade").fill_null("")
    own = pl.DataFrame(
        [
            book.loans.frame["loan_id"],
            book.loans.frame["loan_amount"],
            book.loans.frame["note_rate"],
            old_pool,
            pools.recommended.replace({"": None}).alias("recommended_pool"),
            got.replace({"": None}).alias("recommended_trade_id"),
            pl.Series("below_minimum", pools.below_minimum),
            got,
            old_trade.alias("old_trade"),
        ]
    )
    actions = pl.Series([action.name for action in Action], dtype=pl.String)
    single = own[plain].with_columns(
        trade_id=pl.when(pl.Series(leaving)).then("old_trade").otherwise("trade_id"),
        pool_name=pl.when(pl.Series(leaving)).then("current_pool").otherwise("recommended_pool").fill_null(""),
        pool_action=gather(actions, pools.action[plain], "pool_action"),
        other_pool=pl.lit(None, dtype=pl.String),
        other_trade_id=pl.lit(None, dtype=pl.String),
        price=from_scaled(ledger.price[plain], PRICE, ledger.priced[plain]),
        score=from_scaled(ledger.score[plain], PRICE, ledger.priced[plain]),
        gain=pl.lit(None, dtype=TOTAL),
    )
    out_side, in_side = _switches(ledger, pools, own[swapped], swapped)
    order = list(single.columns)
    rows = pl.concat([single, out_side.select(order), in_side.select(order)])
    instrument = book.trades.frame.select("trade_id", "investor_instrument")
    return rows.join(instrument, on="trade_id", how="left").sort("loan_id", "trade_id", "pool_name", "pool_action")


def _switches(ledger: Ledger, pools: PoolGuide, own: pl.DataFrame, loans: Int64Array) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The two sides of every switch, each with the price on its side; the gain is after the switch cost."""
    book = ledger.book
    price, score, known = _on_old_trade(ledger, pools, loans)
    cost = scaled(book.options.switch_cost, 8)
    amount = book.loans.amount[loans]
    gain = points_to_cents(amount, np.where(known, ledger.score[loans] - score - cost, 0))
    shared = own.with_columns(from_scaled(gain, TOTAL, known, "gain"))
    out_side = shared.with_columns(
        trade_id="old_trade",
        pool_name="current_pool",
        pool_action=pl.lit(SWAPPED_OUT),
        other_pool="recommended_pool",
        other_trade_id="recommended_trade_id",
        price=from_scaled(price, PRICE, known),
        score=from_scaled(score, PRICE, known),
    )
    in_side = shared.with_columns(
        pool_name="recommended_pool",
        pool_action=pl.lit(SWAPPED_IN),
        other_pool="current_pool",
        other_trade_id=pl.col("old_trade").replace({"": None}),
        price=from_scaled(ledger.price[loans], PRICE),
        score=from_scaled(ledger.score[loans], PRICE),
    )
    return out_side, in_side


def _on_old_trade(
    ledger: Ledger, pools: PoolGuide, loans: Int64Array
) -> tuple[Int64Array, Int64Array, np.ndarray[tuple[int], np.dtype[np.bool_]]]:
    """Price and score of each loan on the first trade of the pool it leaves, where that trade takes part and prices it."""
    book: Book = ledger.book
    place = {trade_id: index for index, trade_id in enumerate(book.trades.ids)}
    of_pool = np.array([place.get(trade_id, -1) for trade_id in pools.pools.first_trade], dtype=np.int64)
    price, score = np.zeros(len(loans), dtype=np.int64), np.zeros(len(loans), dtype=np.int64)
    known = np.zeros(len(loans), dtype=np.bool_)
    if not len(loans):
        return price, score, known
    trade = of_pool[pools.current[loans]]
    for j in np.unique(trade[trade >= 0]).tolist():
        here = np.nonzero(trade == j)[0]
        price[here], carry, known[here] = ledger.pricer.on_trade(j, loans[here])
        score[here] = ledger.pricer.score(price[here], carry)
    return price, score, known
