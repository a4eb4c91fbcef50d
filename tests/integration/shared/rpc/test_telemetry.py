from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import SpanKind, StatusCode
from powerfill.run.v1 import run_service_pb2 as pb

from shared.rpc.client import Connection
from shared.rpc.status import ReceivedError
from shared.telemetry.tracing import configure_tracing

if TYPE_CHECKING:
    from powerfill.run.v1.run_service_pb2_grpc import RunServiceAsyncStub


class Collected(SpanExporter):
    """The spans that ended, as they end."""

    def __init__(self) -> None:
        self.spans: asyncio.Queue[ReadableSpan] = asyncio.Queue()
        self.is_open = True

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        for span in spans if self.is_open else ():
            self.spans.put_nowait(span)
        return SpanExportResult.SUCCESS

    def shutdown(self) -> None:
        self.is_open = False


@pytest.fixture
def exporter() -> Iterator[Collected]:
    exporter = Collected()
    configure_tracing("test").provider.add_span_processor(SimpleSpanProcessor(exporter))
    yield exporter
    exporter.shutdown()


async def the_span(exporter: Collected) -> ReadableSpan:
    """The one span of an RPC, which ends a moment after its client heard the status."""
    async with asyncio.timeout(5):
        span = await exporter.spans.get()
    assert exporter.spans.empty()
    return span


def facts(span: ReadableSpan) -> tuple[Any, ...]:
    attributes = span.attributes or {}
    return span.name, span.kind, attributes["rpc.grpc.status_code"], span.status.status_code


async def test_an_rpc_is_one_server_span(connection: Connection, stub: RunServiceAsyncStub, exporter: Collected) -> None:
    await connection.call(stub.GetRun, pb.GetRunRequest(run_id="r"))
    span = await the_span(exporter)
    assert facts(span) == ("powerfill.run.v1.RunService/GetRun", SpanKind.SERVER, 0, StatusCode.UNSET)
    assert {**(span.attributes or {})}.items() >= {"rpc.system": "grpc", "rpc.method": "GetRun"}.items()


@pytest.mark.parametrize(
    ("run_id", "code", "status"),
    [
        ("unknown", grpc.StatusCode.NOT_FOUND, StatusCode.UNSET),
        ("unavailable", grpc.StatusCode.UNAVAILABLE, StatusCode.ERROR),
        ("bug", grpc.StatusCode.INTERNAL, StatusCode.ERROR),
    ],
)
async def test_a_span_has_the_status_that_was_sent_and_no_exception_text(
    connection: Connection,
    stub: RunServiceAsyncStub,
    exporter: Collected,
    run_id: str,
    code: grpc.StatusCode,
    status: StatusCode,
) -> None:
    with pytest.raises(ReceivedError):
        await connection.call(stub.GetRun, pb.GetRunRequest(run_id=run_id))
    span = await the_span(exporter)
    assert facts(span)[2:] == (code.value[0], status)
    assert span.events == ()


async def test_a_stream_is_one_span_and_a_client_that_leaves_is_no_error(
    connection: Connection, stub: RunServiceAsyncStub, exporter: Collected, caplog: pytest.LogCaptureFixture
) -> None:
    stream = stub.WatchRun(pb.WatchRunRequest(run_id="calm"), metadata=(("x-tenant-id", "acme"),))
    for _ in range(3):
        await stream.read()
    assert exporter.spans.empty()
    stream.cancel()
    assert facts(await the_span(exporter)) == (
        "powerfill.run.v1.RunService/WatchRun",
        SpanKind.SERVER,
        grpc.StatusCode.CANCELLED.value[0],
        StatusCode.UNSET,
    )
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


async def test_a_span_continues_the_clients_trace(connection: Connection, stub: RunServiceAsyncStub, exporter: Collected) -> None:
    with trace.get_tracer("test").start_as_current_span("desk") as desk:
        await connection.call(stub.GetRun, pb.GetRunRequest(run_id="r"))
        span = await the_span(exporter)
    assert span.parent is not None
    assert span.parent.span_id == desk.get_span_context().span_id
    assert span.context is not None
    assert span.context.trace_id == desk.get_span_context().trace_id


async def test_health_checks_are_no_spans(connection: Connection, exporter: Collected) -> None:
    await connection.wait_until_serving()
    await asyncio.sleep(0.05)
    assert exporter.spans.empty()


async def test_an_unexpected_error_is_logged_inside_its_span(
    connection: Connection, stub: RunServiceAsyncStub, exporter: Collected
) -> None:
    seen: list[int] = []

    class Spy(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            seen.append(trace.get_current_span().get_span_context().trace_id)

    spy, logger = Spy(logging.ERROR), logging.getLogger("shared.rpc.interceptors")
    logger.addHandler(spy)
    try:
        with pytest.raises(ReceivedError):
            await connection.call(stub.GetRun, pb.GetRunRequest(run_id="bug"))
    finally:
        logger.removeHandler(spy)
    span = await the_span(exporter)
    assert span.context is not None
    assert seen == [span.context.trace_id]
