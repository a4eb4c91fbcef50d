"""The inputs a run used, in `pfill_run_input`: a table's rows in the order of all its columns, as compressed Parquet."""

import asyncio
import hashlib
import io
import json
from collections.abc import Callable, Mapping
from typing import Any

import polars as pl
import sqlalchemy as sa

from services.run_service.application.errors import inputs_expired
from services.run_service.application.ports import Job, PackedInputs
from services.run_service.domain.run import RunRef
from services.run_service.engine.frames import INPUT_TABLES, RunInputs
from services.run_service.repositories.fence import hold_fence
from services.run_service.repositories.outputs import BREATH_S
from services.run_service.repositories.run_rows import HISTORY, is_run
from shared.database.tables import AUDIT_TABLES
from shared.tenancy.connections import TenantConnections
from shared.tenancy.database import TenantDatabase

_INPUTS = AUDIT_TABLES["pfill_run_input"]
_METADATA_KEY = "powerfill"

DIGESTED_ROWS = 100_000
"""Rows that are text at one time while a digest is made."""


async def store_inputs(database: TenantDatabase, job: Job, inputs: RunInputs, between_parts: Callable[[], None]) -> None:
    """Store the inputs of the job's run, in place of those of an attempt before. Safe to repeat.

    `between_parts` is called every DIGESTED_ROWS rows and may raise to stop. Raises LeaseLostError if the run is somebody
    else's.
    """
    for name, frame in inputs.tables.items():
        notes = _notes(name, inputs)
        row = {
            "run_id": job.ref.run_id,
            "table_name": name,
            "row_count": frame.height,
            "digest": digest_of(frame, notes, between_parts),
            "content": _packed(frame, notes),
        }
        async with database.begin() as connection:
            await hold_fence(connection, job)
            stored = sa.and_(_INPUTS.c.run_id == job.ref.run_id, _INPUTS.c.table_name == name)
            await connection.execute(sa.delete(_INPUTS).where(stored))
            await connection.execute(sa.insert(_INPUTS), row)


async def copy_inputs(database: TenantDatabase, job: Job, between_tables: Callable[[str], None]) -> None:
    """Store the inputs of the run that the job replays under the job's run as well, digests included. Safe to repeat.

    A table that an attempt before has copied stays, so that one attempt after the other needs less of the old run.
    `between_tables` is called before each table and may raise to stop. Raises RUN_EXPIRED where the old run's inputs are not
    stored any more, LeaseLostError if the job's run is somebody else's.
    """
    names = ["run_id", "table_name", "row_count", "digest", "content"]
    for name in INPUT_TABLES:
        between_tables(name)
        its_own, old = (sa.and_(_INPUTS.c.run_id == run, _INPUTS.c.table_name == name) for run in (job.ref.run_id, job.replay_of))
        copied = sa.select(sa.literal(job.ref.run_id), *(_INPUTS.c[column] for column in names[1:])).where(old)
        async with database.begin() as connection:
            await hold_fence(connection, job)
            is_there = (await connection.execute(sa.select(_INPUTS.c.row_count).where(its_own))).first() is not None
            if not is_there and not (await connection.execute(sa.insert(_INPUTS).from_select(names, copied))).rowcount:
                raise inputs_expired(job.replay_of)


def digest_of(frame: pl.DataFrame, notes: Mapping[str, object], between_parts: Callable[[], None] = lambda: None) -> str:
    """SHA-256 (hex) over names, types and values of a sorted frame, and what is noted of it; independent of the file format."""
    digest = hashlib.sha256(json.dumps([[name, str(dtype)] for name, dtype in frame.schema.items()]).encode())
    digest.update(json.dumps(notes, sort_keys=True).encode())
    for part in frame.iter_slices(DIGESTED_ROWS):
        between_parts()
        digest.update(part.write_csv(include_header=False, quote_style="non_numeric", null_value="").encode())
    return digest.hexdigest()


class SqlInputs:
    """`application.ports.InputStore` over the tenants' databases."""

    def __init__(self, connections: TenantConnections) -> None:
        self._connections = connections

    async def load(self, ref: RunRef) -> RunInputs:
        """What the engine was given. Raises RUN_EXPIRED where none are stored."""
        return unpack(await self.packed(ref))

    async def packed(self, ref: RunRef) -> PackedInputs:
        """The same, still compressed. Raises RUN_EXPIRED where none are stored."""
        return PackedInputs(await self._by_table(ref, _INPUTS.c.content))

    async def digests(self, ref: RunRef) -> Mapping[str, str]:
        """The digest of each stored table. Raises RUN_EXPIRED where none are stored."""
        return await self._by_table(ref, _INPUTS.c.digest)

    async def remove(self, ref: RunRef) -> None:
        """Delete what is stored, a table in a transaction."""
        ours = _INPUTS.c.run_id == ref.run_id
        database = await self._connections.database(ref.tenant_id)
        async with database.connect() as connection:
            names = (await connection.execute(sa.select(_INPUTS.c.table_name).where(ours))).scalars().all()
        for name in names:
            async with database.begin() as connection:
                await connection.execute(sa.delete(_INPUTS).where(ours, _INPUTS.c.table_name == name))
            await asyncio.sleep(BREATH_S)

    async def _by_table(self, ref: RunRef, column: sa.Column[Any]) -> dict[str, Any]:
        is_kept = HISTORY.c.outputs_removed == sa.false()
        its_run = sa.exists().where(is_run(ref.tenant_id, ref.run_id), is_kept, HISTORY.c.run_id == _INPUTS.c.run_id)
        statement = sa.select(_INPUTS.c.table_name, column.label("asked")).where(_INPUTS.c.run_id == ref.run_id, its_run)
        database = await self._connections.database(ref.tenant_id)
        async with database.connect() as connection:
            found = {row.table_name: row.asked for row in await connection.execute(statement)}
        if set(found) != set(INPUT_TABLES):
            raise inputs_expired(ref.run_id)
        return found


def unpack(packed: PackedInputs) -> RunInputs:
    """The inputs as the engine was given them."""
    missing: list[str] = []
    unreadable: dict[str, int] = {}
    for content in packed.contents.values():
        notes = json.loads(pl.read_parquet_metadata(content)[_METADATA_KEY])
        missing += notes["missing_columns"]
        unreadable |= notes["unreadable"]
    tables = {name: pl.read_parquet(packed.contents[name]) for name in INPUT_TABLES}
    return RunInputs(tables, tuple(missing), unreadable)


def _notes(name: str, inputs: RunInputs) -> dict[str, object]:
    """What was noted of one table while reading it."""
    return {
        "missing_columns": [column for column in inputs.missing_columns if column.startswith(f"{name}.")],
        "unreadable": {column: count for column, count in inputs.unreadable.items() if column.startswith(f"{name}.")},
    }


def _packed(frame: pl.DataFrame, notes: Mapping[str, object]) -> bytes:
    buffer = io.BytesIO()
    frame.write_parquet(buffer, compression="zstd", statistics=False, metadata={_METADATA_KEY: json.dumps(notes)})
    return buffer.getvalue()
