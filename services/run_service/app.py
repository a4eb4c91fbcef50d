"""The run service put together: ports and what stands behind them, the work in the background, the server."""

import asyncio
import contextlib
import datetime as dt
import logging
import secrets
import signal
import time
import uuid
from collections.abc import AsyncIterator, Coroutine
from dataclasses import dataclass
from typing import Any

from powerfill.config.v1.config_service_pb2_grpc import add_ConfigServiceServicer_to_server
from powerfill.run.v1.run_service_pb2_grpc import add_RunServiceServicer_to_server

from services.run_service.application.accept_run import AcceptRun
from services.run_service.application.background import every
from services.run_service.application.cancel_run import CancelRun
from services.run_service.application.check_readiness import CheckReadiness
from services.run_service.application.compare_runs import CompareRuns
from services.run_service.application.dispatch import Dispatcher
from services.run_service.application.execute_run import RunExecutor
from services.run_service.application.explain_loan import ExplainLoan
from services.run_service.application.leases import Leases
from services.run_service.application.query_runs import GetRun, ListRuns
from services.run_service.application.replay_run import ReplayRun
from services.run_service.application.retention import Retention
from services.run_service.application.submit_run import SubmitRun
from services.run_service.application.sweep import Sweep
from services.run_service.application.validate_allocation import ValidateAllocation
from services.run_service.application.watch_run import WatchRun
from services.run_service.bus.in_process import InProcessBus
from services.run_service.repositories.decisions import SqlDecisions
from services.run_service.repositories.events import SqlEvents
from services.run_service.repositories.inputs import SqlInputs
from services.run_service.repositories.outputs import SqlOutputs
from services.run_service.repositories.runs import SqlRuns
from services.run_service.repositories.surveys import SqlTenantTables
from services.run_service.repositories.tenants import RegistryTenants
from services.run_service.rpc.config_servicer import ConfigServicer
from services.run_service.rpc.run_servicer import RunApplication, RunServicer
from services.run_service.settings import Settings
from services.run_service.worker.answers import AnswerProcesses
from services.run_service.worker.pool import ProcessPool, Work
from services.run_service.worker.process import WorkerSettings, work
from shared.rpc.paging import PageTokens
from shared.rpc.server import RpcServer, Service
from shared.telemetry.logging import configure_logging
from shared.telemetry.tracing import configure_tracing
from shared.tenancy.connections import TenantConnections
from shared.tenancy.registry import TenantRegistry

RUN_SERVICE = "powerfill.run.v1.RunService"
CONFIG_SERVICE = "powerfill.config.v1.ConfigService"

LAST_EVENTS_S = 1.0
"""How long, after the last run at work has ended, watchers have to receive its end before their streams do."""

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class RunningServer:
    """A server that answers: the address clients connect to, and `broken`, set when its work in the background failed."""

    address: str
    broken: asyncio.Event


class BackgroundError(Exception):
    """Work in the background, without which the server must not go on, failed; the log has the error."""


class SystemClock:
    """The machine's time."""

    def now(self) -> dt.datetime:
        """Now, in UTC."""
        return dt.datetime.now(dt.UTC)


class TimeOrderedIds:
    """Identifiers that sort by the millisecond they were made in: UUIDs of version 7 (RFC 9562).

    A database stores a run's rows by its id. New runs come last there, which is where rows are added at the least cost.
    """

    def new_id(self) -> str:
        """36 characters."""
        milliseconds, chance = time.time_ns() // 1_000_000, secrets.randbits(74)
        high, low = divmod(chance, 1 << 62)
        return str(uuid.UUID(int=milliseconds << 80 | 7 << 76 | high << 64 | 2 << 62 | low))


