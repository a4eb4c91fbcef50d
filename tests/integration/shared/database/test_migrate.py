"""Migrations on real files: what they make, that they can be repeated, and what they leave alone."""

import asyncio
import contextlib
import datetime as dt
import json
import multiprocessing
import sqlite3
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from shared.database.bulk import frame_type
from shared.database.migrate import MigrationResult, migrate
from shared.database.revision import schema_revision
from shared.database.tables import (
    AUDIT_TABLES,
    EMBEDDED_TABLE,
    LENDER_TABLES,
    OUTPUT_TABLES,
    SCHEMA_REVISION,
    current_view,
    metadata,
)
from shared.errors import Category, PowerFillError, Reason
from shared.tenancy.connections import TenantConnections
from shared.tenancy.database import TenantDatabase
from shared.tenancy.registry import TenantRegistry

HISTORY = AUDIT_TABLES["pfill_run_history"]
NOON = dt.datetime(2026, 4, 17, 12, tzinfo=dt.UTC)
OLD_PAYUPS = "CREATE TABLE rmusr_payups (investor_instrument TEXT, attribute TEXT, low_value REAL, high_value REAL, payup REAL)"


def definitions(path: Path, *kinds: str) -> dict[str, str]:
    """What a file says of its tables, indexes and views, by name, without quotes and with single blanks."""
    with contextlib.closing(sqlite3.connect(path)) as plain:
        found = plain.execute("SELECT name, coalesce(sql, ''), type FROM sqlite_master")
        return {name: " ".join(sql.replace('"', "").split()) for name, sql, kind in found if kind in kinds}


def prepared(path: Path, *statements: str) -> bytes:
    """A file on which somebody else worked before; gives its content."""
    with contextlib.closing(sqlite3.connect(path)) as plain:
        for statement in statements:
            plain.execute(statement)
        plain.commit()
    return path.read_bytes()


@pytest.fixture
async def fresh(registry: TenantRegistry, connections: TenantConnections, tmp_path: Path) -> TenantDatabase:
    """A tenant whose file is not there yet."""
    registry.add("fresh", f"sqlite+aiosqlite:///{tmp_path / 'fresh.db'}")
    return await connections.database("fresh")


async def test_an_empty_database_gets_everything(fresh: TenantDatabase) -> None:
    result = await migrate(fresh)
    assert (result.before, result.after, result.changed) == (None, SCHEMA_REVISION, True)
    assert set(result.created_lender_tables) == set(LENDER_TABLES)
    async with fresh.connect() as connection:
        assert await schema_revision(connection) == SCHEMA_REVISION
        embedded = set((await connection.scalars(sa.select(EMBEDDED_TABLE.c.table_name))).all())
    assert embedded == set(LENDER_TABLES)


async def test_the_migrated_database_is_what_the_tables_say(fresh: TenantDatabase, tmp_path: Path) -> None:
    """Alembic's comparison, and the definitions word by word: it does not compare filters of indexes."""
    await migrate(fresh)
    here = sa.MetaData()
    for table in metadata.sorted_tables:
        table.to_metadata(here, schema=None)  # type: ignore[arg-type]
    engine = sa.create_engine(f"sqlite:///{tmp_path / 'fresh.db'}")
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": "pfill_schema_revision"})
        assert compare_metadata(context, here) == []
    engine.dispose()
    engine = sa.create_engine(f"sqlite:///{tmp_path / 'made.db'}")
    here.create_all(engine)
    engine.dispose()
    made = definitions(tmp_path / "made.db", "table", "index")
    migrated = definitions(tmp_path / "fresh.db", "table", "index")
    only_migrated = {"sqlite_stat1", *(name for name in migrated if "pfill_schema_revision" in name)}
    assert {name: sql for name, sql in migrated.items() if name not in only_migrated} == made


