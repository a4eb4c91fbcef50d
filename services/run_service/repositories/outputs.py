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
from shared.database.bulk_write import driver_rows, insert_rows
from shared.database.tables import OUTPUT_TABLES
from shared.tenancy.connections import TenantConnections
from shared.tenancy.database import TenantDatabase

CHUNK_ROWS = 20_000
"""Rows written or deleted in one transaction, about a tenth of a second: heartbeats, events and a cancel get through between
two. The next rows are made ready between two, and never while others wait for the database."""

BREATH_S = 0.01
"""How long a deletion lets go of the database between two transactions."""

_LOG_LAST = sorted(OUTPUT_TABLES.items(), key=lambda item: item[0] == "pfill_powerfill_log")
"""A run whose removal was cut short is found again by its stored inputs or its log."""


async def write_output(
    database: TenantDatabase, job: Job, name: str, frame: pl.DataFrame, between_chunks: Callable[[int], None]
) -> None:
    """Write one output table of the job's run, in place of what an attempt before may have left of it.

    `between_chunks` gets the rows written so far after each transaction and may raise to stop. Safe to repeat. Raises
    LeaseLostError if the run is somebody else's.
    """
    table, dialect = OUTPUT_TABLES[name], await database.dialect()
    while await _delete_some(database, table, job.ref.run_id, job):
        between_chunks(0)
        await asyncio.sleep(BREATH_S)
    for offset in range(0, frame.height, CHUNK_ROWS):
        rows = driver_rows(dialect, table, frame.slice(offset, CHUNK_ROWS), {"run_id": job.ref.run_id})
        async with database.begin() as connection:
            await hold_fence(connection, job)
            await insert_rows(connection, table, rows)
        between_chunks(min(offset + CHUNK_ROWS, frame.height))


async def _delete_some(database: TenantDatabase, table: sa.Table, run_id: str, job: Job | None = None) -> bool:
    """Delete at most about CHUNK_ROWS of the run's rows, in one transaction, under the job's fence if one is given.

    Whether any rows may be left. Rows go in the order of the key, so that those of a chunk lie together.
    """
    ours, key = table.c.run_id == run_id, list(table.primary_key)[1]
    last = sa.select(key).where(ours).order_by(key).limit(1).offset(CHUNK_ROWS).scalar_subquery()
    async with database.begin() as connection:
        if job is not None:
            await hold_fence(connection, job)
        some = await connection.execute(sa.delete(table).where(ours, key <= last))
        if some.rowcount:
            return True
        await connection.execute(sa.delete(table).where(ours))
        return False


class SqlOutputs:
    """`application.ports.OutputStore` over the tenants' databases."""

    def __init__(self, connections: TenantConnections) -> None:
        self._connections = connections

    async def remove(self, ref: RunRef, keep: Collection[str] = (), budget_s: float | None = None) -> bool:
        """Delete the run's rows of all tables but `keep`, chunk by chunk, the log last. False if the budget was used up."""
        end_s = float("inf") if budget_s is None else time.monotonic() + budget_s
        database = await self._connections.database(ref.tenant_id)
        for name, table in _LOG_LAST:
            if name in keep:
                continue
            is_left = True
            while is_left:
                if time.monotonic() > end_s:
                    return False
                is_left = await _delete_some(database, table, ref.run_id)
                await asyncio.sleep(BREATH_S * is_left)
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
            while (run_id := await _first_run(database, table, table.c.run_id.in_(without_result))) is not None:
                is_left = True
                while is_left:
                    is_left = await _delete_some(database, table, run_id)
                    await asyncio.sleep(BREATH_S * is_left)


async def _first_run(database: TenantDatabase, table: sa.Table, condition: sa.ColumnElement[bool]) -> str | None:
    """The run of one row that fulfils the condition, None where there is no such row."""
    async with database.connect() as connection:
        found: str | None = (await connection.execute(sa.select(table.c.run_id).where(condition).limit(1))).scalar()
    return found