@contextlib.asynccontextmanager
async def running(settings: Settings, work: Work = work, give_up: asyncio.Event | None = None) -> AsyncIterator[RunningServer]:
    """The service in this process and event loop, until the block ends; then it drains. `work` is what its processes execute.

    It listens at once, and a first run or question waits until a process is ready. With `give_up` it listens when all of them
    are ready, so that nothing waits for that or shares the cores with it, or when the event is set.

    Draining: health says NOT_SERVING and new runs are refused, runs at work go on for at most `drain_s` seconds and are then
    left to the next server. Raises `shared.rpc.server.AddressError` for an address that is taken or not this machine's alone.
    """
    registry = TenantRegistry(settings.registry_file)
    connections = TenantConnections(
        registry,
        max_open=settings.max_open_databases,
        idle_s=settings.database_idle_s,
        statement_timeout_s=settings.statement_timeout_s,
    )
    clock, tenants, bus = SystemClock(), RegistryTenants(registry), InProcessBus(settings.queue_size)
    runs, outputs, tables = SqlRuns(connections, clock), SqlOutputs(connections), SqlTenantTables(connections)
    leases = Leases(f"server-{uuid.uuid4()}", runs, clock, settings.lease_s)
    inputs, decisions = SqlInputs(connections), SqlDecisions(connections)
    retention = Retention(runs, outputs, inputs, tenants)
    sweep = Sweep(runs, outputs, tenants, bus, clock, leases.is_held, retention.begin)
    pool = ProcessPool(settings.workers, WorkerSettings(settings.registry_file, settings.log_json, settings.log_level), work)
    answers = AnswerProcesses(settings.answer_processes)
    dispatcher = Dispatcher(bus, pool, RunExecutor(runs, outputs, bus, leases, clock, retention.begin))
    draining, broken = asyncio.Event(), asyncio.Event()
    accept = AcceptRun(runs, bus, leases, sweep, clock, TimeOrderedIds(), draining.is_set)
    application = RunApplication(
        submit_run=SubmitRun(accept, tenants, tables, clock),
        replay_run=ReplayRun(accept, runs, inputs, tables),
        watch_run=WatchRun(runs, SqlEvents(connections), bus, settings.watch_heartbeat_s),
        get_run=GetRun(runs),
        list_runs=ListRuns(runs),
        cancel_run=CancelRun(runs, outputs, bus, clock),
        check_readiness=CheckReadiness(tenants, tables, clock),
        compare_runs=CompareRuns(runs, inputs, decisions, answers),
        validate_allocation=ValidateAllocation(runs, inputs, decisions, answers),
        explain_loan=ExplainLoan(runs, inputs, decisions, answers),
    )
    server = _server(settings, application)
    async with contextlib.AsyncExitStack() as stack:  # read downwards how it starts, upwards how it drains
        await stack.enter_async_context(connections)
        await stack.enter_async_context(pool)
        await stack.enter_async_context(answers)
        if give_up is not None:
            await _first_of(_prepared(pool, answers), give_up.wait())
        await server.start()
        stack.push_async_callback(server.stop, LAST_EVENTS_S)
        await stack.enter_async_context(_background(broken, leases=every(settings.heartbeat_s, leases.beat)))
        stack.push_async_callback(leases.release_all)
        stack.push_async_callback(retention.stop)
        stack.push_async_callback(dispatcher.drain, settings.drain_s)
        sweeping = every(settings.sweep_s, sweep.all_tenants)
        await stack.enter_async_context(_background(broken, sweep=sweeping, dispatch=dispatcher.dispatch()))
        stack.push_async_callback(server.announce_stop)
        stack.callback(draining.set)
        yield RunningServer(server.address, broken)


@contextlib.asynccontextmanager
async def unless_broken(server: RunningServer) -> AsyncIterator[None]:
    """A block that ends with BackgroundError, wherever it is, as soon as the server's work in the background has failed."""
    task = asyncio.current_task()
    if task is None:
        raise RuntimeError("only a task can be ended")
    interrupted = False

    def interrupt(_: object) -> None:
        nonlocal interrupted
        if server.broken.is_set():
            interrupted = True
            task.cancel()

    watching = asyncio.create_task(server.broken.wait())
    watching.add_done_callback(interrupt)
    try:
        yield
    except asyncio.CancelledError:
        if not interrupted or task.uncancel():
            raise
        raise BackgroundError("the run service stops: its work in the background failed, as its log tells") from None
    finally:
        watching.remove_done_callback(interrupt)
        watching.cancel()


async def serve(settings: Settings, work: Work = work) -> None:
    """Serve until SIGTERM or SIGINT, then drain. Raises BackgroundError."""
    configure_logging(json=settings.log_json, level=settings.log_level)
    tracing = configure_tracing("powerfill-run")
    asked_to_stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, asked_to_stop.set)
    async with running(settings, work, asked_to_stop) as server, unless_broken(server):
        _logger.info("serving on %s", server.address)
        await asked_to_stop.wait()
        _logger.info("stopping")
    tracing.stop()


async def _first_of(*waits: Coroutine[Any, Any, object]) -> None:
    tasks = [asyncio.create_task(wait) for wait in waits]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()


async def _prepared(pool: ProcessPool, answers: AnswerProcesses) -> None:
    """One after the other: what was never compiled on this machine is compiled by the first process."""
    await pool.prepared()
    await answers.start()


def _server(settings: Settings, application: RunApplication) -> RpcServer:
    servicer = RunServicer(application, PageTokens(settings.page_token_secret.get_secret_value()))
    return RpcServer(
        settings.run_address,
        [
            Service(RUN_SERVICE, lambda server: add_RunServiceServicer_to_server(servicer, server)),
            Service(CONFIG_SERVICE, lambda server: add_ConfigServiceServicer_to_server(ConfigServicer(), server)),
        ],
    )


@contextlib.asynccontextmanager
async def _background(broken: asyncio.Event, **work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """The work as tasks, until the block ends; `broken` is set when one of them ends of an error, which is logged."""

    def ended(task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None:
            _logger.critical("background work %s failed; the server stops", task.get_name(), exc_info=error)
            broken.set()

    tasks = [asyncio.create_task(one, name=name) for name, one in work.items()]
    for task in tasks:
        task.add_done_callback(ended)
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
