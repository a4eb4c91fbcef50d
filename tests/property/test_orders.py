"""Orders against polars: sorting, and paging by keys through any page size, give the rows in the order polars sorts them."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from services.report_service.reports.order import (
    OrderError,
    Ordering,
    clauses,
    comes_after,
    from_token,
    parse_order,
    token_value,
)
from tests.property.report_rows import BEYOND_FLOATS, COLUMNS, TABLE, TOTALS, Row, rows, store


@pytest.fixture(scope="module")
def connection() -> Iterator[sa.Connection]:
    engine = sa.create_engine("sqlite://")
    with engine.connect() as connection:
        TABLE.metadata.create_all(connection)
        yield connection
    engine.dispose()


@st.composite
def orders(draw: Any) -> tuple[Ordering, ...]:
    """Some columns and the key, each either way."""
    names = draw(st.lists(st.sampled_from([name for name in COLUMNS if name not in ("id", "examples")]), max_size=3, unique=True))
    names.insert(draw(st.sampled_from([len(names), len(names), 0])), "id")
    return tuple(Ordering(name, draw(st.booleans())) for name in names)


def page(connection: sa.Connection, order: tuple[Ordering, ...], size: int, token: str | None) -> list[sa.Row[Any]]:
    """The key of some rows, after those a token tells of, and where each is in the order."""
    position = [COLUMNS[ordering.name].label(f"key_{ordering.name}") for ordering in order]
    statement = sa.select(*position).order_by(*clauses(order, COLUMNS)).limit(size)
    if token is not None:
        held = zip(order, json.loads(token), strict=True)
        values = [from_token(value, COLUMNS[ordering.name]) for ordering, value in held]
        statement = statement.where(comes_after(order, COLUMNS, values))
    return list(connection.execute(statement).all())


@given(rows(TOTALS | BEYOND_FLOATS), orders(), st.integers(1, 4))
def test_pages_give_every_row_once_in_the_order_polars_sorts_them(
    connection: sa.Connection, some: list[Row], order: tuple[Ordering, ...], size: int
) -> None:
    stored = store(connection, some)
    descending = [ordering.descending for ordering in order]
    names = [ordering.name for ordering in order]
    expected = stored.sort(names, descending=descending, nulls_last=descending)["id"].to_list()
    found: list[str] = []
    token = None
    while rows_of_page := page(connection, order, size, token):
        found += [row.key_id for row in rows_of_page]
        assert len(found) <= len(expected)
        token = json.dumps([token_value(cell) for cell in rows_of_page[-1]])
    assert found == expected


@given(orders())
def test_an_order_is_parsed_from_its_text(order: tuple[Ordering, ...]) -> None:
    text = ", ".join(f"{ordering.name} desc" if ordering.descending else ordering.name for ordering in order)
    assert parse_order(text, COLUMNS) == order


@given(
    st.text(max_size=20)
    | st.lists(st.sampled_from(["id", "amount", " ", ",", "desc", "asc", "\x00", "é"]), max_size=8).map("".join)
)
def test_any_text_is_an_order_or_refused_where_it_is_wrong(text: str) -> None:
    order = parsed(text)
    if isinstance(order, OrderError):
        assert 0 <= order.position <= len(text)
        assert order.message
    else:
        assert len({ordering.name for ordering in order}) == len(order)


def parsed(text: str) -> tuple[Ordering, ...] | OrderError:
    try:
        return parse_order(text, COLUMNS)
    except OrderError as error:
        return error


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["1.5", "2026-04-17", "1e9999"]),
    lambda some: st.lists(some, max_size=2) | st.dictionaries(st.text(max_size=2), some, max_size=2),
    max_leaves=3,
)


@given(JSON, st.sampled_from([name for name in COLUMNS if name != "examples"]))
def test_whatever_a_token_holds_is_a_cell_of_the_column_or_refused(connection: sa.Connection, held: Any, name: str) -> None:
    try:
        cell = from_token(held, COLUMNS[name])
    except ValueError:
        return
    connection.execute(sa.select(TABLE.c.id).where(comes_after((Ordering(name),), COLUMNS, (cell,)))).all()
