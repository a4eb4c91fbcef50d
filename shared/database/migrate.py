"""Bringing a tenant's database to this version's tables: Alembic's revisions, run by program in one transaction.

Idempotent, and safe to run twice at once: the transaction takes the database's write lock before it looks.
"""

from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa
from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.script import Script, ScriptDirectory

from shared.database.revision import VERSION_TABLE, column_names, effective_schema, schema_revision
from shared.database.tables import EMBEDDED_TABLE, LENDER_TABLES, SCHEMA_REVISION
from shared.errors import Category, PowerFillError, Reason
from shared.money import RATE
from shared.tenancy.database import TenantDatabase

__all__ = ["MigrationResult", "migrate", "schema_revision"]

SCRIPTS = Path(__file__).parent / "migrations"
_PREFIX = "pfill_"


@dataclass(frozen=True)
class MigrationResult:
    """What a migration did: revisions before (None: PowerFill was not there) and after, and changes to the lender's tables.

    `created_lender_tables` are those PowerFill created because the database was empty; `added_columns` are `table.column`.
    """

    tenant_id: str
    before: str | None
    after: str
    created_lender_tables: tuple[str, ...]
    added_columns: tuple[str, ...]

    @property
    def changed(self) -> bool:
        """Whether anything was different before."""
        return self.before != self.after or bool(self.added_columns)


async def migrate(database: TenantDatabase) -> MigrationResult:
    """Create or upgrade PowerFill's tables; on an empty database also the lender's. A missing SQLite file is created.

    Raises PowerFillError FAILED_PRECONDITION, with nothing changed, for a database that has PowerFill's tables without a
    revision or at one this version does not know; PERMISSION_DENIED where the user may not create tables.
    """
    database.create_missing()
    async with database.connect() as connection:  # a writing connection alone would already turn the file to WAL mode
        await connection.run_sync(_refuse_strangers, database.tenant_id, await schema_revision(connection))
    async with database.begin() as connection:
        before = await schema_revision(connection)
        return await connection.run_sync(_migrate, database.tenant_id, before)


def _migrate(connection: sa.Connection, tenant_id: str, before: str | None) -> MigrationResult:
    _refuse_strangers(connection, tenant_id, before)
    schema = effective_schema(connection, VERSION_TABLE)
    context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE.name, "version_table_schema": schema})
    operations = Operations(context)
    empty = _is_empty(connection)
    if schema is not None and schema not in sa.inspect(connection).get_schema_names():
        operations.execute(sa.schema.CreateSchema(schema))
    scripts = ScriptDirectory(str(SCRIPTS))
    for revision in _pending(scripts, before, tenant_id):
        revision.module.upgrade(operations, empty=empty)
        context.stamp(scripts, revision.revision)
    added = _add_div_by(connection, operations)
    created = connection.scalars(sa.select(EMBEDDED_TABLE.c.table_name)).all() if before is None else []
    return MigrationResult(tenant_id, before, SCHEMA_REVISION, tuple(sorted(created)), added)


def _is_empty(connection: sa.Connection) -> bool:
    inspector = sa.inspect(connection)
    return not inspector.get_table_names() and not inspector.get_view_names()


def _pending(scripts: ScriptDirectory, before: str | None, tenant_id: str) -> list[Script]:
    """The revisions this database still needs, in order."""
    if before is not None and before not in {script.revision for script in scripts.walk_revisions()}:
        raise PowerFillError(
            Category.FAILED_PRECONDITION,
            Reason.SCHEMA_VERSION,
            f"the tables of tenant {tenant_id!r} are at revision {before}, which this version does not know; "
            "use the version of PowerFill that made them, or a later one",
            {"tenant_id": tenant_id, "found": before, "expected": SCHEMA_REVISION},
        )
    return list(reversed(list(scripts.iterate_revisions(SCHEMA_REVISION, before or "base"))))


def _refuse_strangers(connection: sa.Connection, tenant_id: str, revision: str | None) -> None:
    """A table that is named like ours but is not ours (the desktop program's, for one) is not touched."""
    if revision is not None:
        return
    inspector, schema = sa.inspect(connection), effective_schema(connection, VERSION_TABLE)
    if schema is not None and schema not in inspector.get_schema_names():
        return
    names = [*inspector.get_table_names(schema=schema), *inspector.get_view_names(schema=schema)]
    strangers = sorted(name for name in names if name.lower().startswith(_PREFIX))
    if strangers:
        raise PowerFillError(
            Category.FAILED_PRECONDITION,
            Reason.SCHEMA_VERSION,
            f"the database of tenant {tenant_id!r} has {_listed(strangers)} that PowerFill did not create "
            f"(there is no {VERSION_TABLE.name}); nothing was changed: use a database of its own for PowerFill",
            {"tenant_id": tenant_id, "found": strangers[0], "expected": SCHEMA_REVISION},
        )


def _listed(names: list[str]) -> str:
    return f"a table {names[0]}" if len(names) == 1 else f"{len(names)} tables ({names[0]}, {names[1]} ...)"


def _add_div_by(connection: sa.Connection, operations: Operations) -> tuple[str, ...]:
    """Add `div_by` to a payup table without it: the only change ever made to a lender's table."""
    payups = LENDER_TABLES["rmusr_payups"]
    tables = {name.lower() for name in sa.inspect(connection).get_table_names()}
    if payups.name not in tables or payups.c.div_by.name in column_names(connection, payups):
        return ()  # a view of that name is not ours to change
    operations.add_column(payups.name, sa.Column(payups.c.div_by.name, sa.Numeric(RATE.precision, RATE.scale)))
    return (f"{payups.name}.{payups.c.div_by.name}",)
