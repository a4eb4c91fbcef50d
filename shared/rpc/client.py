"""Calling the services: a connection that names its tenant, sets deadlines and turns failures into ReceivedError.

    async with connect("127.0.0.1:50051", tenant_id="demo") as connection:
        stub = RunServiceStub(connection.channel)
        run = (await connection.call(stub.GetRun, GetRunRequest(run_id=run_id))).run
        async for message in connection.stream(stub.WatchRun, WatchRunRequest(run_id=run_id)):
            ...

Until identity comes, the tenant and the user are what the metadata says.
"""

from __future__ import annotations  # grpc's generic types cannot be subscripted when the program runs

import contextlib
from collections.abc import AsyncIterable, AsyncIterator, Sequence
from typing import TypeVar

import grpc
import grpc.aio
from grpc_health.v1 import health_pb2

from shared.auth.caller import TENANT_KEY, USER_KEY
from shared.rpc.status import ReceivedError, error_from_call
from shared.telemetry.rpc_spans import outgoing_trace

DEADLINE_S = 30.0
"""Of a call with one answer; streams have none unless one is given."""

MAX_RECEIVE_BYTES = 64 * 1024 * 1024

_OPTIONS: Sequence[tuple[str, int]] = (
    ("grpc.max_receive_message_length", MAX_RECEIVE_BYTES),
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
)

_Request = TypeVar("_Request")
_Response = TypeVar("_Response")


class Connection:
    """A channel to one server for one tenant and user."""

    def __init__(self, channel: grpc.aio.Channel, tenant_id: str, user: str = "") -> None:
        self.channel = channel
        self._metadata = tuple((key, value) for key, value in ((TENANT_KEY, tenant_id), (USER_KEY, user)) if value)

    async def call(
        self,
        method: grpc.aio.UnaryUnaryMultiCallable[_Request, _Response],
        request: _Request,
        deadline_s: float = DEADLINE_S,
    ) -> _Response:
        """The answer to a call of one of the stub's methods. Raises ReceivedError."""
        try:
            return await method(request, timeout=deadline_s, metadata=self._sent_metadata())
        except grpc.aio.AioRpcError as error:
            raise error_from_call(error) from None

    async def stream(
        self,
        method: grpc.aio.UnaryStreamMultiCallable[_Request, _Response],
        request: _Request,
        deadline_s: float | None = None,
    ) -> AsyncIterator[_Response]:
        """The answers of a streaming call as they come; leaving the loop cancels it. Raises ReceivedError."""
        call = method(request, timeout=deadline_s, metadata=self._sent_metadata())
        try:
            async for response in call:
                yield response
        except grpc.aio.AioRpcError as error:
            raise error_from_call(error) from None
        finally:
            call.cancel()

    async def send(
        self,
        method: grpc.aio.StreamUnaryMultiCallable[_Request, _Response],
        requests: AsyncIterable[_Request],
        deadline_s: float,
    ) -> _Response:
        """The one answer to a stream of requests. Raises ReceivedError, and what `requests` raises."""
        try:
            return await method(requests, timeout=deadline_s, metadata=self._sent_metadata())  # type: ignore[arg-type]
        except grpc.aio.AioRpcError as error:
            raise error_from_call(error) from None

    async def wait_until_serving(self, service: str = "", timeout_s: float = 10.0) -> None:
        """Until the server is reached and the service (all of them: an empty name) says SERVING. Raises ReceivedError."""
        check = self.channel.unary_unary(
            "/grpc.health.v1.Health/Check",
            request_serializer=health_pb2.HealthCheckRequest.SerializeToString,
            response_deserializer=health_pb2.HealthCheckResponse.FromString,
        )
        try:
            response = await check(health_pb2.HealthCheckRequest(service=service), timeout=timeout_s, wait_for_ready=True)
        except grpc.aio.AioRpcError as error:
            raise error_from_call(error) from None
        if response.status != health_pb2.HealthCheckResponse.SERVING:
            raise ReceivedError(grpc.StatusCode.UNAVAILABLE, f"{service or 'the server'} is not serving")

    def _sent_metadata(self) -> tuple[tuple[str, str], ...]:
        return (*self._metadata, *outgoing_trace())


@contextlib.asynccontextmanager
async def connect(address: str, *, tenant_id: str, user: str = "") -> AsyncIterator[Connection]:
    """A connection to the server at `host:port` or `unix:PATH`, closed at the end."""
    async with grpc.aio.insecure_channel(address, options=_OPTIONS) as channel:
        yield Connection(channel, tenant_id, user)
