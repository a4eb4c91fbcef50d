"""Reports as files, streamed from the report service."""

from typing import BinaryIO

from powerfill.report.v1.report_pb2 import ReportHeader, ReportQuery
from powerfill.report.v1.report_service_pb2 import ExportFormat, ExportReportRequest

from cli.clients import ReportClient
from cli.exit_codes import CommandError
from cli.report_pages import REPORTS
from shared.rpc.values import enum_numbers

FORMATS = enum_numbers(ExportFormat.DESCRIPTOR)
"""The formats of files by word."""


async def save_report(client: ReportClient, name: str, form: str, query: ReportQuery, file: BinaryIO) -> ReportHeader:
    """Write a report to a file that is open, in the format of this word; gives its header.

    Raises what the client raises: then the file is not whole. Raises CommandError for an answer without a header.
    """
    request = ExportReportRequest(report=REPORTS[name].number, format=FORMATS[form], query=query)  # type: ignore[arg-type]  # numbers are the enums
    header: ReportHeader | None = None
    async for part in client.export(request):
        header = part.header if part.HasField("header") else header
        file.write(part.chunk)
    if header is None:
        raise CommandError(f"the server sent {name} without a header")
    return header
