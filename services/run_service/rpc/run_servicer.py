"""powerfill.run.v1.RunService: each RPC translates its request, calls the application and translates the answer."""
# ruff: noqa: N802, D102 - RPCs are named and described in run_service.proto

import asyncio
import contextlib
import importlib.metadata
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from powerfill.run.v1 import run_pb2, run_service_pb2_grpc
from powerfill.run.v1 import run_service_pb2 as pb

from services.run_service.application.compare_runs import RunComparison
from services.run_service.application.explain_loan import Explanation
from services.run_service.application.query_runs import RunCursor, RunPage, RunSelection
from services.run_service.application.validate_allocation import AllocationVerdict, Placements
from services.run_service.application.watch_run import Heartbeat
from services.run_service.domain.events import RunEvent
from services.run_service.domain.findings import Finding, Severity
from services.run_service.domain.run import Run
from services.run_service.rpc.mapping import requests
from services.run_service.rpc.mapping.comparisons import checked_max_moves, comparison_to_proto
from services.run_service.rpc.mapping.events import event_to_proto, heartbeat_to_proto
from services.run_service.rpc.mapping.explanations import checked_loan_id, explanation_to_proto
from services.run_service.rpc.mapping.findings import finding_to_proto
from services.run_service.rpc.mapping.runs import run_to_proto
from services.run_service.rpc.mapping.validations import asked_validation, verdict_to_proto
from shared.auth.caller import Caller
from shared.database.tables import SCHEMA_REVISION
from shared.errors import not_yet
from shared.rpc.interceptors import current_caller
from shared.rpc.options import options_from_proto
from shared.rpc.paging import PageTokens, checked_page_size, request_digest

DEFAULT_PAGE_SIZE = 50
MAX_PAGE_SIZE = 1000
RUNS_AT_ONCE = 50
"""Runs translated before the server's other calls get their turn."""

_Item = TypeVar("_Item")


@dataclass(frozen=True)
class RunApplication:
    """What the run service does on request: the classes of `application/`, each called with the caller first."""

    submit_run: Callable[[Caller, Mapping[str, Any], str], Awaitable[Run]]
    watch_run: Callable[[Caller, str, int], AsyncIterator[RunEvent | Heartbeat]]
    get_run: Callable[[Caller, str], Awaitable[Run]]
    list_runs: Callable[[Caller, RunSelection, int, RunCursor | None], Awaitable[RunPage]]
    cancel_run: Callable[[Caller, str], Awaitable[Run]]
    check_readiness: Callable[[Caller, Mapping[str, Any]], Awaitable[list[Finding]]]
    replay_run: Callable[[Caller, str, str], Awaitable[Run]]
    explain_loan: Callable[[Caller, str, str], Awaitable[Explanation]]
    compare_runs: Callable[[Caller, str, str, int], Awaitable[RunComparison]]
    validate_allocation: Callable[[Caller, str, AsyncIterator[Placements], int], Awaitable[AllocationVerdict]]


