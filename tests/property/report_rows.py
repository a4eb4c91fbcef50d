"""A table with a column of every type a report has, rows of it by Hypothesis, and the same rows in SQLite and in polars."""

import datetime as dt
import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import polars as pl
import sqlalchemy as sa
from hypothesis import strategies as st

from services.report_service.reports.filter.text import TextList
from shared.database.types import Exact, UtcDateTime

Row = dict[str, Any]

TABLE = sa.Table(
    "facts",
    sa.MetaData(),
    sa.Column("id", sa.Unicode(100), primary_key=True),
    sa.Column("name", sa.Unicode(200)),
    sa.Column("amount", Exact(14, 2)),
    sa.Column("total", Exact(20, 2)),
    sa.Column("rate", Exact(10, 6)),
    sa.Column("rank", sa.BigInteger()),
    sa.Column("day", sa.Date()),
    sa.Column("moment", UtcDateTime()),
    sa.Column("locked", sa.Boolean()),
    sa.Column("examples", sa.Unicode()),
)
COLUMNS: Mapping[str, sa.ColumnElement[Any]] = {
    **{column.name: column for column in TABLE.columns if column.name != "examples"},
    "examples": sa.type_coerce(TABLE.c.examples, TextList()),
    "shown_name": sa.func.nullif(TABLE.c.name, "", type_=sa.Unicode()).label("shown_name"),
}
SCHEMA: Mapping[str, pl.DataType] = {
    "id": pl.String(), "name": pl.String(), "amount": pl.Decimal(14, 2), "total": pl.Decimal(20, 2), "rate": pl.Decimal(10, 6),
    "rank": pl.Int64(), "day": pl.Date(), "moment": pl.Datetime("us", "UTC"), "locked": pl.Boolean(),
    "examples": pl.List(pl.String),
}  # fmt: skip

TEXTS = st.sampled_from(
    ["", "a", "A", "ab", "aB", "b a", "ba", "é", "É", "ß", "😀", "a😀", "a%b", "a_b", "%", "*", "5*", '"', "'", "\\", "\\*", "L1",
     "L10", "[", "]", '["L1"', "null", "AND", "true", "\U0010ffff", "a\U0010ffff", "a\U0010ffffb", "\ud7ff", "\ue000", ",",
     "a, b", ", L1", "\t", "x ", " x", "a\nb"]
) | st.text("aAbé😀%_*\"'\\ ,.-[]()", max_size=4)  # fmt: skip
ELEMENTS = TEXTS.filter(lambda text: text != ", ")

AMOUNTS = st.sampled_from(list(map(Decimal, ["0", "-0.01", "0.01", "5", "250000", "250000.01", "999999999999.99"])))
TOTALS = AMOUNTS | st.sampled_from([Decimal("9999999999999.99"), Decimal("-9999999999999.99")])
BEYOND_FLOATS = st.sampled_from([sign * Decimal(f"{lead}000000000") for lead in (100000, 123457, 99999999) for sign in (1, -1)])
"""Totals that SQLite stores as digits, apart from each other in the first 15 of them."""
RANKS = st.sampled_from([0, 1, 2, 3, -1, 2**53 + 1, 2**63 - 1, -(2**63)])
DAYS = st.sampled_from([dt.date(2026, 4, 17), dt.date(2026, 4, 18), dt.date.min, dt.date.max])
MOMENTS = st.sampled_from(
    [
        dt.datetime(2026, 4, 17, 12, 30, tzinfo=dt.UTC),
        dt.datetime(2026, 4, 17, 12, 30, 0, 1, dt.UTC),
        dt.datetime(2026, 4, 17, 23, 59, 59, 999999, dt.UTC),
        dt.datetime.min.replace(tzinfo=dt.UTC),
        dt.datetime.max.replace(tzinfo=dt.UTC),
    ]
)


def rows(totals: st.SearchStrategy[Decimal] = TOTALS) -> st.SearchStrategy[list[Row]]:
    """Up to eight rows that differ in their id."""
    cells = {
        "id": TEXTS,
        "name": st.none() | TEXTS,
        "amount": st.none() | AMOUNTS | st.decimals(-10, 10, places=2),
        "total": st.none() | totals,
        "rate": st.none() | AMOUNTS.filter(lambda amount: abs(amount) < 10_000) | st.decimals(-10, 10, places=6),
        "rank": st.none() | RANKS,
        "day": st.none() | DAYS,
        "moment": st.none() | MOMENTS,
        "locked": st.none() | st.booleans(),
        "examples": st.none() | st.lists(ELEMENTS, max_size=3),
    }
    return st.lists(st.fixed_dictionaries(cells), max_size=8, unique_by=lambda row: row["id"])


def frame(rows: Sequence[Row]) -> pl.DataFrame:
    """The rows in polars, by id."""
    shown = pl.when(pl.col("name") != "").then(pl.col("name")).alias("shown_name")
    return pl.DataFrame(rows, schema=dict(SCHEMA), orient="row").with_columns(shown).sort("id")


def store(connection: sa.Connection, rows: Sequence[Row]) -> pl.DataFrame:
    """Put the rows, and no others, into the table; what is there then, as a frame."""
    connection.execute(sa.delete(TABLE))
    if rows:
        connection.execute(sa.insert(TABLE), [row | {"examples": _written(row["examples"])} for row in rows])
    return frame(rows)


def _written(examples: Sequence[str] | None) -> str | None:
    return None if examples is None else json.dumps(examples, ensure_ascii=False)
