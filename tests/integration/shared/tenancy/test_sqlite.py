"""What is particular to tenants on SQLite: files that are missing, locked away, no database at all, or oddly named."""

import asyncio
import itertools
import sqlite3
import statistics
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import sqlalchemy as sa

from shared.database.bulk import read_frame
from shared.database.check import look_over
from shared.database.load import load
from shared.database.migrate import migrate
from shared.database.tables import LENDER_TABLES
from shared.errors import Category, PowerFillError, Reason
from shared.tenancy.connections import TenantConnections
from shared.tenancy.database import TenantDatabase
from shared.tenancy.registry import TenantRegistry


def files_with_content(folder: Path) -> set[str]:
    """The databases in a folder."""
    return {path.name for path in folder.glob("*.db") if path.stat().st_size > 0}


@pytest.fixture
async def missing(registry: TenantRegistry, connections: TenantConnections, tmp_path: Path) -> TenantDatabase:
    """A tenant whose file is not there."""
    registry.add("ghost", f"sqlite+aiosqlite:///{tmp_path / 'ghost.db'}")
    return await connections.database("ghost")


async def _write(database: TenantDatabase) -> None:
    async with database.begin() as connection:
        await connection.execute(sa.text("CREATE TABLE a (b INTEGER)"))


@pytest.mark.parametrize("act", [_write, look_over])
async def test_a_missing_file_is_an_error_and_is_not_created(
    missing: TenantDatabase, tmp_path: Path, act: Callable[[TenantDatabase], Awaitable[object]]
) -> None:
    with pytest.raises(PowerFillError) as caught:
        await act(missing)
    assert (caught.value.category, caught.value.reason) == (Category.UNAVAILABLE, Reason.TENANT_UNAVAILABLE)
    assert "ghost.db does not exist; `powerfill tenants migrate ghost` creates it" in caught.value.message
    assert str(tmp_path) not in caught.value.message
    assert not (tmp_path / "ghost.db").exists()


async def test_a_missing_file_is_not_created_by_a_load(missing: TenantDatabase, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "loan_shipped.csv").write_text("loan_id,shipped_date,investor\n")
    with pytest.raises(PowerFillError, match="does not exist"):
        await load(missing, tmp_path / "in", "tester")
    assert not (tmp_path / "ghost.db").exists()


async def test_migrating_creates_a_missing_file(missing: TenantDatabase, tmp_path: Path) -> None:
    await migrate(missing)
    assert (await look_over(missing)).errors == []
    with sqlite3.connect(tmp_path / "ghost.db") as plain:
        assert plain.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    plain.close()


async def test_migrating_does_not_create_folders(
    registry: TenantRegistry, connections: TenantConnections, tmp_path: Path
) -> None:
    registry.add("lost", f"sqlite+aiosqlite:///{tmp_path / 'nowhere' / 'lost.db'}")
    with pytest.raises(PowerFillError, match="nowhere does not exist"):
        await migrate(await connections.database("lost"))
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize(
    ("in_url", "name"),
    [
        ("a b.db", "a b.db"),
        ("a%20b.db", "a b.db"),
        ("a%3Fmode=memory.db", "a?mode=memory.db"),
        ("a#b.db", "a#b.db"),
        ("a'b.db", "a'b.db"),
        ("ä.db", "ä.db"),
    ],
)
async def test_odd_file_names(
    connections: TenantConnections, registry: TenantRegistry, tmp_path: Path, in_url: str, name: str
) -> None:
    registry.add("odd", f"sqlite+aiosqlite:///{tmp_path / in_url}")
    await migrate(await connections.database("odd"))
    await connections.aclose()
    assert files_with_content(tmp_path) == {name}


async def test_a_file_that_is_no_database(connections: TenantConnections, registry: TenantRegistry, tmp_path: Path) -> None:
    (tmp_path / "text.db").write_text("this is no database" * 100)
    registry.add("text", f"sqlite+aiosqlite:///{tmp_path / 'text.db'}")
    database = await connections.database("text")
    for act in (_write, look_over, migrate):
        with pytest.raises(PowerFillError, match="its file is no SQLite database") as caught:
            await act(database)
        assert caught.value.category is Category.UNAVAILABLE


async def test_a_busy_writer_keeps_nobody_out_who_waits_for_the_lock(acme: TenantDatabase, registry: TenantRegistry) -> None:
    """Like a worker that writes outputs, beside the server that records a heartbeat."""
    touch = sa.text("INSERT INTO loan_shipped (loan_id) VALUES (:loan_id)")

    async def write_all_the_time() -> None:
        for number in itertools.count():
            async with acme.begin() as connection:
                await connection.execute(touch, {"loan_id": f"W{number}"})
                await asyncio.sleep(0.25)
            await asyncio.sleep(0.012)

    async with TenantConnections(registry) as others:
        other = await others.database("acme")
        busy = asyncio.create_task(write_all_the_time())
        waits = []
        for number in range(6):
            await asyncio.sleep(0.05)
            began_s = time.monotonic()
            async with other.begin() as connection:
                waits.append(time.monotonic() - began_s)
                await connection.execute(touch, {"loan_id": f"H{number}"})
        busy.cancel()
        await asyncio.wait([busy])
    assert statistics.median(waits) < 0.4


async def test_text_that_is_not_utf8_is_told_by_its_column(acme: TenantDatabase) -> None:
    # another program may store bytes as text; SQLite does not mind until somebody reads them
    async with acme.begin() as connection:
        await connection.exec_driver_sql("INSERT INTO loan_shipped (loan_id, investor) VALUES ('L1', CAST(X'46FF' AS TEXT))")
    with pytest.raises(PowerFillError) as caught:
        async with acme.connect() as connection:
            await read_frame(connection, LENDER_TABLES["loan_shipped"], ["loan_id", "investor"])
    assert (caught.value.category, caught.value.metadata["object"]) == (Category.FAILED_PRECONDITION, "investor")
    assert "not UTF-8" in caught.value.message
