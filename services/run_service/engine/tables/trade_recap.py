"""`pfill_trade_base`: a row per participating trade that settles within the window, before and after the run."""

import numpy as np
import polars as pl

from services.run_service.engine.ledger import Ledger
from services.run_service.engine.steps.pool_guide import PoolGuide
from services.run_service.engine.tables.group_figures import averages, percentages
from shared.money import PRICE, TOTAL, Int64Array, from_scaled, points_to_cents


def trade_recap(ledger: Ledger, pools: PoolGuide, base: pl.DataFrame) -> pl.DataFrame:
    """The rows of step 2 (`base`, in trade order) with what the run put on each trade and what one more dollar is worth.

    In order of trade_id.
    """
    book, problem = ledger.book, ledger.problem
    trades = book.trades
    count = len(trades)
    fill = ledger.fill
    allocated = np.nonzero(ledger.trade >= 0)[0]
    trade = ledger.trade[allocated].astype(np.int64)
    before = _pre_session(ledger, pools)
    shortfall = np.where(trades.in_window, np.maximum(0, trades.lo - fill), 0)
    status = np.select(
        [fill > trades.hi, fill == 0, fill < trades.lo], ["OVERFILLED_BY_LOCKS", "EMPTY", "UNDERFILLED"], default="FILLED"
    )
    return (
        base.with_columns(
            from_scaled(fill, TOTAL, name="allocated_amount"),
            pl.Series("allocated_count", np.bincount(trade, minlength=count).astype(np.int64)),
            from_scaled(problem.locked_fill, TOTAL, name="locked_amount"),
            from_scaled(before, TOTAL, name="pre_session_amount"),
            from_scaled(np.maximum(0, trades.need - before), TOTAL, name="pre_session_need"),
            from_scaled(np.maximum(0, trades.need - fill), TOTAL, name="post_session_need"),
            from_scaled(np.maximum(0, trades.hi - fill), TOTAL, name="space_left"),
            percentages(fill, trades.need, "fill_pct"),
            pl.Series("status", status.tolist(), dtype=pl.String),
            from_scaled(shortfall, TOTAL, name="shortfall"),
            from_scaled(points_to_cents(shortfall, trades.pair_off), TOTAL, name="pair_off_dollars"),
            *averages(ledger, allocated, trade, count),
            *_room_values(ledger),
        )
        .filter(pl.Series(trades.in_window))
        .sort("trade_id")
    )


def _pre_session(ledger: Ledger, pools: PoolGuide) -> Int64Array:
    """Cents of in-scope loans whose current pool is related to each trade."""
    book = ledger.book
    in_pool = np.zeros(max(1, len(pools.pools.names)), dtype=np.int64)
    posted = pools.current >= 0
    np.add.at(in_pool, pools.current[posted], np.maximum(0, book.loans.amount[posted]))
    total = np.zeros(len(book.trades), dtype=np.int64)
    np.add.at(total, pools.pools.related_trade, in_pool[pools.pools.related_pool])
    return total


def _room_values(ledger: Ledger) -> list[pl.Series]:
    """Points one more dollar of room earns, and one more dollar towards the band saves, by the prices that prove the bound."""
    bound = ledger.decision.bound
    count = len(ledger.book.trades)
    known = np.full(count, bound is not None)
    price = np.zeros(count) if bound is None else bound.room_price
    points = np.rint(price * 100 * 10**8).astype(np.int64)
    return [
        from_scaled(np.maximum(0, points), PRICE, known, "room_value"),
        from_scaled(np.maximum(0, -points), PRICE, known, "fill_value"),
    ]
