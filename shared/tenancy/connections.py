"""Tenant id to database: engines made on first use, bounded in number, let go when idle, replaced when the registry changes."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.errors import Category, PowerFillError, Reason, tenant_unavailable
from shared.tenancy.backends import Backend, backend_of
from shared.tenancy.database import ReadOnlyTenantDatabase, TenantDatabase
from shared.tenancy.meaning import Timeouts
from shared.tenancy.registry import TenantRegistry

_Key = tuple[str, bool]


@dataclass(eq=False)
class _Open:
    """One engine: who it is for, how many use it now, and when it was last let go."""

    key: _Key
    url: sa.URL = field(repr=False)
    backend: Backend
    engine: AsyncEngine = field(repr=False)
    users: int = 0
    last_used_s: float = 0.0


class TenantConnections:
    """The databases of a registry's tenants.

    Handles are cheap and stay good: each use takes the tenant's engine of that moment, so that a changed URL counts from the
    next transaction on. At most `max_open` engines are open (a tenant has one for writing and one for reading); one that
    nobody used for `idle_s` seconds is closed. All methods belong to one event loop.
    """

    def __init__(
        self,
        registry: TenantRegistry,
        *,
        max_open: int = 64,
        idle_s: float = 300.0,
        statement_timeout_s: float = 60.0,
        lock_timeout_s: float = 5.0,
    ) -> None:
        self.registry = registry
        self._max_open = max_open
        self._idle_s = idle_s
        self._timeouts = Timeouts(statement_timeout_s, lock_timeout_s)
        self._open: dict[_Key, _Open] = {}
        self._changed = asyncio.Condition()
        self._sweeper: asyncio.Task[None] | None = None
        self._closed = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.aclose()

    async def database(self, tenant_id: str) -> TenantDatabase:
        """The tenant's database, for reading and writing. Raises PowerFillError NOT_FOUND for an unknown tenant."""
        return TenantDatabase(self, tenant_id, self.registry.get(tenant_id).time_zone)

    async def read_only(self, tenant_id: str) -> ReadOnlyTenantDatabase:
        """The tenant's database, for reading alone. Raises PowerFillError NOT_FOUND for an unknown tenant."""
        self.registry.get(tenant_id)
        return ReadOnlyTenantDatabase(self, tenant_id)

    @property
    def open_count(self) -> int:
        """How many engines are open."""
        return len(self._open)

    async def aclose(self) -> None:
        """Close every engine; nothing can be used afterwards."""
        self._closed = True
        if self._sweeper:
            self._sweeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._sweeper
        async with self._changed:
            for database in list(self._open.values()):
                await self._close(database)

    @contextlib.asynccontextmanager
    async def using(self, tenant_id: str, *, read_only: bool) -> AsyncIterator[_Open]:
        """The tenant's engine, kept open until the block ends."""
        database = await self._take((tenant_id, read_only))
        try:
            yield database
        finally:
            await self._give_back(database)

    def create_missing(self, tenant_id: str) -> None:
        """Create the tenant's database where there is none (a SQLite file). Raises PowerFillError."""
        url = self.registry.get(tenant_id).url.reveal()
        backend_of(url).create_missing(url, tenant_id)

    async def _take(self, key: _Key) -> _Open:
        url = await self._url_now(key)
        async with self._changed:
            database = self._open.get(key)
            if database and database.url != url:
                await self._retire(database)
                database = None
            if database is None:
                await self._make_room(key[0])
                database = self._open.get(key) or self._add(key, url)  # another task may have opened it meanwhile
            database.users += 1
        return database

    async def _give_back(self, database: _Open) -> None:
        async with self._changed:
            database.users -= 1
            database.last_used_s = time.monotonic()
            if database.users == 0 and self._open.get(database.key) is not database:
                await database.engine.dispose()  # retired while in use
            self._changed.notify_all()

    async def _url_now(self, key: _Key) -> sa.URL:
        """What the registry says at this moment; a tenant that it no longer has loses its engine."""
        if self._closed:
            raise PowerFillError(
                Category.UNAVAILABLE, Reason.SHUTTING_DOWN, "the server is stopping; try again", retry_after_s=2.0
            )
        try:
            return self.registry.get(key[0]).url.reveal()
        except PowerFillError as error:
            if error.reason is Reason.TENANT_UNKNOWN:
                async with self._changed:
                    if gone := self._open.get(key):
                        await self._retire(gone)
            raise

    async def _make_room(self, tenant_id: str) -> None:
        """Wait until one more engine may be opened, closing the one unused for longest if need be."""
        deadline_s = time.monotonic() + self._timeouts.lock_s
        while len(self._open) >= self._max_open:
            unused = [database for database in self._open.values() if database.users == 0]
            if unused:
                await self._close(min(unused, key=lambda database: database.last_used_s))
                return
            try:
                async with asyncio.timeout(deadline_s - time.monotonic()):
                    await self._changed.wait()
            except TimeoutError:
                raise tenant_unavailable(tenant_id) from None

    def _add(self, key: _Key, url: sa.URL) -> _Open:
        backend = backend_of(url)
        database = _Open(key, url, backend, backend.engine(url, self._timeouts, read_only=key[1]))
        self._open[key] = database
        if self._sweeper is None:
            self._sweeper = asyncio.create_task(self._sweep())
        return database

    async def _retire(self, database: _Open) -> None:
        """Hand the engine to nobody any more; it is closed with its last user."""
        if database.users == 0:
            await self._close(database)
        else:
            del self._open[database.key]

    async def _close(self, database: _Open) -> None:
        del self._open[database.key]
        await database.engine.dispose()

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(self._idle_s / 2)
            async with self._changed:
                oldest_s = time.monotonic() - self._idle_s
                for database in [d for d in self._open.values() if d.users == 0 and d.last_used_s < oldest_s]:
                    await self._close(database)
