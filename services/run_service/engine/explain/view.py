"""What a run's inputs and options say of one loan: every candidate, or what kept it from being one and what would have helped."""

from decimal import Decimal

import numpy as np
import polars as pl

from services.run_service.domain.options import LoanStatus, RunOptions
from services.run_service.engine.book import Book
from services.run_service.engine.explain.checks import THE_LOAN, check_filters, nearest_pair
from services.run_service.engine.explain.explanation import LoanCandidate, LoanView, Lockdown, NotInRun
from services.run_service.engine.explain.one_loan import Built, build, rows_of_one
from services.run_service.engine.explain.smallest_change import smallest_change
from services.run_service.engine.frames import RunInputs
from services.run_service.engine.optimise.problem import fallbacks, leaves_pool
from services.run_service.engine.pricing import to_points
from services.run_service.engine.rows import ranks_in_rows
from shared.money import PRICE_PLACES, Int64Array, scaled, unscaled


def view_loan(inputs: RunInputs, options: RunOptions, loan_id: str) -> LoanView | NotInRun:
    """One loan of a run with these inputs and options. Raises InputError for a rule that does not parse."""
    own = rows_of_one(inputs, loan_id)
    built = build(own, options)
    if not len(built.book.loans):
        return NotInRun(_why_not_in_scope(own, options))
    book = built.book
    row = book.loans.frame.row(0, named=True)
    candidates = _candidates(built)
    nearest = change = None
    if not candidates and book.loans.locked_trade[0] < 0:
        checks = check_filters(book, built.pricer)
        nearest = nearest_pair(book, checks)
        change = smallest_change(own, options, built, checks, inputs.tables["loan"])
    best = int(built.synthetic.best()[0])
    trade = int(built.synthetic.trade[best]) if best >= 0 else -1
    return LoanView(
        loan_id=loan_id,
        loan_instrument=row["loan_instrument"],
        loan_amount=row["loan_amount"],
        note_rate=row["note_rate"],
        status_code=row["status_code"],
        current_pool=book.loans.current_pool[0],
        candidates=candidates,
        fallback=_points(fallbacks(book, built.candidates, built.synthetic)[0]),
        syn_trade_id=book.synthetic.frame["syn_trade_id"][trade] if best >= 0 else None,
        syn_score=_points(built.synthetic.score[best]) if best >= 0 else None,
        lockdown=_lockdown(book),
        nearest=nearest,
        smallest_change=change,
    )


def _why_not_in_scope(inputs: RunInputs, options: RunOptions) -> str:
    """Of the rows of one loan that is not in scope."""
    loans, shipped = inputs.tables["loan"], inputs.tables["loan_shipped"]
    if not len(loans):
        return "the loan table, as the run read it, has no such loan"
    if len(shipped):
        day = shipped["shipped_date"][0]
        return f"it was shipped{f' on {day}' if day is not None else ''}; shipped loans are never in scope"
    status = loans["status_code"][0]
    if status not in list(LoanStatus):
        return f"its status_code {status!r} is none of {', '.join(LoanStatus)}"
    return f"its status_code {status} is out of scope: scope is {options.scope} and min_status {options.min_status}"


def _candidates(built: Built) -> tuple[LoanCandidate, ...]:
    """Every candidate of the book's one loan, by rank."""
    book, found = built.book, built.candidates
    count = len(found)
    every = np.arange(count, dtype=np.int64)
    loan = np.zeros(count, dtype=np.int64)
    price, carry = built.pricer.behind(book.trades, loan, found.trade, found.score)
    switch = leaves_pool(book, loan, found.trade) * scaled(book.options.switch_cost, PRICE_PLACES)
    net = found.score - switch
    rank = ranks_in_rows(found.start, found.score, loan, every)
    related = _relations(book, {book.trades.ids[trade] for trade in found.trade.tolist()})
    parts = {name: _parts(built, name) for name in {book.trades.instrument[trade] for trade in found.trade.tolist()}}
    rows = []
    for place in np.argsort(rank, kind="stable").tolist():
        trade, constraint = int(found.trade[place]), book.constraints[int(found.constraint[place])]
        trade_id, name = book.trades.ids[trade], book.trades.instrument[trade]
        excess, payup = parts[name]
        rows.append(
            LoanCandidate(
                trade_id=trade_id,
                investor_instrument=name,
                settlement_date=book.trades.frame["settlement_date"][trade],
                constraint_id=constraint.constraint_id,
                priority=constraint.priority,
                price=_points(price[place]),
                payup=payup,
                excess=excess,
                carry=_points(carry[place]),
                score=_points(found.score[place]),
                net_score=_points(net[place]),
                rank=int(rank[place]),
                relations=related.get(trade_id, frozenset()),
            )
        )
    return tuple(rows)


def _parts(built: Built, instrument: str) -> tuple[Decimal, Decimal]:
    """Value of excess servicing and sum of payups of the loan on an instrument, points."""
    adjustment = built.pricer.adjustment(built.book.instruments[instrument], THE_LOAN)
    return _points(to_points(adjustment.excess)[0]), _points(to_points(adjustment.payup)[0])


def _relations(book: Book, trade_ids: set[str]) -> dict[str, frozenset[str]]:
    """By trade: the pools related to it."""
    relation = book.tables["pscat_trades_pools_relation"].filter(pl.col("trade_id").is_in(trade_ids))
    pools: dict[str, set[str]] = {}
    for trade_id, pool in relation.select("trade_id", "pool_name").iter_rows():
        pools.setdefault(trade_id, set()).add(pool)
    return {trade_id: frozenset(names) for trade_id, names in pools.items()}


def _lockdown(book: Book) -> Lockdown | None:
    """The lockdown that holds the loan or puts it on its trade; None for a loan that has none."""
    locks, place = book.tables["pfill_lockdown"], int(book.loans.locked_trade[0])
    if not len(locks):
        return None
    own = locks.filter(pl.col("trade_id") == book.trades.ids[place]) if place >= 0 else locks
    row = own.row(-1, named=True)
    return Lockdown(row["trade_id"], row["reason"], row["expires_on"])


def _points(units: np.int64 | Int64Array) -> Decimal:
    return unscaled(int(units), PRICE_PLACES)