class RunServicer(run_service_pb2_grpc.RunServiceServicer):
    """Runs: submit, watch, read, cancel. `features` are the names of optional features that are on."""

    def __init__(self, application: RunApplication, page_tokens: PageTokens, features: Sequence[str] = ()) -> None:
        self._application, self._page_tokens, self._features = application, page_tokens, tuple(features)

    async def SubmitRun(self, request: pb.SubmitRunRequest, context: object) -> pb.SubmitRunResponse:
        request_id = requests.checked_request_id(request.request_id)
        run = await self._application.submit_run(current_caller(), options_from_proto(request.options), request_id)
        return pb.SubmitRunResponse(run=run_to_proto(run))

    async def WatchRun(self, request: pb.WatchRunRequest, context: object) -> AsyncIterator[pb.WatchRunResponse]:
        caller = current_caller()
        run_id = requests.checked_run_id(request.run_id, caller.tenant_id)
        watched = self._application.watch_run(caller, run_id, request.after_sequence)
        async with _closing(watched) as items:
            async for item in items:
                yield pb.WatchRunResponse(**_told(item))

    async def ExecuteRun(self, request: pb.ExecuteRunRequest, context: object) -> AsyncIterator[pb.ExecuteRunResponse]:
        request_id = requests.checked_request_id(request.request_id)
        run = await self._application.submit_run(current_caller(), options_from_proto(request.options), request_id)
        async with _closing(self._application.watch_run(current_caller(), run.run_id, 0)) as items:
            async for item in items:
                yield pb.ExecuteRunResponse(**_told(item))

    async def GetRun(self, request: pb.GetRunRequest, context: object) -> pb.GetRunResponse:
        caller = current_caller()
        run = await self._application.get_run(caller, requests.checked_run_id(request.run_id, caller.tenant_id))
        return pb.GetRunResponse(run=run_to_proto(run))

    async def ListRuns(self, request: pb.ListRunsRequest, context: object) -> pb.ListRunsResponse:
        caller = current_caller()
        page_size = checked_page_size(request.page_size, default=DEFAULT_PAGE_SIZE, largest=MAX_PAGE_SIZE)
        selection = requests.selection_from_proto(request)
        digest = request_digest(caller.tenant_id, request)
        position = self._page_tokens.take(request.page_token, digest) if request.page_token else None
        after = requests.cursor_at(position) if position is not None else None
        page = await self._application.list_runs(caller, selection, page_size, after)
        next_cursor = page.next_cursor
        return pb.ListRunsResponse(
            runs=await _in_portions(page.runs),
            next_page_token=self._page_tokens.give(requests.position_of(next_cursor), digest) if next_cursor else "",
            total_size=page.total,
        )

    async def CancelRun(self, request: pb.CancelRunRequest, context: object) -> pb.CancelRunResponse:
        caller = current_caller()
        run = await self._application.cancel_run(caller, requests.checked_run_id(request.run_id, caller.tenant_id))
        return pb.CancelRunResponse(run=run_to_proto(run))

    async def CheckReadiness(self, request: pb.CheckReadinessRequest, context: object) -> pb.CheckReadinessResponse:
        findings = await self._application.check_readiness(current_caller(), options_from_proto(request.options))
        return pb.CheckReadinessResponse(
            findings=[finding_to_proto(finding) for finding in findings],
            ready=all(finding.severity != Severity.ERROR for finding in findings),
        )

    async def GetServerInfo(self, request: pb.GetServerInfoRequest, context: object) -> pb.GetServerInfoResponse:
        return pb.GetServerInfoResponse(
            version=importlib.metadata.version("powerfill"), schema_revision=SCHEMA_REVISION, features=self._features
        )

    async def CompareRuns(self, request: pb.CompareRunsRequest, context: object) -> pb.CompareRunsResponse:
        caller = current_caller()
        run_id_a = requests.checked_run_id(request.run_id_a, caller.tenant_id, "run_id_a")
        run_id_b = requests.checked_run_id(request.run_id_b, caller.tenant_id, "run_id_b")
        most = checked_max_moves(request.max_moves)
        return await comparison_to_proto(await self._application.compare_runs(caller, run_id_a, run_id_b, most))

    async def ReplayRun(self, request: pb.ReplayRunRequest, context: object) -> pb.ReplayRunResponse:
        caller = current_caller()
        run_id = requests.checked_run_id(request.run_id, caller.tenant_id)
        run = await self._application.replay_run(caller, run_id, requests.checked_request_id(request.request_id))
        return pb.ReplayRunResponse(run=run_to_proto(run))

    async def ValidateAllocation(
        self, request_iterator: AsyncIterator[pb.ValidateAllocationRequest], context: object
    ) -> pb.ValidateAllocationResponse:
        caller = current_caller()
        asked = await asked_validation(aiter(request_iterator), caller.tenant_id)
        verdict = await self._application.validate_allocation(caller, asked.run_id, asked.placements, asked.max_differences)
        return await verdict_to_proto(verdict)

    async def Preprocess(self, request: pb.PreprocessRequest, context: object) -> pb.PreprocessResponse:
        raise not_yet("Preprocess", "every run preprocesses by itself")

    async def PreviewCandidates(self, request: pb.PreviewCandidatesRequest, context: object) -> pb.PreviewCandidatesResponse:
        raise not_yet("PreviewCandidates", "submit a run and read its reports")

    async def PreviewCarryCost(self, request: pb.PreviewCarryCostRequest, context: object) -> pb.PreviewCarryCostResponse:
        raise not_yet("PreviewCarryCost", "submit a run and read the carry in the report GetAllocationGuide")

    async def ExplainLoan(self, request: pb.ExplainLoanRequest, context: object) -> pb.ExplainLoanResponse:
        caller = current_caller()
        run_id = requests.checked_run_id(request.run_id, caller.tenant_id) if request.run_id else ""
        loan_id = checked_loan_id(request.loan_id, run_id)
        return explanation_to_proto(await self._application.explain_loan(caller, run_id, loan_id))


async def _in_portions(runs: Sequence[Run]) -> list[run_pb2.Run]:
    """The runs as messages; other calls get their turn in between."""
    messages = []
    for number, run in enumerate(runs, start=1):
        messages.append(run_to_proto(run))
        if number % RUNS_AT_ONCE == 0:
            await asyncio.sleep(0)
    return messages


def _told(item: RunEvent | Heartbeat) -> dict[str, Any]:
    """The one field of a watcher's message that is set."""
    return {"heartbeat": heartbeat_to_proto(item)} if isinstance(item, Heartbeat) else {"event": event_to_proto(item)}


@contextlib.asynccontextmanager
async def _closing(items: AsyncIterator[_Item]) -> AsyncIterator[AsyncIterator[_Item]]:
    """The iterator, ended with the block: a watcher that goes away must not stay subscribed."""
    try:
        yield items
    finally:
        if isinstance(items, AsyncGenerator):
            await items.aclose()
