"""`pfill_loan2trade_candy_level_01`: the best candidates of each loan, with the parts of their prices.

Made a block of loans at a time: a run of a million loans keeps ten million rows.
"""

import numba
import numpy as np
import polars as pl

from services.run_service.engine.book import Int32Array, gather
from services.run_service.engine.ledger import Ledger
from services.run_service.engine.pricing import to_points
from services.run_service.engine.rows import BLOCK_LOANS, grouped, spans, top_of_rows
from services.run_service.engine.stop import Stop
from shared.money import PRICE, Int64Array, from_scaled


def candidate_table(ledger: Ledger, stop: Stop, block_loans: int = BLOCK_LOANS) -> pl.DataFrame:
    """The first `candidate_top_k` candidates of every loan, in order of (loan_id, trade_id)."""
    alphabetical = _alphabetical(ledger.book.trades.ids)
    blocks = []
    for first, end in spans(len(ledger.book.loans), block_loans):
        stop.checkpoint()
        blocks.append(_block(ledger, alphabetical, first, end))
    return pl.concat(blocks, rechunk=False)


def _block(ledger: Ledger, alphabetical: Int64Array, first: int, end: int) -> pl.DataFrame:
    """The rows of the loans from `first` to before `end`."""
    book, candidates = ledger.book, ledger.candidates
    kept, start = top_of_rows(candidates.start[first : end + 1], candidates.score, book.options.candidate_top_k)
    loan = np.repeat(np.arange(first, end), np.diff(start))
    rank = np.arange(1, len(kept) + 1) - start[loan - first]
    _order_rows(start, candidates.trade, alphabetical, kept, rank)
    trade, constraint, score = candidates.trade[kept], candidates.constraint[kept], candidates.score[kept]
    price, carry = ledger.pricer.behind(book.trades, loan, trade, score)
    excess, payup = _price_parts(ledger, loan, trade)
    constraints = book.constraints
    return pl.DataFrame(
        [
            gather(book.loans.frame["loan_id"], loan, "loan_id"),
            gather(book.trades.ids, trade, "trade_id"),
            gather(pl.Series([c.constraint_id for c in constraints], dtype=pl.String), constraint, "constraint_id"),
            gather(pl.Series([c.priority for c in constraints], dtype=pl.Int64), constraint, "priority"),
            from_scaled(price, PRICE, name="price"),
            from_scaled(payup, PRICE, name="payup"),
            from_scaled(excess, PRICE, name="excess"),
            from_scaled(carry, PRICE, name="carry"),
            from_scaled(score, PRICE, name="score"),
            pl.Series("rank", rank),
            pl.Series("taken", ledger.trade[loan] == trade),
        ]
    )


def _alphabetical(ids: pl.Series) -> Int64Array:
    """Place of each id in alphabetical order."""
    places = np.empty(len(ids), dtype=np.int64)
    places[ids.arg_sort().to_numpy()] = np.arange(len(ids))
    return places


@numba.njit(cache=True)
def _order_rows(start: Int64Array, trade: Int32Array, place: Int64Array, kept: Int64Array, rank: Int64Array) -> None:
    """Sort the candidates kept of each loan, and their ranks with them, by the places of their trades."""
    for i in range(len(start) - 1):
        for position in range(start[i] + 1, start[i + 1]):
            c, r = kept[position], rank[position]
            gap = position
            while gap > start[i] and place[trade[kept[gap - 1]]] > place[trade[c]]:
                kept[gap], rank[gap] = kept[gap - 1], rank[gap - 1]
                gap -= 1
            kept[gap], rank[gap] = c, r


def _price_parts(ledger: Ledger, loan: Int64Array, trade: Int32Array) -> tuple[Int64Array, Int64Array]:
    """Value of excess servicing and sum of payups of each pair, points."""
    book = ledger.book
    numbers = {name: number for number, name in enumerate(dict.fromkeys(book.trades.instrument))}
    of_trade = np.array([numbers[name] for name in book.trades.instrument], dtype=np.int32)
    excess, payup = np.zeros(len(loan), dtype=np.int64), np.zeros(len(loan), dtype=np.int64)
    order, start = grouped(of_trade[trade], len(numbers))
    for name, number in numbers.items():
        here = order[start[number] : start[number + 1]]
        adjustment = ledger.pricer.adjustment(book.instruments[name], loan[here])
        excess[here], payup[here] = to_points(adjustment.excess), to_points(adjustment.payup)
    return excess, payup
