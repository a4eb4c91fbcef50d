"""The pool switching report: a row per side of a switch, by switch_id and side. A loan switches at most once in a run."""

from typing import Any, TypedDict

import sqlalchemy as sa

from services.report_service.reports import base, notes
from services.report_service.reports.columns import stored, unset_if_empty
from services.report_service.reports.freshness import ReportedRun
from shared.database.tables import OUTPUT_TABLES, SWITCH_SIDES
from shared.tenancy.database import ReadOnlyTenantDatabase

Params = base.Params


class Row(TypedDict):
    """One side of a loan's move: decimals as text, amount and gain in dollars, price and score in points."""

    switch_id: str
    loan_id: str
    loan_amount: str
    side: str
    pool: str
    other_pool: str
    trade_id: str | None
    other_trade_id: str | None
    price: str | None
    score: str | None
    gain: str | None


def statement(run_id: str, params: Params) -> sa.Select[Any]:
    """The rows of a page."""
    return base.run_statement(REPORT, run_id, params)


async def fetch(database: ReadOnlyTenantDatabase, params: Params) -> base.Page:
    """A page of the pool switching report; see `base.read_page`."""
    return await base.read_page(database, REPORT, statement, params)


def _why_empty(run: ReportedRun) -> str:
    return "no loan in a forming pool goes to another trade's pool"


_TABLE = OUTPUT_TABLES["pfill_pool_guide"]
_COLUMNS = stored(_TABLE, Row.__annotations__, switch_id="loan_id", side="pool_action", pool="pool_name")

REPORT = base.RunReport(
    table=_TABLE,
    key=base.key("switch_id", "side"),
    columns=_COLUMNS | {"trade_id": unset_if_empty(_TABLE.c.trade_id)},
    run_notes=notes.UPSTREAM,
    why_empty=_why_empty,
    # Literals, as the index of these rows alone has them: with bound values no database would know that it holds them all.
    rows=_TABLE.c.pool_action.in_(
        sa.bindparam("sides", SWITCH_SIDES, _TABLE.c.pool_action.type, expanding=True, literal_execute=True)
    ),
)
