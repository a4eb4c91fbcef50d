"""What all reports have in common: a page of one run's rows, read in one snapshot from a connection that cannot write."""

import dataclasses
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.report_service.reports import notes
from services.report_service.reports.cells import Cells, by_column, selected
from services.report_service.reports.columns import Columns
from services.report_service.reports.freshness import ReportedRun, RunStatus, Verdict
from services.report_service.reports.notes import Note, NoteCode
from services.report_service.reports.order import Ordering, clauses, comes_after
from services.report_service.reports.runs import find_run
from shared.database.revision import VERSION_TABLE
from shared.database.tables import SCHEMA_REVISION
from shared.errors import schema_version
from shared.tenancy.database import ReadOnlyTenantDatabase

DEFAULT_PAGE_SIZE = 500
MAX_PAGE_SIZE = 10_000

Position = tuple[Any, ...]
"""The values of a row in the columns that order the rows (see `Report.ordered`); null is None."""


@dataclass(frozen=True)
class Params:
    """What a report is asked: the run (empty: the tenant's latest complete one), how many rows, which, in which order.

    `columns` are those to fill in (empty: all), `filter` and `orderings` are over `Report.queryable`. A later page says where
    it starts, `after`, with the run and the total of the page before it, as `Page.next` does.
    """

    run_id: str = ""
    page_size: int = DEFAULT_PAGE_SIZE
    after: Position | None = None
    columns: tuple[str, ...] = ()
    filter: sa.ColumnElement[bool] | None = None
    orderings: tuple[Ordering, ...] = ()
    row_count: int | None = None


@dataclass(frozen=True)
class Header:
    """The run a report answers for (None: there is none yet), how it stands to others, the rows on all pages, and notes."""

    run: ReportedRun | None
    verdict: Verdict
    row_count: int
    notes: tuple[Note, ...]


@dataclass(frozen=True)
class Page:
    """Some rows of a report by column, in the order asked for; `next` asks for the page after it, None on the last.

    `columns` has the chosen ones in the report's order: decimals are texts in canonical form (see `cells`), dates
    `datetime.date`; None is unset. `beside` holds what a report shows beside its rows, on the first page alone, by the
    contract's names: tables by column, too.
    """

    header: Header
    columns: Mapping[str, Cells]
    next: Params | None = None
    beside: Mapping[str, Mapping[str, Cells]] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Report:
    """What makes one report different: its rows, their key and its columns in order.

    The rows are those of `table` that fulfil `rows` (None: all), `key` tells them apart and orders them.
    """

    table: sa.Table
    key: tuple[Ordering, ...]
    columns: Columns
    rows: sa.ColumnElement[bool] | None = field(default=None, kw_only=True)

    @cached_property
    def queryable(self) -> Mapping[str, sa.ColumnElement[Any]]:
        """The columns that the rows can be filtered and ordered by."""
        return {name: column.queried for name, column in self.columns.items() if column.queried is not None}

    def chosen(self, params: Params) -> tuple[str, ...]:
        """The columns asked for, in the report's order."""
        return tuple(name for name in self.columns if not params.columns or name in params.columns)

    def ordered(self, params: Params) -> tuple[Ordering, ...]:
        """A total order of the rows: as asked for, and by the rest of the key."""
        named = {ordering.name for ordering in params.orderings}
        return (*params.orderings, *(ordering for ordering in self.key if ordering.name not in named))


@dataclass(frozen=True, eq=False)
class RunReport(Report):
    """A report over the rows of one run, within which the key is unique.

    `run_notes` are the notes of the run's log that concern it; `why_empty` says why a complete run has no row here. A run
    that failed or was cancelled has rows only where they are `kept_for_diagnosis`.
    """

    run_notes: frozenset[NoteCode]
    why_empty: Callable[[ReportedRun], str]
    kept_for_diagnosis: bool = False

    def has_rows_of(self, run: ReportedRun) -> bool:
        """Whether the run's rows, if it has any, are shown."""
        return run.status == RunStatus.COMPLETE or (self.kept_for_diagnosis and not run.status.is_active)


Statement = Callable[[str, Params], sa.Select[Any]]
"""A report's rows of a run as SQL, given the run's id."""

Complete = Callable[[AsyncConnection, ReportedRun, Params, Page, Sequence[sa.Row[Any]]], Awaitable[Page]]
"""Adds to a page of a run what other tables have, in the same snapshot, given the page's rows as they were selected."""


def key(*columns: str) -> tuple[Ordering, ...]:
    """A key of these columns, all ascending."""
    return tuple(Ordering(column) for column in columns)


def run_statement(report: RunReport, run_id: str, params: Params) -> sa.Select[Any]:
    """The rows of a page of a run."""
    return page_statement(report, params, report.table.c.run_id == run_id)


