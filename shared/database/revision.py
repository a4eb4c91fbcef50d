"""What is there: which revision a tenant's PowerFill tables are at, and which tables and columns its database has."""

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.database.tables import SCHEMA

VERSION_TABLE = sa.Table("pfill_schema_revision", sa.MetaData(), sa.Column("version_num", sa.String(32)), schema=SCHEMA)
"""Alembic's version table; it has one row once the database is migrated."""


def effective_schema(connection: sa.Connection, table: sa.Table) -> str | None:
    """The schema a table is in on this database: none for PowerFill's own on SQLite."""
    translations = connection.get_execution_options().get("schema_translate_map") or {}
    schema: str | None = translations.get(table.schema, table.schema)
    return schema


def has_table(connection: sa.Connection, table: sa.Table) -> bool:
    """Whether the table (or a view of that name) exists on this database."""
    return sa.inspect(connection).has_table(table.name, schema=effective_schema(connection, table))


def without_translation(connection: sa.Connection, table: sa.Table) -> sa.TableClause:
    """The table under the schema it has on this database, for statements that go to the driver as they are."""
    columns = (sa.column(column.name, column.type) for column in table.columns)
    return sa.table(table.name, *columns, schema=effective_schema(connection, table))


def column_names(connection: sa.Connection, table: sa.Table) -> set[str]:
    """The columns the table has on this database, in lower case but on PostgreSQL; empty if there is no such table."""
    if not has_table(connection, table):
        return set()
    everything = sa.select(sa.text("*")).select_from(without_translation(connection, table))
    names = connection.execute(everything.where(sa.false())).keys()
    return set(names) if connection.dialect.name == "postgresql" else {name.lower() for name in names}


async def schema_revision(connection: AsyncConnection) -> str | None:
    """The revision of PowerFill's tables, None where they were never created."""
    if not await connection.run_sync(has_table, VERSION_TABLE):
        return None
    revision: str | None = (await connection.execute(sa.select(VERSION_TABLE.c.version_num))).scalar()
    return revision
