"""A desk: tenants on SQLite with runs and rows written as the run service writes them, and the report server before them."""

import contextlib
import datetime as dt
import importlib
import json
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import sqlalchemy as sa
from powerfill.report.v1.report_pb2 import ReportQuery
from powerfill.report.v1.report_service_pb2_grpc import ReportServiceStub

from services.report_service.settings import Settings
from shared.database.bulk import frame_type
from shared.database.bulk_write import write_frame
from shared.database.migrate import migrate
from shared.database.tables import AUDIT_TABLES, OUTPUT_TABLES
from shared.rpc.client import Connection, connect
from shared.tenancy.connections import TenantConnections
from shared.tenancy.database import TenantDatabase
from shared.tenancy.registry import TenantRegistry
from tests.instances.execute import Ran

HISTORY = AUDIT_TABLES["pfill_run_history"]
DAY = dt.datetime(2026, 4, 17, 12, tzinfo=dt.UTC)
OPTIONS = {
    "as_of_date": "2026-04-17", "scope": "CLOSED_AND_LOCKED", "min_status": "Closed", "max_trade_settle_days": 60,
    "pair_off_cost": {"TBA": "0.03125", "SPEC": "0.25", "CASH": "0.125", "BULK": "0.25"}, "time_limit": None,
}  # fmt: skip

GUIDE, KICKOUTS, RECAP = (OUTPUT_TABLES[name] for name in ("pfill_powerfill_guide", "pfill_kickout_guide_01", "pfill_trade_base"))
LOG = OUTPUT_TABLES["pfill_powerfill_log"]


@dataclass
class Desk:
    """One tenant and its database, as the run service has it."""

    tenant_id: str
    path: Path
    database: TenantDatabase

    async def run(self, run_id: str, status: str = "COMPLETE", *, minute: int, **given: Any) -> None:
        """Record a run submitted at this minute; one that ended, ended half a minute later."""
        ended = None if status not in ("COMPLETE", "FAILED", "CANCELLED") else DAY + dt.timedelta(minutes=minute, seconds=30)
        values = {
            "run_id": run_id, "tenant_id": self.tenant_id, "status": status, "requested_by": "anonymous",
            "options": json.dumps(OPTIONS), "submitted_at_utc": DAY + dt.timedelta(minutes=minute), "ended_at_utc": ended,
        }  # fmt: skip
        async with self.database.begin() as connection:
            await connection.execute(sa.insert(HISTORY).values(**(values | given)))

    async def end(self, run_id: str, status: str, **given: Any) -> None:
        """End an active run."""
        async with self.database.begin() as connection:
            await connection.execute(sa.update(HISTORY).where(HISTORY.c.run_id == run_id).values(status=status, **given))

    async def rows(self, table: sa.Table, run_id: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Write output rows; columns that a row does not name are null."""
        schema = {column.name: frame_type(column) for column in table.columns if column.name != "run_id"}
        frame = pl.DataFrame([{name: row.get(name) for name in schema} for row in rows], schema=schema)
        async with self.database.begin() as connection:
            await write_frame(connection, table, frame, {"run_id": run_id})

    async def complete(self, run_id: str, *, minute: int, kickouts: int = 0, **given: Any) -> None:
        """A complete run with kickouts L0001, L0002, ... and nothing else."""
        counts = json.dumps({**dict.fromkeys(OUTPUT_TABLES, 0), KICKOUTS.name: kickouts})
        await self.run(run_id, minute=minute, output_counts=counts, **given)
        await self.rows(KICKOUTS, run_id, [{"loan_id": f"L{number:04d}", "reason": run_id} for number in range(1, kickouts + 1)])

    async def ran(self, run_id: str, ran: Ran, *, minute: int, status: str = "COMPLETE", tables: Collection[str] = ()) -> None:
        """Record a run of the engine with its output tables (those named, or all)."""
        kept = {name: frame for name, frame in ran.result.tables.items() if not tables or name in tables}
        counts = {name: frame.height for name, frame in kept.items()} if status == "COMPLETE" else {}
        summary = json.dumps(ran.summary) if status == "COMPLETE" else "{}"
        await self.run(run_id, status, minute=minute, output_counts=json.dumps(counts), summary=summary)
        async with self.database.begin() as connection:
            for name, frame in kept.items():
                await write_frame(connection, OUTPUT_TABLES[name], frame, {"run_id": run_id})


class Desks:
    """The tenants of one registry."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.registry = TenantRegistry(directory / "tenants.yaml")
        self.connections = TenantConnections(self.registry)

    async def add(self, tenant_id: str, *, migrated: bool = True) -> Desk:
        """A new tenant, with PowerFill's tables unless told otherwise."""
        path = self.directory / f"{tenant_id}.db"
        self.registry.add(tenant_id, f"sqlite+aiosqlite:///{path}")
        database = await self.connections.database(tenant_id)
        database.create_missing()
        if migrated:
            await migrate(database)
        return Desk(tenant_id, path, database)

    def settings(self, **given: Any) -> Settings:
        """Settings of a report server for these tenants."""
        return Settings(**{"registry": self.registry.path, "report_address": "127.0.0.1:0", "drain_s": 0.0, **given})


@dataclass
class Client:
    """A client of the report service for one tenant."""

    connection: Connection
    stub: Any

    async def guide(self, **query: Any) -> Any:
        return await self.report("allocation_guide", **query)

    async def kickouts(self, **query: Any) -> Any:
        return await self.report("kickouts", **query)

    async def recap(self, **query: Any) -> Any:
        return await self.report("trade_recap", **query)

    async def report(self, name: str, **query: Any) -> Any:
        """A page of the report of this name."""
        method = f"Get{name.title().replace('_', '')}"
        messages = importlib.import_module(f"powerfill.report.v1.{name}_pb2")
        request = getattr(messages, f"{method}Request")(query=ReportQuery(**query))
        return await self.connection.call(getattr(self.stub, method), request)

    async def pages(self, name: str, **query: Any) -> list[Any]:
        """All pages of a report."""
        pages = [await self.report(name, **query)]
        while pages[-1].next_page_token:
            pages.append(await self.report(name, **query, page_token=pages[-1].next_page_token))
        return pages

    async def rows(self, name: str, **query: Any) -> list[Any]:
        """The rows of all pages."""
        return [row for page in await self.pages(name, **query) for row in page.rows]


@contextlib.asynccontextmanager
async def client_of(address: str, tenant_id: str) -> AsyncIterator[Client]:
    """A client for another tenant or server."""
    async with connect(address, tenant_id=tenant_id) as connection:
        yield Client(connection, ReportServiceStub(connection.channel))
