"""Looking a tenant's database over."""

from pathlib import Path

import pytest
import sqlalchemy as sa

from shared.database.check import DatabaseState, TableState, look_over
from shared.database.migrate import migrate
from shared.database.tables import AUDIT_TABLES, CONFIG_TABLES, LENDER_TABLES, OUTPUT_TABLES, SCHEMA_REVISION, optional_columns
from shared.tenancy.connections import TenantConnections
from shared.tenancy.database import TenantDatabase
from shared.tenancy.registry import TenantRegistry


def table(state: DatabaseState, name: str) -> TableState:
    return next(table for table in state.tables if table.name == name)


@pytest.fixture
async def lender(registry: TenantRegistry, connections: TenantConnections, tmp_path: Path) -> TenantDatabase:
    """A lender's database with two loans, whose loan table lacks a required and an optional column, and no other table."""
    registry.add("lender", f"sqlite+aiosqlite:///{tmp_path / 'lender.db'}")
    database = await connections.database("lender")
    database.create_missing()
    columns = [column.name for column in LENDER_TABLES["loan"].columns if column.name not in ("fico", "note_rate")]
    async with database.begin() as connection:
        await connection.execute(sa.text(f"CREATE TABLE loan ({', '.join(columns)})"))
        await connection.execute(sa.text("INSERT INTO loan (loan_id) VALUES ('L1'), ('L2')"))
    return database


async def test_a_migrated_tenant_is_ready(acme: TenantDatabase, connections: TenantConnections) -> None:
    for database in (acme, await connections.read_only("acme")):
        state = await look_over(database)
        assert (state.revision, state.errors, state.warnings) == (SCHEMA_REVISION, [], [])
        every = {*LENDER_TABLES, *CONFIG_TABLES, *OUTPUT_TABLES, *AUDIT_TABLES}
        assert {table.name for table in state.tables} == every
        assert all(table.row_count == 0 for table in state.tables)


async def test_a_database_before_its_migration(lender: TenantDatabase) -> None:
    state = await look_over(lender)
    assert state.revision is None
    assert (
        state.errors[0]
        == f"PowerFill's tables are at revision none, not {SCHEMA_REVISION}; run `powerfill tenants migrate lender`"
    )
    assert {table.name for table in state.tables} == set(LENDER_TABLES)


async def test_missing_tables_and_columns_are_named(lender: TenantDatabase) -> None:
    await migrate(lender)
    state = await look_over(lender)
    assert table(state, "loan") == TableState("loan", "lender's", 2, ("note_rate",), ("fico",))
    assert table(state, "pscat_trades").row_count is None
    assert "table loan lacks the column note_rate" in state.errors
    assert "the lender's table pscat_trades is missing" in state.errors
    assert state.own_errors == []
    assert state.warnings == ["table loan lacks the optional column fico"]
    assert "fico" in optional_columns(LENDER_TABLES["loan"])


async def test_a_missing_table_of_powerfills_own(acme: TenantDatabase) -> None:
    async with acme.begin() as connection:
        await connection.execute(sa.text("DROP TABLE pfill_limits"))
    state = await look_over(acme)
    assert state.errors == state.own_errors == ["the PowerFill table pfill_limits is missing"]
