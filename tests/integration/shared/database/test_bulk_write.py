"""Whole frames into tables: many rows a statement, and none more or less than given."""

import tracemalloc
from collections.abc import Callable
from decimal import Decimal

import polars as pl
import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import mssql, postgresql, sqlite

from shared.database.bulk import read_frame
from shared.database.bulk_write import MOST_VARIABLES, driver_rows, insert_rows, write_frame
from shared.database.tables import OUTPUT_TABLES
from shared.tenancy.database import TenantDatabase

RANKS = OUTPUT_TABLES["pfill_syn_powerfill_guide_all_rank"]
AT_ONCE = (MOST_VARIABLES - 1) // 4
"""Rows a statement of a frame with four columns, one more column being constant."""


def ranks(count: int) -> pl.DataFrame:
    """So many rows in the order of the key: prices that a float holds, every third without a score."""
    numbers = range(count)
    return pl.DataFrame(
        {
            "loan_id": [f"L{number:06d}" for number in numbers],
            "rank": [number % 7 for number in numbers],
            "price": pl.Series([Decimal(10**10 + number).scaleb(-8) for number in numbers], dtype=pl.Decimal(12, 8)),
            "score": pl.Series(
                [None if number % 3 == 0 else Decimal(-number).scaleb(-8) for number in numbers], dtype=pl.Decimal(12, 8)
            ),
        }
    )


@pytest.mark.parametrize("count", [0, 1, AT_ONCE - 1, AT_ONCE, AT_ONCE + 1, 3 * AT_ONCE, 3 * AT_ONCE + 2])
async def test_every_row_once_whatever_their_number(acme: TenantDatabase, count: int) -> None:
    frame = ranks(count)
    async with acme.begin() as connection:
        await write_frame(connection, RANKS, frame, {"run_id": "r1"})
    async with acme.connect() as connection:
        back = await read_frame(connection, RANKS, ["run_id", *frame.columns])
    assert back.select(frame.columns).sort("loan_id").equals(frame)
    assert back["run_id"].unique().to_list() == (["r1"] if count else [])


async def test_columns_go_to_their_names_in_any_order(acme: TenantDatabase) -> None:
    frame = ranks(AT_ONCE + 5)
    constants = {"syn_trade_id": "SYN", "run_id": "r1", "carry": Decimal("0.5")}
    async with acme.begin() as connection:
        await write_frame(connection, RANKS, frame.select("score", "rank", "price", "loan_id"), constants)
    async with acme.connect() as connection:
        back = await read_frame(connection, RANKS, [*frame.columns, "carry"], RANKS.c.syn_trade_id == "SYN")
    assert back.select(frame.columns).sort("loan_id").equals(frame)
    assert set(back["carry"]) == {Decimal("0.50000000")}


async def test_a_duplicate_key_in_any_statement_undoes_the_transaction(acme: TenantDatabase) -> None:
    async def write(frame: pl.DataFrame) -> None:
        async with acme.begin() as connection:
            await write_frame(connection, RANKS, frame, {"run_id": "r1"})

    frame = ranks(2 * AT_ONCE + 3)
    for twice in (0, AT_ONCE, frame.height - 1):
        with pytest.raises(sa.exc.IntegrityError):
            await write(pl.concat([frame, frame.slice(twice, 1)]))
    async with acme.connect() as connection:
        assert (await read_frame(connection, RANKS, ["loan_id"])).is_empty()


async def test_rows_are_made_ready_without_a_connection(acme: TenantDatabase) -> None:
    rows = driver_rows(await acme.dialect(), RANKS, ranks(AT_ONCE + 1), {"run_id": "r1"})
    assert [count for count, _ in rows.batches] == [AT_ONCE, 1]
    async with acme.begin() as connection:
        await insert_rows(connection, RANKS, rows)
    async with acme.connect() as connection:
        assert (await read_frame(connection, RANKS, ["loan_id"])).height == AT_ONCE + 1


@pytest.mark.parametrize("make", [sqlite.dialect, postgresql.dialect, mssql.dialect])
def test_no_statement_binds_more_than_any_sqlite_takes_and_others_take_a_row_each(make: Callable[[], sa.Dialect]) -> None:
    dialect = make()
    for name, table in OUTPUT_TABLES.items():
        columns = [column.name for column in table.columns if column.name != "run_id"]
        frame = pl.DataFrame({column: pl.Series([None] * 2000, dtype=pl.Null) for column in columns})
        rows = driver_rows(dialect, table, frame, {"run_id": "r1"})
        bound = [len(values) for _, repetitions in rows.batches for values in repetitions]
        assert max(bound) <= MOST_VARIABLES, name
        assert sum(len(repetitions) * count for count, repetitions in rows.batches) == frame.height
        if dialect.name != "sqlite":
            assert {count for count, _ in rows.batches} == {1}


async def test_chunks_bound_the_memory_of_a_write(acme: TenantDatabase) -> None:
    chunk = 2_000
    frame = ranks(20 * chunk)
    dialect = await acme.dialect()
    tracemalloc.start()
    driver_rows(dialect, RANKS, frame.head(chunk), {"run_id": "r1"})
    one = tracemalloc.get_traced_memory()[1]
    tracemalloc.reset_peak()
    async with acme.begin() as connection:
        for part in frame.iter_slices(chunk):
            await insert_rows(connection, RANKS, driver_rows(dialect, RANKS, part, {"run_id": "r1"}))
    whole = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert whole < 3 * one
