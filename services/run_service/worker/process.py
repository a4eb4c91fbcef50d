"""A worker process: takes jobs from its pipe, one after the other, and tells how they go."""

import asyncio
import logging
import os
import queue
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

from services.run_service.application.ports import Job, Message
from services.run_service.worker.job import Pipeline, perform
from services.run_service.worker.memory import let_go_of_memory
from services.run_service.worker.stopping import WorkerStop
from shared.telemetry.logging import configure_logging
from shared.tenancy.connections import TenantConnections
from shared.tenancy.registry import TenantRegistry

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class WorkerSettings:
    """What a worker process needs to know from its start on."""

    registry_path: Path
    log_as_json: bool
    log_level: str


@dataclass(frozen=True)
class StopJob:
    """The job at work shall stop."""


@dataclass(frozen=True)
class Prepared:
    """The process has loaded what a job needs."""


Command = Job | StopJob


def work(connection: Connection, settings: WorkerSettings) -> None:
    """What a worker process does, with the engine's pipeline."""
    from services.run_service.engine.pipeline import run_pipeline  # noqa: PLC0415 - the service, which imports this module
    from services.run_service.engine.warmup import warm_up  # noqa: PLC0415   to start workers, needs no compiler and no solver

    serve_jobs(connection, settings, run_pipeline, warm_up)


def serve_jobs(connection: Connection, settings: WorkerSettings, pipeline: Pipeline, prepare: Callable[[], None]) -> None:
    """Prepare, then execute jobs until killed. The process ends by itself when the one that started it is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # both go to the whole process group; the service decides what follows
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    configure_logging(json=settings.log_as_json, level=settings.log_level)
    commands = _Commands(connection)
    threading.Thread(target=commands.listen, name="commands", daemon=True).start()
    prepare()
    connection.send(Prepared())
    asyncio.run(_serve(connection, commands, TenantRegistry(settings.registry_path), pipeline))


async def _serve(connection: Connection, commands: "_Commands", registry: TenantRegistry, pipeline: Pipeline) -> None:
    tell: Callable[[Message], None] = connection.send
    async with TenantConnections(registry, max_open=4) as connections:
        while True:
            job = await commands.next_job()
            tell(await perform(job, connections, tell, WorkerStop(commands.stop_asked.is_set), pipeline))
            let_go_of_memory()


class _Commands:
    """What comes through the pipe, heard by a thread of its own while the engine computes."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._jobs: queue.SimpleQueue[Job] = queue.SimpleQueue()
        self.stop_asked = threading.Event()

    async def next_job(self) -> Job:
        """Wait for a job."""
        return await asyncio.to_thread(self._jobs.get)

    def listen(self) -> None:
        """Until the pipe closes, which it does when the service's process is gone."""
        while True:
            try:
                command: Command = self._connection.recv()
            except (EOFError, OSError):
                os._exit(1)
            match command:
                case StopJob():
                    self.stop_asked.set()
                case Job():
                    self.stop_asked.clear()  # a stop that came too late was meant for the job before
                    self._jobs.put(command)
