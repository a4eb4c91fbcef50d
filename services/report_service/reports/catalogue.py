"""All reports by name."""

from collections.abc import Mapping
from typing import Any, Protocol

import sqlalchemy as sa

from services.report_service.reports import (
    allocation_guide,
    base,
    cash_trade_slotting,
    constraint_blocks,
    existing_disposition,
    kickouts,
    pool_candidates,
    pool_switching,
    pooling_guide,
    run_log,
    run_overview,
    synthetic_opportunities,
    trade_recap,
)
from shared.tenancy.database import ReadOnlyTenantDatabase


class ReportModule(Protocol):
    """What the module of a report offers: the same names in all of them."""

    @property
    def REPORT(self) -> base.Report:  # noqa: N802 - a constant of the module
        """What makes it different from the others."""
        ...

    def statement(self, run_id: str, params: base.Params) -> sa.Select[Any]:
        """The rows of a page as SQL; of the run overview, given the tenant's id."""
        ...

    async def fetch(self, database: ReadOnlyTenantDatabase, params: base.Params) -> base.Page:
        """A page; `base.following` of it asks for the next. See `base.read_page` for what it raises."""
        ...


REPORTS: Mapping[str, ReportModule] = {
    "ALLOCATION_GUIDE": allocation_guide,
    "KICKOUTS": kickouts,
    "TRADE_RECAP": trade_recap,
    "POOL_SWITCHING": pool_switching,
    "POOL_CANDIDATES": pool_candidates,
    "EXISTING_DISPOSITION": existing_disposition,
    "POOLING_GUIDE": pooling_guide,
    "CASH_TRADE_SLOTTING": cash_trade_slotting,
    "SYNTHETIC_OPPORTUNITIES": synthetic_opportunities,
    "CONSTRAINT_BLOCKS": constraint_blocks,
    "RUN_LOG": run_log,
    "RUN_OVERVIEW": run_overview,
}
"""The modules by the words of powerfill.report.v1.ReportName (a test compares the two), in the specification's order."""
