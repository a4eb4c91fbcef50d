"""Reports as files over gRPC, and what stands in them."""

import csv
import datetime as dt
import io
import json
from collections.abc import Callable, Mapping
from typing import Any

import openpyxl
from powerfill.report.v1.report_pb2 import ReportHeader, ReportQuery
from powerfill.report.v1.report_service_pb2 import ExportFormat, ExportReportRequest, ReportName
from pyarrow import parquet

from services.report_service.reports.catalogue import REPORTS
from services.report_service.reports.columns import Columns, Records
from shared.database.types import Exact, UtcDateTime
from tests.integration.report_service.desk import Client
from tests.integration.report_service.said import Plain

FORMATS = ("PARQUET", "CSV", "XLSX")


def request_of(report: str, form: str, **query: Any) -> ExportReportRequest:
    """The request for a report of this name in this format."""
    return ExportReportRequest(
        report=ReportName.Value(f"REPORT_NAME_{report.upper()}"), format=ExportFormat.Value(f"EXPORT_FORMAT_{form}"),
        query=ReportQuery(**query),
    )  # fmt: skip


async def exported(client: Client, report: str, form: str, **query: Any) -> tuple[ReportHeader, bytes]:
    """The header and the file."""
    stream = client.connection.stream(client.stub.ExportReport, request_of(report, form, **query))
    first = await anext(stream)
    assert (first.HasField("header"), first.chunk) == (True, b"")
    chunks = []
    async for message in stream:
        assert not message.HasField("header")
        assert 0 < len(message.chunk) <= 1024 * 1024
        chunks.append(message.chunk)
    return first.header, b"".join(chunks)


def columns_of(report: str) -> Columns:
    """The columns of a report by name."""
    return REPORTS[report.upper()].REPORT.columns


def rows_of(report: str, form: str, data: bytes) -> list[Plain]:
    """The rows of a file in the form of `said.plain`."""
    return _READERS[form](columns_of(report), data)


def _of_parquet(columns: Columns, data: bytes) -> list[Plain]:
    rows: list[Plain] = parquet.read_table(io.BytesIO(data)).to_pylist()
    return [{name: _plain(columns[name].type, cell) for name, cell in row.items()} for row in rows]


def _plain(kind: Any, cell: Any) -> Any:
    if isinstance(kind, Records):
        return tuple({name: _plain(kind.fields[name], item) for name, item in row.items()} for row in cell)
    return tuple(cell) if isinstance(cell, list) else _number(kind, cell)


def _number(kind: Any, cell: Any) -> Any:
    if type(kind).__name__ == "Interval":
        return None if cell is None else float(cell)
    return f"{cell:.{kind.scale}f}" if isinstance(kind, Exact) and cell is not None else cell


def _of_csv(columns: Columns, data: bytes) -> list[Plain]:
    heading, *lines = csv.reader(io.StringIO(data.decode(), newline=""), strict=True)
    return [{name: _of_text(columns[name].type, text) for name, text in zip(heading, line, strict=True)} for line in lines]


def _of_text(kind: Any, text: str) -> Any:
    match type(kind).__name__:
        case "ARRAY" | "Records":
            return _of_json(kind, text)
        case _ if not text:
            return None
        case "BigInteger":
            return int(text)
        case "Boolean":
            return {"true": True, "false": False}[text]
        case "Date":
            return dt.date.fromisoformat(text)
        case "UtcDateTime":
            return dt.datetime.fromisoformat(text)
        case "Interval":
            return float(text)
        case _:
            return text


def _of_json(kind: Any, text: str | None) -> Any:
    items = json.loads(text or "[]")
    if not isinstance(kind, Records):
        return tuple(items)
    return tuple({name: _of_cell(kind.fields[name], cell) for name, cell in item.items()} for item in items)


def _of_cell(kind: Any, cell: Any) -> Any:
    return dt.date.fromisoformat(cell) if type(kind).__name__ == "Date" else cell


def _of_xlsx(columns: Columns, data: bytes) -> list[Plain]:
    [sheet] = openpyxl.load_workbook(io.BytesIO(data)).worksheets
    heading, *rows = sheet.iter_rows(values_only=True)
    names = [str(name) for name in heading]
    return [{name: _of_sheet(columns[name].type, cell) for name, cell in zip(names, row, strict=True)} for row in rows]


def _of_sheet(kind: Any, cell: Any) -> Any:
    if type(kind).__name__ in ("ARRAY", "Records"):
        return _of_json(kind, cell)
    if isinstance(cell, dt.datetime):
        return cell.replace(tzinfo=dt.UTC) if isinstance(kind, UtcDateTime) else cell.date()
    return _number(kind, cell)


_READERS: Mapping[str, Callable[[Columns, bytes], list[Plain]]] = {"PARQUET": _of_parquet, "CSV": _of_csv, "XLSX": _of_xlsx}
