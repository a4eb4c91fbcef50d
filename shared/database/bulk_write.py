"""Whole polars frames into tables, without an object a row: the values as their driver takes them, and the insert.

On SQLite one statement takes many rows: half of what an insert costs there is the driver's own round for each statement.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.database.bulk import MOMENT_FORMAT, UTC_MOMENT, frame_type
from shared.database.revision import effective_schema
from shared.database.types import FLOAT_EXACT_UNITS, sqlite_number
from shared.money import to_decimal

MOST_VARIABLES = 999
"""Values that a statement of any SQLite takes."""


@dataclass(frozen=True)
class DriverRows:
    """Rows as their driver takes them.

    `columns` are the constant ones, `constants` of them, then the frame's. `batches` are statements to execute: how many rows
    each inserts, and what each execution of it binds: the constants, then row by row the others.
    """

    columns: tuple[str, ...]
    constants: int
    batches: Sequence[tuple[int, Sequence[tuple[Any, ...]]]]


def driver_rows(
    dialect: sa.Dialect, table: sa.Table, frame: pl.DataFrame, constants: Mapping[str, object] | None = None
) -> DriverRows:
    """The frame's rows for `insert_rows`; `constants` are values of columns that are the same in every row.

    It needs no connection: who writes much prepares before the transaction, in which others wait. Raises ValueError for a
    value that its column cannot hold exactly.
    """
    given = constants or {}
    is_sqlite = dialect.name == "sqlite"
    same = tuple(_bound(table.c[name], pl.Series([value]), plain=not is_sqlite)[0] for name, value in given.items())
    values = [_bound(table.c[name], frame[name], plain=not is_sqlite) for name in frame.columns]
    at_once = max(1, (MOST_VARIABLES - len(same)) // max(1, len(values))) if is_sqlite else 1
    whole = frame.height - frame.height % at_once
    parts = ((at_once, 0, whole), (frame.height - whole, whole, frame.height))
    batches = [(rows, _repetitions(same, values, rows, start, end)) for rows, start, end in parts if end > start]
    return DriverRows((*given, *frame.columns), len(same), batches)


async def insert_rows(connection: AsyncConnection, table: sa.Table, rows: DriverRows) -> None:
    """Insert every row, in the order given. Raises SQLAlchemy's IntegrityError for a duplicate key."""
    schema = await connection.run_sync(effective_schema, table)
    target = sa.table(table.name, *(sa.column(name, table.c[name].type) for name in rows.columns), schema=schema)
    for row_count, values in rows.batches:
        await connection.exec_driver_sql(_insert(connection.dialect, target, rows.constants, row_count), list(values))


async def write_frame(
    connection: AsyncConnection, table: sa.Table, frame: pl.DataFrame, constants: Mapping[str, object] | None = None
) -> None:
    """Insert every row of the frame, as `driver_rows` and `insert_rows` do. Callers chunk."""
    await insert_rows(connection, table, driver_rows(connection.dialect, table, frame, constants))


def _repetitions(
    constants: tuple[Any, ...], columns: Sequence[Sequence[Any]], row_count: int, start: int, end: int
) -> list[tuple[Any, ...]]:
    """What each of the statements for rows start to end binds, `row_count` rows a statement."""
    width = len(columns)
    flat: list[Any] = [None] * ((end - start) * width)
    for place, values in enumerate(columns):
        flat[place::width] = values[start:end]
    step = row_count * width
    return [(*constants, *flat[at : at + step]) for at in range(0, len(flat), step)]


def _insert(dialect: sa.Dialect, target: sa.TableClause, constants: int, row_count: int) -> str:
    if dialect.name != "sqlite":
        return str(sa.insert(target).compile(dialect=dialect, column_keys=target.columns.keys()))
    preparer = dialect.identifier_preparer
    names = target.columns.keys()
    row = ", ".join([f"?{number}" for number in range(1, constants + 1)] + ["?"] * (len(names) - constants))
    rows = ", ".join([f"({row})"] * row_count)
    return f"INSERT INTO {preparer.format_table(target)} ({', '.join(map(preparer.quote, names))}) VALUES {rows}"  # noqa: S608 - quoted names of the schema


def _bound(column: sa.Column[Any], series: pl.Series, *, plain: bool) -> list[Any]:
    """The series' values as the driver takes them; `plain` for drivers that take decimals, dates and moments themselves."""
    dtype = frame_type(column)
    exact = _cast_exactly(column, series, dtype)
    if plain:
        return (exact.dt.replace_time_zone(None) if dtype == UTC_MOMENT else exact).to_list()
    if isinstance(dtype, pl.Decimal):
        return _sqlite_numbers(exact, dtype.scale)
    if dtype == pl.Date:
        return exact.dt.to_string("%Y-%m-%d").to_list()
    return exact.dt.to_string(MOMENT_FORMAT).to_list() if dtype == UTC_MOMENT else exact.to_list()


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
