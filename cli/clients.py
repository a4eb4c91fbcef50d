"""The two services as commands use them: calls by name, and errors that say which server was meant and what to do."""

import contextlib
import getpass
import importlib
import re
import shlex
import uuid
from collections.abc import AsyncIterable, AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
from powerfill.common.v1.run_options_pb2 import RunOptions
from powerfill.report.v1.report_pb2 import ReportQuery
from powerfill.report.v1.report_service_pb2 import ExportReportRequest, ExportReportResponse
from powerfill.report.v1.report_service_pb2_grpc import ReportServiceStub
from powerfill.run.v1 import run_service_pb2 as pb
from powerfill.run.v1.run_pb2 import Run
from powerfill.run.v1.run_service_pb2_grpc import RunServiceStub

from cli.exit_codes import CommandError, UsageError
from shared.auth.caller import TENANT_KEY, caller_of
from shared.rpc.client import Connection, connect
from shared.rpc.status import ReceivedError

REPORT_DEADLINE_S = 120.0
COMPARE_DEADLINE_S = 300.0
VALIDATE_DEADLINE_S = 300.0
EXPLAIN_DEADLINE_S = 120.0
"""A service that has just been started loads the engine first."""
RUNS_A_PAGE = 100

_ADDRESS = re.compile(r"unix:.+|(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+):\d{1,5}")


@dataclass(frozen=True)
class Target:
    """Where a command's calls go: to servers, or (empty) to services hosted in this process on the registry's tenants."""

    server: str = ""
    report_server: str = ""
    registry: Path | None = None

    @classmethod
    def of(cls, *, server: str = "", report_server: str = "", local: bool = False, registry: Path | None = None) -> "Target":
        """The target that these options mean. Raises UsageError for what is no address."""
        if local:
            return cls(registry=registry)
        for option, address in (("--server", server), ("--report-server", report_server)):
            if address and not _ADDRESS.fullmatch(address):
                raise UsageError(f"{option} {address!r} is not HOST:PORT or unix:PATH")
        return cls(server, report_server or server, registry)

    def again(self) -> str:
        """The options that lead another command to the same run service or registry."""
        if self.server:
            return f" --server {self.server}"
        return f" --registry {shlex.quote(str(self.registry))}" if self.registry else ""


@dataclass(frozen=True)
class _Client:
    connection: Connection
    address: str
    tenant_id: str

    async def _call(self, method: Any, request: Any, deadline_s: float = 30.0) -> Any:
        with _about(self.address):
            return await self.connection.call(method, request, deadline_s)

    async def _stream(self, method: Any, request: Any) -> AsyncIterator[Any]:
        with _about(self.address):
            async for message in self.connection.stream(method, request):
                yield message


@dataclass(frozen=True)
class RunClient(_Client):
    """The run service for one tenant. Every method raises ReceivedError, or CommandError where no such service answers.

    `is_local`: it lives in this process. `again`: the options that lead another command to the same tenants.
    """

    stub: RunServiceStub
    is_local: bool
    again: str

    def execute(self, options: RunOptions, request_id: str) -> AsyncIterator[pb.ExecuteRunResponse]:
        """Submit a run and send its events; the same `request_id` joins the run already made."""
        return self._stream(self.stub.ExecuteRun, pb.ExecuteRunRequest(options=options, request_id=request_id))

    def watch(self, run_id: str, after_sequence: int) -> AsyncIterator[pb.WatchRunResponse]:
        """A run's events after a sequence."""
        return self._stream(self.stub.WatchRun, pb.WatchRunRequest(run_id=run_id, after_sequence=after_sequence))

    async def get(self, run_id: str) -> Run:
        """A run as it stands."""
        response: pb.GetRunResponse = await self._call(self.stub.GetRun, pb.GetRunRequest(run_id=run_id))
        return response.run

    async def list(self, statuses: list[int], limit: int) -> tuple[list[Run], int]:
        """At most `limit` runs (0: all), newest first, and how many there are."""
        request = pb.ListRunsRequest(page_size=min(limit or RUNS_A_PAGE, RUNS_A_PAGE))
        request.statuses.extend(statuses)  # type: ignore[arg-type]  # numbers are the enum
        runs: list[Run] = []
        while True:
            response: pb.ListRunsResponse = await self._call(self.stub.ListRuns, request)
            runs.extend(response.runs)
            if not response.next_page_token or (limit and len(runs) >= limit):
                return (runs[:limit] if limit else runs), response.total_size
            request.page_token = response.next_page_token

    async def cancel(self, run_id: str) -> Run:
        """Ask an active run to stop; the run after the request was recorded."""
        response: pb.CancelRunResponse = await self._call(self.stub.CancelRun, pb.CancelRunRequest(run_id=run_id))
        return response.run

    async def check_readiness(self) -> pb.CheckReadinessResponse:
        """What would stop a run with the default options, and what the desk should know before one."""
        response: pb.CheckReadinessResponse = await self._call(self.stub.CheckReadiness, pb.CheckReadinessRequest())
        return response

    async def compare(self, run_id_a: str, run_id_b: str, max_moves: int) -> pb.CompareRunsResponse:
        """What changed between two runs, with at most `max_moves` (0: the server's choice) of the loans that moved."""
        request = pb.CompareRunsRequest(run_id_a=run_id_a, run_id_b=run_id_b, max_moves=max_moves)
        response: pb.CompareRunsResponse = await self._call(self.stub.CompareRuns, request, COMPARE_DEADLINE_S)
        return response

    async def replay(self, run_id: str) -> Run:
        """A new run on the stored inputs of an old one."""
        request = pb.ReplayRunRequest(run_id=run_id, request_id=str(uuid.uuid4()))
        response: pb.ReplayRunResponse = await self._call(self.stub.ReplayRun, request)
        return response.run

    async def validate(self, requests: AsyncIterable[pb.ValidateAllocationRequest]) -> pb.ValidateAllocationResponse:
        """Another system's allocation against every hard rule, and beside a run."""
        method: Any = self.stub.ValidateAllocation
        with _about(self.address):
            response: pb.ValidateAllocationResponse = await self.connection.send(method, requests, VALIDATE_DEADLINE_S)
        return response

    async def explain(self, loan_id: str, run_id: str) -> pb.ExplainLoanResponse:
        """Why a loan of a run (empty: the latest complete one) went where it did."""
        request = pb.ExplainLoanRequest(run_id=run_id, loan_id=loan_id)
        response: pb.ExplainLoanResponse = await self._call(self.stub.ExplainLoan, request, EXPLAIN_DEADLINE_S)
        return response


