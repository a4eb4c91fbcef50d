"""The demo's tenant: a directory of its own with tables, database and registry, made anew each time."""

import asyncio
import datetime as dt
import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from cli.demo.generate import demo_tables, write_tables
from cli.exit_codes import UsageError
from cli.tenants import registry_path
from shared.database.load import load
from shared.database.migrate import migrate
from shared.tenancy.connections import TenantConnections
from shared.tenancy.registry import TenantRegistry

TENANT_ID = "demo"
MARK = "demo.json"
DATABASE = "demo.db"
OWN = ("tables", "tenants.yaml", "tenants.yaml.lock", DATABASE, f"{DATABASE}-wal", f"{DATABASE}-shm")
"""What the demo makes in its directory besides the mark, and removes before it makes it anew."""


@dataclass(frozen=True)
class DemoTenant:
    """The demo's directory, which serves as POWERFILL_HOME."""

    home: Path

    @property
    def registry(self) -> Path:
        """Its tenant registry."""
        return self.home / "tenants.yaml"

    @property
    def as_of(self) -> dt.date | None:
        """The day its tables were made for; None unless all of it is there."""
        try:
            mark = json.loads((self.home / MARK).read_bytes())
        except (OSError, ValueError):
            return None
        return dt.date.fromisoformat(mark["as_of_date"]) if mark.get("loaded") else None

    def clear(self) -> bool:
        """Make room, removing what an earlier demo made; gives whether a database was removed, with its runs.

        Raises UsageError for a directory that is no demo's.
        """
        if self.home.exists() and not self.home.is_dir():
            raise UsageError(f"{self.home} is a file; choose a directory with --home")
        if self.home.exists() and any(self.home.iterdir()) and not (self.home / MARK).exists():
            raise UsageError(f"{self.home} is not empty and holds no demo; choose another directory with --home")
        self.home.mkdir(parents=True, exist_ok=True)
        self._mark(None, loaded=False)  # first: an interrupted demo must be known as one
        had_database = (self.home / DATABASE).exists()
        for name in OWN:
            path = self.home / name
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
        return had_database

    async def generate(self, as_of: dt.date) -> dict[str, int]:
        """Make the input tables for a day and write them; gives their rows."""
        return await asyncio.to_thread(self._generate, as_of)

    async def load(self, as_of: dt.date) -> int:
        """Create the database, load the tables and put the tenant into the registry; gives the rows loaded."""
        registry = TenantRegistry(self.registry)
        registry.add(TENANT_ID, f"sqlite+aiosqlite:///{self.home / DATABASE}")
        async with TenantConnections(registry) as connections:
            database = await connections.database(TENANT_ID)
            await migrate(database)
            loaded = await load(database, self.home / "tables", "demo")
        self._mark(as_of, loaded=True)
        return sum(loaded.row_counts.values())

    def _generate(self, as_of: dt.date) -> dict[str, int]:
        tables = demo_tables(as_of)
        write_tables(tables, self.home / "tables")
        return {name: frame.height for name, frame in tables.items()}

    def _mark(self, as_of: dt.date | None, *, loaded: bool) -> None:
        day = as_of.isoformat() if as_of else None
        (self.home / MARK).write_text(json.dumps({"as_of_date": day, "loaded": loaded}) + "\n", encoding="utf-8")


def default_home() -> Path:
    """`demo` in POWERFILL_HOME (or the user's data folder); POWERFILL_HOME itself where that is a demo's directory."""
    home = registry_path(None).parent
    return home if os.environ.get("POWERFILL_HOME") and (home / MARK).exists() else home / "demo"
