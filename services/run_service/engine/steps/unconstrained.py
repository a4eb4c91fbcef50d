"""Step 6, ue (unconstrained execution): every in-scope loan against every synthetic trade.

It ranks, keeps the best and sums the kickouts by their recommended sale. It adds tables and changes none of those that steps 4
and 5 produced.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl

from services.run_service.engine.book import gather
from services.run_service.engine.ledger import Ledger
from services.run_service.engine.rows import BLOCK_LOANS, spans
from services.run_service.engine.stop import Stop
from shared.money import PRICE, TOTAL, from_scaled, points_to_cents


@dataclass(frozen=True)
class Unconstrained:
    """The three synthetic tables."""

    trades: pl.DataFrame
    ranks: pl.DataFrame
    best: pl.DataFrame


def unconstrained_execution(ledger: Ledger, stop: Stop, block_loans: int = BLOCK_LOANS) -> Unconstrained:
    """Rank every loan over the synthetic trades; for kickouts the best one is the recommended sale. Rows are in key order."""
    ranks = []
    for first, end in spans(len(ledger.book.loans), block_loans):
        stop.checkpoint()
        ranks.append(_ranks(ledger, first, end))
    return Unconstrained(_trades(ledger), pl.concat(ranks, rechunk=False), _best(ledger))


def _trades(ledger: Ledger) -> pl.DataFrame:
    """Each synthetic trade with the kickouts it would take and what they would bring."""
    book = ledger.book
    best = ledger.best_synthetic
    kicked = np.nonzero((best >= 0) & (ledger.trade < 0))[0]
    trade, score = ledger.synthetic.trade[best[kicked]], ledger.synthetic.score[best[kicked]]
    count = len(book.synthetic.frame)
    amount, value = np.zeros(count, dtype=np.int64), np.zeros(count, dtype=np.int64)
    np.add.at(amount, trade, book.loans.amount[kicked])
    np.add.at(value, trade, points_to_cents(book.loans.amount[kicked], score))
    return book.synthetic.frame.with_columns(
        pl.Series("loan_count", np.bincount(trade, minlength=count).astype(np.int64)),
        from_scaled(amount, TOTAL, name="loan_amount"),
        from_scaled(value, TOTAL, name="value"),
    ).sort("syn_trade_id")


def _ranks(ledger: Ledger, first: int, end: int) -> pl.DataFrame:
    """The best synthetic trades of the loans from `first` to before `end` by (score descending, settlement date, instrument)."""
    book, synthetic = ledger.book, ledger.synthetic
    start = synthetic.start[first : end + 1]
    rows = slice(start[0], start[-1])
    loan = np.repeat(np.arange(first, end), np.diff(start))
    rank = np.arange(start[0], start[-1]) - start[loan - first] + 1
    trades, trade, score = book.synthetic.frame, synthetic.trade[rows], synthetic.score[rows]
    price, carry = ledger.pricer.behind(book.synthetic, loan, trade, score)
    return pl.DataFrame(
        [
            gather(book.loans.frame["loan_id"], loan, "loan_id"),
            pl.Series("rank", rank),
            gather(trades["syn_trade_id"], trade, "syn_trade_id"),
            gather(trades["investor_instrument"], trade, "investor_instrument"),
            gather(trades["settlement_date"], trade, "settlement_date"),
            from_scaled(price, PRICE, name="price"),
            from_scaled(carry, PRICE, name="carry"),
            from_scaled(score, PRICE, name="score"),
        ]
    )


def _best(ledger: Ledger) -> pl.DataFrame:
    """Each loan, the trade it got, and its best synthetic trade with its uplift over what the loan got."""
    book, synthetic = ledger.book, ledger.synthetic
    loans = np.nonzero(ledger.best_synthetic >= 0)[0]
    best = ledger.best_synthetic[loans]
    trades, trade, score = book.synthetic.frame, synthetic.trade[best], synthetic.score[best]
    priced = ledger.priced[loans]
    return pl.DataFrame(
        [
            gather(book.loans.frame["loan_id"], loans, "loan_id"),
            gather(trades["syn_trade_id"], trade, "syn_trade_id"),
            gather(trades["investor_instrument"], trade, "investor_instrument"),
            gather(trades["settlement_date"], trade, "settlement_date"),
            from_scaled(score, PRICE, name="score"),
            from_scaled(ledger.score[loans], PRICE, priced, "taken_score"),
            from_scaled(score - ledger.score[loans], PRICE, priced, "uplift"),
            pl.Series("recommended_sale", ledger.trade[loans] < 0),
            book.loans.frame["loan_instrument"].gather(loans),
            book.loans.frame["loan_amount"].gather(loans),
            gather(book.trades.ids, ledger.trade[loans], "trade_id"),
        ]
    )
