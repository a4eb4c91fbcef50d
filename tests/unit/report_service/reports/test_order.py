"""The order of a report's rows: what order_by says, what it becomes on each database, and where a page starts in it."""

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import mssql, postgresql, sqlite

from services.report_service.reports.filter.text import TextList
from services.report_service.reports.order import (
    MAX_LENGTH,
    OrderError,
    Ordering,
    clauses,
    comes_after,
    from_token,
    parse_order,
    token_value,
)
from shared.database.types import Exact, UtcDateTime

SQLITE, POSTGRESQL, MSSQL = (module.dialect() for module in (sqlite, postgresql, mssql))

T = sa.Table(
    "t",
    sa.MetaData(),
    sa.Column("id", sa.Unicode(100), primary_key=True),
    sa.Column("sequence", sa.BigInteger(), primary_key=True),
    sa.Column("amount", Exact(14, 2)),
    sa.Column("total", Exact(20, 2)),
    sa.Column("day", sa.Date()),
    sa.Column("moment", UtcDateTime()),
    sa.Column("locked", sa.Boolean()),
    sa.Column("examples", sa.Unicode()),
)
COLUMNS: dict[str, sa.ColumnElement[Any]] = {
    **{name: T.c[name] for name in ("id", "sequence", "amount", "total", "day", "moment", "locked")},
    "examples": sa.type_coerce(T.c.examples, TextList()),
    "label": sa.func.nullif(T.c.id, "", type_=sa.Unicode()).label("label"),
}
ID, SEQUENCE, AMOUNT = Ordering("id"), Ordering("sequence"), Ordering("amount")


@pytest.mark.parametrize(
    ("text", "orderings"),
    [
        ("", ()),
        ("  ", ()),
        ("amount", (AMOUNT,)),
        ("amount asc", (AMOUNT,)),
        ("amount desc, id", (Ordering("amount", descending=True), ID)),
        (" amount   desc ,id,sequence ", (Ordering("amount", descending=True), ID, SEQUENCE)),
        ("label desc", (Ordering("label", descending=True),)),
    ],
)
def test_an_order_is_columns_ascending_unless_they_say_desc(text: str, orderings: tuple[Ordering, ...]) -> None:
    assert parse_order(text, COLUMNS) == orderings


@pytest.mark.parametrize(
    ("text", "position", "told"),
    [
        ("amont", 0, "there is no column amont; the columns are id, sequence, amount"),
        ("id,  amont desc", 5, "there is no column amont"),
        ("amount DESC", 7, "DESC is not expected here; after a column stands asc, desc, a comma or nothing"),
        ("amount desc asc", 12, "asc is not expected here"),
        ("id amount", 3, "amount is not expected here"),
        ("-amount", 0, "there is no column -amount"),
        ("amount.units", 0, "there is no column amount.units"),
        (",", 0, "a column is expected here"),
        ("id,", 3, "a column is expected here"),
        ("id, ,amount", 4, "a column is expected here"),
        ("id, amount desc, id desc", 17, "id is ordered by twice"),
        ("id, examples", 4, "examples is a list, which has no order"),
        ("id\x00", 0, "there is no column id\x00"),
        ("x" * MAX_LENGTH, 0, f"there is no column {'x' * 40}...;"),
        ("x" * (MAX_LENGTH + 1), MAX_LENGTH, "at most"),
    ],
)
def test_an_error_is_where_it_is_and_says_what_is_possible(text: str, position: int, told: str) -> None:
    with pytest.raises(OrderError) as error:
        parse_order(text, COLUMNS)
    assert told in error.value.message
    assert (error.value.position, str(error.value)) == (position, f"character {position}: {error.value.message}")


def ordered(text: str, dialect: sa.Dialect) -> str:
    statement = sa.select(T.c.id).order_by(*clauses(parse_order(text, COLUMNS), COLUMNS))
    return str(statement.compile(dialect=dialect)).split("ORDER BY ")[1].replace("t.", "")


def test_unset_cells_come_first_ascending_and_last_descending_without_words_where_a_database_does_so() -> None:
    text = "id, sequence desc, amount, day desc"
    assert ordered(text, SQLITE) == "id, sequence DESC, amount, day DESC"
    assert ordered(text, MSSQL) == "id, sequence DESC, amount, day DESC"
    assert ordered(text, POSTGRESQL) == "id, sequence DESC, amount NULLS FIRST, day DESC NULLS LAST"


def test_an_expression_is_ordered_by_as_it_is() -> None:
    assert ordered("label desc", SQLITE) == "nullif(id, ?) DESC"


