"""The cash trade slotting: a row per loan product and CASH instrument, or per slot where step 1 ran."""

from typing import Any, TypedDict

import sqlalchemy as sa

from services.report_service.reports import base, notes
from services.report_service.reports.columns import stored
from services.report_service.reports.freshness import ReportedRun
from shared.database.tables import OUTPUT_TABLES
from shared.tenancy.database import ReadOnlyTenantDatabase

Params = base.Params


class Row(TypedDict):
    """One product on one CASH instrument and a row of a grid: decimals as text, the amount in dollars, the price in points."""

    loan_instrument: str
    investor_instrument: str
    slot_number: int
    cash_grid_type: str
    trade_id: str | None
    rate: str | None
    sequence_number: int | None
    price: str | None
    syntax_name: str | None
    loan_count: int | None
    amount: str | None


def statement(run_id: str, params: Params) -> sa.Select[Any]:
    """The rows of a page."""
    return base.run_statement(REPORT, run_id, params)


async def fetch(database: ReadOnlyTenantDatabase, params: Params) -> base.Page:
    """A page of the cash trade slotting; see `base.read_page`."""
    return await base.read_page(database, REPORT, statement, params)


def _why_empty(run: ReportedRun) -> str:
    return "no loan product is in the pipeline, or there is no CASH instrument"


_TABLE = OUTPUT_TABLES["pfill_cash_market_map"]

REPORT = base.RunReport(
    table=_TABLE,
    key=base.key("loan_instrument", "investor_instrument", "slot_number"),
    columns=stored(_TABLE, Row.__annotations__, amount="loan_amount"),
    run_notes=notes.UPSTREAM,
    why_empty=_why_empty,
    kept_for_diagnosis=True,
)
