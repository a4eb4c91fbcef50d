"""Step 5, pool_guide: which pool every allocated loan joins, keeps or leaves (specification 01 section 9.5).

1. the action follows from the lockdown, the kind of instrument, the loan's current pool and the trade it got;
2. loans that stay take their room in their pools, out-of-scope loans too;
3. the others are spread over their trade's pools, largest loan first, each into the pool with the most room.
"""

from dataclasses import dataclass
from enum import IntEnum

import numba
import numpy as np
import polars as pl

from services.run_service.engine.book import POOLED_KINDS, Book, BoolArray, Int32Array, current_pools, first_trades, gather
from services.run_service.engine.optimise.problem import leaves_pool
from shared.money import Int64Array, to_scaled


class Action(IntEnum):
    """What happens to a loan's place in a pool."""

    LOCKED = 0
    UNPOOLED = 1
    JOINING = 2
    REMAINING = 3
    SWITCHING = 4
    LEAVING = 5


_IN_ORDER = np.array(
    [Action.LEAVING, Action.LOCKED, Action.UNPOOLED, Action.JOINING, Action.REMAINING, Action.SWITCHING], dtype=np.int64
)
"""Actions in the order in which they are asked for: got nothing, locked, not pooled, no current pool, related, otherwise."""


@dataclass(frozen=True)
class Pools:
    """The forming pools in order of pool_name."""

    names: pl.Series
    related_trade: Int64Array
    """Trade index of every relation of a participating trade; relations are in order of (trade, pool_name)."""
    related_pool: Int64Array
    related_amount: Int64Array
    first_trade: list[str]
    """Of each pool: its first trade in trade order, or empty."""


@dataclass(frozen=True)
class PoolGuide:
    """Actions and pools of the in-scope loans that are allocated or have a current pool; one element a loan of the book."""

    concerned: BoolArray
    action: Int64Array
    current: Int64Array
    """Index into pools.names, -1 without."""
    recommended: pl.Series
    """Pool name, empty where the loan has none."""
    below_minimum: BoolArray
    """The recommended pool stays under its instrument's min_pool_amount."""
    pools: Pools


def guide_pools(book: Book, trade: Int32Array) -> PoolGuide:
    """Decide action and recommended pool; `trade` is the trade each loan got, or -1."""
    loans = book.loans
    pools = _forming_pools(book)
    number = {name: index for index, name in enumerate(pools.names)}
    current = loans.current_pool.replace_strict(number, default=-1, return_dtype=pl.Int64).fill_null(-1).to_numpy()
    has_pool, got = current >= 0, trade >= 0
    kinds_pooled = np.array([book.instruments[name].kind in POOLED_KINDS for name in book.trades.instrument], dtype=np.bool_)
    on_pooled = got.copy()
    on_pooled[got] = kinds_pooled[trade[got]]
    related = got & has_pool
    related[related] = ~leaves_pool(book, np.nonzero(related)[0], trade[related])
    locked = got & (loans.locked_trade == trade)

    applies = np.vstack([~got, locked, ~on_pooled, ~has_pool, related, np.ones(len(loans), dtype=np.bool_)])
    action = _IN_ORDER[np.argmax(applies, axis=0)]  # the first that applies
    stays = on_pooled & related
    moves = on_pooled & ~stays
    room = _room(book, pools, current, stays)
    order = np.nonzero(moves)[0]
    order = order[np.lexsort((order, -loans.amount[order], trade[order]))]
    first = np.searchsorted(pools.related_trade, np.arange(len(book.trades) + 1))
    target = np.full(len(loans), -1, dtype=np.int64)
    target[stays] = current[stays]
    spread = np.full(len(order), -1, dtype=np.int64)
    _spread(trade[order].astype(np.int64), loans.amount[order], first.astype(np.int64), room, spread)
    target[order[spread >= 0]] = pools.related_pool[spread[spread >= 0]]

    recommended = pl.select(
        pl.when(pl.Series(target >= 0))
        .then(gather(pools.names, target, "pool"))
        .when(pl.Series(on_pooled))
        .then(gather(proposed_pools(book), trade, "pool"))
        .otherwise(pl.lit(""))
        .alias("recommended_pool")
    ).to_series()
    return PoolGuide(
        concerned=got | has_pool,
        action=action,
        current=current,
        recommended=recommended,
        below_minimum=_below_minimum(book, pools, trade, target, on_pooled),
        pools=pools,
    )


