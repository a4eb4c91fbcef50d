"""The constraint blocks: a row per constraint and trade with candidates, by constraint_id and trade_id."""

from typing import Any, TypedDict

import sqlalchemy as sa

from services.report_service.reports import base, notes
from services.report_service.reports.columns import stored
from services.report_service.reports.freshness import ReportedRun
from shared.database.tables import OUTPUT_TABLES
from shared.tenancy.database import ReadOnlyTenantDatabase

Params = base.Params


class Row(TypedDict):
    """What one constraint produced on one trade: decimals as text, the amount in dollars, averages in points."""

    constraint_id: str
    trade_id: str
    candidate_count: int
    allocated_count: int
    allocated_amount: str
    avg_price: str | None
    avg_score: str | None


def statement(run_id: str, params: Params) -> sa.Select[Any]:
    """The rows of a page."""
    return base.run_statement(REPORT, run_id, params)


async def fetch(database: ReadOnlyTenantDatabase, params: Params) -> base.Page:
    """A page of the constraint blocks; see `base.read_page`."""
    return await base.read_page(database, REPORT, statement, params)


def _why_empty(run: ReportedRun) -> str:
    if run.summary.get("constraint_count") == 0:
        return "no constraint is enabled"
    return "no constraint has a candidate on any trade; the kickouts say what stopped the loans"


_TABLE = OUTPUT_TABLES["pfill_trade_cblock_base"]

REPORT = base.RunReport(
    table=_TABLE,
    key=base.key("constraint_id", "trade_id"),
    columns=stored(_TABLE, Row.__annotations__, allocated_count="loan_count", allocated_amount="loan_amount"),
    run_notes=notes.UPSTREAM,
    why_empty=_why_empty,
)
