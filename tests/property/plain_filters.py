"""Filters evaluated in polars: the same tree, by the words of the specification alone."""

import datetime as dt
import functools
import operator
import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

import polars as pl

from services.report_service.reports.filter.parse import AllOf, AnyOf, Comparison, Negation, Node, Value

COMPARE: Mapping[str, Callable[[Any, Any], Any]] = {
    "=": operator.eq, ":": operator.eq, "!=": operator.ne,
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip
EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def evaluate(node: Node | None, frame: pl.DataFrame) -> pl.Series:
    """Whether each row fulfils the filter; an unset cell fulfils no comparison."""
    match node:
        case None:
            return pl.repeat(value=True, n=frame.height, dtype=pl.Boolean, eager=True)
        case AllOf(_, parts):
            return functools.reduce(operator.and_, (evaluate(part, frame) for part in parts))
        case AnyOf(_, parts):
            return functools.reduce(operator.or_, (evaluate(part, frame) for part in parts))
        case Negation(_, part):
            return ~evaluate(part, frame)
        case Comparison():
            return compare(frame[node.column], node.comparator, node.value).fill_null(value=False)


def compare(cells: pl.Series, comparator: str, value: Value) -> pl.Series:
    """Whether each cell compares so with the value; null where it is unset."""
    if comparator == ":" and value.text == "*" and value.stars:
        return cells.list.len() > 0 if cells.dtype == pl.List else cells.is_not_null()
    if cells.dtype == pl.List:
        return cells.list.contains(value.text)
    if cells.dtype == pl.String:
        return compare_texts(cells, comparator, value)
    if cells.dtype == pl.Boolean:
        literal: object = {"true": True, "false": False}[value.text]
    elif cells.dtype == pl.Date:
        literal = dt.date.fromisoformat(value.text)
    elif isinstance(cells.dtype, pl.Datetime):
        return compare_numbers(cells.to_physical(), comparator, microseconds(value.text))
    else:
        return compare_numbers(cells, comparator, Decimal(value.text))
    compared: pl.Series = COMPARE[comparator](cells, literal)
    return compared


def compare_texts(cells: pl.Series, comparator: str, value: Value) -> pl.Series:
    if comparator == ":":
        return cells.str.contains(value.text, literal=True)
    if not value.stars:
        compared: pl.Series = COMPARE[comparator](cells, value.text)
        return compared
    indexes = {star.index for star in value.stars}
    pattern = "".join("(?s:.*)" if k in indexes else re.escape(character) for k, character in enumerate(value.text))
    matched = pl.Series([None if cell is None else re.fullmatch(pattern, cell) is not None for cell in cells], dtype=pl.Boolean)
    return ~matched if comparator == "!=" else matched


def compare_numbers(cells: pl.Series, comparator: str, literal: Decimal) -> pl.Series:
    """Number by number, since a literal has any number of digits and a polars decimal has 38."""
    compare = COMPARE[comparator]
    return pl.Series([None if cell is None else compare(Decimal(cell), literal) for cell in cells], dtype=pl.Boolean)


def microseconds(moment: str) -> Decimal:
    """Since the epoch, of any precision."""
    whole, fraction = re.fullmatch(r"([^.]*?)(?:\.(\d+))?", re.sub(r"(Z|z|[+-]\d\d:\d\d)$", "", moment)).groups()  # type: ignore[union-attr]
    zone = moment[-6:] if moment[-6] in "+-" else "+00:00"
    since = dt.datetime.fromisoformat(whole + zone) - EPOCH
    return Decimal(since // dt.timedelta(microseconds=1)) + Decimal(f"0.{fraction or 0}") * 1_000_000
