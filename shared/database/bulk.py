"""Whole tables as polars frames, without an object a row; `shared.database.bulk_write` is the way back.

A frame's columns have the types of the table's columns: decimals are exact `pl.Decimal` on both sides. On SQLite a decimal is
a float wherever a float restores it, and its digits otherwise (see `shared.database.types` and docs/adr/0003).
"""

import contextlib
import datetime as dt
from collections.abc import Callable, Sequence
from typing import Any

import polars as pl
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.database.revision import column_names
from shared.database.types import Exact, UtcDateTime
from shared.money import to_decimal

READ_CHUNK_ROWS = 10_000

MOMENT_FORMAT = "%Y-%m-%d %H:%M:%S%.6f"
UTC_MOMENT = pl.Datetime("us", "UTC")


def frame_type(column: sa.Column[Any]) -> pl.DataType:
    """The polars type of a column's values in a frame."""
    kind = column.type
    if isinstance(kind, Exact):
        return pl.Decimal(kind.precision, kind.scale)
    if isinstance(kind, UtcDateTime):
        return UTC_MOMENT
    for sql_type, dtype in (
        (sa.Boolean, pl.Boolean()),
        (sa.Integer, pl.Int64()),
        (sa.Date, pl.Date()),
        (sa.LargeBinary, pl.Binary()),
    ):
        if isinstance(kind, sql_type):
            return dtype
    return pl.String()


async def existing_columns(connection: AsyncConnection, table: sa.Table) -> set[str]:
    """The columns the table has on this database, in lower case but on PostgreSQL; empty if there is no such table."""
    return await connection.run_sync(column_names, table)


async def read_frame(
    connection: AsyncConnection,
    table: sa.Table,
    columns: Sequence[str],
    where: sa.ColumnElement[bool] | None = None,
    between_chunks: Callable[[int], None] = lambda row_count: None,
) -> pl.DataFrame:
    """The table's rows (those that fulfil `where`) with the columns named, which must exist; in no particular order.

    Every column has its `frame_type`. One that holds something which is not of that type (only a table PowerFill did not
    create can) comes as text, for the caller to judge value by value. Decimals round half away from zero to their scale.
    `between_chunks` gets the rows read so far every READ_CHUNK_ROWS rows and may raise to stop.
    """
    chosen = [table.c[name] for name in columns]
    statement = sa.select(*(sa.type_coerce(column, _Raw()).label(column.name) for column in chosen))
    if where is not None:
        statement = statement.where(where)
    parts: list[list[pl.Series]] = [[] for _ in chosen]
    row_count = 0
    result = await connection.stream(statement)
    async for rows in result.partitions(READ_CHUNK_ROWS):
        for part, column, values in zip(parts, chosen, zip(*rows, strict=True), strict=True):
            part.append(_series(column, values))
        row_count += len(rows)
        between_chunks(row_count)
    return pl.DataFrame([_joined(column, part) for column, part in zip(chosen, parts, strict=True)])


class _Raw(sa.types.TypeEngine[Any]):
    """Values as the driver gives them."""


def _series(column: sa.Column[Any], values: Sequence[Any]) -> pl.Series:
    """A chunk of a column as the driver gave it, in the column's type if every value fits it and as text otherwise."""
    dtype = frame_type(column)
    raw = _raw(column.name, values, dtype)
    typed = _typed(raw, dtype)
    return typed if typed.null_count() == raw.null_count() else raw.cast(pl.String)


def _raw(name: str, values: Sequence[Any], dtype: pl.DataType) -> pl.Series:
    """The values as a series: of the type they are stored in, as decimals where floats do not hold them, else as text."""
    is_time = dtype in (pl.Date, UTC_MOMENT)  # as text, or as dates of the driver; polars would take an integer for days
    physical: pl.DataType = pl.Float64() if isinstance(dtype, pl.Decimal) else pl.Int64() if dtype == pl.Boolean else dtype
    try:
        return pl.Series(name, values, dtype=pl.String() if is_time else physical, strict=True)
    except (TypeError, OverflowError, pl.exceptions.PolarsError):
        if is_time and all(value is None or isinstance(value, dt.date) for value in values):
            return pl.Series(name, values, dtype=dtype, strict=True)
        texts = [_text(value) for value in values]
    if isinstance(dtype, pl.Decimal):
        with contextlib.suppress(ArithmeticError, pl.exceptions.PolarsError):
            exact = Exact(dtype.precision or 38, dtype.scale)
            return pl.Series(name, [exact.from_text(text) for text in texts], dtype=dtype, strict=True)
    return pl.Series(name, texts, dtype=pl.String)


def _typed(raw: pl.Series, dtype: pl.DataType) -> pl.Series:
    """The series in the type; null where a value is not of it."""
    if raw.dtype == dtype:
        return raw
    if isinstance(dtype, pl.Decimal):
        return to_decimal(raw, dtype)
    if dtype == pl.Boolean and raw.dtype == pl.Int64:
        return raw.set(~raw.is_in([0, 1]), None).cast(pl.Boolean)
    if raw.dtype == pl.String and dtype == pl.Date:
        return raw.str.slice(0, 10).str.to_date("%Y-%m-%d", strict=False)
    if raw.dtype == pl.String and dtype == UTC_MOMENT:
        return raw.str.to_datetime(MOMENT_FORMAT, time_unit="us", strict=False).dt.replace_time_zone("UTC")
    return pl.Series(raw.name, [None] * len(raw), dtype=dtype)


def _joined(column: sa.Column[Any], parts: Sequence[pl.Series]) -> pl.Series:
    if not parts:
        return pl.Series(column.name, [], dtype=frame_type(column))
    mixed = len({part.dtype for part in parts}) > 1
    return pl.concat([part.cast(pl.String) for part in parts] if mixed else list(parts), rechunk=False)


def _text(value: object) -> str | None:
    if value is None:
        return None
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