@dataclass(frozen=True)
class ReportClient(_Client):
    """The report service for one tenant. Every method raises ReceivedError, or CommandError where no such service answers."""

    stub: ReportServiceStub

    async def page(self, rpc: str, request: type[Any], query: ReportQuery) -> Any:
        """A page of the report that this RPC gives."""
        return await self._call(getattr(self.stub, rpc), request(query=query), REPORT_DEADLINE_S)

    def export(self, request: ExportReportRequest) -> AsyncIterator[ExportReportResponse]:
        """A report as a file: its header, then its bytes."""
        return self._stream(self.stub.ExportReport, request)


@contextlib.asynccontextmanager
async def run_client(target: Target, tenant_id: str, *, executes: bool = False) -> AsyncIterator[RunClient]:
    """The run service of the target; a local one lives as long as the block and executes runs only where that is asked."""
    async with (
        _address(target, "run_service", target.server, workers=int(executes)) as address,
        run_client_at(address, tenant_id, is_local=not target.server, again=target.again()) as client,
    ):
        yield client


@contextlib.asynccontextmanager
async def report_client(target: Target, tenant_id: str) -> AsyncIterator[ReportClient]:
    """The report service of the target; a local one lives as long as the block."""
    async with (
        _address(target, "report_service", target.report_server) as address,
        report_client_at(address, tenant_id) as client,
    ):
        yield client


@contextlib.asynccontextmanager
async def run_client_at(address: str, tenant_id: str, *, is_local: bool, again: str) -> AsyncIterator[RunClient]:
    """The run service at an address; a local one ends with this process. `again` leads other commands to its tenants."""
    async with _connected(address, tenant_id) as connection:
        yield RunClient(connection, address, tenant_id, RunServiceStub(connection.channel), is_local, again)


@contextlib.asynccontextmanager
async def report_client_at(address: str, tenant_id: str) -> AsyncIterator[ReportClient]:
    """The report service at an address."""
    async with _connected(address, tenant_id) as connection:
        yield ReportClient(connection, address, tenant_id, ReportServiceStub(connection.channel))


@contextlib.asynccontextmanager
async def _connected(address: str, tenant_id: str) -> AsyncIterator[Connection]:
    """A connection for a tenant. Raises PowerFillError for what cannot be a tenant's id."""
    caller_of([(TENANT_KEY, tenant_id)])
    async with connect(address, tenant_id=tenant_id, user=_user()) as connection:
        yield connection


@contextlib.asynccontextmanager
async def _address(target: Target, service: str, server: str, **hosting: int) -> AsyncIterator[str]:
    """The server's address, or that of the service of this name in `cli.local`, hosted as long as the block lasts."""
    if server:
        yield server
        return
    local = importlib.import_module("cli.local")  # both services whole, which a call of a server does not need
    async with getattr(local, service)(target.registry, **hosting) as address:
        yield address


@contextlib.contextmanager
def _about(address: str) -> Iterator[None]:
    """Errors that no PowerFill service sent are about the address."""
    try:
        yield
    except ReceivedError as error:
        if error.reason:
            raise
        if error.code == grpc.StatusCode.UNAVAILABLE:
            raise UnreachableError(f"no server answers at {address}; `powerfill serve` starts the services") from None
        if error.code == grpc.StatusCode.UNIMPLEMENTED:
            message = f"the server at {address} does not serve this; name the right one with --server or --report-server"
            raise CommandError(message) from None
        raise


class UnreachableError(CommandError):
    """No server answers at an address, or no longer."""


def _user() -> str:
    """Who the run's history names: the user of this machine, where that can be a name."""
    try:
        user = getpass.getuser()
    except (OSError, KeyError):
        return ""
    return user if re.fullmatch(r"[!-~]{1,128}", user, re.ASCII) else ""
