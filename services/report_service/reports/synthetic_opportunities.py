"""The synthetic opportunities: a row per loan with its best synthetic trades, by loan_id; and the synthetic trades."""

import dataclasses
import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.report_service.reports import base, notes
from services.report_service.reports.cells import Cells, by_column, selected
from services.report_service.reports.columns import Column, Columns, Records, stored
from services.report_service.reports.freshness import ReportedRun
from shared.database.tables import OUTPUT_TABLES
from shared.tenancy.database import ReadOnlyTenantDatabase

Params = base.Params

LOANS_AT_ONCE = 500
"""Loans whose ranks one statement reads: as many values as every database binds."""


class Rank(TypedDict):
    """One loan on one synthetic trade: decimals as text, in points."""

    rank: int
    syn_trade_id: str
    investor_instrument: str
    settlement_date: dt.date
    price: str
    carry: str
    score: str


class Row(TypedDict):
    """One loan against the trades the desk could make today: decimals as text, the amount in dollars, scores in points."""

    loan_id: str
    loan_instrument: str | None
    loan_amount: str | None
    trade_id: str | None
    score: str | None
    syn_trade_id: str
    investor_instrument: str
    settlement_date: dt.date
    syn_score: str
    uplift: str | None
    ranks: Sequence[Rank]


class Trade(TypedDict):
    """One synthetic trade and the kickouts whose best it is: decimals as text, amount and value in dollars, price in points."""

    syn_trade_id: str
    investor_instrument: str
    settlement_date: dt.date
    price: str
    loan_count: int
    amount: str
    value: str


def statement(run_id: str, params: Params) -> sa.Select[Any]:
    """The rows of a page, without their ranks."""
    return base.run_statement(REPORT, run_id, params)


def rank_statement(run_id: str, loan_ids: Sequence[str]) -> sa.Select[Any]:
    """The ranks of these loans, each loan's best first."""
    of = _RANK_TABLE.c
    ranks = (selected(name, of[name]) for name in _RANKS)
    return sa.select(of.loan_id, *ranks).where(of.run_id == run_id, of.loan_id.in_(loan_ids)).order_by(of.loan_id, of.rank)


def trade_statement(run_id: str) -> sa.Select[Any]:
    """The run's synthetic trades."""
    trades = (selected(name, column.sql) for name, column in _TRADES.items() if column.sql is not None)
    return sa.select(*trades).where(_TRADE_TABLE.c.run_id == run_id).order_by(_TRADE_TABLE.c.syn_trade_id)


async def fetch(database: ReadOnlyTenantDatabase, params: Params) -> base.Page:
    """A page of the synthetic opportunities, with the synthetic trades beside the first; see `base.read_page`."""
    return await base.read_page(database, REPORT, statement, params, _complete)


async def _complete(
    connection: AsyncConnection, run: ReportedRun, params: Params, page: base.Page, rows: Sequence[sa.Row[Any]]
) -> base.Page:
    columns, header = dict(page.columns), page.header
    if "ranks" in REPORT.chosen(params):
        columns["ranks"] = await _ranks(connection, run, [row.key_loan_id for row in rows])
    if rows and not await _is_recorded(connection, run):
        note = notes.columns_not_recorded(run, ("loan_instrument", "loan_amount", "trade_id"))
        header = dataclasses.replace(header, notes=(*header.notes, note))
    beside: Mapping[str, Mapping[str, Cells]] = {}
    if params.after is None:
        trades = (await connection.execute(trade_statement(run.run_id))).all()
        beside = {"synthetic_trades": by_column(trades, {name: column.type for name, column in _TRADES.items()})}
    return dataclasses.replace(page, header=header, columns=columns, beside=beside)


async def _ranks(connection: AsyncConnection, run: ReportedRun, loan_ids: Sequence[str]) -> list[list[dict[str, Any]]]:
    """The ranks of each of these loans."""
    ranks: dict[str, list[dict[str, Any]]] = {loan_id: [] for loan_id in loan_ids}
    for first in range(0, len(loan_ids), LOANS_AT_ONCE):
        chunk = rank_statement(run.run_id, loan_ids[first : first + LOANS_AT_ONCE])
        cells = by_column((await connection.execute(chunk)).all(), {"loan_id": _RANK_TABLE.c.loan_id.type, **_RANKS})
        for loan_id, *rank in zip(*cells.values(), strict=True):
            ranks[loan_id].append(dict(zip(_RANKS, rank, strict=True)))
    return list(ranks.values())


async def _is_recorded(connection: AsyncConnection, run: ReportedRun) -> bool:
    """Whether the run recorded the loans' products and amounts, which every loan here has: all of its rows or none do."""
    some = sa.select(_TABLE.c.loan_amount).where(_TABLE.c.run_id == run.run_id).limit(1)
    return (await connection.execute(some)).scalar() is not None


def _why_empty(run: ReportedRun) -> str:
    if run.summary.get("in_scope_count") == 0:
        return "no loan was in scope"
    if run.summary.get("syn_trade_base_count") == 0:
        return "there is no synthetic trade: no today's price settles within the window"
    return "no loan in scope passes the filters of any synthetic trade"


_TABLE = OUTPUT_TABLES["pfill_syn_powerfill_guide"]
_RANK_TABLE = OUTPUT_TABLES["pfill_syn_powerfill_guide_all_rank"]
_TRADE_TABLE = OUTPUT_TABLES["pfill_syn_trade_base"]
_TRADES: Columns = stored(_TRADE_TABLE, Trade.__annotations__, amount="loan_amount")
_RANKS = {name: _RANK_TABLE.c[name].type for name in Rank.__annotations__}
_STORED = [name for name in Row.__annotations__ if name != "ranks"]

REPORT = base.RunReport(
    table=_TABLE,
    key=base.key("loan_id"),
    columns=stored(_TABLE, _STORED, score="taken_score", syn_score="score") | {"ranks": Column(Records(_RANKS))},
    run_notes=notes.SYNTHETIC,
    why_empty=_why_empty,
    kept_for_diagnosis=True,
)
