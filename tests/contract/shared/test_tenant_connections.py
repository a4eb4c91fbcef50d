"""What TenantConnections promises, on every kind of database."""

import asyncio
import logging
import time
import traceback
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import sqlalchemy as sa

from shared.database.migrate import migrate
from shared.database.tables import AUDIT_TABLES, SCHEMA_REVISION
from shared.errors import Category, PowerFillError, Reason
from shared.tenancy.connections import TenantConnections
from shared.tenancy.database import ReadOnlyTenantDatabase, TenantDatabase
from shared.tenancy.registry import TenantRegistry
from tests.contract.shared.places import PLACES, Place

ITEMS = sa.Table("contract_items", sa.MetaData(), sa.Column("item_id", sa.Integer, primary_key=True, autoincrement=False))
SECRET = "h7ks-9Qz"

Opener = Callable[..., TenantConnections]


@pytest.fixture(params=PLACES)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    return PLACES[request.param](tmp_path)


@pytest.fixture
async def opened(registry: TenantRegistry) -> AsyncIterator[Opener]:
    """Connections with other limits than the usual; closed at the end."""
    every: list[TenantConnections] = []

    def open_with(**limits: float) -> TenantConnections:
        every.append(TenantConnections(registry, **{"lock_timeout_s": 0.2, **limits}))  # type: ignore[arg-type]
        return every[-1]

    yield open_with
    for one in every:
        await one.aclose()


@pytest.fixture
async def database(registry: TenantRegistry, opened: Opener, place: Place) -> TenantDatabase:
    """Tenant acme with a table of items."""
    return await with_items(opened(), registry, place, "acme")


async def with_items(connections: TenantConnections, registry: TenantRegistry, place: Place, name: str) -> TenantDatabase:
    registry.add(name, place.url(name))
    database = await connections.database(name)
    async with database.begin() as connection:
        await connection.run_sync(ITEMS.metadata.create_all)
    return database


async def put(database: TenantDatabase, item_id: int) -> None:
    async with database.begin() as connection:
        await connection.execute(sa.insert(ITEMS).values(item_id=item_id))


async def items(database: TenantDatabase | ReadOnlyTenantDatabase) -> list[int]:
    async with database.connect() as connection:
        return list((await connection.scalars(sa.select(ITEMS.c.item_id).order_by(ITEMS.c.item_id))).all())


async def test_an_unknown_tenant(opened: Opener) -> None:
    connections = opened()
    for get in (connections.database, connections.read_only):
        with pytest.raises(PowerFillError) as caught:
            await get("acme")
        assert (caught.value.category, caught.value.reason) == (Category.NOT_FOUND, Reason.TENANT_UNKNOWN)


async def test_a_transaction_counts_when_it_ends_well(database: TenantDatabase) -> None:
    await put(database, 1)
    assert await items(database) == [1]


async def test_a_transaction_that_raises_leaves_nothing(database: TenantDatabase) -> None:
    async def fail() -> None:
        async with database.begin() as connection:
            await connection.execute(sa.insert(ITEMS).values(item_id=1))
            raise LookupError("no")

    with pytest.raises(LookupError, match="no"):
        await fail()
    assert await items(database) == []


async def test_a_cancelled_transaction_leaves_nothing(database: TenantDatabase) -> None:
    inside = asyncio.Event()

    async def linger() -> None:
        async with database.begin() as connection:
            await connection.execute(sa.insert(ITEMS).values(item_id=1))
            inside.set()
            await asyncio.sleep(30)

    task = asyncio.create_task(linger())
    await inside.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await items(database) == []
    await put(database, 2)


async def test_ddl_is_part_of_the_transaction(database: TenantDatabase) -> None:
    async def fail() -> None:
        async with database.begin() as connection:
            await connection.execute(sa.text("CREATE TABLE contract_other (a INTEGER)"))
            raise LookupError

    with pytest.raises(LookupError):
        await fail()
    async with database.connect() as connection:
        assert not await connection.run_sync(lambda sync: sa.inspect(sync).has_table("contract_other"))


async def test_writers_come_one_after_the_other(database: TenantDatabase, opened: Opener) -> None:
    patient = await opened(lock_timeout_s=20).database("acme")
    await asyncio.gather(*(put(patient, number) for number in range(20)))
    assert await items(database) == list(range(20))


async def test_a_reader_sees_one_moment(database: TenantDatabase) -> None:
    await put(database, 1)
    async with database.connect() as connection:
        count = sa.select(sa.func.count()).select_from(ITEMS)
        assert await connection.scalar(count) == 1
        await put(database, 2)
        assert await connection.scalar(count) == 1
    assert await items(database) == [1, 2]


