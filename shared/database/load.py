"""Loading a tenant's tables from files, all of them or none: `<table>.parquet` or `<table>.csv` in a directory."""

import datetime as dt
import hashlib
import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.database.bulk_write import write_frame
from shared.database.files import LOADABLE, SUFFIXES, Problem, read_file
from shared.database.revision import schema_revision
from shared.database.tables import AUDIT_TABLES, CONFIG_TABLES, EMBEDDED_TABLE, LENDER_TABLES, SCHEMA_REVISION
from shared.errors import FieldViolation, PowerFillError, invalid_fields, schema_version
from shared.tenancy.database import TenantDatabase

CHUNK_ROWS = 10_000
MAX_PROBLEMS_TOLD = 10


@dataclass(frozen=True)
class LoadResult:
    """What was loaded: rows by table, and the entry of `pfill_config_audit` that tells of it."""

    tenant_id: str
    row_counts: Mapping[str, int]
    change_id: str


async def load(database: TenantDatabase, directory: Path, changed_by: str) -> LoadResult:
    """Replace the rows of every table that has a file in `directory`; other tables stay as they are.

    Everything happens in one transaction, after every file has been read and judged. Only tables that PowerFill created are
    filled. Raises PowerFillError INVALID_ARGUMENT naming file, column and row, and FAILED_PRECONDITION where the database is
    not at this version's revision; then nothing has changed.
    """
    files = _files(directory)
    frames = _frames(files)
    digests = {name: _digest(path) for name, path in files.items()}
    async with database.begin() as connection:
        await _check_tables(connection, database.tenant_id, files)
        before = {name: await _row_count(connection, LOADABLE[name]) for name in frames}
        for name, frame in frames.items():
            await _replace(connection, LOADABLE[name], frame)
        after = {name: {"rows": frame.height, "sha256": digests[name]} for name, frame in frames.items()}
        change_id = await _audit(connection, changed_by, before, after)
    return LoadResult(database.tenant_id, {name: frame.height for name, frame in frames.items()}, change_id)


def _files(directory: Path) -> dict[str, Path]:
    """The file of each table, by table, in the order of the tables; hidden files and folders are passed over."""
    if not directory.is_dir():
        raise _refused([Problem(str(directory), "is not a directory")])
    found: dict[str, Path] = {}
    problems = []
    for path in sorted(path for path in directory.iterdir() if path.is_file() and not path.name.startswith(".")):
        if path.suffix not in SUFFIXES or path.stem not in LOADABLE:
            known = ", ".join(LOADABLE)
            problems.append(
                Problem(path.name, f"is no input file; those are named TABLE.parquet or TABLE.csv, TABLE one of {known}")
            )
        elif path.stem in found:
            problems.append(Problem(path.name, f"is a second file of its table beside {found[path.stem].name}"))
        else:
            found[path.stem] = path
    if not found and not problems:
        problems.append(Problem(str(directory), "has no input file, like loan.parquet"))
    if problems:
        raise _refused(problems)
    return {name: found[name] for name in LOADABLE if name in found}


def _frames(files: Mapping[str, Path]) -> dict[str, pl.DataFrame]:
    frames, problems = {}, []
    for name, path in files.items():
        frames[name], found = read_file(path, LOADABLE[name])
        problems += found
    if problems:
        raise _refused(problems)
    return frames


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _refused(problems: list[Problem]) -> PowerFillError:
    violations = [FieldViolation(problem.file, problem.place_and_message()) for problem in problems[:MAX_PROBLEMS_TOLD]]
    if len(problems) > MAX_PROBLEMS_TOLD:
        violations.append(FieldViolation("...", f"and {len(problems) - MAX_PROBLEMS_TOLD} more"))
    return invalid_fields(violations)


async def _check_tables(connection: AsyncConnection, tenant_id: str, files: Mapping[str, Path]) -> None:
    found = await schema_revision(connection)
    if found != SCHEMA_REVISION:
        raise schema_version(tenant_id, found or "", SCHEMA_REVISION)
    embedded = set((await connection.scalars(sa.select(EMBEDDED_TABLE.c.table_name))).all())
    foreign = [path for name, path in files.items() if name in LENDER_TABLES and name not in embedded]
    if foreign:
        text = "its table is the lender's own; only tables that PowerFill created in an empty database are loaded from files"
        raise _refused([Problem(path.name, text) for path in foreign])


async def _replace(connection: AsyncConnection, table: sa.Table, frame: pl.DataFrame) -> None:
    """A configuration row's version goes on from the highest there was, so that no etag of before fits a row of now."""
    constants = {}
    if table.name in CONFIG_TABLES:
        highest = (await connection.execute(sa.select(sa.func.max(table.c.row_version)))).scalar() or 0
        constants["row_version"] = highest + 1
    await connection.execute(sa.delete(table))
    for chunk in frame.iter_slices(CHUNK_ROWS):
        await write_frame(connection, table, chunk, constants)


async def _row_count(connection: AsyncConnection, table: sa.Table) -> int:
    return int((await connection.execute(sa.select(sa.func.count()).select_from(table))).scalar_one())


async def _audit(connection: AsyncConnection, changed_by: str, before: Mapping[str, object], after: Mapping[str, object]) -> str:
    change_id = str(uuid.uuid4())
    await connection.execute(
        sa.insert(AUDIT_TABLES["pfill_config_audit"]).values(
            change_id=change_id,
            changed_at_utc=dt.datetime.now(dt.UTC),
            changed_by=changed_by,
            action="LOAD",
            before=json.dumps(before),
            after=json.dumps(after),
        )
    )
    return change_id
