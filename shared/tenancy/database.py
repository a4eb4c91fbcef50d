"""A tenant's database as code is handed it: one that can write, and one that cannot, by type and by the database itself."""

import contextlib
from collections.abc import AsyncIterator
from typing import Protocol
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from shared.database.revision import schema_revision
from shared.database.tables import SCHEMA_REVISION
from shared.errors import Category, PowerFillError, PreconditionViolation, Reason, schema_version, tenant_unavailable
from shared.tenancy.backends import Backend
from shared.tenancy.meaning import MissingTable


class OpenDatabase(Protocol):
    """An engine in use, and what its driver's errors mean."""

    engine: AsyncEngine
    backend: Backend
    url: sa.URL


class Source(Protocol):
    """Where handles get their engines from, for as long as they use one."""

    def using(self, tenant_id: str, *, read_only: bool) -> contextlib.AbstractAsyncContextManager[OpenDatabase]:
        """The tenant's engine; it stays open at least until the block ends."""
        ...

    def create_missing(self, tenant_id: str) -> None:
        """Create the tenant's database where there is none, if its kind allows that."""
        ...


class ReadOnlyTenantDatabase:
    """One tenant's database, for reading: the connections it gives cannot write."""

    def __init__(self, source: Source, tenant_id: str) -> None:
        self._source = source
        self.tenant_id = tenant_id

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.tenant_id!r})"

    @contextlib.asynccontextmanager
    async def connect(self) -> AsyncIterator[AsyncConnection]:
        """A connection whose statements all see the database as it was at the first. Raises PowerFillError (see `_explained`)."""
        async with (
            self._source.using(self.tenant_id, read_only=True) as database,
            _explained(database, self.tenant_id),
            database.engine.connect() as connection,
        ):
            yield connection


class TenantDatabase:
    """One tenant's database: transactions that write, and connections that only read."""

    def __init__(self, source: Source, tenant_id: str, time_zone: ZoneInfo) -> None:
        self._source = source
        self._reading = ReadOnlyTenantDatabase(source, tenant_id)
        self.tenant_id = tenant_id
        self.time_zone = time_zone

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.tenant_id!r})"

    @contextlib.asynccontextmanager
    async def begin(self) -> AsyncIterator[AsyncConnection]:
        """A connection in one transaction: committed when the block ends, undone when it raises.

        Raises PowerFillError (see `_explained`); a violated unique index or key stays SQLAlchemy's IntegrityError.
        """
        async with (
            self._source.using(self.tenant_id, read_only=False) as database,
            _explained(database, self.tenant_id),
            database.engine.begin() as connection,
        ):
            yield connection

    async def dialect(self) -> sa.Dialect:
        """How statements and values are written for this database; no connection is made. Raises PowerFillError."""
        async with self._source.using(self.tenant_id, read_only=False) as database:
            return database.engine.dialect

    def connect(self) -> contextlib.AbstractAsyncContextManager[AsyncConnection]:
        """A connection for reading, as `ReadOnlyTenantDatabase.connect` gives it."""
        return self._reading.connect()

    def create_missing(self) -> None:
        """Create the database, empty, where there is none (a SQLite file). For onboarding alone."""
        self._source.create_missing(self.tenant_id)


@contextlib.asynccontextmanager
async def _explained(database: OpenDatabase, tenant_id: str) -> AsyncIterator[None]:
    """Turn what a driver raises within the block into PowerFillError.

    UNAVAILABLE where the database does not answer, is locked or too slow; PERMISSION_DENIED where it refuses to be written;
    FAILED_PRECONDITION where PowerFill's tables, or a table of the lender's, are not there. Other errors pass.
    """
    try:
        yield
    except sa.exc.TimeoutError as error:  # every connection of the pool is busy
        raise tenant_unavailable(tenant_id) from error
    except sa.exc.DBAPIError as error:
        meaning = database.backend.explain(error, database.url, tenant_id)
        if meaning is None:
            raise
        if isinstance(meaning, MissingTable):
            meaning = await _missing(meaning.name, database, tenant_id)
        raise meaning from error


async def _missing(name: str, database: OpenDatabase, tenant_id: str) -> PowerFillError:
    async with database.engine.connect() as connection:
        found = await schema_revision(connection)
    if found != SCHEMA_REVISION or name.startswith("pfill_"):
        return schema_version(tenant_id, found or "", SCHEMA_REVISION)
    return PowerFillError(
        Category.FAILED_PRECONDITION,
        Reason.PREFLIGHT_FAILED,
        f"the database of tenant {tenant_id!r} has no table or column {name}",
        {"tenant_id": tenant_id, "object": name},
        preconditions=[PreconditionViolation("UPSTREAM_SCHEMA", name, "create it, or load it from a file")],
    )
