"""What all reports have in common: a page of one run's rows, read in one snapshot from a connection that cannot write."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.report_service.reports import notes
from services.report_service.reports.cells import Cells, selected, shown
from services.report_service.reports.freshness import ReportedRun, RunStatus, Verdict
from services.report_service.reports.notes import Note, NoteCode
from services.report_service.reports.runs import find_run
from shared.database.revision import VERSION_TABLE
from shared.database.tables import SCHEMA_REVISION
from shared.errors import schema_version
from shared.tenancy.database import ReadOnlyTenantDatabase

DEFAULT_PAGE_SIZE = 500
MAX_PAGE_SIZE = 10_000

Key = tuple[str | int, ...]
"""The values of a row's key columns, in the key's order."""


@dataclass(frozen=True)
class Params:
    """What a report is asked: the run (empty: the tenant's latest complete one), how many rows, after which, which columns.

    A position of an earlier page belongs to that page's run: whoever gives `after` gives its `run_id` too.
    """

    run_id: str = ""
    page_size: int = DEFAULT_PAGE_SIZE
    after: Key | None = None
    columns: tuple[str, ...] = ()


@dataclass(frozen=True)
class Header:
    """The run a report answers for (None: there is none yet), how it stands to others, all its rows counted, and notes."""

    run: ReportedRun | None
    verdict: Verdict
    row_count: int
    notes: tuple[Note, ...]


@dataclass(frozen=True)
class Page:
    """Some rows of a report by column, in the order of its key; `next_after` is where the next page starts, None on the last.

    Decimals are texts in canonical form (see `cells`), dates `datetime.date`; None is unset.
    """

    header: Header
    columns: Mapping[str, Cells]
    next_after: Key | None = None


@dataclass(frozen=True)
class Report:
    """What makes one report different: its table, its key within a run, its columns in order, and the words when it is empty.

    `run_notes` are the notes of the run's log that concern it; `why_empty` says why a complete run has no row here.
    """

    table: sa.Table
    key: tuple[str, ...]
    columns: tuple[str, ...]
    run_notes: frozenset[NoteCode]
    why_empty: Callable[[ReportedRun], str]

    def chosen(self, params: Params) -> tuple[str, ...]:
        """The columns asked for, in the report's order."""
        return tuple(name for name in self.columns if not params.columns or name in params.columns)


Statement = Callable[[str, Params], sa.Select[Any]]
"""A report's rows of a run as SQL, given the run's id."""


def page_statement(report: Report, run_id: str, params: Params) -> sa.Select[Any]:
    """The rows of a page and one more, which tells whether there is another page: the chosen columns, then the key's."""
    of = report.table.c
    key = [of[name] for name in report.key]
    columns = [selected(of[name]) for name in report.chosen(params)]
    position = [column.label(f"key_{column.name}") for column in key]
    statement = sa.select(*columns, *position).where(of.run_id == run_id).order_by(*key).limit(params.page_size + 1)
    return statement if params.after is None else statement.where(_comes_after(key, params.after))


async def read_page(database: ReadOnlyTenantDatabase, report: Report, statement: Statement, params: Params) -> Page:
    """A page of a report; verdict, total and rows are of one moment.

    Raises NOT_FOUND (RUN_NOT_FOUND, RUN_EXPIRED) and what the connection raises (SCHEMA_VERSION, TENANT_UNAVAILABLE).
    """
    async with database.connect() as connection:
        await _check_schema(connection, database.tenant_id)
        found = await find_run(connection, database.tenant_id, params.run_id)
        run = found.run
        if run is None:
            return _empty(report, params, Header(None, found.verdict, 0, (notes.no_run_yet(found.attempt),)))
        if run.status != RunStatus.COMPLETE:
            return _empty(report, params, Header(run, found.verdict, 0, (notes.without_output(run),)))
        row_count = await _row_count(connection, report, run)
        told = await notes.logged(connection, run.run_id, report.run_notes)
        rows = (await connection.execute(statement(run.run_id, params))).all()
    if not row_count:
        told.insert(0, notes.nothing_to_report(report.why_empty(run)))
    return _page(report, params, Header(run, found.verdict, row_count, tuple(told)), rows)


async def _check_schema(connection: AsyncConnection, tenant_id: str) -> None:
    """Tables of another version may mean something else, even where a statement would do."""
    revision = (await connection.execute(sa.select(VERSION_TABLE.c.version_num))).scalar()
    if revision != SCHEMA_REVISION:
        raise schema_version(tenant_id, revision or "", SCHEMA_REVISION)


async def _row_count(connection: AsyncConnection, report: Report, run: ReportedRun) -> int:
    """All rows of the report: as the run recorded them when it became COMPLETE, since when they do not change."""
    recorded = run.output_counts.get(report.table.name)
    if recorded is not None:
        return recorded
    counted = sa.select(sa.func.count()).select_from(report.table).where(report.table.c.run_id == run.run_id)
    return (await connection.execute(counted)).scalar_one()


def _page(report: Report, params: Params, header: Header, rows: Sequence[sa.Row[Any]]) -> Page:
    if not rows:
        return _empty(report, params, header)
    names = report.chosen(params)
    page = rows[: params.page_size]
    next_after = tuple(page[-1][len(names) :]) if len(rows) > len(page) else None
    by_column = dict(zip(names, zip(*page, strict=True), strict=False))
    return Page(header, {name: shown(report.table.c[name], cells) for name, cells in by_column.items()}, next_after)


def _empty(report: Report, params: Params, header: Header) -> Page:
    return Page(header, dict.fromkeys(report.chosen(params), ()))


def _comes_after(key: Sequence[sa.ColumnElement[Any]], values: Key) -> sa.ColumnElement[bool]:
    """Whether a row's key is greater, column by column; the first column is bounded alone, so that an index is entered there.

    SQL Server has no comparison of row values.
    """
    first, *rest = key
    value, *others = values
    if not rest:
        return first > value
    return sa.and_(first >= value, sa.or_(first > value, _comes_after(rest, tuple(others))))
