"""The OpenTelemetry span of an RPC on the server, and the trace context in its metadata."""

import contextlib
import functools
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import grpc
from opentelemetry import context, propagate, trace
from opentelemetry.trace import SpanKind, Status, StatusCode

_SERVER_ERRORS = frozenset(
    {
        grpc.StatusCode.UNKNOWN,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.UNIMPLEMENTED,
        grpc.StatusCode.INTERNAL,
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DATA_LOSS,
    }
)
"""Statuses that are the server's fault; the others are answers (OpenTelemetry semantic conventions for gRPC servers)."""

_CODES: Mapping[int, grpc.StatusCode] = {code.value[0]: code for code in grpc.StatusCode}

_tracer = trace.get_tracer("powerfill.rpc")


@contextlib.contextmanager
def rpc_span(method: str, metadata: Iterable[tuple[str, str | bytes]], code: Callable[[], Any]) -> Iterator[None]:
    """The span of one RPC: current inside, ended with the status that `code()` gives, or CANCELLED when the client left.

    `method` is `/package.Service/Method`; `metadata` may carry the client's trace context.
    """
    name, attributes = _described(method)
    parent = propagate.extract({key: value for key, value in metadata if isinstance(value, str)})
    span = _tracer.start_span(name, parent, SpanKind.SERVER, attributes)
    token = context.attach(trace.set_span_in_context(span, parent))
    ended = grpc.StatusCode.CANCELLED
    try:
        yield
        ended = _status_code(code())
    except Exception:
        ended = _status_code(code())
        raise
    finally:
        span.set_attribute("rpc.grpc.status_code", ended.value[0])
        if ended in _SERVER_ERRORS:
            span.set_status(Status(StatusCode.ERROR, ended.name))
        span.end()
        context.detach(token)


def outgoing_trace() -> tuple[tuple[str, str], ...]:
    """The metadata that lets a server continue the current trace; empty when there is none."""
    carrier: dict[str, str] = {}
    propagate.inject(carrier)
    return tuple(carrier.items())


@functools.cache
def _described(method: str) -> tuple[str, Mapping[str, str]]:
    """The name and the attributes of a method's spans. Only methods that the server knows get here."""
    service, _, name = method.removeprefix("/").partition("/")
    return f"{service}/{name}", {"rpc.system": "grpc", "rpc.service": service, "rpc.method": name}


def _status_code(code: Any) -> grpc.StatusCode:
    """The status as an enum member; gRPC gives a number until one was set."""
    return code if isinstance(code, grpc.StatusCode) else _CODES.get(code, grpc.StatusCode.OK)
