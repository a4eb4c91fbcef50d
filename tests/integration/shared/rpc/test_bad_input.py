"""What is no request, or comes from nobody, gets a clear status: never INTERNAL or UNKNOWN."""

import random
from collections.abc import AsyncIterator, Sequence
from typing import Any

import grpc
import grpc.aio
import pytest
from powerfill.run.v1 import run_service_pb2 as pb

from shared.errors import FieldViolation
from shared.rpc.client import Connection
from shared.rpc.interceptors import MAX_METADATA_BYTES, MAX_METADATA_ENTRIES
from shared.rpc.server import MAX_RECEIVE_BYTES
from shared.rpc.status import ReceivedError, error_from_call

ACME = (("x-tenant-id", "acme"),)
GARBAGE = b"\x0a\xff\xff"
METHODS = list(pb.DESCRIPTOR.services_by_name["RunService"].methods)


async def send(channel: Any, method: str, data: bytes, metadata: Sequence[tuple[str, str]] = ACME) -> ReceivedError | None:
    """Send these bytes as the request of an RPC of RunService; its error, None if there was an answer."""
    descriptor = pb.DESCRIPTOR.services_by_name["RunService"].methods_by_name[method]
    path = f"/powerfill.run.v1.RunService/{method}"
    try:
        if descriptor.client_streaming:
            await channel.stream_unary(path)(_one(data), metadata=metadata, timeout=10)
        elif descriptor.server_streaming:
            stream = channel.unary_stream(path)(data, metadata=metadata, timeout=10)
            await stream.read()
            if not stream.cancel():
                await stream.read()
        else:
            await channel.unary_unary(path)(data, metadata=metadata, timeout=10)
    except grpc.aio.AioRpcError as error:
        return error_from_call(error)
    return None


async def _one(data: bytes) -> AsyncIterator[bytes]:
    yield data


@pytest.mark.parametrize("method", ["GetRun", "WatchRun"])
async def test_bytes_that_are_no_message_are_an_invalid_argument(connection: Connection, method: str) -> None:
    error = await send(connection.channel, method, GARBAGE)
    assert error is not None
    assert (error.code, error.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD")
    assert error.fields == (FieldViolation("request", "the bytes sent are not a message of its type"),)


async def test_text_that_is_not_utf8_is_an_invalid_argument(connection: Connection) -> None:
    error = await send(connection.channel, "GetRun", b"\x0a\x02\xc3\x28")
    assert error is not None
    assert error.code == grpc.StatusCode.INVALID_ARGUMENT


async def test_garbage_to_health_and_reflection_too(connection: Connection) -> None:
    channel: Any = connection.channel
    for call in (
        channel.unary_unary("/grpc.health.v1.Health/Check")(GARBAGE),
        channel.unary_stream("/grpc.health.v1.Health/Watch")(GARBAGE).read(),
        channel.stream_stream("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo")(_one(GARBAGE)).read(),
    ):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call
        assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT


async def test_random_bytes_to_every_rpc(connection: Connection) -> None:
    dice = random.Random(20260417)
    codes = set()
    for method in METHODS:
        for _ in range(100):
            error = await send(connection.channel, method.name, dice.randbytes(dice.randrange(40)))
            codes.add(error.code if error is not None else grpc.StatusCode.OK)
            assert error is None or error.reason, error
    assert codes <= {
        grpc.StatusCode.OK,
        grpc.StatusCode.INVALID_ARGUMENT,
        grpc.StatusCode.NOT_FOUND,
        grpc.StatusCode.UNIMPLEMENTED,
    }
    assert grpc.StatusCode.INVALID_ARGUMENT in codes


@pytest.mark.parametrize("method", [method.name for method in METHODS])
async def test_nobody_is_told_so_before_the_request_is_judged(connection: Connection, method: str) -> None:
    for metadata in ((), (("x-tenant-id", ""),), (("x-tenant-id", "acme"), ("x-tenant-id", "other"))):
        error = await send(connection.channel, method, GARBAGE, metadata)
        assert error is not None
        assert (error.code, error.reason) == (grpc.StatusCode.UNAUTHENTICATED, "UNAUTHENTICATED")


async def test_what_cannot_be_a_tenant(connection: Connection) -> None:
    error = await send(connection.channel, "GetRun", b"", (("x-tenant-id", "../etc/passwd"),))
    assert error is not None
    assert error.code == grpc.StatusCode.INVALID_ARGUMENT
    assert [field.field for field in error.fields] == ["x-tenant-id"]


@pytest.mark.parametrize(
    "metadata",
    [
        [(f"key-{index}", "x") for index in range(MAX_METADATA_ENTRIES)],
        [("key", "x" * MAX_METADATA_BYTES)],
    ],
)
async def test_metadata_without_measure(connection: Connection, metadata: list[tuple[str, str]]) -> None:
    error = await send(connection.channel, "GetRun", b"", [*ACME, *metadata])
    assert error is not None
    assert (error.code, error.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD")


async def test_metadata_beyond_what_grpc_takes(connection: Connection) -> None:
    error = await send(connection.channel, "GetRun", b"", [*ACME, ("key", "x" * 40_000)])
    assert error is not None
    assert error.code == grpc.StatusCode.RESOURCE_EXHAUSTED


async def test_a_request_over_the_limit(connection: Connection) -> None:
    request = pb.GetRunRequest(run_id="x" * MAX_RECEIVE_BYTES).SerializeToString()
    error = await send(connection.channel, "GetRun", request)
    assert error is not None
    assert error.code == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert await send(connection.channel, "GetRun", b"") is None
