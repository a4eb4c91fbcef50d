"""Whole frames to and from a database: nothing may change on the way, and what others left there must not stop a run."""

import asyncio
import datetime as dt
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.database.bulk import READ_CHUNK_ROWS, existing_columns, frame_type, read_frame
from shared.database.bulk_write import write_frame
from shared.database.tables import AUDIT_TABLES, CONFIG_TABLES, LENDER_TABLES, OUTPUT_TABLES, SQLITE_SCHEMAS
from shared.database.types import Exact, UtcDateTime
from shared.tenancy.connections import TenantConnections
from shared.tenancy.database import TenantDatabase
from shared.tenancy.registry import TenantRegistry

LOAN = LENDER_TABLES["loan"]
GUIDE = OUTPUT_TABLES["pfill_powerfill_guide"]
DECIMALS = [Exact(14, 2), Exact(20, 2), Exact(12, 8), Exact(10, 6), Exact(10, 8), Exact(18, 6)]
EVERYTHING = sa.Table(
    "everything",
    sa.MetaData(),
    sa.Column("number", sa.BigInteger),
    sa.Column("word", sa.Unicode(100)),
    sa.Column("day", sa.Date),
    sa.Column("flag", sa.Boolean),
    sa.Column("moment", UtcDateTime),
    sa.Column("content", sa.LargeBinary),
    *(sa.Column(f"d{kind.precision}_{kind.scale}", kind) for kind in DECIMALS),
)
NAMES = [column.name for column in EVERYTHING.columns]
TYPES = {column.name: frame_type(column) for column in EVERYTHING.columns}


def values_of(name: str) -> st.SearchStrategy[Any]:
    """Everything a column may hold, to the ends of its range."""
    dtype = TYPES[name]
    if isinstance(dtype, pl.Decimal):
        most = 10 ** (dtype.precision or 38) - 1
        edges = [units for units in (most, 10**15, 10**15 - 1) if units <= most]
        units = st.integers(-most, most) | st.integers(-9_999, 9_999) | st.sampled_from([*edges, *(-edge for edge in edges)])
        return units.map(lambda number: Decimal(number).scaleb(-dtype.scale))
    return {
        "number": st.integers(-(2**63), 2**63 - 1),
        "word": st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20),
        "day": st.dates(),
        "flag": st.booleans(),
        "moment": st.datetimes(timezones=st.just(dt.UTC)),
        "content": st.binary(max_size=50),
    }[name]


ROWS = st.lists(st.tuples(*(st.none() | values_of(name) for name in NAMES)), max_size=20)


@pytest.fixture(scope="module")
def there_and_back(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[pl.DataFrame], pl.DataFrame]]:
    """Write a frame into an empty table of a database and read it."""
    folder = tmp_path_factory.mktemp("bulk")
    registry = TenantRegistry(folder / "tenants.yaml")
    registry.add("acme", f"sqlite+aiosqlite:///{folder}/acme.db")

    async def opened() -> tuple[TenantConnections, TenantDatabase]:
        connections = TenantConnections(registry)
        database = await connections.database("acme")
        database.create_missing()
        async with database.begin() as connection:
            await connection.run_sync(EVERYTHING.metadata.create_all)
        return connections, database

    with asyncio.Runner() as runner:
        connections, database = runner.run(opened())

        async def act(frame: pl.DataFrame) -> pl.DataFrame:
            async with database.begin() as connection:
                await connection.execute(sa.delete(EVERYTHING))
                await write_frame(connection, EVERYTHING, frame)
            async with database.connect() as connection:
                return await read_frame(connection, EVERYTHING, frame.columns)

        yield lambda frame: runner.run(act(frame))
        runner.run(connections.aclose())


@settings(max_examples=100, deadline=None)
@given(ROWS)
def test_every_value_survives(there_and_back: Callable[[pl.DataFrame], pl.DataFrame], rows: Sequence[tuple[Any, ...]]) -> None:
    frame = pl.DataFrame(rows, schema=TYPES, orient="row")
    back = there_and_back(frame)
    assert back.schema == frame.schema
    assert back.rows() == frame.rows()


def test_the_frame_types_are_exact() -> None:
    assert TYPES["d20_2"] == pl.Decimal(20, 2)
    assert TYPES["moment"] == pl.Datetime("us", "UTC")


@pytest.fixture
async def guide(acme: TenantDatabase) -> pl.DataFrame:
    """25,000 rows of the allocation guide, more than two chunks of reading."""
    count = 2 * READ_CHUNK_ROWS + 5_000
    return pl.DataFrame(
        {
            "loan_id": [f"L{number:08d}" for number in range(count)],
            "loan_amount": pl.Series([Decimal(number).scaleb(-2) for number in range(count)], dtype=pl.Decimal(14, 2)),
            "value": pl.Series([Decimal(10**17 + number).scaleb(-2) for number in range(count)], dtype=pl.Decimal(20, 2)),
            "locked": [number % 2 == 0 if number % 3 else None for number in range(count)],
        }
    )


