"""A report's query from protobuf; its header and, for every report alike, its rows to protobuf, a column at a time."""

import asyncio
from collections.abc import Callable, Collection, Mapping
from typing import Any, cast

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.internal.containers import RepeatedCompositeFieldContainer
from google.protobuf.message import Message
from powerfill.common.v1.run_status_pb2 import RunStatus
from powerfill.report.v1.report_pb2 import Freshness, Note, NoteCode, OtherRun, ReportHeader, ReportQuery

from services.report_service.reports import base, freshness
from services.report_service.reports.cells import Cells
from shared.errors import invalid_field, not_yet
from shared.rpc.options import options_to_proto
from shared.rpc.paging import checked_page_size
from shared.rpc.values import date_to_proto, timestamp_to_proto

ROWS_AT_ONCE = 1000
"""Rows made into messages before the server's other calls get their turn."""


def params_from_proto(query: ReportQuery, columns: Collection[str]) -> base.Params:
    """What a query asks of a report with these columns, from its first page.

    Raises INVALID_FIELD for a page size out of range and a column that is not there, NOT_YET for a filter or an order.
    """
    page_size = checked_page_size(
        query.page_size, default=base.DEFAULT_PAGE_SIZE, largest=base.MAX_PAGE_SIZE, field="query.page_size"
    )
    for name in ("filter", "order_by"):
        if getattr(query, name):
            raise not_yet(f"query.{name}", "leave it empty")
    wanted = tuple(dict.fromkeys(query.read_mask.paths))
    unknown = [path for path in wanted if path not in columns]
    if unknown:
        raise invalid_field("query.read_mask", f"{unknown[0]!r} is no column of the report; there are {', '.join(columns)}")
    return base.Params(query.run_id, page_size, columns=wanted)


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


def row_fields(response: Message) -> Mapping[str, FieldDescriptor]:
    """The fields of a report's rows by name; they are the report's columns."""
    row = cast("Descriptor", response.DESCRIPTOR.fields_by_name["rows"].message_type)
    return row.fields_by_name


async def add_rows(rows: RepeatedCompositeFieldContainer[Any], fields: Mapping[str, FieldDescriptor], page: base.Page) -> None:
    """Append a page's rows to the `rows` of a response, whose fields these are; None leaves a field unset."""
    columns = {
        name: _CONVERTERS[kind.full_name](cells) if (kind := fields[name].message_type) is not None else cells
        for name, cells in page.columns.items()
    }
    names, add = tuple(columns), rows.add
    for number, cells in enumerate(zip(*columns.values(), strict=True), start=1):
        add(**dict(zip(names, cells, strict=True)))
        if number % ROWS_AT_ONCE == 0:
            await asyncio.sleep(0)


def _status(status: freshness.RunStatus) -> RunStatus.ValueType:
    return RunStatus.Value(f"RUN_STATUS_{status}")


def _decimals(cells: Cells) -> Cells:
    return [None if cell is None else {"value": cell} for cell in cells]


def _dates(cells: Cells) -> Cells:
    known = {cell: None if cell is None else date_to_proto(cell) for cell in set(cells)}
    return [known[cell] for cell in cells]


_CONVERTERS: Mapping[str, Callable[[Cells], Cells]] = {"google.type.Decimal": _decimals, "google.type.Date": _dates}
"""Columns of values to columns of what a row's constructor takes, by the field's message type."""
