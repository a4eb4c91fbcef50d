"""A real server on a free loopback port with RunService played by a few lines, and a connection to it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import pytest
from powerfill.run.v1 import run_service_pb2 as pb
from powerfill.run.v1 import run_service_pb2_grpc

from shared.errors import run_not_found, tenant_unavailable
from shared.rpc.client import Connection, connect
from shared.rpc.interceptors import current_caller
from shared.rpc.server import RpcServer, Service

if TYPE_CHECKING:
    from powerfill.run.v1.run_service_pb2_grpc import RunServiceAsyncStub

RUN_SERVICE = "powerfill.run.v1.RunService"


class Played(run_service_pb2_grpc.RunServiceServicer):
    """GetRun and WatchRun do what the run_id says; what happens to a watcher is put into `ended`."""

    def __init__(self) -> None:
        self.ended: asyncio.Queue[str] = asyncio.Queue()
        self.started = asyncio.Event()

    async def GetRun(self, request: pb.GetRunRequest, context: object) -> pb.GetRunResponse:  # noqa: N802
        match request.run_id:
            case "unknown":
                raise run_not_found(request.run_id, "acme")
            case "unavailable":
                raise tenant_unavailable(current_caller().tenant_id, retry_after_s=1.5)
            case "bug":
                raise ZeroDivisionError("select * from loan on postgresql://desk:hunter2@db")
            case "lost":
                await asyncio.get_running_loop().run_in_executor(None, _cancelled)
            case "slow":
                self.started.set()
                await asyncio.sleep(30)
            case "short":
                self.started.set()
                await asyncio.sleep(0.3)
        return pb.GetRunResponse(run={"run_id": request.run_id, "requested_by": current_caller().subject})  # type: ignore[arg-type]

    async def WatchRun(self, request: pb.WatchRunRequest, context: object) -> AsyncIterator[pb.WatchRunResponse]:  # noqa: N802
        tenant_id, sent = current_caller().tenant_id, request.after_sequence
        try:
            while True:
                sent += 1
                yield pb.WatchRunResponse(heartbeat=pb.Heartbeat(last_sequence=sent))
                self.started.set()
                if request.run_id == "bug":
                    raise ZeroDivisionError("internals")
                if request.run_id == "unknown":
                    raise run_not_found(request.run_id, "acme")
                if request.run_id != "flood":
                    await asyncio.sleep(0.01)
        finally:
            self.ended.put_nowait(tenant_id if current_caller().tenant_id == tenant_id else "another caller")


def _cancelled() -> None:
    raise asyncio.CancelledError


@pytest.fixture
def played() -> Played:
    return Played()


@pytest.fixture
async def server(played: Played) -> AsyncIterator[RpcServer]:
    server = RpcServer("127.0.0.1:0", [Service(RUN_SERVICE, lambda grpc_server: _add(played, grpc_server))])
    await server.start()
    yield server
    await server.stop(grace_s=0)


def _add(played: Played, grpc_server: object) -> None:
    run_service_pb2_grpc.add_RunServiceServicer_to_server(played, grpc_server)  # type: ignore[arg-type]


@pytest.fixture
async def connection(server: RpcServer) -> AsyncIterator[Connection]:
    async with connect(server.address, tenant_id="acme", user="ann") as connection:
        yield connection


@pytest.fixture
def stub(connection: Connection) -> RunServiceAsyncStub:
    return run_service_pb2_grpc.RunServiceStub(connection.channel)
