"""A report into a file, as the server sends it."""

import io
from collections.abc import AsyncIterator
from typing import cast

import pytest
from powerfill.report.v1.report_pb2 import ReportHeader, ReportQuery
from powerfill.report.v1.report_service_pb2 import ExportFormat, ExportReportRequest, ExportReportResponse, ReportName

from cli.clients import ReportClient
from cli.exit_codes import CommandError
from cli.report_files import save_report

HEADER = ExportReportResponse(header=ReportHeader(run_id="r1", row_count=2))


class Server:
    """Answers every export with these messages."""

    def __init__(self, *messages: ExportReportResponse) -> None:
        self.messages = messages
        self.asked: list[ExportReportRequest] = []

    async def export(self, request: ExportReportRequest) -> AsyncIterator[ExportReportResponse]:
        self.asked.append(request)
        for message in self.messages:
            yield message


async def test_the_parts_in_their_order() -> None:
    server = Server(HEADER, ExportReportResponse(chunk=b"ab"), ExportReportResponse(chunk=b"c"))
    file = io.BytesIO()
    header = await save_report(cast(ReportClient, server), "kickouts", "XLSX", ReportQuery(run_id="r1"), file)
    assert (header.row_count, file.getvalue()) == (2, b"abc")
    [request] = server.asked
    assert (request.report, request.format, request.query.run_id) == (
        ReportName.REPORT_NAME_KICKOUTS,
        ExportFormat.EXPORT_FORMAT_XLSX,
        "r1",
    )


@pytest.mark.parametrize("messages", [[], [ExportReportResponse(chunk=b"ab")]])
async def test_a_file_without_a_header_is_refused(messages: list[ExportReportResponse]) -> None:
    with pytest.raises(CommandError, match="kickouts without a header"):
        await save_report(cast(ReportClient, Server(*messages)), "kickouts", "CSV", ReportQuery(), io.BytesIO())
