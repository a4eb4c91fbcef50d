"""ExportReport: what a request asks for, checked before anything is read, and the file in messages."""

import contextlib
import dataclasses
from collections.abc import AsyncGenerator

from powerfill.report.v1.report_service_pb2 import ExportFormat, ExportReportRequest, ExportReportResponse, ReportName

from services.report_service.export import stream
from services.report_service.export.formats import new_encoder
from services.report_service.reports import base
from services.report_service.reports.catalogue import REPORTS
from services.report_service.rpc import mapping
from shared.errors import FieldViolation, invalid_fields
from shared.rpc.values import enum_words
from shared.tenancy.database import ReadOnlyTenantDatabase


class ExportServicer:
    """Answers ExportReport for all callers of one server."""

    def __init__(self) -> None:
        self._exports = stream.Exports()

    async def responses(
        self, request: ExportReportRequest, database: ReadOnlyTenantDatabase
    ) -> AsyncGenerator[ExportReportResponse, None]:
        """The header alone, then the file. Raises INVALID_FIELD, and what reading raises; see `stream.Exports.stream`."""
        _check(request)
        name, form = _REPORTS[request.report], _FORMATS[request.format]
        report = REPORTS[name]
        params = dataclasses.replace(mapping.params_from_proto(request.query, report.REPORT), page_size=stream.CHUNK_ROWS)
        columns = {column: report.REPORT.columns[column] for column in report.REPORT.chosen(params)}

        file = self._exports.stream(
            lambda page: report.fetch(database, page),
            params,
            lambda header: new_encoder(form, name.lower(), columns, header.row_count),
        )
        async with contextlib.aclosing(file) as parts:
            async for part in parts:
                if isinstance(part, base.Header):
                    yield ExportReportResponse(header=mapping.header_to_proto(part))
                else:
                    yield ExportReportResponse(chunk=part)


def _check(request: ExportReportRequest) -> None:
    """Raises INVALID_FIELD naming all that an export cannot do."""
    problems = []
    for field, number, words in (("report", request.report, _REPORTS), ("format", request.format, _FORMATS)):
        if number not in words:
            problems.append(FieldViolation(field, f"name one of {', '.join(words.values())}"))
    problems += [
        FieldViolation(f"query.{name}", "an export has all rows; leave it empty")
        for name in ("page_size", "page_token")
        if getattr(request.query, name)
    ]
    if problems:
        raise invalid_fields(problems)


_REPORTS = enum_words(ReportName.DESCRIPTOR)
_FORMATS = enum_words(ExportFormat.DESCRIPTOR)
