"""Parquet: types, exact values, row groups, and the same bytes for the same rows."""

import datetime as dt
import io
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import polars as pl
import pyarrow as pa
import pytest
from pyarrow import parquet

from services.report_service.export.parquet import ROW_GROUP_ROWS, ParquetEncoder
from tests.unit.report_service.export.rows import COLUMNS, ROWS, chunk_of, text_columns, whole

SMALL = text_columns("loan_id")


def loans(number: int, first: int = 0) -> dict[str, Sequence[Any]]:
    return {"loan_id": [f"L{loan:06d}" for loan in range(first, first + number)]}


def test_every_type_of_column() -> None:
    data = whole(ParquetEncoder(COLUMNS), chunk_of(ROWS))
    table = parquet.read_table(io.BytesIO(data))
    rank = [
        ("rank", pa.int64()), ("syn_trade_id", pa.string()), ("settlement_date", pa.date32()), ("score", pa.decimal128(12, 8)),
    ]  # fmt: skip
    assert {field.name: field.type for field in table.schema} == {
        "loan_id": pa.string(), "amount": pa.decimal128(20, 2), "price": pa.decimal128(12, 8), "settlement_date": pa.date32(),
        "loan_count": pa.int64(), "locked": pa.bool_(), "submitted_at": pa.timestamp("us", "UTC"),
        "duration": pa.decimal128(18, 6), "examples": pa.list_(pa.field("element", pa.string())),
        "ranks": pa.list_(pa.field("element", pa.struct(rank))),
    }  # fmt: skip
    first, second, third = table.to_pylist()
    assert first == {
        "loan_id": "L1", "amount": Decimal("-250000.00"), "price": Decimal("100.71147260"),
        "settlement_date": dt.date(2026, 5, 14), "loan_count": 0, "locked": True,
        "submitted_at": dt.datetime(2026, 4, 17, 12, 30, 15, 250_000, dt.UTC), "duration": Decimal("61.500000"),
        "examples": ["A", 'B "b"'],
        "ranks": [
            {"rank": 1, "syn_trade_id": "SYN-A", "settlement_date": dt.date(2026, 5, 14), "score": Decimal("101.00000001")},
            {"rank": 2, "syn_trade_id": "SYN-B", "settlement_date": dt.date(2026, 6, 11), "score": None},
        ],
    }  # fmt: skip
    assert (second["amount"], second["loan_count"], second["locked"]) == (Decimal("999999999999999999.99"), 10**15, False)
    assert third == {**dict.fromkeys(COLUMNS), "examples": [], "ranks": []}


def test_polars_reads_the_same() -> None:
    data = whole(ParquetEncoder(COLUMNS), chunk_of(ROWS))
    frame = pl.read_parquet(data)
    assert frame.to_dicts() == parquet.read_table(io.BytesIO(data)).to_pylist()
    assert frame.schema["amount"] == pl.Decimal(20, 2)
    assert frame.schema["ranks"] == pl.List(
        pl.Struct({"rank": pl.Int64(), "syn_trade_id": pl.String(), "settlement_date": pl.Date(), "score": pl.Decimal(12, 8)})
    )


def test_no_rows_keep_their_columns_and_types() -> None:
    data = whole(ParquetEncoder(COLUMNS), chunk_of(()))
    read = parquet.ParquetFile(io.BytesIO(data))
    assert (read.metadata.num_rows, read.schema_arrow.names) == (0, list(COLUMNS))
    assert pl.read_parquet(data).schema["price"] == pl.Decimal(12, 8)


@pytest.mark.parametrize("chunk_rows", [300, 5000, 7000, ROW_GROUP_ROWS, 26_000])
def test_the_same_rows_in_any_chunks_give_the_same_bytes(chunk_rows: int) -> None:
    chunks = [loans(min(chunk_rows, 26_000 - first), first) for first in range(0, 26_000, chunk_rows)]
    data = whole(ParquetEncoder(SMALL), *chunks)
    assert data == whole(ParquetEncoder(SMALL), loans(26_000))
    metadata = parquet.ParquetFile(io.BytesIO(data)).metadata
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    assert [group.num_rows for group in groups] == [10_000, 10_000, 6000]
    assert {group.column(0).compression for group in groups} == {"ZSTD"}
    assert pl.read_parquet(data)["loan_id"].to_list() == loans(26_000)["loan_id"]


def test_a_row_group_comes_out_as_soon_as_it_is_full() -> None:
    encoder = ParquetEncoder(SMALL)
    encoder.add(loans(ROW_GROUP_ROWS - 1))
    magic = encoder.read(1024)
    encoder.add(loans(1, ROW_GROUP_ROWS - 1))
    assert (magic, len(encoder.read(1024))) == (b"PAR1", 1024)
    encoder.close()
