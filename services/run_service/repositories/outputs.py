"""The rows of the output tables."""

import asyncio
import time
from collections.abc import Callable, Collection

import polars as pl
import sqlalchemy as sa

from services.run_service.application.ports import Job
from services.run_service.domain.outputs import DIAGNOSTIC_TABLES
from services.run_service.domain.run import RunRef, RunStatus
from services.run_service.repositories.fence import hold_fence
from services.run_service.repositories.run_rows import HISTORY
from shared.database.bulk import write_frame
from shared.database.tables import OUTPUT_TABLES
from shared.tenancy.connections import TenantConnections
from shared.tenancy.database import TenantDatabase

CHUNK_ROWS = 20_000
"""Rows written in one transaction: heartbeats, events and a cancel get through between two."""

PAUSE_SHARE = 1 / 3
"""How long to let the database go between two transactions, as a share of the one before. SQLite is not fair: who waits for its
one writer looks every 25, later every 100 ms, and would never find a lock that is given back and taken again at once."""


async def write_output(
    database: TenantDatabase, job: Job, name: str, frame: pl.DataFrame, between_chunks: Callable[[int], None]
) -> None:
    """Write one output table of the job's run, in place of what an attempt before may have left of it.

    `between_chunks` gets the rows written so far after each transaction and may raise to stop. Safe to repeat. Raises
    LeaseLostError if the run is somebody else's.
    """
    table = OUTPUT_TABLES[name]
    for offset in range(0, max(1, frame.height), CHUNK_ROWS):
        began_s = time.monotonic()
        async with database.begin() as connection:
            await hold_fence(connection, job)
            if offset == 0:
                await connection.execute(sa.delete(table).where(table.c.run_id == job.ref.run_id))
            await write_frame(connection, table, frame.slice(offset, CHUNK_ROWS), {"run_id": job.ref.run_id})
        between_chunks(min(offset + CHUNK_ROWS, frame.height))
        await asyncio.sleep((time.monotonic() - began_s) * PAUSE_SHARE)


class SqlOutputs:
    """`application.ports.OutputStore` over the tenants' databases."""

    def __init__(self, connections: TenantConnections) -> None:
        self._connections = connections

    async def remove(self, ref: RunRef, keep: Collection[str] = (), budget_s: float | None = None) -> bool:
        """Delete the run's rows of all tables but `keep`, a transaction a table. False if the budget was used up before."""
        end_s = None if budget_s is None else time.monotonic() + budget_s
        database = await self._connections.database(ref.tenant_id)
        for name, table in OUTPUT_TABLES.items():
            if name in keep:
                continue
            if end_s is not None and time.monotonic() > end_s:
                return False
            async with database.begin() as connection:
                await connection.execute(sa.delete(table).where(table.c.run_id == ref.run_id))
        return True

    async def remove_leftovers(self, tenant_id: str) -> None:
        """Delete what runs that failed or were cancelled should not have left; writes nothing where there is nothing."""
        without_result = sa.select(HISTORY.c.run_id).where(
            HISTORY.c.tenant_id == tenant_id, HISTORY.c.status.in_([RunStatus.FAILED.value, RunStatus.CANCELLED.value])
        )
        database = await self._connections.database(tenant_id)
        for name, table in OUTPUT_TABLES.items():
            if name in DIAGNOSTIC_TABLES:
                continue
            left = table.c.run_id.in_(without_result)
            async with database.connect() as connection:
                found = (await connection.execute(sa.select(sa.literal(1)).where(left).limit(1))).first()
            if found is not None:
                async with database.begin() as connection:
                    await connection.execute(sa.delete(table).where(left))