async def test_sqlite_plans_with_the_sizes_of_runs_whatever_its_own_analysis_said_before(
    fresh: TenantDatabase, tmp_path: Path
) -> None:
    prepared(tmp_path / "fresh.db", "CREATE TABLE loan (loan_id TEXT PRIMARY KEY)", "INSERT INTO loan VALUES ('L1')", "ANALYZE")
    await migrate(fresh)
    with contextlib.closing(sqlite3.connect(tmp_path / "fresh.db")) as plain:
        known = {(table, index): rows for table, index, rows in plain.execute("SELECT tbl, idx, stat FROM sqlite_stat1")}
    assert known.pop(("loan", "sqlite_autoindex_loan_1")) == "1 1"
    indexed = {table.name: {index.name for index in table.indexes} for table in OUTPUT_TABLES.values() if table.indexes}
    assert known.keys() == {(table, index) for table, names in indexed.items() for index in (table, *names)}


async def test_every_output_table_has_its_view(fresh: TenantDatabase, tmp_path: Path) -> None:
    await migrate(fresh)
    assert set(definitions(tmp_path / "fresh.db", "view")) == {current_view(table) for table in OUTPUT_TABLES.values()}


def some_row(table: sa.Table, run_id: str) -> dict[str, Any]:
    values: Mapping[type, object] = {str: "x", int: 1}
    return {column.name: run_id if column.name == "run_id" else values[column.type.python_type] for column in table.primary_key}


async def record(database: TenantDatabase, *runs: Mapping[str, Any], without: Collection[str] = ()) -> None:
    """Runs with a row each in every output table but those that are not there yet."""
    async with database.begin() as connection:
        for run in runs:
            given = {"tenant_id": "fresh", "status": "COMPLETE", "submitted_at_utc": NOON, **run}
            await connection.execute(sa.insert(HISTORY).values(given))
            for name, table in OUTPUT_TABLES.items():
                if name not in without:
                    await connection.execute(sa.insert(table).values(some_row(table, run["run_id"])))


async def shown(database: TenantDatabase, table: sa.Table) -> list[str]:
    async with database.connect() as connection:
        return list((await connection.scalars(sa.select(sa.column("run_id")).select_from(sa.table(current_view(table))))).all())


@pytest.mark.parametrize("table", OUTPUT_TABLES.values(), ids=lambda table: table.name)
async def test_a_view_shows_the_latest_complete_run_that_is_no_replay(fresh: TenantDatabase, table: sa.Table) -> None:
    await migrate(fresh)
    assert await shown(fresh, table) == []
    later = [NOON + dt.timedelta(hours=hours) for hours in range(5)]
    await record(
        fresh,
        {"run_id": "old", "submitted_at_utc": later[0]},
        {"run_id": "latest", "submitted_at_utc": later[1]},
        {"run_id": "replay", "submitted_at_utc": later[2], "replay_of": "old"},
        {"run_id": "failed", "submitted_at_utc": later[3], "status": "FAILED"},
        {"run_id": "active", "submitted_at_utc": later[4], "status": "ALLOCATING"},
    )
    assert await shown(fresh, table) == ["latest"]
    async with fresh.connect() as connection:
        columns = (await connection.execute(sa.select(sa.text("*")).select_from(sa.table(current_view(table))))).keys()
    assert list(columns) == [column.name for column in table.columns]


async def test_of_two_runs_of_one_moment_the_greater_id_is_shown(fresh: TenantDatabase) -> None:
    await migrate(fresh)
    await record(
        fresh,
        {"run_id": "b", "submitted_at_utc": NOON},
        {"run_id": "c", "submitted_at_utc": NOON},
        {"run_id": "a", "submitted_at_utc": NOON},
    )
    assert await shown(fresh, OUTPUT_TABLES["pfill_powerfill_guide"]) == ["c"]


async def test_one_active_run_a_tenant(fresh: TenantDatabase) -> None:
    await migrate(fresh)
    await record(
        fresh,
        {"run_id": "a", "status": "COMPLETE"},
        {"run_id": "b", "status": "PENDING"},
        {"run_id": "c", "tenant_id": "other", "status": "PENDING"},
    )
    with pytest.raises(sa.exc.IntegrityError):
        await record(fresh, {"run_id": "d", "status": "ALLOCATING"})


