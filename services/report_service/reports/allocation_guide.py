"""The allocation guide: a row per allocated loan, by loan_id."""

import datetime as dt
from typing import Any, TypedDict

import sqlalchemy as sa

from services.report_service.reports import base, notes
from services.report_service.reports.columns import stored
from services.report_service.reports.freshness import ReportedRun
from shared.database.tables import OUTPUT_TABLES
from shared.tenancy.database import ReadOnlyTenantDatabase

Params = base.Params

Row = TypedDict(
    "Row",
    {
        "loan_id": str,
        "loan_instrument": str,
        "loan_amount": str,
        "note_rate": str,
        "status_code": str,
        "trade_id": str,
        "counterparty": str | None,
        "investor": str | None,
        "investor_instrument": str,
        "settlement_date": dt.date,
        "constraint_id": str | None,
        "priority": int | None,
        "pass": str,
        "price": str | None,
        "carry": str | None,
        "score": str | None,
        "best_score": str | None,
        "rank": int | None,
        "fallback": str | None,
        "value": str | None,
        "current_pool": str | None,
        "recommended_pool": str | None,
        "pool_action": str,
        "locked": bool,
        "syn_trade_id": str | None,
        "syn_score": str | None,
    },
)
"""One allocated loan: decimals as text, amount and value in dollars, price, carry, scores and fallback in points."""


def statement(run_id: str, params: Params) -> sa.Select[Any]:
    """The rows of a page."""
    return base.run_statement(REPORT, run_id, params)


async def fetch(database: ReadOnlyTenantDatabase, params: Params) -> base.Page:
    """A page of the guide; see `base.read_page`."""
    return await base.read_page(database, REPORT, statement, params)


def _why_empty(run: ReportedRun) -> str:
    if run.summary.get("in_scope_count") == 0:
        return "no loan was in scope"
    return "no loan in scope got a trade; the kickouts say why"


_TABLE = OUTPUT_TABLES["pfill_powerfill_guide"]

REPORT = base.RunReport(
    table=_TABLE,
    key=base.key("loan_id"),
    columns=stored(_TABLE, Row.__annotations__),
    run_notes=notes.SYNTHETIC,
    why_empty=_why_empty,
)
