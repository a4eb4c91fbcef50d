"""The inputs a run used, in `pfill_run_input`: a table's rows in the order of all its columns, as compressed Parquet."""

import hashlib
import io
import json
from collections.abc import Callable, Mapping

import polars as pl
import sqlalchemy as sa

from services.run_service.application.errors import inputs_expired
from services.run_service.application.ports import Job
from services.run_service.domain.run import RunRef
from services.run_service.engine.frames import INPUT_TABLES, RunInputs
from services.run_service.repositories.fence import hold_fence
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
        its_run = sa.exists().where(is_run(ref.tenant_id, ref.run_id), HISTORY.c.run_id == _INPUTS.c.run_id)
        statement = sa.select(_INPUTS.c.table_name, _INPUTS.c.content).where(_INPUTS.c.run_id == ref.run_id, its_run)
        database = await self._connections.database(ref.tenant_id)
        async with database.connect() as connection:
            contents = {row.table_name: row.content for row in await connection.execute(statement)}
        if set(contents) != set(INPUT_TABLES):
            raise inputs_expired(ref.run_id)
        missing: list[str] = []
        unreadable: dict[str, int] = {}
        for content in contents.values():
            notes = json.loads(pl.read_parquet_metadata(content)[_METADATA_KEY])
            missing += notes["missing_columns"]
            unreadable |= notes["unreadable"]
        tables = {name: pl.read_parquet(contents[name]) for name in INPUT_TABLES}
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
