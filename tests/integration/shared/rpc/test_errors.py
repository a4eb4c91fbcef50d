from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import grpc
import grpc.aio
import pytest
from powerfill.run.v1 import run_service_pb2 as pb

from shared.rpc.client import Connection
from shared.rpc.status import ReceivedError

if TYPE_CHECKING:
    from powerfill.run.v1.run_service_pb2_grpc import RunServiceAsyncStub


async def error_of(call: Awaitable[Any]) -> ReceivedError:
    with pytest.raises(ReceivedError) as caught:
        await call
    return caught.value


async def drained(connection: Connection, stub: RunServiceAsyncStub, run_id: str) -> list[int]:
    stream = connection.stream(stub.WatchRun, pb.WatchRunRequest(run_id=run_id))
    return [message.heartbeat.last_sequence async for message in stream]


async def test_an_answer_for_the_caller(connection: Connection, stub: RunServiceAsyncStub) -> None:
    response = await connection.call(stub.GetRun, pb.GetRunRequest(run_id="r-1"))
    assert (response.run.run_id, response.run.requested_by) == ("r-1", "ann")


async def test_a_known_error_has_its_status_and_facts(connection: Connection, stub: RunServiceAsyncStub) -> None:
    error = await error_of(connection.call(stub.GetRun, pb.GetRunRequest(run_id="unknown")))
    assert (error.code, error.reason) == (grpc.StatusCode.NOT_FOUND, "RUN_NOT_FOUND")
    assert error.metadata == {"run_id": "unknown"}


async def test_an_error_that_passes_says_when_to_try_again(connection: Connection, stub: RunServiceAsyncStub) -> None:
    error = await error_of(connection.call(stub.GetRun, pb.GetRunRequest(run_id="unavailable")))
    assert (error.code, error.retry_after_s) == (grpc.StatusCode.UNAVAILABLE, 1.5)
    assert error.metadata == {"tenant_id": "acme"}


async def test_a_known_error_in_the_middle_of_a_stream(connection: Connection, stub: RunServiceAsyncStub) -> None:
    error = await error_of(drained(connection, stub, "unknown"))
    assert (error.code, error.reason) == (grpc.StatusCode.NOT_FOUND, "RUN_NOT_FOUND")


@pytest.mark.parametrize("kind", ["unary", "stream"])
async def test_a_bug_is_internal_with_an_id_that_is_in_the_log_and_no_word_more(
    connection: Connection, stub: RunServiceAsyncStub, caplog: pytest.LogCaptureFixture, kind: str
) -> None:
    request: Callable[[], Awaitable[Any]] = {
        "unary": lambda: connection.call(stub.GetRun, pb.GetRunRequest(run_id="bug")),
        "stream": lambda: drained(connection, stub, "bug"),
    }[kind]
    with caplog.at_level(logging.ERROR):
        error = await error_of(request())
    error_id = error.metadata["error_id"]
    assert (error.code, error.reason) == (grpc.StatusCode.INTERNAL, "INTERNAL")
    assert error.message == f"unexpected error {error_id}; the server's log has it under this id"
    [record] = [record for record in caplog.records if error_id in record.getMessage()]
    assert record.exc_info is not None
    assert record.exc_info[0] is ZeroDivisionError


async def test_a_wait_that_was_cancelled_inside_is_a_bug_and_the_client_does_not_wait_for_ever(
    connection: Connection, stub: RunServiceAsyncStub
) -> None:
    error = await error_of(connection.call(stub.GetRun, pb.GetRunRequest(run_id="lost"), deadline_s=5))
    assert error.code == grpc.StatusCode.INTERNAL


async def test_an_rpc_that_the_servicer_inherits_is_not_built_yet(connection: Connection, stub: RunServiceAsyncStub) -> None:
    error = await error_of(connection.call(stub.CompareRuns, pb.CompareRunsRequest()))
    assert (error.code, error.reason) == (grpc.StatusCode.UNIMPLEMENTED, "NOT_YET")
    assert error.metadata == {"what": "CompareRuns"}


async def test_an_rpc_nobody_knows_is_unimplemented(connection: Connection) -> None:
    method: Any = connection.channel.unary_unary("/powerfill.run.v1.RunService/MakeCoffee")
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await method(b"")
    assert caught.value.code() == grpc.StatusCode.UNIMPLEMENTED


async def test_the_clients_deadline_ends_the_call(connection: Connection, stub: RunServiceAsyncStub) -> None:
    error = await error_of(connection.call(stub.GetRun, pb.GetRunRequest(run_id="slow"), deadline_s=0.1))
    assert error.code == grpc.StatusCode.DEADLINE_EXCEEDED


async def test_a_client_that_leaves_ends_its_stream_and_nothing_is_logged(
    connection: Connection, stub: RunServiceAsyncStub, played: Any, caplog: pytest.LogCaptureFixture
) -> None:
    for run_id in ("calm", "flood"):
        stream = stub.WatchRun(pb.WatchRunRequest(run_id=run_id), metadata=(("x-tenant-id", "acme"),))
        await stream.read()
        stream.cancel()
    async with asyncio.timeout(5):
        assert [await played.ended.get(), await played.ended.get()] == ["acme", "acme"]
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


async def test_streams_of_several_callers_keep_their_callers(
    connection: Connection, stub: RunServiceAsyncStub, played: Any
) -> None:
    tenants = [f"tenant-{index}" for index in range(10)]
    streams = [stub.WatchRun(pb.WatchRunRequest(run_id="calm"), metadata=(("x-tenant-id", tenant),)) for tenant in tenants]
    for _ in range(3):
        for stream in streams:
            await stream.read()
    for stream in streams:
        stream.cancel()
    async with asyncio.timeout(5):
        ended = [await played.ended.get() for _ in tenants]
    assert sorted(ended) == tenants
