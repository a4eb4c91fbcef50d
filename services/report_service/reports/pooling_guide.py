"""The pooling guide: a row per pool that is recommended or left, by pool."""

from typing import Any, TypedDict

import sqlalchemy as sa

from services.report_service.reports import base, notes
from services.report_service.reports.columns import stored
from services.report_service.reports.freshness import ReportedRun
from shared.database.tables import OUTPUT_TABLES
from shared.tenancy.database import ReadOnlyTenantDatabase

Params = base.Params


class Row(TypedDict):
    """One pool after the run: decimals as text, amounts in dollars, rates in percent, price and score in points."""

    pool: str
    trade_id: str | None
    investor_instrument: str | None
    loan_count: int
    amount: str
    target_amount: str
    fill_pct: str | None
    below_minimum: bool
    locked_count: int
    locked_amount: str
    unpooled_count: int
    unpooled_amount: str
    joining_count: int
    joining_amount: str
    remaining_count: int
    remaining_amount: str
    switching_count: int
    switching_amount: str
    leaving_count: int
    leaving_amount: str
    swapped_out_count: int
    swapped_out_amount: str
    swapped_in_count: int
    swapped_in_amount: str
    avg_note_rate: str | None
    avg_fico: str | None
    avg_ltv: str | None
    avg_price: str | None
    avg_score: str | None


def statement(run_id: str, params: Params) -> sa.Select[Any]:
    """The rows of a page."""
    return base.run_statement(REPORT, run_id, params)


async def fetch(database: ReadOnlyTenantDatabase, params: Params) -> base.Page:
    """A page of the pooling guide; see `base.read_page`."""
    return await base.read_page(database, REPORT, statement, params)


def _why_empty(run: ReportedRun) -> str:
    return "no pool is recommended or left: no allocated loan goes to a trade that is pooled, and none was in a forming pool"


_TABLE = OUTPUT_TABLES["pfill_pooling_guide"]

REPORT = base.RunReport(
    table=_TABLE,
    key=base.key("pool"),
    columns=stored(_TABLE, Row.__annotations__),
    run_notes=notes.UPSTREAM,
    why_empty=_why_empty,
)
