"""Reading costs no more than the page: the plans by which SQLite reads pages, in the default order and under common filters.

Every plan enters an index (or the primary key) of the run's rows where the page starts, and reads them in order. Only where the
key goes on behind an index are the last terms sorted, among the rows that are equal in the terms before: the candidates of one
loan, the runs of one microsecond.
"""

import contextlib
import datetime as dt
import sqlite3
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import sqlite

from services.report_service.reports import base, run_overview, synthetic_opportunities
from services.report_service.reports.catalogue import REPORTS
from services.report_service.reports.filter.compile import compile_filter
from shared.database.types import UtcDateTime
from tests.integration.report_service.desk import Desk

SQLITE: sa.Dialect = sqlite.dialect()
MOMENT = dt.datetime(2026, 4, 17, tzinfo=dt.UTC)
SORTED_TERMS = {"POOL_CANDIDATES", "RUN_OVERVIEW"}
"""The reports whose last terms may be sorted."""

COMMON = [
    ("ALLOCATION_GUIDE", 'trade_id = "T1"', "pfill_powerfill_guide_by_trade (run_id=? AND trade_id=?"),
    ("KICKOUTS", 'reason = "LIMIT"', "pfill_kickout_guide_01_by_reason (run_id=? AND reason=?"),
    ("EXISTING_DISPOSITION", 'pool = "P1"', "pfill_existing_disposition_by_pool (run_id=? AND pool=?"),
    ("POOL_CANDIDATES", 'loan_id = "L1"', "PRIMARY KEY (run_id=? AND loan_id=?"),
    ("CONSTRAINT_BLOCKS", 'constraint_id = "C1"', "pfill_trade_cblock_base_by_constraint (run_id=? AND constraint_id=?"),
    ("CONSTRAINT_BLOCKS", 'trade_id = "T1"', "PRIMARY KEY (run_id=? AND trade_id=?"),
    ("POOL_SWITCHING", 'loan_id = "L1"', "pfill_pool_guide_switches (run_id=? AND loan_id=?"),
    ("POOL_SWITCHING", 'pool = "P1"', "pfill_pool_guide_switches_by_pool (run_id=? AND pool_name=?"),
    ("TRADE_RECAP", 'trade_id = "T1"', "PRIMARY KEY (run_id=? AND trade_id=?"),
]


def plan(desk: Desk, statement: sa.Select[Any]) -> list[str]:
    """The steps of a statement as the service sends it: values are bound, but for those that it writes out itself."""
    compiled = statement.compile(dialect=SQLITE, compile_kwargs={"render_postcompile": True})
    sql = str(compiled).replace("powerfill.", "")
    values = [_bound(compiled.params[name]) for name in compiled.positiontup or ()]
    with contextlib.closing(sqlite3.connect(desk.path)) as connection:
        return [detail for *_, detail in connection.execute(f"EXPLAIN QUERY PLAN {sql}", values)]


def _bound(value: object) -> object:
    return value if isinstance(value, (str, int, type(None))) else str(value)


def position(name: str) -> base.Position:
    """Somewhere in the middle of a report."""
    report = REPORTS[name].REPORT
    return tuple(_somewhere(report.queryable[ordering.name].type) for ordering in report.key)


def _somewhere(kind: sa.types.TypeEngine[object]) -> object:
    return MOMENT if isinstance(kind, UtcDateTime) else 3 if isinstance(kind, sa.Integer) else "M"


@pytest.mark.parametrize("is_later", [False, True], ids=["first page", "later page"])
@pytest.mark.parametrize("name", REPORTS)
async def test_a_page_in_the_default_order_is_read_along_an_index(desk: Desk, name: str, is_later: bool) -> None:
    params = base.Params(after=position(name) if is_later else None)
    search, *sorting = plan(desk, REPORTS[name].statement("R1", params))
    table = REPORTS[name].REPORT.table.name
    assert search.startswith(f"SEARCH {table} USING")
    bounds = search.rpartition("(")[2]
    first = "tenant_id=?" if name == "RUN_OVERVIEW" else "run_id=?"
    assert bounds.startswith(f"{first} AND " if is_later else f"{first})"), search
    assert all("LAST TERM" in step or "RIGHT PART" in step for step in sorting), sorting
    assert not sorting or name in SORTED_TERMS, sorting


@pytest.mark.parametrize("is_later", [False, True], ids=["first page", "later page"])
@pytest.mark.parametrize(("name", "text", "index"), COMMON)
async def test_a_page_under_a_common_filter_is_read_along_an_index(
    desk: Desk, name: str, text: str, index: str, is_later: bool
) -> None:
    """Or along the key from where the page starts, where the filter is about a column that the key begins with."""
    condition = compile_filter(text, REPORTS[name].REPORT.queryable)
    params = base.Params(filter=condition, after=position(name) if is_later else None)
    search, *sorting = plan(desk, REPORTS[name].statement("R1", params))
    assert index in search or (is_later and index.replace("=?", ">?").replace("run_id>?", "run_id=?") in search)
    assert all("LAST TERM" in step or "RIGHT PART" in step for step in sorting), sorting
    assert not sorting or name in SORTED_TERMS, sorting


@pytest.mark.parametrize(("name", "text", "index"), COMMON)
async def test_rows_under_a_common_filter_are_counted_along_an_index(desk: Desk, name: str, text: str, index: str) -> None:
    report = REPORTS[name].REPORT
    params = base.Params(filter=compile_filter(text, report.queryable))
    [search] = plan(desk, base.count_statement(report, params, report.table.c.run_id == "R1"))
    assert index in search


async def test_the_switches_are_counted_in_an_index_of_their_own(desk: Desk) -> None:
    report = REPORTS["POOL_SWITCHING"].REPORT
    [search] = plan(desk, base.count_statement(report, base.Params(), report.table.c.run_id == "R1"))
    assert search.startswith("SEARCH pfill_pool_guide USING COVERING INDEX pfill_pool_guide_switches")


async def test_ranks_and_synthetic_trades_are_read_by_key(desk: Desk) -> None:
    [search] = plan(desk, synthetic_opportunities.rank_statement("R1", ["L1", "L2"]))
    assert search.endswith("USING PRIMARY KEY (run_id=? AND loan_id=?)")
    [search] = plan(desk, synthetic_opportunities.trade_statement("R1"))
    assert search.endswith("USING PRIMARY KEY (run_id=?)")


async def test_the_overview_of_all_runs_is_read_along_the_tenants_runs(desk: Desk) -> None:
    search, *sorting = plan(desk, run_overview.trend_statement("acme", base.Params()))
    assert search.startswith("SEARCH pfill_run_history USING INDEX")
    assert not [step for step in sorting if "FOR ORDER BY" in step]
    search, *_ = plan(desk, run_overview.status_statement("acme", base.Params()))
    assert search.startswith("SEARCH pfill_run_history USING")
