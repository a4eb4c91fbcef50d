"""Tenants on SQLite: files in WAL mode, one writer at a time, readers that SQLite itself keeps from writing."""

import os
import re
import sqlite3
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiosqlite
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from shared.database.tables import SQLITE_SCHEMAS
from shared.errors import Category, PowerFillError, PreconditionViolation, Reason, database_permission
from shared.tenancy.meaning import MissingTable, Timeouts

_POOL_SIZE = 5
_INSTRUCTIONS_BETWEEN_CHECKS = 100_000
_LOOK_AGAIN_MS = 5
"""How long SQLite itself waits for its one writer's lock. By itself it looks less and less often, down to every 100 ms, and
would never find a lock that a busy writer lets go for less; `_take_write_lock` goes on from here."""
_WRITER_CACHE_KIB = 32_000
"""A transaction of many rows touches pages all over an index that is not in their order. Without room for these each is written
many times, to the log and, before every statement that changes it, to a temporary file (which is in memory instead)."""
_NO_SUCH = re.compile(r"no such (?:table|column): (?:\w+\.)*(\w+)|table (\w+) has no column named")
_NOT_UTF8 = re.compile(r"Could not decode to UTF-8 column '(\w+)'")
_WRITTEN = re.compile(
    r'(?:INSERT INTO|UPDATE|DELETE FROM|CREATE TABLE|ALTER TABLE)\s+(?:(?:"[^"]+"|\w+)\.)?"?(\w+)', re.IGNORECASE
)

_READONLY = {sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH}
_WHY = {
    sqlite3.SQLITE_BUSY: "another process holds its lock",
    sqlite3.SQLITE_LOCKED: "another connection holds its lock",
    sqlite3.SQLITE_INTERRUPT: "a statement took longer than it may",
    sqlite3.SQLITE_IOERR: "its file cannot be read or written",
    sqlite3.SQLITE_FULL: "its disk is full",
    sqlite3.SQLITE_NOTADB: "its file is no SQLite database",
    sqlite3.SQLITE_CORRUPT: "its file is damaged",
}


class SqliteBackend:
    """SQLite behind aiosqlite; every connection is a thread of its own."""

    def engine(self, url: sa.URL, timeouts: Timeouts, *, read_only: bool) -> AsyncEngine:
        """An engine on the URL's file, which must exist: `mode=ro`, or writing transactions that take the lock at once."""
        path = _path(url)
        place = f"file:{quote(str(path))}?mode={'ro' if read_only else 'rw'}"
        engine = create_async_engine(
            sa.URL.create("sqlite+aiosqlite", database=str(path)),
            async_creator=lambda: _connect(place, timeouts.lock_s),
            pool_size=_POOL_SIZE,
            max_overflow=_POOL_SIZE,
            pool_timeout=timeouts.lock_s,
            hide_parameters=True,
            execution_options={"schema_translate_map": SQLITE_SCHEMAS},
        )
        _prepare_connections(engine.sync_engine, timeouts, read_only=read_only)
        return engine

    def create_missing(self, url: sa.URL, tenant_id: str) -> None:
        """Create the file, empty, where there is none; its directory must exist."""
        path = _path(url)
        if not path.parent.is_dir():
            raise _unavailable(tenant_id, f"the directory {path.parent} does not exist")
        if path.exists():
            return
        try:
            path.touch()
        except PermissionError:
            raise database_permission(tenant_id, f"the directory of the database file {path.name}") from None

    def explain(self, error: sa.exc.DBAPIError, url: sa.URL, tenant_id: str) -> PowerFillError | MissingTable | None:
        """The meaning by SQLite's result code, the path never part of it."""
        code = getattr(error.orig, "sqlite_errorcode", sqlite3.SQLITE_OK) & 0xFF
        if code in _READONLY:
            return _may_not(error, _path(url), tenant_id)
        if code == sqlite3.SQLITE_CANTOPEN:
            return _cannot_open(_path(url), tenant_id)
        if code in _WHY:
            return _unavailable(tenant_id, _WHY[code])
        undecodable = _NOT_UTF8.search(str(error.orig))
        if undecodable:
            return _not_text(tenant_id, undecodable[1])
        missing = _NO_SUCH.search(str(error.orig))
        return MissingTable(missing[1] or missing[2]) if missing else None


def _not_text(tenant_id: str, column: str) -> PowerFillError:
    return PowerFillError(
        Category.FAILED_PRECONDITION,
        Reason.PREFLIGHT_FAILED,
        f"the database of tenant {tenant_id!r} holds text in column {column} that is not UTF-8; correct it",
        {"tenant_id": tenant_id, "object": column},
        preconditions=[PreconditionViolation("DATA_QUALITY", column, "store its text as UTF-8")],
    )


