"""The kickouts: a row per in-scope loan left out, by loan_id."""

from typing import Any, TypedDict

import sqlalchemy as sa

from services.report_service.reports import base, notes
from services.report_service.reports.columns import stored
from services.report_service.reports.freshness import ReportedRun
from shared.database.tables import OUTPUT_TABLES
from shared.tenancy.database import ReadOnlyTenantDatabase

Params = base.Params


class Row(TypedDict):
    """One in-scope loan that got no trade: decimals as text, amount and cost in dollars, scores in points."""

    loan_id: str
    loan_instrument: str | None
    loan_amount: str | None
    note_rate: str | None
    status_code: str
    reason: str
    reason_detail: str | None
    nearest_constraint_id: str | None
    failed_condition: str | None
    best_trade_id: str | None
    best_score: str | None
    opportunity_cost: str | None
    syn_trade_id: str | None
    syn_score: str | None
    recommended_action: str


def statement(run_id: str, params: Params) -> sa.Select[Any]:
    """The rows of a page."""
    return base.run_statement(REPORT, run_id, params)


async def fetch(database: ReadOnlyTenantDatabase, params: Params) -> base.Page:
    """A page of the kickouts; see `base.read_page`."""
    return await base.read_page(database, REPORT, statement, params)


def _why_empty(run: ReportedRun) -> str:
    if run.summary.get("in_scope_count") == 0:
        return "no loan was in scope"
    return "every loan in scope got a trade"


_TABLE = OUTPUT_TABLES["pfill_kickout_guide_01"]

REPORT = base.RunReport(
    table=_TABLE,
    key=base.key("loan_id"),
    columns=stored(_TABLE, Row.__annotations__),
    run_notes=notes.SYNTHETIC,
    why_empty=_why_empty,
)
