import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from shared.telemetry.tracing import configure_tracing, exports_spans


@pytest.mark.parametrize(
    ("environment", "exports"),
    [
        ({}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": ""}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4317"}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:4317"}, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4317", "OTEL_TRACES_EXPORTER": "none"}, False),
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}, False),
    ],
)
def test_spans_are_exported_only_where_an_endpoint_is_named(environment: dict[str, str], *, exports: bool) -> None:
    assert exports_spans(environment) is exports


def test_a_protocol_that_is_not_there_is_refused() -> None:
    with pytest.raises(ValueError, match="spans are exported by grpc only"):
        exports_spans({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318", "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"})


def test_a_process_has_one_provider_and_stop_flushes_it() -> None:
    first, second = configure_tracing("one"), configure_tracing("two")
    assert first.provider is second.provider is trace.get_tracer_provider()
    exporter = InMemorySpanExporter()
    first.provider.add_span_processor(SimpleSpanProcessor(exporter))
    with trace.get_tracer("test").start_as_current_span("work"):
        pass
    second.stop()
    assert [span.name for span in exporter.get_finished_spans()] == ["work"]