def page_statement(report: Report, params: Params, *conditions: sa.ColumnElement[bool]) -> sa.Select[Any]:
    """The rows of a page and one more, which tells whether there is another page: the chosen columns, then those of the order."""
    order = report.ordered(params)
    chosen = ((name, report.columns[name].sql) for name in report.chosen(params))
    columns = [selected(name, sql) for name, sql in chosen if sql is not None]
    position = [report.queryable[ordering.name].label(f"key_{ordering.name}") for ordering in order]
    statement = sa.select(*columns, *position).where(*selection(report, params, *conditions))
    if params.after is not None:
        statement = statement.where(comes_after(order, report.queryable, params.after))
    return statement.order_by(*clauses(order, report.queryable)).limit(params.page_size + 1)


def count_statement(report: Report, params: Params, *conditions: sa.ColumnElement[bool]) -> sa.Select[int]:
    """How many rows there are on all pages."""
    return sa.select(sa.func.count()).select_from(report.table).where(*selection(report, params, *conditions))


def selection(report: Report, params: Params, *conditions: sa.ColumnElement[bool]) -> list[sa.ColumnElement[bool]]:
    """What rows must fulfil: the conditions, to be of the report, and the filter."""
    return [*conditions, *(condition for condition in (report.rows, params.filter) if condition is not None)]


def cut(report: Report, params: Params, rows: Sequence[sa.Row[Any]]) -> tuple[dict[str, Cells], Position | None]:
    """The rows of `page_statement` by column, as they are shown, and where the next page starts.

    Columns that no SQL selects are not among them, nor is what the statement selects beyond its columns and position.
    """
    chosen = {name: report.columns[name] for name in report.chosen(params)}
    kinds = {name: column.type for name, column in chosen.items() if column.sql is not None}
    page = rows[: params.page_size]
    after = None if len(rows) == len(page) else tuple(page[-1][len(kinds) : len(kinds) + len(report.ordered(params))])
    return by_column(page, kinds), after


async def read_page(
    database: ReadOnlyTenantDatabase, report: RunReport, statement: Statement, params: Params, complete: Complete | None = None
) -> Page:
    """A page of a report; verdict, total and rows are of one moment.

    `complete` is given every page of a run whose rows are shown. Raises NOT_FOUND (RUN_NOT_FOUND, RUN_EXPIRED) and what the
    connection raises (SCHEMA_VERSION, TENANT_UNAVAILABLE).
    """
    async with database.connect() as connection:
        await check_schema(connection, database.tenant_id)
        found = await find_run(connection, database.tenant_id, params.run_id)
        run = found.run
        if run is None:
            return _empty(report, params, Header(None, found.verdict, 0, (notes.no_run_yet(found.attempt),)))
        if not report.has_rows_of(run):
            return _empty(report, params, Header(run, found.verdict, 0, (notes.without_output(run),)))
        row_count = params.row_count
        if row_count is None:
            row_count = await _row_count(connection, report, run, params)
        told = await _told(connection, report, run, params, row_count)
        rows = (await connection.execute(statement(run.run_id, params))).all()
        columns, after = cut(report, params, rows)
        later = None if after is None else dataclasses.replace(params, run_id=run.run_id, after=after, row_count=row_count)
        page = Page(Header(run, found.verdict, row_count, told), columns, later)
        return page if complete is None else await complete(connection, run, params, page, rows[: params.page_size])


async def check_schema(connection: AsyncConnection, tenant_id: str) -> None:
    """Tables of another version may mean something else, even where a statement would do. Raises SCHEMA_VERSION."""
    revision = (await connection.execute(sa.select(VERSION_TABLE.c.version_num))).scalar()
    if revision != SCHEMA_REVISION:
        raise schema_version(tenant_id, revision or "", SCHEMA_REVISION)


async def _row_count(connection: AsyncConnection, report: RunReport, run: ReportedRun, params: Params) -> int:
    """The rows on all pages; all of a table's as the run recorded them when it became COMPLETE, since when they do not change."""
    recorded = run.output_counts.get(report.table.name) if run.status == RunStatus.COMPLETE else None
    if recorded is not None and report.rows is None and params.filter is None:
        return recorded
    counted: int = (await connection.execute(count_statement(report, params, report.table.c.run_id == run.run_id))).scalar_one()
    return counted


async def _told(
    connection: AsyncConnection, report: RunReport, run: ReportedRun, params: Params, row_count: int
) -> tuple[Note, ...]:
    """The notes of a run whose rows are shown: first why there are none, or that they are not those of a complete run."""
    logged = await notes.logged(connection, run.run_id, report.run_notes)
    if not row_count:
        return (await _why_empty(connection, report, run, params), *logged)
    return tuple(logged) if run.status == RunStatus.COMPLETE else (notes.kept_for_diagnosis(run), *logged)


async def _why_empty(connection: AsyncConnection, report: RunReport, run: ReportedRun, params: Params) -> Note:
    if params.filter is not None:
        unfiltered = await _row_count(connection, report, run, dataclasses.replace(params, filter=None))
        if unfiltered:
            return notes.filter_matches_nothing(unfiltered)
    if run.status != RunStatus.COMPLETE:
        return notes.without_output(run)
    if run.output_counts and report.table.name not in run.output_counts:
        return notes.rows_not_recorded(run)
    return notes.nothing_to_report(report.why_empty(run))


def _empty(report: Report, params: Params, header: Header) -> Page:
    return Page(header, dict.fromkeys(report.chosen(params), ()))