async def test_chunks_and_constants(acme: TenantDatabase, guide: pl.DataFrame) -> None:
    async with acme.begin() as connection:
        for chunk in guide.iter_slices(7_000):
            await write_frame(connection, GUIDE, chunk, {"run_id": "r1"})
        await write_frame(connection, GUIDE, guide.head(10), {"run_id": "r2"})
    async with acme.connect() as connection:
        first = await read_frame(connection, GUIDE, guide.columns, GUIDE.c.run_id == "r1")
        second = await read_frame(connection, GUIDE, ["run_id", "loan_id", "settlement_date"], GUIDE.c.run_id == "r2")
    assert first.sort("loan_id").equals(guide)
    assert second.height == 10
    assert second["run_id"].unique().to_list() == ["r2"]
    assert second["settlement_date"].null_count() == 10


async def test_a_reader_is_told_of_every_chunk_and_may_stop(acme: TenantDatabase, guide: pl.DataFrame) -> None:
    class EnoughError(Exception):
        """The reader has seen enough."""

    def stop(row_count: int) -> None:
        told.append(row_count)
        if row_count > READ_CHUNK_ROWS:
            raise EnoughError

    async with acme.begin() as connection:
        for chunk in guide.iter_slices(7_000):
            await write_frame(connection, GUIDE, chunk, {"run_id": "r1"})
    told: list[int] = []
    async with acme.connect() as connection:
        await read_frame(connection, GUIDE, ["loan_id"], between_chunks=told.append)
        assert told == [READ_CHUNK_ROWS, 2 * READ_CHUNK_ROWS, guide.height]
        told.clear()
        with pytest.raises(EnoughError):
            await read_frame(connection, GUIDE, ["loan_id"], between_chunks=stop)
        assert told == [READ_CHUNK_ROWS, 2 * READ_CHUNK_ROWS]
        assert (await read_frame(connection, GUIDE, ["loan_id"], GUIDE.c.loan_id == "L00000001")).height == 1


async def test_an_empty_table_has_its_types(acme: TenantDatabase) -> None:
    async with acme.connect() as connection:
        frame = await read_frame(connection, LOAN, [column.name for column in LOAN.columns])
    assert frame.schema == {column.name: frame_type(column) for column in LOAN.columns}
    assert frame.is_empty()


async def test_an_empty_frame_writes_nothing(acme: TenantDatabase) -> None:
    async with acme.begin() as connection:
        await write_frame(connection, LOAN, pl.DataFrame(schema={"loan_id": pl.String}))


async def test_outside_tools_see_plain_numbers_and_dates(acme: TenantDatabase, tmp_path: Path) -> None:
    frame = pl.DataFrame(
        {"loan_id": ["L1"], "loan_amount": [Decimal("250000.10")], "close_date": [dt.date(2026, 4, 17)], "high_balance": [True]},
        schema_overrides={"loan_amount": pl.Decimal(14, 2)},
    )
    async with acme.begin() as connection:
        await write_frame(connection, LOAN, frame)
    plain = sqlite3.connect(tmp_path / "acme.db")
    assert plain.execute("SELECT loan_amount, close_date, high_balance FROM loan").fetchall() == [(250000.1, "2026-04-17", 1)]
    assert plain.execute("SELECT count(*) FROM loan WHERE loan_amount BETWEEN 250000.1 AND 250000.1").fetchone() == (1,)
    plain.close()


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("loan_amount", pl.Series([Decimal("1.005")], dtype=pl.Decimal(14, 3))),
        ("loan_amount", pl.Series([10**12])),
        ("loan_amount", pl.Series([1.5])),
        ("term_months", pl.Series([360.0])),
        ("term_months", pl.Series(["x"])),
        ("close_date", pl.Series(["someday"])),
    ],
)
async def test_a_value_its_column_cannot_hold_is_refused_before_writing(
    acme: TenantDatabase, column: str, values: pl.Series
) -> None:
    frame = pl.DataFrame({"loan_id": ["L1"], column: values})

    async def write() -> None:
        async with acme.begin() as connection:
            await write_frame(connection, LOAN, frame)

    with pytest.raises(ValueError, match=f"column {column} takes"):
        await write()
    async with acme.connect() as connection:
        assert (await read_frame(connection, LOAN, ["loan_id"])).is_empty()


async def test_coarser_decimals_and_integers_are_taken(acme: TenantDatabase) -> None:
    frame = pl.DataFrame(
        {"loan_id": ["L1"], "loan_amount": [5], "note_rate": pl.Series([Decimal("6.5")], dtype=pl.Decimal(4, 1))}
    )
    async with acme.begin() as connection:
        await write_frame(connection, LOAN, frame)
    async with acme.connect() as connection:
        back = await read_frame(connection, LOAN, ["loan_amount", "note_rate"])
    assert back.rows() == [(Decimal("5.00"), Decimal("6.500000"))]


