"""What differs between the databases a tenant can be on: how an engine is made and what a driver's error means."""

from typing import Protocol

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.errors import PowerFillError, not_yet
from shared.tenancy.meaning import MissingTable, Timeouts
from shared.tenancy.secret_url import DRIVERS
from shared.tenancy.sqlite import SqliteBackend


class Backend(Protocol):
    """One kind of database."""

    def engine(self, url: sa.URL, timeouts: Timeouts, *, read_only: bool) -> AsyncEngine:
        """An engine whose transactions write, or one whose connections the database itself keeps from writing."""
        ...

    def create_missing(self, url: sa.URL, tenant_id: str) -> None:
        """Create an empty database where there is none, if this kind of database can. Raises PowerFillError."""
        ...

    def explain(self, error: sa.exc.DBAPIError, url: sa.URL, tenant_id: str) -> PowerFillError | MissingTable | None:
        """What an error of the driver means to a caller; None for one that is nobody's fault but the program's."""
        ...


def backend_of(url: sa.URL) -> Backend:
    """The backend of a URL. Raises PowerFillError UNIMPLEMENTED for one that is not built yet."""
    if url.get_backend_name() == "sqlite":
        return SqliteBackend()
    raise not_yet(f"a tenant on {DRIVERS[url.drivername]}", "use sqlite+aiosqlite://")
