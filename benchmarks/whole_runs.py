"""Whole runs from database to database: a tenant loaded into SQLite, the run service in processes of its own, runs over gRPC."""

import asyncio
import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from google.protobuf.timestamp_pb2 import Timestamp
from google.type.decimal_pb2 import Decimal as DecimalMessage
from powerfill.common.v1.run_options_pb2 import RunOptions
from powerfill.common.v1.run_status_pb2 import RUN_STATUS_COMPLETE
from powerfill.run.v1 import run_service_pb2 as pb
from powerfill.run.v1.event_pb2 import RunEvent
from powerfill.run.v1.run_pb2 import Run
from powerfill.run.v1.run_pb2 import Step as StepMessage
from powerfill.run.v1.run_service_pb2_grpc import RunServiceStub

from benchmarks.inputs import AS_OF
from benchmarks.memory import peak_kib
from shared.database.load import load
from shared.database.migrate import migrate
from shared.rpc.client import Connection, connect
from shared.tenancy.connections import TenantConnections
from shared.tenancy.registry import TenantRegistry

if TYPE_CHECKING:
    from powerfill.run.v1.run_service_pb2_grpc import RunServiceAsyncStub

TENANT = "desk"
DATABASE = "desk.db"
SERVICE = "powerfill.run.v1.RunService"
START_TIMEOUT_S = 60.0


@dataclass(frozen=True)
class WholeRun:
    """A complete run, and the seconds from the call until the event `finished`."""

    seconds: float
    run: Run
    passes_s: float
    """Of step 4, until the value that PASSES would have reached was known; 0 where it was not computed."""

    def step_s(self, step: str) -> float:
        """Seconds of a step; 0 for one that was skipped."""
        durations = self.run.summary.step_durations
        return durations[step].ToTimedelta().total_seconds() if step in durations else 0.0


async def load_tenant(home: Path, tables: Path) -> TenantRegistry:
    """A registry in `home` with one tenant there, a SQLite file filled from a directory of tables."""
    registry = TenantRegistry(home / "tenants.yaml")
    registry.add(TENANT, f"sqlite+aiosqlite:///{home / DATABASE}")
    async with TenantConnections(registry) as connections:
        database = await connections.database(TENANT)
        await migrate(database)
        await load(database, tables, "benchmark")
    return registry


class Service:
    """The run service at work at an address, and a client of the tenant."""

    def __init__(self, address: str, process_id: int, connection: Connection) -> None:
        self.address = address
        self._process_id = process_id
        self._connection = connection
        self._stub: RunServiceAsyncStub = RunServiceStub(connection.channel)

    async def run(self, options: RunOptions) -> WholeRun:
        """Execute a run to its end. Exits if it does not complete."""
        started = time.perf_counter()
        run_id, allocating, passes_s = "", Timestamp(), 0.0
        async for message in self._connection.stream(self._stub.ExecuteRun, pb.ExecuteRunRequest(options=options)):
            event = message.event
            run_id = event.run_id or run_id
            if event.HasField("step_started") and event.step_started.step == StepMessage.STEP_ALLOCATION:
                allocating = event.recorded_at
            elif _pass_name(event) == "passes":
                passes_s = (event.recorded_at.ToNanoseconds() - allocating.ToNanoseconds()) / 1e9
        seconds = time.perf_counter() - started
        run: Run = (await self._connection.call(self._stub.GetRun, pb.GetRunRequest(run_id=run_id))).run
        if run.status != RUN_STATUS_COMPLETE:
            raise SystemExit(f"run {run_id} ended as {run.status}: {run.failure.message}")
        return WholeRun(seconds, run, passes_s)

    def peak_gib(self) -> float:
        """The most resident memory (VmHWM) each of the service's processes ever held, summed over them.

        That is no less than the most they held together at one time, and it costs the measured processes nothing.
        """
        return sum(map(peak_kib, tree(self._process_id))) / 2**20


@contextlib.asynccontextmanager
async def serving(registry: TenantRegistry) -> AsyncIterator[Service]:
    """The run service in processes of its own, until the block ends."""
    with tempfile.TemporaryDirectory(prefix="powerfill") as directory:  # a socket's path must be short
        address = f"unix:{directory}/run.sock"
        settings = {"POWERFILL_REGISTRY": str(registry.path), "POWERFILL_RUN_ADDRESS": address, "POWERFILL_LOG_LEVEL": "ERROR"}
        process = subprocess.Popen(  # noqa: ASYNC220 - it takes a moment, in which nothing is measured
            [sys.executable, "-m", "services.run_service"], env=os.environ | settings
        )
        try:
            async with connect(address, tenant_id=TENANT) as connection:
                await connection.wait_until_serving(SERVICE, START_TIMEOUT_S)
                yield Service(address, process.pid, connection)
        finally:
            process.terminate()
            await asyncio.to_thread(process.wait)


def options_for(time_limit_s: str | None) -> RunOptions:
    """A run's options: as of the tables' day, with the default or another time limit."""
    options = RunOptions(time_limit=DecimalMessage(value=time_limit_s) if time_limit_s else None)
    options.as_of_date.year, options.as_of_date.month, options.as_of_date.day = AS_OF.year, AS_OF.month, AS_OF.day
    return options


def _pass_name(event: RunEvent) -> str:
    return str(getattr(event.pass_completed, "pass")) if event.HasField("pass_completed") else ""


def tree(process_id: int) -> Iterator[int]:
    """A process and all that come from it."""
    yield process_id
    for children in Path(f"/proc/{process_id}/task").glob("*/children"):
        for child in children.read_text().split():
            yield from tree(int(child))
