"""Reading everything a run needs of a tenant's database, as it was at one moment."""

import functools
from collections.abc import Callable, Mapping

import polars as pl
import sqlalchemy as sa

from services.run_service.engine.frames import INPUT_TABLES, RunInputs, conform
from shared.database.bulk import existing_columns, read_frame
from shared.database.tables import CONFIG_TABLES, LENDER_TABLES
from shared.tenancy.database import TenantDatabase

SOURCES: Mapping[str, sa.Table] = {**LENDER_TABLES, **CONFIG_TABLES}


BetweenChunks = Callable[[str, int], None]
"""Gets a table and how many of its rows are read so far; it may raise to stop."""


async def read_inputs(database: TenantDatabase, between_chunks: BetweenChunks) -> RunInputs:
    """Every table of INPUT_TABLES, conformed, its rows in the order of all columns, all from one snapshot.

    `between_chunks` is called before each table is read, and after every chunk. Missing tables are empty.
    """
    tables: dict[str, pl.DataFrame] = {}
    missing: list[str] = []
    unreadable: dict[str, int] = {}
    async with database.connect() as connection:
        for name, spec in INPUT_TABLES.items():
            between_chunks(name, 0)
            existing = await existing_columns(connection, SOURCES[name])
            chosen = [column for column in spec.columns if column in existing]
            read_so_far = functools.partial(between_chunks, name)
            raw = await read_frame(connection, SOURCES[name], chosen, None, read_so_far) if chosen else pl.DataFrame()
            frame, lost = conform(name, raw)
            tables[name] = frame.sort(list(spec.columns), nulls_last=True, maintain_order=False)
            missing += [f"{name}.{column}" for column in spec.columns if existing and column not in existing]
            unreadable |= {f"{name}.{column}": count for column, count in lost.items()}
    return RunInputs(tables, tuple(missing), unreadable)
