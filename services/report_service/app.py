"""The report service put together: read-only databases, the servicer, a server around it."""

import asyncio
import contextlib
import gc
import logging
import signal
from collections.abc import AsyncIterator
from dataclasses import dataclass

from powerfill.report.v1.report_service_pb2 import DESCRIPTOR
from powerfill.report.v1.report_service_pb2_grpc import add_ReportServiceServicer_to_server

from services.report_service.rpc.report_servicer import ReportServicer
from services.report_service.settings import Settings
from shared.rpc.paging import PageTokens
from shared.rpc.server import RpcServer, Service
from shared.telemetry.logging import configure_logging
from shared.telemetry.tracing import configure_tracing
from shared.tenancy.connections import TenantConnections
from shared.tenancy.registry import TenantRegistry

SERVICE_NAME = DESCRIPTOR.services_by_name["ReportService"].full_name

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class RunningServer:
    """A server that answers: the address clients connect to."""

    address: str


@contextlib.asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[RunningServer]:
    """The service in this process and event loop, until the block ends; calls in progress then have `drain_s` seconds.

    Raises `shared.rpc.server.AddressError` for an address that is taken or not this machine's alone.
    """
    connections = TenantConnections(
        TenantRegistry(settings.registry_file),
        max_open=settings.max_open_databases,
        idle_s=settings.database_idle_s,
        statement_timeout_s=settings.statement_timeout_s,
    )
    async with connections:
        # The servicer is handed the way to read-only databases and nothing else of the connections.
        servicer = ReportServicer(connections.read_only, PageTokens(settings.page_token_secret.get_secret_value()))
        service = Service(SERVICE_NAME, lambda server: add_ReportServiceServicer_to_server(servicer, server))
        server = RpcServer(settings.report_address, [service])
        await server.start()
        try:
            yield RunningServer(server.address)
        finally:
            await server.stop(settings.drain_s)


async def serve(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT, then drain."""
    configure_logging(json=settings.log_json, level=settings.log_level)
    tracing = configure_tracing("powerfill-report")
    asked_to_stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, asked_to_stop.set)
    async with running(settings) as server:
        gc.collect()
        gc.freeze()  # what is loaded stays: a collection that looks at all of it costs a page 30 ms
        _logger.info("serving on %s", server.address)
        await asked_to_stop.wait()
        _logger.info("stopping")
    tracing.stop()
