"""`pfill_existing_disposition`: a row per posting of a known loan to a known pool, and what the run makes of the loan.

Loans in scope or not, pools of any status: everything the lender's postings say that is not ignored. What the run decided is
the loan's, and stands on every posting of it, on those that are not its current pool too.
"""

import polars as pl

from services.run_service.engine.book import Book, current_pools, first_trades, gather
from services.run_service.engine.ledger import Ledger
from services.run_service.engine.steps.pool_guide import Action, PoolGuide

AT_RISK = "at risk"
"""The segment that says so; capitals, and underscores or hyphens for the blank, make no difference."""


def existing_disposition(ledger: Ledger, pools: PoolGuide) -> pl.DataFrame:
    """The postings with loan and pool, the pool's first trade in trade order, risk, and the recommendation.

    In order of (loan_id, pool).
    """
    book = ledger.book
    postings = book.tables["pscat_pool_loans"].select("loan_id", pool="pool_name")
    of_pool = (
        book.tables["pscat_pools"]
        .join(first_trades(book.tables, book.trade_rank), on="pool_name", how="left")
        .select("pool_status", "trade_id", pool="pool_name")
    )
    current = current_pools(book.tables).select("loan_id", pool="pool_name", is_current_pool=True)
    return (
        postings.join(book.tables["loan"].select("loan_id", "loan_amount", "note_rate"), on="loan_id", how="left")
        .join(of_pool, on="pool", how="left")
        .join(current, on=["loan_id", "pool"], how="left")
        .join(_risk(book), on="loan_id", how="left")
        .join(_decided(ledger, pools), on="loan_id", how="left")
        .with_columns(pl.col("is_current_pool", "at_risk", "in_scope").fill_null(value=False))
        .sort("loan_id", "pool")
    )


def _risk(book: Book) -> pl.DataFrame:
    """Of each loan with a segment: whether one is AT_RISK, and the status that one has, else the first by segment_name."""
    named_so = pl.col("segment_name").str.to_lowercase().str.replace_all("[_-]", " ").str.strip_chars() == AT_RISK
    posted = book.tables["pscat_pool_loans"].select("loan_id")
    return (
        book.tables["rmcat_loan"]
        .join(posted, on="loan_id", how="semi")
        .select("loan_id", "segment_name", "risk_status", at_risk=named_so)
        .sort("loan_id", ~pl.col("at_risk"), "segment_name")
        .unique("loan_id", keep="first", maintain_order=True)
        .select("loan_id", "at_risk", "risk_status")
    )


def _decided(ledger: Ledger, pools: PoolGuide) -> pl.DataFrame:
    """Trade, pool and action of every in-scope loan, as far as the run gave it one."""
    actions = pl.Series([action.name for action in Action], dtype=pl.String)
    action = gather(actions, pools.action, "pool_action")
    return pl.DataFrame(
        [
            ledger.book.loans.frame["loan_id"],
            pools.recommended.replace({"": None}).alias("recommended_pool"),
            gather(ledger.book.trades.ids, ledger.trade, "recommended_trade_id"),
            action.set(pl.Series(~pools.concerned), None),
        ]
    ).with_columns(in_scope=True)