async def test_a_duplicate_key_stays_sqlalchemys_error(database: TenantDatabase) -> None:
    await put(database, 1)
    with pytest.raises(sa.exc.IntegrityError):
        await put(database, 1)


async def test_a_read_only_database_has_no_way_to_write(database: TenantDatabase, opened: Opener) -> None:
    reading = await opened().read_only("acme")
    assert not hasattr(reading, "begin")
    assert not hasattr(reading, "create_missing")


@pytest.mark.parametrize(
    "statement", ["INSERT INTO contract_items VALUES (7)", "DELETE FROM contract_items", "DROP TABLE contract_items"]
)
async def test_the_database_itself_refuses_a_reader_that_writes(database: TenantDatabase, opened: Opener, statement: str) -> None:
    await put(database, 1)

    async def write(through: TenantDatabase | ReadOnlyTenantDatabase) -> None:
        async with through.connect() as connection:
            await connection.execute(sa.text(statement))
            await connection.commit()

    for reading in (database, await opened().read_only("acme")):
        with pytest.raises(PowerFillError) as caught:
            await write(reading)
        assert (caught.value.category, caught.value.reason) == (Category.PERMISSION_DENIED, Reason.DATABASE_PERMISSION)
        assert statement.startswith("DROP") or "contract_items" in caught.value.message
    assert await items(database) == [1]


async def test_a_locked_database_is_unavailable(database: TenantDatabase, place: Place) -> None:
    begin_s = time.monotonic()
    with place.locked("acme"), pytest.raises(PowerFillError) as caught:
        await put(database, 1)
    assert time.monotonic() - begin_s < 5
    assert (caught.value.category, caught.value.reason) == (Category.UNAVAILABLE, Reason.TENANT_UNAVAILABLE)
    assert caught.value.retry_after_s
    assert caught.value.metadata["tenant_id"] == "acme"
    await put(database, 2)


async def test_a_locked_database_is_readable(database: TenantDatabase, place: Place) -> None:
    await put(database, 1)
    with place.locked("acme"):
        assert await items(database) == [1]


async def test_a_statement_that_takes_too_long_is_stopped(database: TenantDatabase, opened: Opener, place: Place) -> None:
    hurried = await opened(statement_timeout_s=0.2).read_only("acme")
    begin_s = time.monotonic()
    with pytest.raises(PowerFillError) as caught:
        async with hurried.connect() as connection:
            await connection.execute(sa.text(place.endless_statement))
    assert time.monotonic() - begin_s < 5
    assert caught.value.category is Category.UNAVAILABLE
    assert await items(hurried) == []


async def test_missing_powerfill_tables_name_the_revisions(database: TenantDatabase) -> None:
    with pytest.raises(PowerFillError) as caught:
        async with database.connect() as connection:
            await connection.execute(sa.select(AUDIT_TABLES["pfill_run_history"]))
    assert (caught.value.category, caught.value.reason) == (Category.FAILED_PRECONDITION, Reason.SCHEMA_VERSION)
    assert caught.value.metadata == {"tenant_id": "acme", "found": "", "expected": SCHEMA_REVISION}
    assert "powerfill tenants migrate acme" in caught.value.message


async def test_a_missing_table_of_the_lender_is_named(database: TenantDatabase) -> None:
    await migrate(database)
    with pytest.raises(PowerFillError) as caught:
        async with database.connect() as connection:
            await connection.execute(sa.text("SELECT * FROM loan"))
    assert caught.value.reason is Reason.PREFLIGHT_FAILED
    assert caught.value.preconditions[0].subject == "loan"


async def test_the_programs_own_errors_are_not_dressed_up(database: TenantDatabase) -> None:
    with pytest.raises(sa.exc.DBAPIError):
        async with database.connect() as connection:
            await connection.execute(sa.text("SELEKT 1"))


async def test_a_changed_url_counts_from_the_next_transaction(registry: TenantRegistry, opened: Opener, place: Place) -> None:
    connections = opened()
    database = await with_items(connections, registry, place, "old")
    other = await with_items(connections, registry, place, "new")
    async with database.begin() as connection:
        await connection.execute(sa.insert(ITEMS).values(item_id=1))
        registry.remove("old")
        registry.add("old", place.url("new"))
        await put(database, 2)
        await connection.execute(sa.insert(ITEMS).values(item_id=3))
    assert await items(database) == [2] == await items(other)
    registry.remove("old")
    registry.add("old", place.url("old"))
    assert await items(database) == [1, 3]


