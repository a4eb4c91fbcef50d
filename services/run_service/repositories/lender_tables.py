"""Reading everything a run needs of a tenant's database, as it was at one moment."""

from collections.abc import Callable, Mapping

import polars as pl
import sqlalchemy as sa

from services.run_service.engine.frames import INPUT_TABLES, RunInputs, conform
from shared.database.bulk import existing_columns, read_frame
from shared.database.tables import CONFIG_TABLES, LENDER_TABLES
from shared.tenancy.database import TenantDatabase

SOURCES: Mapping[str, sa.Table] = {**LENDER_TABLES, **CONFIG_TABLES}


async def read_inputs(database: TenantDatabase, between_tables: Callable[[str], None]) -> RunInputs:
    """Every table of INPUT_TABLES, conformed, its rows in the order of all columns, all from one snapshot.

    `between_tables` gets the name of each table before it is read and may raise to stop. Missing tables are empty.
    """
    tables: dict[str, pl.DataFrame] = {}
    missing: list[str] = []
    unreadable: dict[str, int] = {}
    async with database.connect() as connection:
        for name, spec in INPUT_TABLES.items():
            between_tables(name)
            existing = await existing_columns(connection, SOURCES[name])
            chosen = [column for column in spec.columns if column in existing]
            raw = await read_frame(connection, SOURCES[name], chosen) if chosen else pl.DataFrame()
            frame, lost = conform(name, raw)
            tables[name] = frame.sort(list(spec.columns), nulls_last=True, maintain_order=False)
            missing += [f"{name}.{column}" for column in spec.columns if existing and column not in existing]
            unreadable |= {f"{name}.{column}": count for column, count in lost.items()}
    return RunInputs(tables, tuple(missing), unreadable)
