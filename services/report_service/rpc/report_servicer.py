"""ReportService: each RPC is a query to a report and its page back. Reports of later versions answer NOT_YET.

An RPC that is not defined here is inherited from the generated base, which `shared.rpc.calls` answers.
"""

import dataclasses
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import grpc.aio
from powerfill.report.v1.allocation_guide_pb2 import GetAllocationGuideRequest, GetAllocationGuideResponse
from powerfill.report.v1.kickouts_pb2 import GetKickoutsRequest, GetKickoutsResponse
from powerfill.report.v1.report_pb2 import ReportQuery
from powerfill.report.v1.report_service_pb2_grpc import ReportServiceServicer
from powerfill.report.v1.trade_recap_pb2 import GetTradeRecapRequest, GetTradeRecapResponse

from services.report_service.reports import allocation_guide, base, kickouts, trade_recap
from services.report_service.rpc import mapping
from shared.rpc.interceptors import current_caller
from shared.rpc.paging import PageTokens, request_digest
from shared.tenancy.database import ReadOnlyTenantDatabase

ReadOnlyDatabases = Callable[[str], Awaitable[ReadOnlyTenantDatabase]]
"""The database of a tenant, for reading alone. Raises TENANT_UNKNOWN."""

_Context = grpc.aio.ServicerContext[Any, Any]
_Fetch = Callable[[ReadOnlyTenantDatabase, base.Params], Awaitable[base.Page]]
_Response = TypeVar("_Response", GetAllocationGuideResponse, GetKickoutsResponse, GetTradeRecapResponse)


class ReportServicer(ReportServiceServicer):
    """Answers for the caller's tenant; keeps nothing between calls."""

    def __init__(self, databases: ReadOnlyDatabases, tokens: PageTokens) -> None:
        self._databases, self._tokens = databases, tokens

    async def GetAllocationGuide(  # noqa: N802 - the contract's name
        self, request: GetAllocationGuideRequest, context: _Context
    ) -> GetAllocationGuideResponse:
        """A page of the allocation guide."""
        return await self._answer(request.query, allocation_guide.fetch, GetAllocationGuideResponse())

    async def GetKickouts(self, request: GetKickoutsRequest, context: _Context) -> GetKickoutsResponse:  # noqa: N802 - as above
        """A page of the kickouts."""
        return await self._answer(request.query, kickouts.fetch, GetKickoutsResponse())

    async def GetTradeRecap(self, request: GetTradeRecapRequest, context: _Context) -> GetTradeRecapResponse:  # noqa: N802 - as above
        """A page of the trade recap."""
        return await self._answer(request.query, trade_recap.fetch, GetTradeRecapResponse())

    async def _answer(self, query: ReportQuery, fetch: _Fetch, response: _Response) -> _Response:
        """Fill in a response with the page that the query asks for; its token pins the run, so that pages never mix two."""
        caller = current_caller()
        digest = request_digest(caller.tenant_id, query, response.DESCRIPTOR.full_name)
        fields = mapping.row_fields(response)
        params = mapping.params_from_proto(query, fields)
        if query.page_token:
            run_id, *after = self._tokens.take(query.page_token, digest)
            params = dataclasses.replace(params, run_id=run_id, after=tuple(after))
        page = await fetch(await self._databases(caller.tenant_id), params)
        response.header.CopyFrom(mapping.header_to_proto(page.header))
        await mapping.add_rows(response.rows, fields, page)
        response.next_page_token = self._next_token(page, digest)
        return response

    def _next_token(self, page: base.Page, digest: str) -> str:
        if page.next_after is None or page.header.run is None:
            return ""
        return self._tokens.give((page.header.run.run_id, *page.next_after), digest)
