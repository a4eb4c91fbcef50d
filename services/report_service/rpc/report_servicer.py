"""ReportService: each RPC but ExportReport is a query to a report and its page back.

An RPC that is not defined here is inherited from the generated base, which `shared.rpc.calls` answers.
"""
# ruff: noqa: N802 - RPCs are named in report_service.proto

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypeVar

import grpc.aio
from google.protobuf.message import Message
from powerfill.report.v1.allocation_guide_pb2 import GetAllocationGuideRequest, GetAllocationGuideResponse
from powerfill.report.v1.cash_trade_slotting_pb2 import GetCashTradeSlottingRequest, GetCashTradeSlottingResponse
from powerfill.report.v1.constraint_blocks_pb2 import GetConstraintBlocksRequest, GetConstraintBlocksResponse
from powerfill.report.v1.existing_disposition_pb2 import GetExistingDispositionRequest, GetExistingDispositionResponse
from powerfill.report.v1.kickouts_pb2 import GetKickoutsRequest, GetKickoutsResponse
from powerfill.report.v1.pool_candidates_pb2 import GetPoolCandidatesRequest, GetPoolCandidatesResponse
from powerfill.report.v1.pool_switching_pb2 import GetPoolSwitchingRequest, GetPoolSwitchingResponse
from powerfill.report.v1.pooling_guide_pb2 import GetPoolingGuideRequest, GetPoolingGuideResponse
from powerfill.report.v1.report_pb2 import ReportQuery
from powerfill.report.v1.report_service_pb2 import ExportReportRequest, ExportReportResponse
from powerfill.report.v1.report_service_pb2_grpc import ReportServiceServicer
from powerfill.report.v1.run_log_pb2 import GetRunLogRequest, GetRunLogResponse
from powerfill.report.v1.run_overview_pb2 import GetRunOverviewRequest, GetRunOverviewResponse
from powerfill.report.v1.synthetic_opportunities_pb2 import (
    GetSyntheticOpportunitiesRequest,
    GetSyntheticOpportunitiesResponse,
)
from powerfill.report.v1.trade_recap_pb2 import GetTradeRecapRequest, GetTradeRecapResponse

from services.report_service.reports.catalogue import REPORTS
from services.report_service.rpc import mapping
from services.report_service.rpc.export_servicer import ExportServicer
from services.report_service.rpc.positions import later_page, position_of
from shared.rpc.interceptors import current_caller
from shared.rpc.paging import PageTokens, request_digest
from shared.tenancy.database import ReadOnlyTenantDatabase

ReadOnlyDatabases = Callable[[str], Awaitable[ReadOnlyTenantDatabase]]
"""The database of a tenant, for reading alone. Raises TENANT_UNKNOWN."""

_Context = grpc.aio.ServicerContext[Any, Any]
_Response = TypeVar("_Response", bound=Message)


class ReportServicer(ReportServiceServicer):
    """Answers for the caller's tenant; keeps nothing between calls."""

    def __init__(self, databases: ReadOnlyDatabases, tokens: PageTokens) -> None:
        self._databases, self._tokens = databases, tokens
        self._exporting = ExportServicer()

    async def GetAllocationGuide(self, request: GetAllocationGuideRequest, context: _Context) -> GetAllocationGuideResponse:
        """A page of the allocation guide."""
        return await self._answer(request.query, "ALLOCATION_GUIDE", GetAllocationGuideResponse())

    async def GetKickouts(self, request: GetKickoutsRequest, context: _Context) -> GetKickoutsResponse:
        """A page of the kickouts."""
        return await self._answer(request.query, "KICKOUTS", GetKickoutsResponse())

    async def GetTradeRecap(self, request: GetTradeRecapRequest, context: _Context) -> GetTradeRecapResponse:
        """A page of the trade recap."""
        return await self._answer(request.query, "TRADE_RECAP", GetTradeRecapResponse())

    async def GetPoolSwitching(self, request: GetPoolSwitchingRequest, context: _Context) -> GetPoolSwitchingResponse:
        """A page of the pool switching report."""
        return await self._answer(request.query, "POOL_SWITCHING", GetPoolSwitchingResponse())

    async def GetPoolCandidates(self, request: GetPoolCandidatesRequest, context: _Context) -> GetPoolCandidatesResponse:
        """A page of the pool candidates."""
        return await self._answer(request.query, "POOL_CANDIDATES", GetPoolCandidatesResponse())

    async def GetExistingDisposition(
        self, request: GetExistingDispositionRequest, context: _Context
    ) -> GetExistingDispositionResponse:
        """A page of the existing disposition."""
        return await self._answer(request.query, "EXISTING_DISPOSITION", GetExistingDispositionResponse())

    async def GetPoolingGuide(self, request: GetPoolingGuideRequest, context: _Context) -> GetPoolingGuideResponse:
        """A page of the pooling guide."""
        return await self._answer(request.query, "POOLING_GUIDE", GetPoolingGuideResponse())

    async def GetCashTradeSlotting(self, request: GetCashTradeSlottingRequest, context: _Context) -> GetCashTradeSlottingResponse:
        """A page of the cash trade slotting."""
        return await self._answer(request.query, "CASH_TRADE_SLOTTING", GetCashTradeSlottingResponse())

    async def GetSyntheticOpportunities(
        self, request: GetSyntheticOpportunitiesRequest, context: _Context
    ) -> GetSyntheticOpportunitiesResponse:
        """A page of the synthetic opportunities."""
        return await self._answer(request.query, "SYNTHETIC_OPPORTUNITIES", GetSyntheticOpportunitiesResponse())

    async def GetConstraintBlocks(self, request: GetConstraintBlocksRequest, context: _Context) -> GetConstraintBlocksResponse:
        """A page of the constraint blocks."""
        return await self._answer(request.query, "CONSTRAINT_BLOCKS", GetConstraintBlocksResponse())

    async def GetRunLog(self, request: GetRunLogRequest, context: _Context) -> GetRunLogResponse:
        """A page of the run log."""
        return await self._answer(request.query, "RUN_LOG", GetRunLogResponse())

    async def GetRunOverview(self, request: GetRunOverviewRequest, context: _Context) -> GetRunOverviewResponse:
        """A page of the run overview."""
        return await self._answer(request.query, "RUN_OVERVIEW", GetRunOverviewResponse())

    async def ExportReport(self, request: ExportReportRequest, context: _Context) -> AsyncIterator[ExportReportResponse]:
        """A report as a file."""
        database = await self._databases(current_caller().tenant_id)
        async with contextlib.aclosing(self._exporting.responses(request, database)) as responses:
            async for response in responses:
                yield response

    async def _answer(self, query: ReportQuery, name: str, response: _Response) -> _Response:
        """Fill in a response with the page of a report that the query asks for; its token pins the run: pages never mix two."""
        report = REPORTS[name]
        caller = current_caller()
        digest = request_digest(caller.tenant_id, query, response.DESCRIPTOR.full_name)
        params = mapping.params_from_proto(query, report.REPORT)
        if query.page_token:
            params = later_page(params, report.REPORT, self._tokens.take(query.page_token, digest))
        page = await report.fetch(await self._databases(caller.tenant_id), params)
        token = self._tokens.give(position_of(page.next), digest) if page.next is not None else ""
        await mapping.fill(response, page, token)
        return response