async def test_a_tenant_that_was_removed_is_gone_at_once(registry: TenantRegistry, database: TenantDatabase) -> None:
    registry.remove("acme")
    with pytest.raises(PowerFillError) as caught:
        await items(database)
    assert caught.value.reason is Reason.TENANT_UNKNOWN


async def test_no_more_engines_than_allowed(registry: TenantRegistry, opened: Opener, place: Place) -> None:
    connections = opened(max_open=2)
    databases = [await with_items(connections, registry, place, f"t{number}") for number in range(5)]
    for number, database in enumerate([*databases, *databases]):
        await put(database, number)
        assert connections.open_count <= 2
    assert [len(await items(database)) for database in databases] == [2] * 5


async def test_an_engine_in_use_is_not_closed_for_another(registry: TenantRegistry, opened: Opener, place: Place) -> None:
    connections = opened(max_open=1)
    first, second = [await with_items(connections, registry, place, name) for name in ("first", "second")]
    async with first.begin() as connection:
        with pytest.raises(PowerFillError) as caught:
            await put(second, 1)
        await connection.execute(sa.insert(ITEMS).values(item_id=1))
    assert caught.value.category is Category.UNAVAILABLE
    await put(second, 2)
    assert await items(first) == [1]


async def test_one_who_waits_for_an_engine_gets_the_next_free_one(registry: TenantRegistry, opened: Opener, place: Place) -> None:
    connections = opened(max_open=1, lock_timeout_s=20)
    first, second = [await with_items(connections, registry, place, name) for name in ("first", "second")]
    async with first.begin():
        waiting = asyncio.create_task(put(second, 1))
        await asyncio.sleep(0.05)
        assert not waiting.done()
    await waiting
    assert await items(second) == [1]


async def test_an_idle_engine_is_closed_and_opened_again(registry: TenantRegistry, opened: Opener, place: Place) -> None:
    connections = opened(idle_s=0.1)
    database = await with_items(connections, registry, place, "acme")
    assert connections.open_count == 1
    for _ in range(250):
        if connections.open_count:
            await asyncio.sleep(0.02)
    assert connections.open_count == 0
    await put(database, 1)
    assert await items(database) == [1]


async def test_an_engine_in_use_is_not_idle(registry: TenantRegistry, opened: Opener, place: Place) -> None:
    connections = opened(idle_s=0.05)
    database = await with_items(connections, registry, place, "acme")
    async with database.begin() as connection:
        await asyncio.sleep(0.3)
        await connection.execute(sa.insert(ITEMS).values(item_id=1))
    assert await items(database) == [1]


async def test_nothing_works_after_closing(opened: Opener, registry: TenantRegistry, place: Place) -> None:
    connections = opened()
    database = await with_items(connections, registry, place, "acme")
    await connections.aclose()
    assert connections.open_count == 0
    with pytest.raises(PowerFillError) as caught:
        await items(database)
    assert (caught.value.category, caught.value.reason) == (Category.UNAVAILABLE, Reason.SHUTTING_DOWN)


async def test_a_tenant_reads_and_writes_its_own_database_alone(registry: TenantRegistry, opened: Opener, place: Place) -> None:
    connections = opened()
    acme, birch = [await with_items(connections, registry, place, name) for name in ("acme", "birch")]
    await asyncio.gather(put(acme, 1), put(birch, 2))
    assert (await items(acme), await items(birch)) == ([1], [2])


async def test_a_secret_is_shown_by_nothing(registry: TenantRegistry, opened: Opener, caplog: pytest.LogCaptureFixture) -> None:
    """A URL whose database is not built in, one that is broken, and one that cannot be resolved."""
    caplog.set_level(logging.DEBUG)
    registry.path.write_text(
        "tenants:\n"
        f"  far:\n    url: postgresql+asyncpg://desk:{SECRET}@127.0.0.1:1/acme?password={SECRET}\n"
        f"  broken:\n    url: postgresql+asyncpg://desk:{SECRET}@h:{SECRET}/acme\n"
        f"  unknown:\n    url: oracle://desk:{SECRET}@h/acme\n"
        f"  unset:\n    url: postgresql+asyncpg://desk:{SECRET}${{NOT_SET_HERE}}@h/acme\n"
    )
    connections = opened()
    shown = [repr(connections), repr(registry)]
    for tenant in registry.all():
        database = await connections.database(tenant.tenant_id)
        with pytest.raises(PowerFillError) as caught:
            await items(database)
        shown += [repr(tenant), tenant.url.describe(), repr(database), repr(await connections.read_only(tenant.tenant_id))]
        shown += traceback.format_exception(caught.value)
        shown += [repr(caught.value), str(caught.value.metadata), str(caught.value.fields)]
    assert SECRET not in "\n".join([*shown, caplog.text])