async def test_one_run_a_request(fresh: TenantDatabase) -> None:
    await migrate(fresh)
    await record(
        fresh, {"run_id": "a", "request_id": None}, {"run_id": "b", "request_id": None}, {"run_id": "c", "request_id": "r"}
    )
    with pytest.raises(sa.exc.IntegrityError):
        await record(fresh, {"run_id": "d", "request_id": "r"})


async def test_a_second_migration_changes_nothing(fresh: TenantDatabase, tmp_path: Path) -> None:
    await migrate(fresh)
    await record(fresh, {"run_id": "a", "submitted_at_utc": NOON})
    before = definitions(tmp_path / "fresh.db", "table", "index", "view")
    result = await migrate(fresh)
    assert result == MigrationResult("fresh", SCHEMA_REVISION, SCHEMA_REVISION, (), ())
    assert not result.changed
    assert definitions(tmp_path / "fresh.db", "table", "index", "view") == before
    assert await shown(fresh, OUTPUT_TABLES["pfill_powerfill_guide"]) == ["a"]


async def migrate_to(revision: str, database: TenantDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tables as an earlier version of PowerFill made them."""
    with monkeypatch.context() as patched:
        patched.setattr("shared.database.migrate.SCHEMA_REVISION", revision)
        assert (await migrate(database)).after == revision


def rows_of(path: Path) -> dict[str, list[dict[str, Any]]]:
    """Every row of every table of a file."""
    with contextlib.closing(sqlite3.connect(path)) as plain:
        plain.row_factory = sqlite3.Row
        names = [name for (name,) in plain.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {name: [dict(row) for row in plain.execute(f"SELECT * FROM {name}")] for name in names}  # noqa: S608 - our names


async def test_a_database_of_the_first_revision_is_widened_and_keeps_its_rows(
    fresh: TenantDatabase, registry: TenantRegistry, connections: TenantConnections, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    await migrate_to("0001", fresh, monkeypatch)
    new_tables = {"pfill_existing_disposition", "pfill_pooling_guide"}
    runs: list[dict[str, Any]] = [{"run_id": "old", "submitted_at_utc": NOON - dt.timedelta(hours=1)}, {"run_id": "latest"}]
    await record(fresh, *runs, without=new_tables)
    before = rows_of(tmp_path / "fresh.db")
    assert set(before).isdisjoint(new_tables)
    assert len(before["pfill_powerfill_log"]) == 2

    result = await migrate(fresh)

    assert (result.before, result.after, result.created_lender_tables) == ("0001", SCHEMA_REVISION, ())
    after = rows_of(tmp_path / "fresh.db")
    assert [row for name in new_tables for row in after[name]] == []
    added: dict[str, dict[str, Any]] = {
        "pfill_syn_powerfill_guide": dict.fromkeys(("loan_instrument", "loan_amount", "trade_id")),
        "pfill_powerfill_log": {"pass": None},
        "pfill_schema_revision": {"version_num": SCHEMA_REVISION},
    }
    for name, rows in before.items():
        assert after[name] == [row | added.get(name, {}) for row in rows], name
    for name, table in OUTPUT_TABLES.items():
        assert await shown(fresh, table) == ([] if name in new_tables else ["latest"])
    registry.add("new", f"sqlite+aiosqlite:///{tmp_path / 'new.db'}")
    await migrate(await connections.database("new"))
    kinds = ("table", "index", "view")
    assert definitions(tmp_path / "fresh.db", *kinds) == definitions(tmp_path / "new.db", *kinds)
    assert not (await migrate(fresh)).changed


@pytest.mark.parametrize(
    ("examples", "listed"),
    [
        (None, None),
        ("", []),
        ("L1", ["L1"]),
        ("L1, L2, P/L3", ["L1", "L2", "P/L3"]),
        ('say "x", a\\b\tc, two\nlines', ['say "x"', "a\\b\tc", "two\nlines"]),
    ],
)
async def test_examples_of_the_first_revision_become_a_list(
    fresh: TenantDatabase, monkeypatch: pytest.MonkeyPatch, examples: str | None, listed: list[str] | None
) -> None:
    log = OUTPUT_TABLES["pfill_powerfill_log"]
    await migrate_to("0001", fresh, monkeypatch)
    async with fresh.begin() as connection:
        await connection.execute(sa.insert(log).values({"run_id": "r", "sequence": 1, "examples": examples}))
    await migrate(fresh)
    async with fresh.connect() as connection:
        found = (await connection.execute(sa.select(log.c.examples))).scalar_one()
    assert (None if found is None else json.loads(found)) == listed


async def test_two_migrations_at_once(fresh: TenantDatabase) -> None:
    results = await asyncio.gather(migrate(fresh), migrate(fresh), migrate(fresh))
    assert sorted(result.before or "" for result in results) == ["", SCHEMA_REVISION, SCHEMA_REVISION]


async def test_migrations_of_two_tenants_at_once(
    fresh: TenantDatabase, registry: TenantRegistry, connections: TenantConnections, tmp_path: Path
) -> None:
    registry.add("other", f"sqlite+aiosqlite:///{tmp_path / 'other.db'}")
    results = await asyncio.gather(migrate(fresh), migrate(await connections.database("other")))
    assert [result.before for result in results] == [None, None]
    assert definitions(tmp_path / "fresh.db", "table", "view") == definitions(tmp_path / "other.db", "table", "view")


def _migrate_in_a_process(registry: Path) -> str | None:
    async def act() -> str | None:
        async with TenantConnections(TenantRegistry(registry), lock_timeout_s=20) as connections:
            return (await migrate(await connections.database("fresh"))).before

    return asyncio.run(act())


def test_several_processes_migrate_at_once(registry: TenantRegistry, tmp_path: Path) -> None:
    registry.add("fresh", f"sqlite+aiosqlite:///{tmp_path / 'fresh.db'}")
    with multiprocessing.get_context("spawn").Pool(3) as pool:
        before = pool.map(_migrate_in_a_process, [registry.path] * 3)
    assert sorted(revision or "" for revision in before) == ["", SCHEMA_REVISION, SCHEMA_REVISION]


@pytest.mark.parametrize(
    "statement", ["CREATE TABLE loan (loan_id TEXT)", "CREATE TABLE anything (a)", "CREATE VIEW v AS SELECT 1"]
)
async def test_a_database_that_has_something_gets_no_tables_of_the_lender(
    fresh: TenantDatabase, tmp_path: Path, statement: str
) -> None:
    prepared(tmp_path / "fresh.db", statement)
    result = await migrate(fresh)
    assert result.created_lender_tables == ()
    async with fresh.connect() as connection:
        assert (await connection.scalars(sa.select(EMBEDDED_TABLE.c.table_name))).all() == []
    tables = definitions(tmp_path / "fresh.db", "table")
    assert {name for name in tables if not name.startswith("pfill_")} <= {"loan", "anything", "sqlite_stat1"}


@pytest.mark.parametrize(
    ("statement", "named"),
    [
        ("CREATE TABLE pfill_run_history (run_id TEXT)", "a table pfill_run_history"),
        ("CREATE TABLE PFILL_Something (a)", "a table PFILL_Something"),
        ("CREATE VIEW pfill_trade_base_current AS SELECT 1", "a table pfill_trade_base_current"),
    ],
)
async def test_a_file_with_the_desktop_programs_tables_is_refused(
    fresh: TenantDatabase, connections: TenantConnections, tmp_path: Path, statement: str, named: str
) -> None:
    before = prepared(tmp_path / "fresh.db", "CREATE TABLE loan (loan_id TEXT)", statement)
    with pytest.raises(PowerFillError) as caught:
        await migrate(fresh)
    assert (caught.value.category, caught.value.reason) == (Category.FAILED_PRECONDITION, Reason.SCHEMA_VERSION)
    assert named in caught.value.message
    await connections.aclose()
    assert (tmp_path / "fresh.db").read_bytes() == before


async def test_a_later_versions_database_is_refused(fresh: TenantDatabase) -> None:
    await migrate(fresh)
    async with fresh.begin() as connection:
        await connection.execute(sa.text("UPDATE pfill_schema_revision SET version_num = '9999'"))
    with pytest.raises(PowerFillError) as caught:
        await migrate(fresh)
    assert (caught.value.category, caught.value.reason) == (Category.FAILED_PRECONDITION, Reason.SCHEMA_VERSION)
    assert caught.value.metadata == {"tenant_id": "fresh", "found": "9999", "expected": SCHEMA_REVISION}


async def test_a_payup_table_without_div_by_gets_it_and_nothing_else_changes(fresh: TenantDatabase, tmp_path: Path) -> None:
    """Specification 01 section 2: the only change PowerFill ever makes to a lender's table."""
    lender = "CREATE TABLE loan (loan_id TEXT PRIMARY KEY, loan_amount REAL)"
    prepared(tmp_path / "fresh.db", lender, OLD_PAYUPS, "INSERT INTO rmusr_payups VALUES ('i', 'fico', 700, 850, 0.25)")
    result = await migrate(fresh)
    assert result.added_columns == ("rmusr_payups.div_by",)
    assert definitions(tmp_path / "fresh.db", "table")["loan"] == lender
    assert definitions(tmp_path / "fresh.db", "table")["rmusr_payups"].startswith(OLD_PAYUPS[:-1])
    async with fresh.connect() as connection:
        assert (await connection.execute(sa.text("SELECT * FROM rmusr_payups"))).all() == [("i", "fico", 700, 850, 0.25, None)]
    assert (await migrate(fresh)).added_columns == ()


async def test_div_by_is_added_to_a_table_that_came_later(fresh: TenantDatabase, tmp_path: Path) -> None:
    prepared(tmp_path / "fresh.db", "CREATE TABLE loan (loan_id TEXT)")
    await migrate(fresh)
    prepared(tmp_path / "fresh.db", OLD_PAYUPS)
    result = await migrate(fresh)
    assert result.changed
    assert result.added_columns == ("rmusr_payups.div_by",)


async def test_a_payup_table_in_capitals_and_with_types_of_its_own(fresh: TenantDatabase, tmp_path: Path) -> None:
    prepared(tmp_path / "fresh.db", "CREATE TABLE RMUSR_PAYUPS (Payup ODD_TYPE(1, 2), Low_Value money)")
    assert (await migrate(fresh)).added_columns == ("rmusr_payups.div_by",)
    assert (await migrate(fresh)).added_columns == ()


async def test_a_payup_view_is_left_alone(fresh: TenantDatabase, tmp_path: Path) -> None:
    prepared(tmp_path / "fresh.db", "CREATE VIEW rmusr_payups AS SELECT 1 AS payup")
    assert (await migrate(fresh)).added_columns == ()


async def test_a_migration_that_fails_leaves_nothing(
    fresh: TenantDatabase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise LookupError("after the tables were made")

    prepared(tmp_path / "fresh.db", "CREATE TABLE loan (loan_id TEXT)")
    with monkeypatch.context() as patched:
        patched.setattr(MigrationContext, "stamp", fail)
        with pytest.raises(LookupError):
            await migrate(fresh)
    assert set(definitions(tmp_path / "fresh.db", "table", "view", "index")) == {"loan"}
    assert (await migrate(fresh)).before is None


def test_every_key_of_an_output_table_is_text_or_a_number() -> None:
    """What `some_row` above stands on."""
    kinds = {str(frame_type(column)) for table in OUTPUT_TABLES.values() for column in table.primary_key}
    assert kinds == {"String", "Int64"}