def test_decimals_that_sqlite_may_store_as_digits_sort_as_numbers() -> None:
    assert ordered("total", SQLITE) == "CASE typeof(total) WHEN 'blob' THEN CAST(CAST(total AS TEXT) AS REAL) ELSE total END"
    assert ordered("total", POSTGRESQL) == "total NULLS FIRST"


def after(text: str, *values: Any) -> str:
    condition = comes_after(parse_order(text, COLUMNS), COLUMNS, values)
    made = condition.compile(dialect=SQLITE)
    pieces = str(made).replace("t.", "").split("?")
    parameters = [repr(made.params[name]) for name in made.positiontup or ()]
    return "".join(piece + parameter for piece, parameter in zip(pieces, [*parameters, ""], strict=True))


@pytest.mark.parametrize(
    ("text", "values", "condition"),
    [
        ("id", ("L2",), "id > 'L2'"),
        ("id desc", ("L2",), "id < 'L2'"),
        ("id, sequence", ("L2", 5), "id >= 'L2' AND (id > 'L2' OR sequence > 5)"),
        ("id desc, sequence", ("L2", 5), "id <= 'L2' AND (id < 'L2' OR sequence > 5)"),
        ("amount, id", (Decimal(3), "L2"), "amount >= Decimal('3') AND (amount > Decimal('3') OR id > 'L2')"),
        ("amount, id", (None, "L2"), "amount IS NOT NULL OR id > 'L2'"),
        ("amount desc, id", (Decimal(3), "L2"), "(amount <= Decimal('3') OR amount IS NULL) AND "
         "(amount < Decimal('3') OR amount IS NULL OR id > 'L2')"),
        ("amount desc, id", (None, "L2"), "amount IS NULL AND id > 'L2'"),
        ("locked, id", (False, "L2"), "locked >= False AND (locked > False OR id > 'L2')"),
    ],
)  # fmt: skip
def test_a_page_starts_after_the_last_row_in_its_order(text: str, values: tuple[Any, ...], condition: str) -> None:
    assert after(text, *values) == condition


def test_an_index_is_entered_at_the_first_column() -> None:
    engine = sa.create_engine("sqlite://")
    orderings = (ID, SEQUENCE)
    statement = sa.select(T.c.amount).where(comes_after(orderings, COLUMNS, ("L2", 5))).order_by(*clauses(orderings, COLUMNS))
    with engine.begin() as connection:
        T.metadata.create_all(connection)
        made = statement.compile(dialect=SQLITE)
        [step] = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {made}", ("L2", "L2", 5)).all()
    engine.dispose()
    assert step.detail.endswith("(id>?)")


@pytest.mark.parametrize(
    ("name", "cell", "held"),
    [
        ("id", "L2", "L2"),
        ("id", "", ""),
        ("sequence", -5, -5),
        ("amount", Decimal("250000.00"), "250000.00"),
        ("amount", Decimal("-0.01"), "-0.01"),
        ("amount", Decimal("1E+2"), "100"),
        ("amount", None, None),
        ("day", dt.date(2026, 4, 17), "2026-04-17"),
        ("moment", dt.datetime(2026, 4, 17, 12, 30, 0, 1, dt.UTC), "2026-04-17T12:30:00.000001+00:00"),
        ("locked", True, True),
        ("label", None, None),
    ],
)
def test_a_cell_in_a_token_comes_back_as_it_was(name: str, cell: Any, held: Any) -> None:
    assert token_value(cell) == held
    back = from_token(held, COLUMNS[name])
    assert (back, type(back)) == (cell, type(cell))


@pytest.mark.parametrize(
    ("name", "held"),
    [
        ("id", None),
        ("id", 5),
        ("id", ["L2"]),
        ("sequence", None),
        ("sequence", "5"),
        ("sequence", 5.0),
        ("sequence", True),
        ("sequence", 2**63),
        ("amount", 5),
        ("amount", "abc"),
        ("amount", "NaN"),
        ("amount", "1e5"),
        ("amount", "9" * 17),
        ("day", "2026-02-30"),
        ("day", 20260417),
        ("moment", "2026-04-17T12:30:00"),
        ("moment", "soon"),
        ("moment", "0001-01-01T00:00:00+23:59"),
        ("locked", 1),
        ("locked", "true"),
        ("locked", {}),
    ],
)
def test_what_is_no_cell_of_the_column_is_refused(name: str, held: Any) -> None:
    with pytest.raises(ValueError, match=r"."):
        from_token(held, COLUMNS[name])


def test_a_token_holds_no_cell_of_another_kind() -> None:
    with pytest.raises(TypeError, match="cannot hold"):
        token_value(b"12")
