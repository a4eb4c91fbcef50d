"""A report's query from protobuf; its header and, for every report alike, its rows to protobuf, a column at a time."""

import asyncio
import functools
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import sqlalchemy as sa
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from powerfill.common.v1.run_status_pb2 import RunStatus
from powerfill.report.v1.report_pb2 import Freshness, Note, NoteCode, OtherRun, ReportHeader, ReportQuery

from services.report_service.reports import base, freshness
from services.report_service.reports.cells import Cells
from services.report_service.reports.filter.compile import compile_filter
from services.report_service.reports.filter.parse import FilterError
from services.report_service.reports.order import OrderError, Ordering, parse_order
from shared.errors import invalid_field
from shared.rpc.options import options_to_proto
from shared.rpc.paging import checked_page_size
from shared.rpc.values import date_to_proto, duration_to_proto, enum_numbers, timestamp_to_proto

ROWS_AT_ONCE = 250
"""Rows made into messages before the server's other calls get their turn; a row may hold ten others."""

MAX_TOLD_PATH = 100
"""Characters of a column that is not there, which a client may send at any length, that a message repeats."""

_Convert = Callable[[Cells], Cells]


def params_from_proto(query: ReportQuery, report: base.Report) -> base.Params:
    """What a query asks of a report, from its first page.

    Raises INVALID_FIELD for a page size out of range, a column that is not there, and a filter or an order that cannot be
    understood.
    """
    page_size = checked_page_size(
        query.page_size, default=base.DEFAULT_PAGE_SIZE, largest=base.MAX_PAGE_SIZE, field="query.page_size"
    )
    return base.Params(
        query.run_id,
        page_size,
        columns=_columns(query, report),
        filter=_filter(query, report),
        orderings=_orderings(query, report),
    )


def _columns(query: ReportQuery, report: base.Report) -> tuple[str, ...]:
    wanted = tuple(dict.fromkeys(query.read_mask.paths))
    unknown = [path for path in wanted if path not in report.columns]
    if unknown:
        there = ", ".join(report.columns)
        raise invalid_field("query.read_mask", f"{unknown[0][:MAX_TOLD_PATH]!r} is no column of the report; there are {there}")
    return wanted


def _filter(query: ReportQuery, report: base.Report) -> sa.ColumnElement[bool] | None:
    if not query.filter.strip():
        return None
    try:
        return compile_filter(query.filter, report.queryable)
    except FilterError as error:
        raise invalid_field("query.filter", str(error)) from None


def _orderings(query: ReportQuery, report: base.Report) -> tuple[Ordering, ...]:
    try:
        return parse_order(query.order_by, report.queryable)
    except OrderError as error:
        raise invalid_field("query.order_by", str(error)) from None


def header_to_proto(header: base.Header) -> ReportHeader:
    """The header of a page."""
    run, other = header.run, header.verdict.other
    message = ReportHeader(
        row_count=header.row_count,
        notes=[Note(code=NoteCode.Value(f"NOTE_CODE_{note.code}"), text=note.text) for note in header.notes],
        freshness=Freshness.Value(f"FRESHNESS_{header.verdict.freshness}"),
    )
    if other is not None:
        message.other_run.CopyFrom(OtherRun(run_id=other.run_id, status=_status(other.status), failure_step=other.failure_step))
    if run is not None:
        message.run_id = run.run_id
        message.status = _status(run.status)
        message.options.CopyFrom(options_to_proto(run.options))
        message.as_of_date.CopyFrom(message.options.as_of_date)
        message.failure_step, message.failure_message = run.failure_step, run.failure_message
        if run.ended_at is not None:
            message.completed_at.CopyFrom(timestamp_to_proto(run.ended_at))
    return message


async def fill(response: Message, page: base.Page, next_page_token: str) -> None:
    """Put a page into the response of its report: header, rows, what is beside them, and the way to the next page."""
    response.MergeFrom(type(response)(header=header_to_proto(page.header), next_page_token=next_page_token))
    for name, columns in {"rows": page.columns, **page.beside}.items():
        await _add_rows(response, name, columns)


async def _add_rows(response: Message, name: str, columns: Mapping[str, Cells]) -> None:
    """Append rows to a field of repeated messages, or fill in a field of one message; None leaves a field of theirs unset."""
    field = response.DESCRIPTOR.fields_by_name[name]
    add = getattr(response, name).add if field.is_repeated else functools.partial(_set, response, name)
    row_count = max(map(len, columns.values()), default=0)
    for first in range(0, row_count, ROWS_AT_ONCE):
        some = {column: cells[first : first + ROWS_AT_ONCE] for column, cells in columns.items()}
        for values in _constructed(field.message_type, some):
            add(**values)
        await asyncio.sleep(0)


def _set(response: Message, name: str, **values: Any) -> None:
    getattr(response, name).CopyFrom(type(getattr(response, name))(**values))


def _constructed(message: Any, columns: Mapping[str, Cells]) -> Iterator[dict[str, Any]]:
    """What the constructor of the message that this describes takes, row by row."""
    fields = message.fields_by_name
    converted = {name: _converter(fields[name])(cells) for name, cells in columns.items()}
    return (dict(zip(converted, cells, strict=True)) for cells in zip(*converted.values(), strict=True))


def _status(status: freshness.RunStatus) -> RunStatus.ValueType:
    return RunStatus.Value(f"RUN_STATUS_{status}")


@functools.cache
def _converter(field: FieldDescriptor) -> _Convert:
    """A column of values to a column of what the field takes."""
    if field.message_type is not None:
        return _MESSAGES.get(field.message_type.full_name) or functools.partial(_records, field.message_type)
    if field.enum_type is not None:
        return functools.partial(_enum_numbers, enum_numbers(field.enum_type))
    return _int32s if field.type == FieldDescriptor.TYPE_INT32 else _as_they_are


def _as_they_are(cells: Cells) -> Cells:
    return cells


def _int32s(cells: Cells) -> Cells:
    """A number of the lender's that the field cannot hold stays unset."""
    return [cell if cell is not None and -_INT32_LIMIT <= cell < _INT32_LIMIT else None for cell in cells]


def _enum_numbers(numbers: Mapping[str, int], cells: Cells) -> Cells:
    return [None if cell is None else numbers[cell] for cell in cells]


def _decimals(cells: Cells) -> Cells:
    return [None if cell is None else {"value": cell} for cell in cells]


def _dates(cells: Cells) -> Cells:
    known = {cell: None if cell is None else date_to_proto(cell) for cell in set(cells)}
    return [known[cell] for cell in cells]


def _timestamps(cells: Cells) -> Cells:
    return [None if cell is None else timestamp_to_proto(cell) for cell in cells]


def _durations(cells: Cells) -> Cells:
    return [None if cell is None else duration_to_proto(cell.total_seconds()) for cell in cells]


def _records(message: Descriptor, cells: Cells) -> Cells:
    """Rows within cells: those of all cells are converted at once, column by column."""
    records = [record for cell in cells for record in cell]
    columns = {name: [record[name] for record in records] for name in records[0]} if records else {}
    values = _constructed(message, columns)
    return [[next(values) for _ in cell] for cell in cells]


_INT32_LIMIT = 2**31
_MESSAGES: Mapping[str, _Convert] = {
    "google.type.Decimal": _decimals,
    "google.type.Date": _dates,
    "google.protobuf.Timestamp": _timestamps,
    "google.protobuf.Duration": _durations,
}