async def test_a_duplicate_key_is_an_integrity_error(acme: TenantDatabase) -> None:
    async def write() -> None:
        async with acme.begin() as connection:
            await write_frame(connection, LOAN, pl.DataFrame({"loan_id": ["L1", "L2", "L1"]}))

    with pytest.raises(sa.exc.IntegrityError):
        await write()
    async with acme.connect() as connection:
        assert (await read_frame(connection, LOAN, ["loan_id"])).is_empty()


async def lender(connections: TenantConnections, registry: TenantRegistry, path: Path, *statements: str) -> TenantDatabase:
    """A tenant whose loan table somebody else made and filled."""
    plain = sqlite3.connect(path)
    for statement in statements:
        plain.execute(statement)
    plain.commit()
    plain.close()
    registry.add("lender", f"sqlite+aiosqlite:///{path}")
    return await connections.database("lender")


@pytest.mark.parametrize(
    ("declared", "stored", "column", "read"),
    [
        ("REAL", "2.675", "loan_amount", [Decimal("2.68")]),
        ("REAL", "-2.675", "loan_amount", [Decimal("-2.68")]),
        ("INTEGER", "5", "loan_amount", [Decimal("5.00")]),
        ("TEXT", "'250000.10'", "loan_amount", [Decimal("250000.10")]),
        ("TEXT", "'n/a'", "loan_amount", ["n/a"]),
        ("REAL", "9e999", "loan_amount", ["inf"]),
        ("REAL", "1000000000000.0", "loan_amount", ["1000000000000.0"]),
        ("TEXT", "'nan'", "note_rate", ["nan"]),
        ("REAL", "360.0", "term_months", ["360.0"]),
        ("TEXT", "'2026-04-17 00:00:00'", "close_date", [dt.date(2026, 4, 17)]),
        ("TEXT", "'17 April'", "close_date", ["17 April"]),
        ("INTEGER", "20260417", "close_date", ["20260417"]),
        ("TEXT", "'true'", "high_balance", ["true"]),
        ("INTEGER", "2", "high_balance", ["2"]),
        ("INTEGER", "1", "high_balance", [True]),
        ("INTEGER", "12", "state", ["12"]),
        ("TEXT", "NULL", "loan_amount", [None]),
    ],
)
async def test_what_others_stored(
    connections: TenantConnections,
    registry: TenantRegistry,
    tmp_path: Path,
    declared: str,
    stored: str,
    column: str,
    read: list[Any],
) -> None:
    """A value that is not of its column's type comes as text, so that the run can count it."""
    database = await lender(
        connections, registry, tmp_path / "lender.db",
        f"CREATE TABLE loan (loan_id TEXT, {column} {declared})", f"INSERT INTO loan VALUES ('L1', {stored})",  # noqa: S608
    )  # fmt: skip
    async with database.connect() as connection:
        frame = await read_frame(connection, LOAN, [column])
    assert frame[column].to_list() == read


async def test_one_bad_value_in_a_late_chunk_makes_the_column_text(
    connections: TenantConnections, registry: TenantRegistry, tmp_path: Path
) -> None:
    count = 10_005
    assert count > READ_CHUNK_ROWS
    database = await lender(
        connections, registry, tmp_path / "lender.db", "CREATE TABLE loan (loan_id INTEGER PRIMARY KEY, loan_amount)",
        "INSERT INTO loan WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 10005) SELECT i, i + 0.5 FROM n",
        "UPDATE loan SET loan_amount = 'lots' WHERE loan_id = 10005",
    )  # fmt: skip
    async with database.connect() as connection:
        frame = await read_frame(connection, LOAN, ["loan_amount", "loan_id"])
    by_id = dict(zip(frame["loan_id"].to_list(), frame["loan_amount"].to_list(), strict=True))
    assert frame.height == count
    assert (by_id["1"], by_id[str(count)]) == ("1.50", "lots")


async def test_existing_columns(connections: TenantConnections, registry: TenantRegistry, tmp_path: Path) -> None:
    database = await lender(
        connections,
        registry,
        tmp_path / "lender.db",
        "CREATE TABLE Loan (Loan_ID TEXT, extra)",
        "CREATE VIEW rmcat_loan AS SELECT 1 AS loan_id",
    )
    async with database.connect() as connection:
        assert await existing_columns(connection, LOAN) == {"loan_id", "extra"}
        assert await existing_columns(connection, LENDER_TABLES["rmcat_loan"]) == {"loan_id"}
        assert await existing_columns(connection, LENDER_TABLES["loan_shipped"]) == set()
        assert await existing_columns(connection, CONFIG_TABLES["pfill_limits"]) == set()
        assert (await read_frame(connection, LOAN, ["loan_id"])).is_empty()


async def test_existing_columns_of_powerfills_own_tables(acme: TenantDatabase) -> None:
    async with acme.connect() as connection:
        for table in (*CONFIG_TABLES.values(), *OUTPUT_TABLES.values(), *AUDIT_TABLES.values()):
            assert await existing_columns(connection, table) == {column.name for column in table.columns}
    assert SQLITE_SCHEMAS == {"powerfill": None}
