"""Tracing by OpenTelemetry: set up once a process from the standard OTEL_* variables, exporting only where one names a place."""

import logging
import os
from collections.abc import Mapping

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

FLUSH_TIMEOUT_S = 5.0
_ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")

_logger = logging.getLogger(__name__)


class Tracing:
    """This process's tracing."""

    def __init__(self, provider: TracerProvider) -> None:
        self.provider = provider

    def stop(self, timeout_s: float = FLUSH_TIMEOUT_S) -> None:
        """Send the spans that wait, at most `timeout_s` seconds. Blocks; the process may go on tracing."""
        if not self.provider.force_flush(int(timeout_s * 1000)):
            _logger.warning("spans were still unsent after %g s", timeout_s)


def configure_tracing(service_name: str) -> Tracing:
    """Install the tracer provider of this process, or find the one that is installed (one process can serve both services).

    Spans are exported by OTLP over gRPC when OTEL_EXPORTER_OTLP_ENDPOINT or OTEL_EXPORTER_OTLP_TRACES_ENDPOINT is set, unless
    OTEL_TRACES_EXPORTER is `none`; otherwise they only give log records their trace ids. OTEL_SERVICE_NAME replaces
    `service_name`. Raises ValueError for a protocol other than grpc.
    """
    installed = trace.get_tracer_provider()
    if isinstance(installed, TracerProvider):
        return Tracing(installed)
    resource = Resource.create({} if os.environ.get("OTEL_SERVICE_NAME") else {SERVICE_NAME: service_name})
    provider = TracerProvider(resource=resource)
    if exports_spans(os.environ):
        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    return Tracing(provider)


def exports_spans(environment: Mapping[str, str]) -> bool:
    """Whether the OTEL_* variables ask for spans to be exported. Raises ValueError for a protocol that is not there."""
    if not any(environment.get(name) for name in _ENDPOINTS) or environment.get("OTEL_TRACES_EXPORTER", "otlp") == "none":
        return False
    protocol = next((environment[name] for name in _PROTOCOLS if environment.get(name)), "grpc")
    if protocol != "grpc":
        raise ValueError(f"OTEL_EXPORTER_OTLP_PROTOCOL is {protocol!r}; spans are exported by grpc only")
    return True
