"""Looking a tenant's database over: does it answer, at which revision is it, what is missing, how much is in it."""

from collections.abc import Iterable
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.database.bulk import existing_columns
from shared.database.revision import schema_revision
from shared.database.tables import AUDIT_TABLES, CONFIG_TABLES, LENDER_TABLES, OUTPUT_TABLES, SCHEMA_REVISION, optional_columns
from shared.tenancy.database import ReadOnlyTenantDatabase, TenantDatabase

LENDER, POWERFILL = "lender's", "PowerFill"
"""Whose a table is."""


@dataclass(frozen=True)
class TableState:
    """One table: whose it is, how many rows it has (None: there is no such table), and the columns it lacks."""

    name: str
    owner: str
    row_count: int | None
    missing_columns: tuple[str, ...] = ()
    missing_optional_columns: tuple[str, ...] = ()


@dataclass(frozen=True)
class DatabaseState:
    """What a look at a tenant's database found. `errors` stop a run, `warnings` do not."""

    tenant_id: str
    revision: str | None
    tables: tuple[TableState, ...]

    @property
    def errors(self) -> list[str]:
        """What a run would refuse to start on, one sentence each."""
        return self._revision_errors() + _errors_of(self.tables)

    @property
    def own_errors(self) -> list[str]:
        """Those of `errors` about PowerFill's revision and tables; without any the run service can judge the rest."""
        return self._revision_errors() + _errors_of(table for table in self.tables if table.owner == POWERFILL)

    @property
    def warnings(self) -> list[str]:
        """What a run would do without."""
        return [
            f"table {table.name} lacks the optional column {column}"
            for table in self.tables
            for column in table.missing_optional_columns
        ]

    def _revision_errors(self) -> list[str]:
        if self.revision == SCHEMA_REVISION:
            return []
        command = f"powerfill tenants migrate {self.tenant_id}"
        return [f"PowerFill's tables are at revision {self.revision or 'none'}, not {SCHEMA_REVISION}; run `{command}`"]


async def look_over(database: TenantDatabase | ReadOnlyTenantDatabase) -> DatabaseState:
    """The state of a tenant's database, from one reading connection. Raises PowerFillError where it does not answer."""
    async with database.connect() as connection:
        revision = await schema_revision(connection)
        tables = [await _state(connection, table, LENDER) for table in LENDER_TABLES.values()]
        if revision is not None:
            tables += [await _state(connection, table, POWERFILL) for table in _own_tables()]
    return DatabaseState(database.tenant_id, revision, tuple(tables))


def _errors_of(tables: Iterable[TableState]) -> list[str]:
    tables = list(tables)
    found = [f"the {table.owner} table {table.name} is missing" for table in tables if table.row_count is None]
    return found + [f"table {table.name} lacks the column {column}" for table in tables for column in table.missing_columns]


def _own_tables() -> Iterable[sa.Table]:
    return (*CONFIG_TABLES.values(), *OUTPUT_TABLES.values(), *AUDIT_TABLES.values())


async def _state(connection: AsyncConnection, table: sa.Table, owner: str) -> TableState:
    existing = await existing_columns(connection, table)
    if not existing:
        return TableState(table.name, owner, None)
    optional = optional_columns(table)
    missing = [column.name for column in table.columns if column.name not in existing]
    row_count = (await connection.execute(sa.select(sa.func.count()).select_from(table))).scalar_one()
    return TableState(
        table.name,
        owner,
        row_count,
        tuple(name for name in missing if name not in optional),
        tuple(name for name in missing if name in optional),
    )
