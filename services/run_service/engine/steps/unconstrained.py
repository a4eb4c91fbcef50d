"""Step 6, ue (unconstrained execution): every in-scope loan against every synthetic trade.

It ranks, keeps the best and sums the kickouts by their recommended sale. It adds tables and changes none of those that steps 4
and 5 produced.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl

from services.run_service.engine.book import gather
from services.run_service.engine.ledger import Ledger
from services.run_service.engine.tables.allocation_guide import at
from shared.money import PRICE, TOTAL, from_scaled, points_to_cents


@dataclass(frozen=True)
class Unconstrained:
    """The three synthetic tables."""

    trades: pl.DataFrame
    ranks: pl.DataFrame
    best: pl.DataFrame


def unconstrained_execution(ledger: Ledger) -> Unconstrained:
    """Rank every loan over the synthetic trades; for kickouts the best one is the recommended sale."""
    return Unconstrained(_trades(ledger), _ranks(ledger), _best(ledger))


def _trades(ledger: Ledger) -> pl.DataFrame:
    """Each synthetic trade with the kickouts it would take and what they would bring."""
    book = ledger.book
    best, has = ledger.best_synthetic
    kicked = np.nonzero(has & (ledger.trade < 0))[0]
    trade = at(ledger.synthetic.trade, best[kicked])
    score = at(ledger.synthetic.score, best[kicked])
    count = len(book.synthetic.frame)
    amount, value = np.zeros(count, dtype=np.int64), np.zeros(count, dtype=np.int64)
    np.add.at(amount, trade, book.loans.amount[kicked])
    np.add.at(value, trade, points_to_cents(book.loans.amount[kicked], score))
    return book.synthetic.frame.with_columns(
        pl.Series("loan_count", np.bincount(trade, minlength=count).astype(np.int64)),
        from_scaled(amount, TOTAL, name="loan_amount"),
        from_scaled(value, TOTAL, name="value"),
    )


def _ranks(ledger: Ledger) -> pl.DataFrame:
    """The first `candidate_top_k` synthetic trades of every loan by (score descending, settlement date, instrument)."""
    book, synthetic = ledger.book, ledger.synthetic
    rank = np.arange(len(synthetic.loan)) - synthetic.start[synthetic.loan] + 1
    kept = np.nonzero(rank <= book.options.candidate_top_k)[0]
    trades = book.synthetic.frame
    trade = synthetic.trade[kept]
    return pl.DataFrame(
        [
            gather(book.loans.frame["loan_id"], synthetic.loan[kept], "loan_id"),
            pl.Series("rank", rank[kept]),
            gather(trades["syn_trade_id"], trade, "syn_trade_id"),
            gather(trades["investor_instrument"], trade, "investor_instrument"),
            gather(trades["settlement_date"], trade, "settlement_date"),
            from_scaled(synthetic.price[kept], PRICE, name="price"),
            from_scaled(synthetic.carry[kept], PRICE, name="carry"),
            from_scaled(synthetic.score[kept], PRICE, name="score"),
        ]
    )


def _best(ledger: Ledger) -> pl.DataFrame:
    """Each loan's best synthetic trade with its uplift over what the loan got."""
    book, synthetic = ledger.book, ledger.synthetic
    best, has = ledger.best_synthetic
    loans = np.nonzero(has)[0]
    trades, trade, score = book.synthetic.frame, at(synthetic.trade, best[loans]), at(synthetic.score, best[loans])
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
        ]
    )
