"""`pfill_loan2trade_candy_level_01`: the best candidates of each loan, with the parts of their prices."""

import numpy as np
import polars as pl

from services.run_service.engine.book import gather
from services.run_service.engine.ledger import Ledger
from shared.money import PRICE, Int64Array, from_scaled


def candidate_table(ledger: Ledger) -> pl.DataFrame:
    """The first `candidate_top_k` candidates of every loan in rank order."""
    book, candidates = ledger.book, ledger.candidates
    kept = np.nonzero(ledger.rank <= book.options.candidate_top_k)[0]
    loan, trade, constraint = candidates.loan[kept], candidates.trade[kept], candidates.constraint[kept]
    excess, payup = _price_parts(ledger, loan.astype(np.int64), trade.astype(np.int64))
    constraints = book.constraints
    return pl.DataFrame(
        [
            gather(book.loans.frame["loan_id"], loan, "loan_id"),
            gather(book.trades.ids, trade, "trade_id"),
            gather(pl.Series([c.constraint_id for c in constraints], dtype=pl.String), constraint, "constraint_id"),
            gather(pl.Series([c.priority for c in constraints], dtype=pl.Int64), constraint, "priority"),
            from_scaled(candidates.price[kept], PRICE, name="price"),
            from_scaled(payup, PRICE, name="payup"),
            from_scaled(excess, PRICE, name="excess"),
            from_scaled(candidates.carry[kept], PRICE, name="carry"),
            from_scaled(candidates.score[kept], PRICE, name="score"),
            pl.Series("rank", ledger.rank[kept]),
            pl.Series("taken", ledger.trade[loan] == trade),
        ]
    )


def _price_parts(ledger: Ledger, loan: Int64Array, trade: Int64Array) -> tuple[Int64Array, Int64Array]:
    """Value of excess servicing and sum of payups of each pair, points."""
    book = ledger.book
    names = {name: number for number, name in enumerate(dict.fromkeys(book.trades.instrument))}
    of_trade = np.array([names[name] for name in book.trades.instrument], dtype=np.int64)
    excess, payup = np.zeros(len(loan), dtype=np.int64), np.zeros(len(loan), dtype=np.int64)
    if not len(loan):
        return excess, payup
    for name, number in names.items():
        here = np.nonzero(of_trade[trade] == number)[0]
        adjustment = ledger.pricer.adjustment(book.instruments[name], loan[here])
        excess[here], payup[here] = adjustment.excess, adjustment.payup
    return excess, payup
