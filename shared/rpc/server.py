"""The gRPC server of both services: health per service, reflection, limits, keepalive and a stop that drains.

    server = RpcServer("127.0.0.1:0", [Service("powerfill.run.v1.RunService", add)])
    await server.start()
    ...
    await server.stop(grace_s=30)

Both services are composed with it, each in its own `app.py`.
"""

import asyncio
import contextlib
import ipaddress
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import grpc.aio
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from shared.errors import Category, PowerFillError, Reason
from shared.rpc.calls import Layer, LayersInterceptor, OpenCalls
from shared.rpc.interceptors import INTERCEPTORS

MAX_RECEIVE_BYTES = 4 * 1024 * 1024
MAX_SEND_BYTES = 64 * 1024 * 1024
MAX_HEADER_BYTES = 16 * 1024
MAX_CALLS = 4096
"""Calls in progress on one server; the next one is RESOURCE_EXHAUSTED."""

KEEPALIVE_S = 30
KEEPALIVE_TIMEOUT_S = 10
MIN_CLIENT_PING_S = 10
"""A client that pings more often is disconnected."""

_NOTICE_S = 0.1
"""How long health watchers have to hear NOT_SERVING before their streams end."""
_LAST_WORDS_S = 2.0
"""How long the ends of calls that outlive the grace may take to reach their clients."""

_OPTIONS: Sequence[tuple[str, int]] = (
    ("grpc.max_receive_message_length", MAX_RECEIVE_BYTES),
    ("grpc.max_send_message_length", MAX_SEND_BYTES),
    ("grpc.max_metadata_size", MAX_HEADER_BYTES),
    ("grpc.absolute_max_metadata_size", MAX_HEADER_BYTES),
    ("grpc.keepalive_time_ms", KEEPALIVE_S * 1000),
    ("grpc.keepalive_timeout_ms", KEEPALIVE_TIMEOUT_S * 1000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.min_ping_interval_without_data_ms", MIN_CLIENT_PING_S * 1000),
    ("grpc.so_reuseport", 0),  # a port that is taken is an error, not a second server beside the first
)


class AddressError(ValueError):
    """An address the server must not or cannot listen on; the message says which are allowed."""


@dataclass(frozen=True)
class Service:
    """A service to serve: its full name and the generated function that adds its servicer to a server."""

    name: str
    add: Callable[[grpc.aio.Server], None]


class RpcServer:
    """One server on one address: `host:port` on a loopback interface (port 0: any free one) or `unix:PATH`."""

    def __init__(self, address: str, services: Sequence[Service], layers: Sequence[Layer] = INTERCEPTORS) -> None:
        self._target = checked_address(address)
        self._open_calls = OpenCalls()
        self._health = health.aio.HealthServicer()
        self._names = tuple(service.name for service in services)
        self._server = grpc.aio.server(
            interceptors=[LayersInterceptor([self._open_calls.layer, *layers])],
            options=_OPTIONS,
            maximum_concurrent_rpcs=MAX_CALLS,
        )
        for service in services:
            service.add(self._server)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        reflection.enable_server_reflection((*self._names, health.SERVICE_NAME, reflection.SERVICE_NAME), self._server)
        self._address = ""

    @property
    def address(self) -> str:
        """Where clients find the started server."""
        if not self._address:
            raise RuntimeError("the server has no address before it is started")
        return self._address

    async def start(self) -> None:
        """Listen and serve; health says SERVING for each service and overall. Raises AddressError if the address is taken."""
        try:
            port = self._server.add_insecure_port(self._target)
        except RuntimeError as error:
            raise AddressError(f"cannot listen on {self._target}: the address is in use or cannot be bound") from error
        self._address = self._target if self._target.startswith("unix:") else f"{self._target.rpartition(':')[0]}:{port}"
        await self._server.start()
        for name in ("", *self._names):
            await self._health.set(name, health_pb2.HealthCheckResponse.SERVING)

    async def announce_stop(self) -> None:
        """Health says NOT_SERVING from now on; calls are still served."""
        await self._health.enter_graceful_shutdown()

    async def stop(self, grace_s: float) -> None:
        """NOT_SERVING, no new calls, at most `grace_s` seconds for those in progress; then they end with SHUTTING_DOWN."""
        await self.announce_stop()
        await asyncio.sleep(min(_NOTICE_S, grace_s))
        stopped = asyncio.create_task(self._server.stop(grace_s + _LAST_WORDS_S))
        try:
            await self._open_calls.wait_until_done(grace_s)
            self._open_calls.end_all(_shutting_down())
        finally:
            await stopped

    async def wait(self) -> None:
        """Until the server has stopped."""
        await self._server.wait_for_termination()


def checked_address(address: str) -> str:
    """The address to bind, refused with AddressError unless only this machine can reach it."""
    allowed = "until identity comes, servers listen on loopback only: 127.0.0.1:PORT, [::1]:PORT, localhost:PORT or unix:PATH"
    if address.startswith("unix:"):
        if not address.removeprefix("unix:").removeprefix("//"):
            raise AddressError(f"{address!r} names no socket; {allowed}")
        return address
    host, separator, port = address.rpartition(":")
    if not separator or not (port.isascii() and port.isdigit() and int(port) < 2**16):
        raise AddressError(f"{address!r} is not HOST:PORT; {allowed}")
    if host == "localhost":
        return f"127.0.0.1:{port}"
    bracketed = host.startswith("[") and host.endswith("]")
    with contextlib.suppress(ValueError):
        ip = ipaddress.ip_address(host[1:-1] if bracketed else host)
        if ip.is_loopback and bracketed == (ip.version == 6):
            return address
    raise AddressError(f"{address!r} is not a loopback address; {allowed}")


def _shutting_down() -> PowerFillError:
    return PowerFillError(
        Category.UNAVAILABLE,
        Reason.SHUTTING_DOWN,
        "this server is stopping; connect again, another one takes over",
        retry_after_s=1.0,
    )
