"""The revisions, written out as SQL for each kind of database without one."""

import io
import re

import pytest
from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.script import ScriptDirectory

from shared.database.migrate import SCRIPTS
from shared.database.tables import LENDER_TABLES, OUTPUT_TABLES, SCHEMA_REVISION, current_view, metadata

OWN_TABLES = {table.name for table in metadata.tables.values()} - set(LENDER_TABLES)


def script(dialect: str, *, empty: bool) -> str:
    written = io.StringIO()
    context = MigrationContext.configure(dialect_name=dialect, opts={"as_sql": True, "output_buffer": written})
    scripts = ScriptDirectory(str(SCRIPTS))
    for revision in reversed(list(scripts.walk_revisions())):
        revision.module.upgrade(Operations(context), empty=empty)
    return written.getvalue()


def created(text: str, kind: str) -> set[str]:
    return set(re.findall(rf"CREATE {kind} (\S+)", text))


def test_the_tables_are_at_the_last_revision() -> None:
    assert ScriptDirectory(str(SCRIPTS)).get_heads() == [SCHEMA_REVISION]


@pytest.mark.parametrize("dialect", ["postgresql", "mssql"])
def test_powerfills_tables_and_views_stand_in_its_schema(dialect: str) -> None:
    text = script(dialect, empty=False)
    assert created(text, "TABLE") == {f"powerfill.{name}" for name in OWN_TABLES}
    assert created(text, "VIEW") == {f"powerfill.{current_view(table)}" for table in OUTPUT_TABLES.values()}
    assert not re.search(r"(FROM|JOIN|INTO|ON|UPDATE|TABLE|VIEW) pfill_", text)


@pytest.mark.parametrize(("dialect", "also"), [("postgresql", set()), ("mssql", {"pfill_loan2trade_candy_level_01_by_rank"})])
def test_the_indexes_are_those_of_the_tables(dialect: str, also: set[str]) -> None:
    names = {index.name for table in metadata.tables.values() for index in table.indexes}
    assert created(script(dialect, empty=False), "(?:UNIQUE )?INDEX") == names | also


@pytest.mark.parametrize("dialect", ["postgresql", "mssql"])
def test_an_empty_database_gets_the_lenders_tables_unqualified(dialect: str) -> None:
    text = script(dialect, empty=True)
    assert created(text, "TABLE") == {f"powerfill.{name}" for name in OWN_TABLES} | set(LENDER_TABLES)
    entries = re.findall(r"INSERT INTO powerfill\.pfill_embedded_table \(table_name\) VALUES \(N?'(\w+)'\)", text)
    assert set(entries) == set(LENDER_TABLES)


@pytest.mark.parametrize(
    ("dialect", "limit", "moment", "blob", "words", "changed", "joined"),
    [
        ("postgresql", "LIMIT 1", "TIMESTAMP", "BYTEA", "VARCHAR(100)", "CREATE OR REPLACE VIEW", "|| replace("),
        ("mssql", "SELECT TOP 1", "DATETIME2(6)", "IMAGE", "NVARCHAR(100)", "ALTER VIEW", "+ replace("),
    ],
)
def test_each_speaks_its_own_language(
    dialect: str, limit: str, moment: str, blob: str, words: str, changed: str, joined: str
) -> None:
    text = script(dialect, empty=False)
    assert text.count(limit) == len(re.findall(r"VIEW \S+_current AS", text)) >= len(OUTPUT_TABLES)
    for word in (f"submitted_at_utc {moment}", f"content {blob}", f"tenant_id {words}", joined):
        assert word in text
    assert text.count("CREATE UNIQUE INDEX") == 2
    assert set(re.findall(rf"{changed} (\S+)", text)) <= created(text, "VIEW")
    assert text.count(changed) == 2
