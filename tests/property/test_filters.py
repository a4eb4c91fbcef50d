"""Filters against polars: any text is refused as FilterError or selects, in SQLite, the rows that polars selects."""

from collections.abc import Iterator
from typing import Any

import polars as pl
import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from services.report_service.reports.filter.compile import compile_filter
from services.report_service.reports.filter.parse import AllOf, AnyOf, Comparison, FilterError, Negation, Node, Star, Value, parse
from tests.property.filters import NOISE, TREES, comparisons, mangled, written
from tests.property.plain_filters import evaluate
from tests.property.report_rows import BEYOND_FLOATS, COLUMNS, TABLE, TOTALS, Row, rows, store

FILTERS = TREES.flatmap(written)


@pytest.fixture(scope="module")
def connection() -> Iterator[sa.Connection]:
    engine = sa.create_engine("sqlite://")
    with engine.connect() as connection:
        TABLE.metadata.create_all(connection)
        yield connection
    engine.dispose()


def selected(connection: sa.Connection, condition: sa.ColumnElement[bool]) -> list[str]:
    return list(connection.execute(sa.select(TABLE.c.id).where(condition).order_by(TABLE.c.id)).scalars())


def refusal(text: str) -> FilterError | None:
    try:
        compile_filter(text, COLUMNS)
    except FilterError as error:
        return error
    return None


def agree(connection: sa.Connection, stored: pl.DataFrame, text: str) -> None:
    """The filter selects the same rows in both, and its negation the others."""
    condition = compile_filter(text, COLUMNS)
    expected = evaluate(parse(text), stored)
    assert selected(connection, condition) == stored.filter(expected)["id"].to_list()
    assert selected(connection, sa.not_(condition)) == stored.filter(~expected)["id"].to_list()


@given(rows(), st.lists(comparisons().flatmap(written), min_size=20, max_size=20))
def test_a_comparison_selects_the_rows_that_polars_selects(connection: sa.Connection, some: list[Row], texts: list[str]) -> None:
    stored = store(connection, some)
    for text in texts:
        agree(connection, stored, text)


@given(rows(TOTALS | BEYOND_FLOATS), st.lists(FILTERS, min_size=1, max_size=8))
def test_a_filter_selects_the_rows_that_polars_selects(connection: sa.Connection, some: list[Row], texts: list[str]) -> None:
    stored = store(connection, some)
    for text in texts:
        agree(connection, stored, text)


@given(rows(), st.lists(FILTERS.flatmap(mangled) | NOISE, min_size=1, max_size=16))
def test_any_text_is_refused_where_it_is_wrong_or_selects_what_polars_selects(
    connection: sa.Connection, some: list[Row], texts: list[str]
) -> None:
    stored = store(connection, some)
    for text in texts:
        refused = refusal(text)
        if refused is None:
            agree(connection, stored, text)
        else:
            assert 0 <= refused.position <= len(text)
            assert refused.message


@given(st.data())
def test_a_tree_is_parsed_from_any_of_its_spellings(data: st.DataObject) -> None:
    tree: Node = data.draw(TREES)
    assert bare(parse(data.draw(written(tree)))) == tree


def bare(node: Any) -> Any:
    """The tree without its positions and quotes."""
    match node:
        case AllOf(_, parts):
            return AllOf(0, tuple(map(bare, parts)))
        case AnyOf(_, parts):
            return AnyOf(0, tuple(map(bare, parts)))
        case Negation(_, part):
            return Negation(0, bare(part))
        case Comparison():
            stars = tuple(Star(star.index, 0) for star in node.value.stars)
            return Comparison(0, node.column, node.comparator, 0, Value(0, node.value.text, True, stars))
