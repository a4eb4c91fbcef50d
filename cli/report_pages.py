"""Reports as columns: the pages of one, read through the report service, in the contract's columns and order."""

import datetime as dt
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, cast

from google.protobuf.descriptor import Descriptor, FieldDescriptor, MethodDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from powerfill.report.v1 import report_service_pb2
from powerfill.report.v1.report_pb2 import ReportHeader, ReportQuery

from cli.clients import ReportClient
from cli.exit_codes import CommandError
from cli.wire import as_date, message_json, moment_text, word
from shared.rpc.values import enum_words, timestamp_from_proto

PAGE_ROWS = 5000

Cells = Sequence[Any]
Columns = Mapping[str, Cells]
"""Rows by column: texts, integers, booleans, Decimal, date, datetime, timedelta, lists of texts or messages; None where unset."""


@dataclass(frozen=True)
class Report:
    """One report: its number in the contract, and the RPC that gives its pages."""

    number: int
    method: MethodDescriptor

    @property
    def fields(self) -> Mapping[str, FieldDescriptor]:
        """The columns, in order."""
        return _fields(self.method.output_type.fields_by_name["rows"])

    @property
    def beside(self) -> Mapping[str, Mapping[str, FieldDescriptor]]:
        """The columns of what a first page can have beside its rows, by field."""
        every = self.method.output_type.fields_by_name
        return {name: _fields(field) for name, field in every.items() if name not in ("header", "rows", "next_page_token")}


def _reports() -> Iterator[tuple[str, Report]]:
    methods = report_service_pb2.DESCRIPTOR.services_by_name["ReportService"].methods_by_name
    for number, name in enum_words(report_service_pb2.ReportName.DESCRIPTOR).items():
        yield name.lower(), Report(number, methods[f"Get{name.title().replace('_', '')}"])


REPORTS: Mapping[str, Report] = dict(_reports())
"""Every report by name, in the specification's order."""


@dataclass(frozen=True)
class ReportRows:
    """A report of a run: its header, its rows (or the first of them), and by field what the first page has beside them."""

    header: ReportHeader
    columns: Columns
    beside: Mapping[str, Columns]

    @property
    def height(self) -> int:
        """The number of rows."""
        return len(next(iter(self.columns.values())))


async def read_report(client: ReportClient, name: str, query: ReportQuery, limit: int = 0) -> ReportRows:
    """All rows of a report that the query selects, or the first `limit`; all of one run, whatever happens meanwhile.

    Raises what the client raises, and CommandError for an answer that is not whole.
    """
    report = REPORTS[name]
    wanted = {column: field for column, field in report.fields.items() if column in (query.read_mask.paths or report.fields)}
    asked = ReportQuery()
    asked.CopyFrom(query)
    asked.page_size = min(limit or PAGE_ROWS, PAGE_ROWS)
    columns: dict[str, list[Any]] = {column: [] for column in wanted}
    beside: Mapping[str, Columns] = {}
    read = 0
    while True:
        page = await client.page(report.method.name, GetMessageClass(report.method.input_type), asked)
        for column, cells in columns_of(page.rows, wanted).items():
            columns[column] += cells
        read += len(page.rows)
        if not asked.page_token:
            beside = {name: _beside(page, name, fields) for name, fields in report.beside.items()}
        if not page.next_page_token or (limit and read >= limit):
            break
        asked.page_token = page.next_page_token
    if not limit and read != page.header.row_count:
        raise CommandError(f"{read} rows of {name} came, the run has {page.header.row_count}; try again")
    rows = {column: cells[:limit] if limit else cells for column, cells in columns.items()}
    return ReportRows(page.header, rows, {field: there for field, there in beside.items() if there})


def columns_of(rows: Sequence[Any], fields: Mapping[str, FieldDescriptor]) -> Columns:
    """These fields of the rows of a response. Raises CommandError for a text that should be a decimal and is none."""
    return {name: list(_cells(rows, field)) for name, field in fields.items()}


def is_figure(field: FieldDescriptor) -> bool:
    """Whether a column holds numbers or lengths of time."""
    if field.message_type is not None:
        return field.message_type.full_name in ("google.type.Decimal", "google.protobuf.Duration")
    return field.cpp_type in (FieldDescriptor.CPPTYPE_INT32, FieldDescriptor.CPPTYPE_INT64)


def json_rows(columns: Columns) -> list[dict[str, Any]]:
    """Rows as JSON values: decimals as text, dates and moments in ISO form, lengths of time in seconds."""
    texts = {name: [json_cell(cell) for cell in cells] for name, cells in columns.items()}
    return [dict(zip(texts, row, strict=True)) for row in zip(*texts.values(), strict=True)]


def json_beside(name: str, beside: Mapping[str, Columns]) -> dict[str, Any]:
    """What a report of this name has beside its rows as JSON values: a list of rows, or the one row of a single message."""
    every = REPORTS[name].method.output_type.fields_by_name
    rows = {field: json_rows(columns) for field, columns in beside.items()}
    return {field: found if every[field].is_repeated else found[0] for field, found in rows.items()}


def json_cell(cell: Any) -> Any:
    """One cell as a JSON value."""
    match cell:
        case Decimal():
            return f"{cell:f}"
        case dt.datetime():
            return moment_text(cell)
        case dt.date():
            return cell.isoformat()
        case dt.timedelta():
            return cell.total_seconds()
        case list():
            return [json_cell(item) for item in cell]
        case Message():
            return message_json(cell)
        case _:
            return cell


def _fields(field: FieldDescriptor) -> Mapping[str, FieldDescriptor]:
    """The fields of the messages that a field holds."""
    return cast("Descriptor", field.message_type).fields_by_name


def _beside(page: Any, name: str, fields: Mapping[str, FieldDescriptor]) -> Columns:
    """A field of the response by column; empty where it is not set."""
    if page.DESCRIPTOR.fields_by_name[name].is_repeated:
        rows = getattr(page, name)
    else:
        rows = [getattr(page, name)] if page.HasField(name) else []
    return columns_of(rows, fields) if rows else {}


def _cells(rows: Sequence[Any], field: FieldDescriptor) -> Iterator[Any]:
    values = (getattr(row, field.name) for row in rows)
    if field.is_repeated:
        return (list(value) or None for value in values)
    if field.message_type is not None and field.message_type.full_name == "google.type.Decimal":
        return (_decimal(field.name, value.value) for value in values)
    if field.enum_type is not None:
        return (word(field.enum_type, value) or None for value in values)
    if field.cpp_type == FieldDescriptor.CPPTYPE_STRING:
        return (value or None for value in values)
    if field.has_presence:
        convert = _MESSAGES[field.message_type.full_name] if field.message_type is not None else _same
        return (convert(value) if row.HasField(field.name) else None for row, value in zip(rows, values, strict=True))
    return values


_DIGITS = re.compile(r"-?\d+(\.\d+)?", re.ASCII)


def _decimal(name: str, text: str) -> Decimal | None:
    if text and not _DIGITS.fullmatch(text):
        raise CommandError(f"the server sent a {name} that is no decimal")
    return Decimal(text) if text else None


def _same(value: Any) -> Any:
    return value


_MESSAGES: Mapping[str, Callable[[Any], Any]] = {
    "google.type.Date": as_date,
    "google.protobuf.Timestamp": lambda value: timestamp_from_proto(value, "time"),
    "google.protobuf.Duration": lambda value: value.ToTimedelta(),
}
