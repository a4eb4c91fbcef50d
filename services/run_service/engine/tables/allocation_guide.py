"""`pfill_powerfill_guide`: a row per allocated loan."""

import numpy as np
import polars as pl

from services.run_service.engine.book import Int32Array, gather
from services.run_service.engine.ledger import Ledger
from services.run_service.engine.steps.pool_guide import Action, PoolGuide
from shared.money import PRICE, TOTAL, Int64Array, from_scaled, points_to_cents

LOCKED_NAME = "LOCKED"


def allocation_guide(ledger: Ledger, pools: PoolGuide) -> pl.DataFrame:
    """Where each loan goes, at what price, by what, and into which pool."""
    book, problem, decision = ledger.book, ledger.problem, ledger.decision
    loans = np.nonzero(ledger.trade >= 0)[0]
    trade = ledger.trade[loans]
    taken = decision.allocation.taken[loans]
    by_candidate = taken >= 0
    candidate = np.maximum(taken, 0)
    constraint = np.where(by_candidate, at(ledger.candidates.constraint, candidate), -1)
    best, has_best = ledger.best
    best_score = np.zeros(len(loans), dtype=np.int64)
    best_score[has_best[loans]] = ledger.candidates.score[best[loans][has_best[loans]]]
    synthetic, has_synthetic = ledger.best_synthetic
    syn = np.where(has_synthetic[loans], at(ledger.synthetic.trade, synthetic[loans]), -1)
    priced = ledger.priced[loans]
    constraint_ids = pl.Series([c.constraint_id for c in book.constraints], dtype=pl.String)
    priorities = pl.Series([c.priority for c in book.constraints], dtype=pl.Int64)
    names = pl.Series([*decision.pass_names, LOCKED_NAME], dtype=pl.String)
    pass_number = np.where(by_candidate, decision.allocation.placed_by[loans], len(decision.pass_names))
    actions = pl.Series([action.name for action in Action], dtype=pl.String)
    trades = book.trades.frame
    investors = pl.Series([book.instruments[name].investor for name in book.trades.instrument], dtype=pl.String)
    own = book.loans.frame.select("loan_id", "loan_instrument", "loan_amount", "note_rate", "status_code")[loans]
    return own.with_columns(
        gather(trades["trade_id"], trade, "trade_id"),
        gather(trades["counterparty"], trade, "counterparty"),
        gather(investors, trade, "investor"),
        gather(trades["investor_instrument"], trade, "investor_instrument"),
        gather(trades["settlement_date"], trade, "settlement_date"),
        gather(constraint_ids, constraint, "constraint_id"),
        gather(priorities, constraint, "priority"),
        gather(names, pass_number, "pass"),
        from_scaled(ledger.price[loans], PRICE, priced, "price"),
        from_scaled(ledger.carry[loans], PRICE, priced, "carry"),
        from_scaled(ledger.score[loans], PRICE, priced, "score"),
        from_scaled(best_score, PRICE, has_best[loans], "best_score"),
        pl.Series("rank", np.where(by_candidate, at(ledger.rank, candidate), -1)).replace({-1: None}),
        from_scaled(problem.fallback[loans], PRICE, name="fallback"),
        from_scaled(points_to_cents(book.loans.amount[loans], ledger.net[loans]), TOTAL, name="value"),
        book.loans.current_pool.gather(loans).alias("current_pool"),
        pools.recommended.gather(loans).replace({"": None}).alias("recommended_pool"),
        gather(actions, pools.action[loans], "pool_action"),
        pl.Series("locked", ~by_candidate),
        gather(book.synthetic.frame["syn_trade_id"], syn, "syn_trade_id"),
        from_scaled(at(ledger.synthetic.score, synthetic[loans]), PRICE, has_synthetic[loans], "syn_score"),
    )


def at(values: Int64Array | Int32Array, index: Int64Array) -> Int64Array:
    """Values at indices that count only where there are values at all."""
    return values[index].astype(np.int64) if len(values) else np.zeros(len(index), dtype=np.int64)
