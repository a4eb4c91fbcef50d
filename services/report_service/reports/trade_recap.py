"""The trade recap: a row per participating trade that settles within the window, by trade_id."""

import datetime as dt
from typing import Any, TypedDict

import sqlalchemy as sa

from services.report_service.reports import base, notes
from services.report_service.reports.columns import stored
from services.report_service.reports.freshness import ReportedRun
from shared.database.tables import OUTPUT_TABLES
from shared.tenancy.database import ReadOnlyTenantDatabase

Params = base.Params


class Row(TypedDict):
    """One trade before and after the run: decimals as text, amounts in dollars, prices and values in points."""

    trade_id: str
    counterparty: str | None
    investor: str | None
    investor_instrument: str
    kind: str
    trade_date: dt.date | None
    settlement_date: dt.date
    trade_price: str | None
    trade_amount: str
    pair_off_amount: str
    delivered_amount: str
    need: str
    lo: str
    hi: str
    tolerance_pct: str
    allocated_amount: str
    allocated_count: int
    locked_amount: str
    pre_session_amount: str
    pre_session_need: str
    post_session_need: str
    space_left: str
    fill_pct: str
    status: str
    shortfall: str
    pair_off_points: str
    pair_off_dollars: str
    avg_note_rate: str | None
    avg_fico: str | None
    avg_ltv: str | None
    avg_price: str | None
    avg_score: str | None
    room_value: str | None
    fill_value: str | None


def statement(run_id: str, params: Params) -> sa.Select[Any]:
    """The rows of a page."""
    return base.run_statement(REPORT, run_id, params)


async def fetch(database: ReadOnlyTenantDatabase, params: Params) -> base.Page:
    """A page of the recap; see `base.read_page`."""
    return await base.read_page(database, REPORT, statement, params)


def _why_empty(run: ReportedRun) -> str:
    days = run.options.get("max_trade_settle_days")
    return f"no trade takes part (open, of a known instrument, with an open amount) and settles within {days} days"


_TABLE = OUTPUT_TABLES["pfill_trade_base"]

REPORT = base.RunReport(
    table=_TABLE,
    key=base.key("trade_id"),
    columns=stored(_TABLE, Row.__annotations__),
    run_notes=notes.UPSTREAM,
    why_empty=_why_empty,
)