def proposed_pools(book: Book) -> pl.Series:
    """The name of the pool that each trade gets if it is pooled and has none."""
    return pl.select(pl.concat_str(pl.lit("NEW-"), book.trades.ids).alias("pool")).to_series()


def _forming_pools(book: Book) -> Pools:
    forming = book.tables["pscat_pools"].filter(pl.col("pool_status") == "FORMING").select("pool_name").sort("pool_name")
    names = forming["pool_name"]
    number = {name: index for index, name in enumerate(names)}
    place = {trade_id: index for index, trade_id in enumerate(book.trades.ids)}
    relation = book.tables["pscat_trades_pools_relation"].join(forming, on="pool_name", how="semi")
    first_by_pool = dict(first_trades(book.tables, book.trade_rank).iter_rows())
    ordered = (
        relation.select(
            trade=pl.col("trade_id").replace_strict(place, default=-1, return_dtype=pl.Int64),
            pool=pl.col("pool_name").replace_strict(number, default=-1, return_dtype=pl.Int64),
            amount="amount",
        )
        .filter(pl.col("trade") >= 0)
        .sort("trade", "pool")
    )
    return Pools(
        names=names,
        related_trade=ordered["trade"].to_numpy(),
        related_pool=ordered["pool"].to_numpy(),
        related_amount=to_scaled(ordered["amount"]),
        first_trade=[first_by_pool.get(name, "") for name in names],
    )


def _out_of_scope(book: Book, pools: Pools) -> Int64Array:
    """Cents of out-of-scope loans, shipped or not, in each forming pool."""
    total = np.zeros(max(1, len(pools.names)), dtype=np.int64)
    number = {name: index for index, name in enumerate(pools.names)}
    outside = (
        current_pools(book.tables)
        .join(book.loans.frame.select("loan_id"), on="loan_id", how="anti")
        .join(book.tables["loan"].select("loan_id", "loan_amount"), on="loan_id")
    )
    pool = outside["pool_name"].replace_strict(number, default=0, return_dtype=pl.Int64).to_numpy()
    np.add.at(total, pool, np.maximum(0, to_scaled(outside["loan_amount"])))
    return total


def _room(book: Book, pools: Pools, current: Int64Array, stays: BoolArray) -> Int64Array:
    """Room of each relation: its amount less every loan that stays in the pool."""
    staying = _out_of_scope(book, pools)
    np.add.at(staying, current[stays], book.loans.amount[stays])
    return np.array(pools.related_amount - staying[pools.related_pool] if len(pools.related_pool) else pools.related_amount)


def _below_minimum(book: Book, pools: Pools, trade: Int32Array, target: Int64Array, on_pooled: BoolArray) -> BoolArray:
    """Loans whose recommended pool, with all that is in it, is under the minimum of their trade's instrument."""
    minimum = np.array([book.instruments[name].min_pool_amount for name in book.trades.instrument], dtype=np.int64)
    in_pool, proposed = on_pooled & (target >= 0), on_pooled & (target < 0)
    total = _out_of_scope(book, pools)
    np.add.at(total, target[in_pool], book.loans.amount[in_pool])
    new = np.zeros(max(1, len(book.trades)), dtype=np.int64)
    np.add.at(new, trade[proposed], book.loans.amount[proposed])
    below = np.zeros(len(trade), dtype=np.bool_)
    below[in_pool] = total[target[in_pool]] < minimum[trade[in_pool]]
    below[proposed] = new[trade[proposed]] < minimum[trade[proposed]]
    return below


@numba.njit(cache=True)
def _spread(trade: Int64Array, amount: Int64Array, first: Int64Array, room: Int64Array, chosen: Int64Array) -> None:
    """Each loan in turn into the relation of its trade with the most room; relations are in order of pool_name."""
    for position in range(len(trade)):
        best = -1
        for relation in range(first[trade[position]], first[trade[position] + 1]):
            if best < 0 or room[relation] > room[best]:
                best = relation
        if best >= 0:
            room[best] -= amount[position]
            chosen[position] = best
