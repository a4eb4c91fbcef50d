"""Whole tables to and from polars frames, without an object a row.

A frame's columns have the types of the table's columns: decimals are exact `pl.Decimal` on both sides. On SQLite a decimal is
a float wherever a float restores it, and its digits otherwise (see `shared.database.types` and docs/adr/0003).
"""

import contextlib
import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.database.revision import column_names, without_translation
from shared.database.types import FLOAT_EXACT_UNITS, Exact, UtcDateTime, sqlite_number
from shared.money import to_decimal

READ_CHUNK_ROWS = 10_000

_MOMENT = "%Y-%m-%d %H:%M:%S%.6f"
_UTC = pl.Datetime("us", "UTC")


def frame_type(column: sa.Column[Any]) -> pl.DataType:
    """The polars type of a column's values in a frame."""
    kind = column.type
    if isinstance(kind, Exact):
        return pl.Decimal(kind.precision, kind.scale)
    if isinstance(kind, UtcDateTime):
        return _UTC
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
    connection: AsyncConnection, table: sa.Table, columns: Sequence[str], where: sa.ColumnElement[bool] | None = None
) -> pl.DataFrame:
    """The table's rows (those that fulfil `where`) with the columns named, which must exist; in no particular order.

    Every column has its `frame_type`. One that holds something which is not of that type (only a table PowerFill did not
    create can) comes as text, for the caller to judge value by value. Decimals round half away from zero to their scale.
    """
    chosen = [table.c[name] for name in columns]
    statement = sa.select(*(sa.type_coerce(column, _Raw()).label(column.name) for column in chosen))
    if where is not None:
        statement = statement.where(where)
    parts: list[list[pl.Series]] = [[] for _ in chosen]
    result = await connection.stream(statement)
    async for rows in result.partitions(READ_CHUNK_ROWS):
        for part, column, values in zip(parts, chosen, zip(*rows, strict=True), strict=True):
            part.append(_series(column, values))
    return pl.DataFrame([_joined(column, part) for column, part in zip(chosen, parts, strict=True)])


async def write_frame(
    connection: AsyncConnection, table: sa.Table, frame: pl.DataFrame, constants: Mapping[str, object] | None = None
) -> None:
    """Insert every row of the frame, in one statement; `constants` are values of columns that are the same in every row.

    Callers chunk: what is given goes out at once. Raises ValueError for a value that its column cannot hold exactly, before
    anything is written, and SQLAlchemy's IntegrityError for a duplicate key.
    """
    if frame.is_empty():
        return
    whole = frame.with_columns(pl.lit(value).alias(name) for name, value in (constants or {}).items())
    dialect = connection.dialect
    values = {name: _bound(table.c[name], whole[name], plain=dialect.name != "sqlite") for name in whole.columns}
    target = await connection.run_sync(without_translation, table)
    statement = sa.insert(target).compile(dialect=dialect, column_keys=whole.columns)
    rows = list(zip(*(values[name] for name in statement.positiontup or ()), strict=True))
    await connection.exec_driver_sql(str(statement), rows)


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
    physical: pl.DataType = pl.Float64() if isinstance(dtype, pl.Decimal) else pl.Int64() if dtype == pl.Boolean else dtype
    if dtype in (pl.Date, _UTC) and not any(isinstance(value, dt.date) for value in values):
        physical = pl.String()  # polars would take an integer for a count of days
    try:
        return pl.Series(name, values, dtype=physical, strict=True)
    except (TypeError, OverflowError, pl.exceptions.PolarsError):
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
    if raw.dtype == pl.String and dtype == _UTC:
        return raw.str.to_datetime(_MOMENT, time_unit="us", strict=False).dt.replace_time_zone("UTC")
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


def _bound(column: sa.Column[Any], series: pl.Series, *, plain: bool) -> list[Any]:
    """The series' values as the driver takes them; `plain` for drivers that take decimals, dates and moments themselves."""
    dtype = frame_type(column)
    exact = _cast_exactly(column, series, dtype)
    if plain:
        return (exact.dt.replace_time_zone(None) if dtype == _UTC else exact).to_list()
    if isinstance(dtype, pl.Decimal):
        return _sqlite_numbers(exact, dtype.scale)
    if dtype == pl.Date:
        return exact.dt.to_string("%Y-%m-%d").to_list()
    return exact.dt.to_string(_MOMENT).to_list() if dtype == _UTC else exact.to_list()


def _cast_exactly(column: sa.Column[Any], series: pl.Series, dtype: pl.DataType) -> pl.Series:
    """The series in the column's type. Raises ValueError naming the column where a value would change or be lost."""
    source = series.dtype
    if source == dtype:
        return series
    fits = False
    cast = series
    if isinstance(dtype, pl.Decimal) and (source.is_integer() or source.is_decimal()):
        cast = to_decimal(series, dtype)
        fits = cast.null_count() == series.null_count() and (source.is_integer() or cast.eq_missing(series).all())
    elif source == pl.Null or (dtype == pl.Int64 and source.is_integer()):
        cast = series.cast(dtype, strict=False)
        fits = cast.null_count() == series.null_count()
    if not fits:
        raise ValueError(f"column {column.name} takes {dtype}; the frame's {source} has values that do not fit")
    return cast


def _sqlite_numbers(series: pl.Series, scale: int) -> list[Any]:
    """Decimals as floats; as their digits where a float would not restore them."""
    units = series.to_physical().fill_null(0)
    if (units.abs() < FLOAT_EXACT_UNITS).all():
        floats = pl.Series(units.cast(pl.Int64).to_numpy() / np.float64(10**scale))
        return (floats.set(series.is_null(), None) if series.null_count() else floats).to_list()
    return [None if value is None else sqlite_number(value, scale) for value in series.to_list()]
