"""One way through every RPC: a list of layers around the handler, the same for unary and streaming methods.

A layer is a coroutine function `(call, proceed)`: it does something, awaits `proceed()` (the layers further in, then the
handler) and returns what that returned. All layers and the handler of an RPC run in one task, so context variables that a
layer sets hold in streaming handlers too, also when the stream is cancelled.
"""

from __future__ import annotations  # grpc's generic types cannot be subscripted when the program runs

import asyncio
import contextlib
import inspect
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import grpc
import grpc.aio
from google.protobuf.message import DecodeError

from shared.errors import Category, FieldViolation, PowerFillError, Reason, not_yet

INFRASTRUCTURE = ("/grpc.health.", "/grpc.reflection.")
"""Methods of gRPC's own services, which belong to no tenant."""


@dataclass(eq=False)
class Call:
    """One RPC in progress: its full method name (`/package.Service/Method`), gRPC's context, and whether it is a stream.

    `ended_with` is set before the call's task is cancelled by this server (not by the client): what the client is told.
    """

    method: str
    context: grpc.aio.ServicerContext[Any, Any]
    is_stream: bool
    task: asyncio.Task[Any] | None = field(default_factory=asyncio.current_task)
    ended_with: PowerFillError | None = None

    @property
    def is_infrastructure(self) -> bool:
        """Whether it is a call of gRPC's own services (health, reflection)."""
        return self.method.startswith(INFRASTRUCTURE)


Proceed = Callable[[], Awaitable[Any]]
Layer = Callable[[Call, Proceed], Awaitable[Any]]


class OpenCalls:
    """The calls in progress on one server, so that it can wait for them and end them."""

    def __init__(self) -> None:
        self._calls: set[Call] = set()
        self._changed = asyncio.Event()

    async def layer(self, call: Call, proceed: Proceed) -> Any:
        """Counts the call in while it is in progress."""
        self._calls.add(call)
        try:
            return await proceed()
        finally:
            self._calls.discard(call)
            self._changed.set()

    async def wait_until_done(self, timeout_s: float) -> None:
        """Until no call but those of gRPC's own services is in progress, at most `timeout_s` seconds."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                while any(not call.is_infrastructure for call in self._calls):
                    self._changed.clear()
                    await self._changed.wait()

    def end_all(self, error: PowerFillError) -> None:
        """Cancel every call in progress and tell its client why."""
        for call in self._calls:
            call.ended_with = error
            if call.task is not None:
                call.task.cancel()


class LayersInterceptor(grpc.aio.ServerInterceptor):
    """Puts layers, the first outermost, around every method that the server knows.

    A request that is no message of its type becomes INVALID_ARGUMENT inside the layers, where gRPC by itself would send
    UNKNOWN with the exception's text. A method that the servicer inherits from its generated base, a plain function there,
    answers NOT_YET.
    """

    def __init__(self, layers: Sequence[Layer]) -> None:
        self._layers = tuple(reversed(layers))
        self._wrapped: dict[str, grpc.RpcMethodHandler[Any, Any]] = {}

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[grpc.RpcMethodHandler[Any, Any] | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler[Any, Any] | None:
        """The method's handler with the layers around it; made once a method."""
        method = handler_call_details.method
        wrapped = self._wrapped.get(method)
        if wrapped is None:
            handler = await continuation(handler_call_details)
            if handler is None:
                return None
            wrapped = self._wrapped[method] = self._wrap(method, handler)
        return wrapped

    def _wrap(self, method: str, handler: Any) -> grpc.RpcMethodHandler[Any, Any]:
        behavior = handler.unary_unary or handler.unary_stream or handler.stream_unary or handler.stream_stream
        if not inspect.iscoroutinefunction(behavior) and not inspect.isasyncgenfunction(behavior):
            behavior = _not_built(method)
        streams_requests, streams_responses = handler.request_streaming, handler.response_streaming
        kind = f"{'stream' if streams_requests else 'unary'}_{'stream' if streams_responses else 'unary'}"

        async def layered(request: Any, context: grpc.aio.ServicerContext[Any, Any]) -> Any:
            call = Call(method, context, streams_requests or streams_responses)

            async def innermost() -> Any:
                wanted = _Requests(method, request) if streams_requests else _well_formed(method, request)
                answer = behavior(wanted, context)
                if inspect.isasyncgen(answer):
                    async with contextlib.aclosing(answer) as responses:
                        async for response in responses:
                            await context.write(response)
                    return None
                return await answer

            proceed: Proceed = innermost
            for layer in self._layers:
                proceed = _around(layer, call, proceed)
            return await proceed()

        make = getattr(grpc, f"{kind}_rpc_method_handler")
        wrapped: grpc.RpcMethodHandler[Any, Any] = make(
            layered,
            request_deserializer=_tolerant(handler.request_deserializer),
            response_serializer=handler.response_serializer,
        )
        return wrapped


class _Malformed:
    """Stands for a request whose bytes are no message of the method's request type."""


_MALFORMED = _Malformed()


class _Requests:
    """The requests of a client's stream; a malformed one raises."""

    def __init__(self, method: str, requests: AsyncIterable[Any]) -> None:
        self._method, self._requests = method, requests
        self._received: AsyncIterator[Any] | None = None

    def __aiter__(self) -> _Requests:
        return self

    async def __anext__(self) -> Any:
        if self._received is None:  # begun when it is read: gRPC warns of a receiver that nobody awaits
            self._received = aiter(self._requests)
        return _well_formed(self._method, await anext(self._received))


def _around(layer: Layer, call: Call, proceed: Proceed) -> Proceed:
    return lambda: layer(call, proceed)


def _not_built(method: str) -> Callable[[Any, Any], Awaitable[Any]]:
    async def refuse(_request: object, _context: object) -> Any:
        raise not_yet(method.rpartition("/")[2], "it comes with a later version")

    return refuse


def _well_formed(method: str, request: Any) -> Any:
    if request is _MALFORMED:
        message = f"the request of {method} is not a message of its type; generate the client from this version's contract"
        violations = [FieldViolation("request", "the bytes sent are not a message of its type")]
        raise PowerFillError(Category.INVALID_ARGUMENT, Reason.INVALID_FIELD, message, fields=violations)
    return request


def _tolerant(deserializer: Callable[[bytes], Any] | None) -> Callable[[bytes], Any]:
    def deserialize(data: bytes) -> Any:
        try:
            return deserializer(data) if deserializer is not None else data
        except DecodeError:
            return _MALFORMED

    return deserialize
