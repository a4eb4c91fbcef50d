"""The existing disposition: a row per loan and posting to a known pool, by loan_id and pool."""

from typing import Any, TypedDict

import sqlalchemy as sa

from services.report_service.reports import base, notes
from services.report_service.reports.columns import stored
from services.report_service.reports.freshness import ReportedRun
from shared.database.tables import OUTPUT_TABLES
from shared.tenancy.database import ReadOnlyTenantDatabase

Params = base.Params


class Row(TypedDict):
    """One posting of a loan to a pool and what the run makes of it: decimals as text, the amount in dollars."""

    loan_id: str
    loan_amount: str | None
    note_rate: str | None
    pool: str
    pool_status: str
    is_current_pool: bool
    trade_id: str | None
    at_risk: bool
    risk_status: str | None
    in_scope: bool
    recommended_pool: str | None
    recommended_trade_id: str | None
    pool_action: str | None


def statement(run_id: str, params: Params) -> sa.Select[Any]:
    """The rows of a page."""
    return base.run_statement(REPORT, run_id, params)


async def fetch(database: ReadOnlyTenantDatabase, params: Params) -> base.Page:
    """A page of the existing disposition; see `base.read_page`."""
    return await base.read_page(database, REPORT, statement, params)


def _why_empty(run: ReportedRun) -> str:
    return "no loan is posted to a known pool"


_TABLE = OUTPUT_TABLES["pfill_existing_disposition"]

REPORT = base.RunReport(
    table=_TABLE,
    key=base.key("loan_id", "pool"),
    columns=stored(_TABLE, Row.__annotations__),
    run_notes=notes.UPSTREAM,
    why_empty=_why_empty,
)
