"""`pfill_powerfill_guide`: a row per allocated loan."""

import numpy as np
import polars as pl

from services.run_service.engine.book import at, gather
from services.run_service.engine.ledger import Ledger
from services.run_service.engine.steps.pool_guide import Action, PoolGuide
from shared.money import PRICE, TOTAL, from_scaled, points_to_cents

LOCKED_NAME = "LOCKED"


def allocation_guide(ledger: Ledger, pools: PoolGuide) -> pl.DataFrame:
    """Where each loan goes, at what price, by what, and into which pool."""
    book, problem, decision = ledger.book, ledger.problem, ledger.decision
    loans = np.nonzero(ledger.trade >= 0)[0]
    trade = ledger.trade[loans]
    taken = decision.allocation.taken[loans]
    by_candidate = taken >= 0
    constraint = at(ledger.candidates.constraint, taken, missing=-1)
    best, synthetic = ledger.best[loans], ledger.best_synthetic[loans]
    rank = ledger.rank[loans]
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
        from_scaled(at(ledger.candidates.score, best), PRICE, best >= 0, "best_score"),
        pl.Series("rank", rank).set(pl.Series(rank == 0), None),
        from_scaled(problem.fallback[loans], PRICE, name="fallback"),
        from_scaled(points_to_cents(book.loans.amount[loans], ledger.net[loans]), TOTAL, name="value"),
        book.loans.current_pool.gather(loans).alias("current_pool"),
        pools.recommended.gather(loans).replace({"": None}).alias("recommended_pool"),
        gather(actions, pools.action[loans], "pool_action"),
        pl.Series("locked", ~by_candidate),
        gather(book.synthetic.frame["syn_trade_id"], at(ledger.synthetic.trade, synthetic, missing=-1), "syn_trade_id"),
        from_scaled(at(ledger.synthetic.score, synthetic), PRICE, synthetic >= 0, "syn_score"),
    )
