"""The pool candidates: the best candidates of every loan, by loan_id and rank."""

from typing import Any, TypedDict

import sqlalchemy as sa

from services.report_service.reports import base, notes
from services.report_service.reports.columns import stored
from services.report_service.reports.freshness import ReportedRun
from shared.database.tables import OUTPUT_TABLES
from shared.tenancy.database import ReadOnlyTenantDatabase

Params = base.Params


class Row(TypedDict):
    """One loan on one trade that passes every filter: decimals as text, in points."""

    loan_id: str
    trade_id: str
    constraint_id: str
    priority: int
    price: str
    payup: str
    excess: str
    carry: str
    score: str
    rank: int
    taken: bool


def statement(run_id: str, params: Params) -> sa.Select[Any]:
    """The rows of a page."""
    return base.run_statement(REPORT, run_id, params)


async def fetch(database: ReadOnlyTenantDatabase, params: Params) -> base.Page:
    """A page of the pool candidates; see `base.read_page`."""
    return await base.read_page(database, REPORT, statement, params)


def _why_empty(run: ReportedRun) -> str:
    if run.summary.get("in_scope_count") == 0:
        return "no loan was in scope"
    return "no loan in scope passes every filter of any trade; the kickouts say which stopped it"


_TABLE = OUTPUT_TABLES["pfill_loan2trade_candy_level_01"]

REPORT = base.RunReport(
    table=_TABLE,
    key=base.key("loan_id", "rank"),
    columns=stored(_TABLE, Row.__annotations__),
    run_notes=notes.UPSTREAM,
    why_empty=_why_empty,
)
