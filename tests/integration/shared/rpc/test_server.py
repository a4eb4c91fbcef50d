from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc
import grpc.aio
import pytest
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from powerfill.run.v1 import run_service_pb2 as pb
from powerfill.run.v1.run_service_pb2_grpc import RunServiceStub, add_RunServiceServicer_to_server

from shared.rpc import interceptors
from shared.rpc.client import Connection, connect
from shared.rpc.server import AddressError, RpcServer, Service
from shared.rpc.status import ReceivedError

if TYPE_CHECKING:
    from powerfill.run.v1.run_service_pb2_grpc import RunServiceAsyncStub

RUN_SERVICE = "powerfill.run.v1.RunService"
SERVING, NOT_SERVING = health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING


def watch_health(connection: Connection, service: str) -> Any:
    method = connection.channel.unary_stream(
        "/grpc.health.v1.Health/Watch",
        request_serializer=health_pb2.HealthCheckRequest.SerializeToString,
        response_deserializer=health_pb2.HealthCheckResponse.FromString,
    )
    return method(health_pb2.HealthCheckRequest(service=service))


@pytest.mark.parametrize("service", ["", RUN_SERVICE])
async def test_health_is_told_without_a_tenant(server: RpcServer, service: str) -> None:
    async with connect(server.address, tenant_id="") as nobody:
        await nobody.wait_until_serving(service)


async def test_a_service_that_is_not_here_is_not_found(connection: Connection) -> None:
    with pytest.raises(ReceivedError) as caught:
        await connection.wait_until_serving("powerfill.report.v1.ReportService")
    assert caught.value.code == grpc.StatusCode.NOT_FOUND


async def test_a_server_that_is_not_there_is_waited_for_and_then_an_error() -> None:
    async with connect("127.0.0.1:1", tenant_id="acme") as connection:
        with pytest.raises(ReceivedError):
            await connection.wait_until_serving(timeout_s=0.2)


async def test_reflection_names_the_services(connection: Connection) -> None:
    channel: Any = connection.channel
    stub: Any = reflection_pb2_grpc.ServerReflectionStub(channel)
    request = reflection_pb2.ServerReflectionRequest(list_services="")
    async for response in stub.ServerReflectionInfo(iter([request])):
        names = {service.name for service in response.list_services_response.service}
    assert names >= {RUN_SERVICE, "grpc.health.v1.Health"}


async def test_a_port_that_is_taken_is_refused(server: RpcServer) -> None:
    with pytest.raises(AddressError, match=r"cannot listen on 127\.0\.0\.1"):
        await RpcServer(server.address, []).start()


async def test_a_socket_in_the_file_system(played: Any, tmp_path: Path) -> None:
    server = RpcServer(f"unix:{tmp_path}/s", [Service(RUN_SERVICE, lambda s: add_RunServiceServicer_to_server(played, s))])
    await server.start()
    async with connect(server.address, tenant_id="acme") as connection:
        stub = RunServiceStub(connection.channel)
        assert (await connection.call(stub.GetRun, pb.GetRunRequest(run_id="r"))).run.run_id == "r"
    await server.stop(grace_s=0)


async def test_an_address_before_the_start_is_a_mistake() -> None:
    with pytest.raises(RuntimeError, match="before it is started"):
        _ = RpcServer("127.0.0.1:0", []).address


async def test_a_call_without_a_deadline_gets_one(played: Any) -> None:
    layers = (interceptors.errors, interceptors.deadline(0.1), interceptors.caller)
    server = RpcServer("127.0.0.1:0", [Service(RUN_SERVICE, lambda s: add_RunServiceServicer_to_server(played, s))], layers)
    await server.start()
    async with connect(server.address, tenant_id="acme") as connection:
        stub = RunServiceStub(connection.channel)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.GetRun(pb.GetRunRequest(run_id="slow"), metadata=(("x-tenant-id", "acme"),))
        assert caught.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
        watching: Any = stub.WatchRun(pb.WatchRunRequest(run_id="calm"), metadata=(("x-tenant-id", "acme"),))
        began = time.monotonic()
        while time.monotonic() - began < 0.3:
            assert (await watching.read()).heartbeat.last_sequence
        watching.cancel()
    await server.stop(grace_s=0)


async def test_a_stop_says_not_serving_lets_calls_end_and_refuses_new_ones(
    server: RpcServer, connection: Connection, stub: RunServiceAsyncStub, played: Any
) -> None:
    health = watch_health(connection, RUN_SERVICE)
    assert (await health.read()).status == SERVING
    call = asyncio.create_task(connection.call(stub.GetRun, pb.GetRunRequest(run_id="short")))
    await played.started.wait()
    began = time.monotonic()
    stopping = asyncio.create_task(server.stop(grace_s=10))
    assert (await health.read()).status == NOT_SERVING
    assert (await call).run.run_id == "short"
    await stopping
    assert time.monotonic() - began < 5, "the health watcher must not hold the server up"
    with pytest.raises(ReceivedError) as caught:
        await connection.call(stub.GetRun, pb.GetRunRequest(run_id="r"))
    assert caught.value.code == grpc.StatusCode.UNAVAILABLE


async def test_calls_that_outlive_the_grace_are_told_that_the_server_stops(
    server: RpcServer, connection: Connection, stub: RunServiceAsyncStub, played: Any
) -> None:
    async def watch() -> None:
        async for _ in connection.stream(stub.WatchRun, pb.WatchRunRequest(run_id="calm")):
            pass

    watching = asyncio.create_task(watch())
    slow = asyncio.create_task(connection.call(stub.GetRun, pb.GetRunRequest(run_id="slow")))
    await played.started.wait()
    await asyncio.sleep(0.1)
    began = time.monotonic()
    await server.stop(grace_s=0.3)
    assert 0.3 <= time.monotonic() - began < 3
    for task in (watching, slow):
        with pytest.raises(ReceivedError) as caught:
            await task
        assert (caught.value.code, caught.value.reason) == (grpc.StatusCode.UNAVAILABLE, "SHUTTING_DOWN")
        assert caught.value.retry_after_s == 1.0
    assert played.ended.get_nowait() == "acme"


async def test_health_says_not_serving_while_calls_are_still_served(
    server: RpcServer, connection: Connection, stub: RunServiceAsyncStub
) -> None:
    await server.announce_stop()
    with pytest.raises(ReceivedError, match="is not serving"):
        await connection.wait_until_serving(RUN_SERVICE)
    assert (await connection.call(stub.GetRun, pb.GetRunRequest(run_id="r"))).run.run_id == "r"