def _path(url: sa.URL) -> Path:
    return Path(url.database or "")


async def _connect(place: str, lock_s: float) -> aiosqlite.Connection:
    connection = aiosqlite.connect(place, uri=True, isolation_level=None, timeout=lock_s)
    connection._thread.daemon = True
    try:
        return await connection
    except BaseException:
        connection._thread.join()  # it still has a word for the event loop, which may end with this error
        raise


def _prepare_connections(engine: sa.Engine, timeouts: Timeouts, *, read_only: bool) -> None:
    """WAL mode, transactions by our own BEGIN, and a limit to the time a statement takes."""

    @sa.event.listens_for(engine, "connect")
    def connected(dbapi_connection: Any, record: Any) -> None:
        deadline = record.info["deadline"] = _Deadline()
        dbapi_connection.run_async(
            lambda connection: connection.set_progress_handler(deadline.has_passed, _INSTRUCTIONS_BETWEEN_CHECKS)
        )
        if not read_only:
            cursor = dbapi_connection.cursor()
            cursor.execute("PRAGMA journal_mode=WAL")
            cursor.execute(f"PRAGMA cache_size=-{_WRITER_CACHE_KIB}")
            cursor.execute("PRAGMA temp_store=MEMORY")
            cursor.execute(f"PRAGMA busy_timeout={_LOOK_AGAIN_MS}")
            cursor.close()

    @sa.event.listens_for(engine, "begin")
    def begun(connection: sa.Connection) -> None:
        if read_only:
            connection.exec_driver_sql("BEGIN")
        else:
            _take_write_lock(connection, timeouts.lock_s)

    @sa.event.listens_for(engine, "before_cursor_execute")
    def started(connection: sa.Connection, *_: Any) -> None:
        connection.info["deadline"].at_s = time.monotonic() + timeouts.statement_s

    @sa.event.listens_for(engine, "after_cursor_execute")
    def ended(connection: sa.Connection, *_: Any) -> None:
        connection.info["deadline"].at_s = float("inf")


def _take_write_lock(connection: sa.Connection, patience_s: float) -> None:
    """Begin a writing transaction as soon as nobody else has one. Raises OperationalError (SQLITE_BUSY) if it takes too long."""
    end_s = time.monotonic() + patience_s
    while True:
        try:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        except sa.exc.OperationalError as error:
            code = getattr(error.orig, "sqlite_errorcode", sqlite3.SQLITE_OK) & 0xFF
            if code != sqlite3.SQLITE_BUSY or time.monotonic() > end_s:
                raise
        else:
            return


class _Deadline:
    """When SQLite must stop the statement at work; asked from the connection's thread every so many instructions."""

    def __init__(self) -> None:
        self.at_s = float("inf")

    def has_passed(self) -> bool:
        return time.monotonic() > self.at_s


def _cannot_open(path: Path, tenant_id: str) -> PowerFillError:
    if path.is_file():
        if not os.access(path, os.R_OK):
            what = f"the database file {path.name}"
            return database_permission(tenant_id, what, f"the database user of tenant {tenant_id!r} may not read {what}")
        if not os.access(path.parent, os.W_OK):
            return _directory_not_writable(path, tenant_id)
        return _unavailable(tenant_id, "its file cannot be opened")
    return _unavailable(tenant_id, f"its file {path.name} does not exist; `powerfill tenants migrate {tenant_id}` creates it")


def _directory_not_writable(path: Path, tenant_id: str) -> PowerFillError:
    what = f"the directory of the database file {path.name}"
    why = "SQLite's WAL mode keeps two files beside it, for readers too"
    return database_permission(tenant_id, what, f"tenant {tenant_id!r}: {what} must be writable, since {why}")


def _may_not(error: sa.exc.DBAPIError, path: Path, tenant_id: str) -> PowerFillError:
    """About the table the refused statement writes; about the directory or the whole file where it only reads or begins."""
    written = _WRITTEN.search(error.statement or "")
    if not os.access(path.parent, os.W_OK) and (os.access(path, os.W_OK) or not written):
        return _directory_not_writable(path, tenant_id)
    file = f"the database file {path.name}"
    return database_permission(tenant_id, f"{written[1]} in {file}" if written else file)


def _unavailable(tenant_id: str, why: str) -> PowerFillError:
    return PowerFillError(
        Category.UNAVAILABLE,
        Reason.TENANT_UNAVAILABLE,
        f"the database of tenant {tenant_id!r} does not answer: {why}",
        {"tenant_id": tenant_id},
        retry_after_s=2.0,
    )
