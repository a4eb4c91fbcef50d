"""A desk that uses the run service over gRPC, and looks into its database beside it."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Mapping
from typing import Any

import polars as pl
import sqlalchemy as sa
from powerfill.common.v1.run_status_pb2 import RunStatus
from powerfill.run.v1 import run_service_pb2 as pb
from powerfill.run.v1.event_pb2 import RunEvent
from powerfill.run.v1.run_pb2 import Run
from powerfill.run.v1.run_service_pb2_grpc import RunServiceStub

from services.run_service.engine.frames import OUTPUT_KEYS
from services.run_service.engine.frames import OUTPUT_TABLES as FRAMES
from services.run_service.settings import Settings
from shared.database.bulk import read_frame
from shared.database.tables import OUTPUT_TABLES
from shared.rpc.client import Connection, connect
from shared.rpc.options import options_to_proto
from shared.tenancy.database import TenantDatabase
from shared.tenancy.registry import TenantRegistry

DAY = {"as_of_date": "2026-04-17"}


class Desk:
    """One tenant's client."""

    def __init__(self, address: str, connection: Connection) -> None:
        self.address = address
        self._connection = connection
        self._stub = RunServiceStub(connection.channel)

    async def wait_until_serving(self) -> None:
        """Until the server's health says so."""
        await self._connection.wait_until_serving(timeout_s=20)

    async def submit(self, options: Mapping[str, Any] = DAY, request_id: str = "") -> Run:
        """SubmitRun. Raises ReceivedError."""
        request = pb.SubmitRunRequest(options=options_to_proto(options), request_id=request_id)
        return (await self._connection.call(self._stub.SubmitRun, request)).run

    async def get(self, run_id: str) -> Run:
        """GetRun. Raises ReceivedError."""
        return (await self._connection.call(self._stub.GetRun, pb.GetRunRequest(run_id=run_id))).run

    async def listed(self) -> list[Run]:
        """ListRuns, the newest first. Raises ReceivedError."""
        return [*(await self._connection.call(self._stub.ListRuns, pb.ListRunsRequest())).runs]

    async def cancel(self, run_id: str) -> Run:
        """CancelRun. Raises ReceivedError."""
        return (await self._connection.call(self._stub.CancelRun, pb.CancelRunRequest(run_id=run_id))).run

    async def replay(self, run_id: str, request_id: str = "") -> Run:
        """ReplayRun. Raises ReceivedError."""
        request = pb.ReplayRunRequest(run_id=run_id, request_id=request_id)
        return (await self._connection.call(self._stub.ReplayRun, request)).run

    async def compare(self, run_id_a: str, run_id_b: str, max_moves: int = 0) -> pb.CompareRunsResponse:
        """CompareRuns. Raises ReceivedError."""
        request = pb.CompareRunsRequest(run_id_a=run_id_a, run_id_b=run_id_b, max_moves=max_moves)
        return await self._connection.call(self._stub.CompareRuns, request)

    async def explain(self, loan_id: str, run_id: str = "") -> pb.ExplainLoanResponse:
        """ExplainLoan. Raises ReceivedError."""
        request = pb.ExplainLoanRequest(run_id=run_id, loan_id=loan_id)
        return await self._connection.call(self._stub.ExplainLoan, request)

    async def completed(self, options: Mapping[str, Any] = DAY) -> Run:
        """A run, when it is complete."""
        run = await self.submit(options)
        await self.watched(run.run_id)
        ended = await self.get(run.run_id)
        assert status_name(ended) == "COMPLETE", ended.failure
        return ended

    async def watch(self, run_id: str, after: int = 0) -> AsyncIterator[RunEvent]:
        """The events of WatchRun. Raises ReceivedError."""
        request = pb.WatchRunRequest(run_id=run_id, after_sequence=after)
        async with contextlib.aclosing(self._connection.stream(self._stub.WatchRun, request)) as messages:  # type: ignore[type-var]
            async for message in messages:
                if message.HasField("event"):
                    yield message.event

    async def watched(self, run_id: str, after: int = 0) -> list[RunEvent]:
        """All events until the end."""
        return [event async for event in self.watch(run_id, after)]

    async def until(self, run_id: str, kind: str, **fields: Any) -> RunEvent:
        """The first event of a kind with these fields."""
        async for event in self.watch(run_id):
            if event.WhichOneof("kind") == kind:
                message = getattr(event, kind)
                if all(getattr(message, name) == value for name, value in fields.items()):
                    return event
        raise AssertionError(f"the run ended without {kind}")

    async def check_readiness(self) -> pb.CheckReadinessResponse:
        """CheckReadiness. Raises ReceivedError."""
        return await self._connection.call(self._stub.CheckReadiness, pb.CheckReadinessRequest())


@contextlib.asynccontextmanager
async def desk_of(address: str, tenant_id: str = "acme") -> AsyncIterator[Desk]:
    """A desk's connection to a server."""
    async with connect(address, tenant_id=tenant_id, user="desk") as connection:
        yield Desk(address, connection)


def settings_for(registry: TenantRegistry, **given: Any) -> Settings:
    """A server on a free port with one worker."""
    return Settings(registry=registry.path, run_address="127.0.0.1:0", **({"workers": 1, "log_json": False} | given))


def kinds(events: list[RunEvent]) -> list[str | None]:
    """What happened, by name."""
    return [event.WhichOneof("kind") for event in events]


def status_name(run: Run) -> str:
    """COMPLETE, FAILED and so on."""
    return RunStatus.Name(run.status).removeprefix("RUN_STATUS_")


async def output_counts(database: TenantDatabase, run_id: str) -> dict[str, int]:
    """Rows by output table, of those that have any."""
    async with database.connect() as connection:
        counts = {
            name: (
                await connection.execute(sa.select(sa.func.count()).select_from(table).where(table.c.run_id == run_id))
            ).scalar_one()
            for name, table in OUTPUT_TABLES.items()
        }
    return {name: count for name, count in counts.items() if count}


async def outputs_of(database: TenantDatabase, run_id: str) -> dict[str, pl.DataFrame]:
    """The output tables of a run, rows in the order of their keys."""
    frames = {}
    async with database.connect() as connection:
        for name, table in OUTPUT_TABLES.items():
            frame = await read_frame(connection, table, list(FRAMES[name]), table.c.run_id == run_id)
            frames[name] = frame.sort(OUTPUT_KEYS[name])
    return frames


async def eventually(condition: Any, timeout_s: float = 10.0) -> None:
    """Wait until an async condition holds."""
    end_s = time.monotonic() + timeout_s
    while not await condition():
        assert time.monotonic() < end_s, "it did not come about in time"
        await asyncio.sleep(0.02)
