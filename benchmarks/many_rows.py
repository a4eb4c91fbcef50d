"""A tenant whose run has as many rows in its allocation guide as one wants: those of a real run, under other loan ids."""

import datetime as dt
import json
from pathlib import Path

import polars as pl
import sqlalchemy as sa

from benchmarks.whole_runs import TENANT, load_tenant, options_for, serving
from services.run_service.engine.frames import OUTPUT_TABLES
from shared.database.bulk import read_frame
from shared.database.bulk_write import write_frame
from shared.database.tables import AUDIT_TABLES
from shared.database.tables import OUTPUT_TABLES as SQL_TABLES
from shared.tenancy.connections import TenantConnections
from shared.tenancy.registry import TenantRegistry

GUIDE = "pfill_powerfill_guide"
RUN_ID = "many-rows"


async def tenant_with_many_rows(home: Path, tables: Path, rows: int) -> tuple[TenantRegistry, str, str]:
    """A registry with a tenant in SQLite, the id of its complete run whose guide has so many rows, and of the run behind it."""
    registry = await load_tenant(home, tables)
    async with serving(registry) as service:
        run = (await service.run(options_for("0"))).run
    history, guide = AUDIT_TABLES["pfill_run_history"], SQL_TABLES[GUIDE]
    async with TenantConnections(registry) as connections:
        database = await connections.database(TENANT)
        async with database.connect() as connection:
            own = await read_frame(connection, guide, list(OUTPUT_TABLES[GUIDE]), guide.c.run_id == run.run_id)
            row = dict((await connection.execute(sa.select(history).where(history.c.run_id == run.run_id))).mappings().one())
        copies = -(-rows // own.height)
        named = (pl.format("{}-{}", "loan_id", pl.lit(copy)).alias("loan_id") for copy in range(copies))
        many = pl.concat([own.with_columns(name) for name in named])
        counts = json.loads(row["output_counts"]) | {GUIDE: rows}
        later = {name: row[name] + dt.timedelta(hours=1) for name in ("submitted_at_utc", "ended_at_utc")}
        async with database.begin() as connection:
            own_values = {"run_id": RUN_ID, "request_id": None, "output_counts": json.dumps(counts)}
            await connection.execute(sa.insert(history).values(row | later | own_values))
            await write_frame(connection, guide, many.head(rows).sort("loan_id"), {"run_id": RUN_ID})
    return registry, RUN_ID, run.run_id
