"""Filters as SQL: checked against the columns and their types, compiled to SQLAlchemy with bound parameters.

Logic is two-valued: a comparison with an unset cell is false, also `!=`, and NOT turns its result round. So every comparison asks
first whether the cell is set, and none is ever null.
"""

import operator
from collections.abc import Callable, Mapping
from typing import Any

import sqlalchemy as sa

from services.report_service.reports.filter import text as texts
from services.report_service.reports.filter.elements import bare, comparable, may_be_unset
from services.report_service.reports.filter.parse import (
    AllOf,
    AnyOf,
    Comparison,
    FilterError,
    Negation,
    Node,
    Value,
    parse,
    shown,
)
from services.report_service.reports.filter.text import TextList
from services.report_service.reports.filter.values import Place, place, truth

Columns = Mapping[str, sa.ColumnElement[Any]]
_Condition = sa.ColumnElement[bool]

_OPERATIONS: Mapping[str, Callable[[Any, Any], _Condition]] = {
    "=": operator.eq,
    ":": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
"""What a comparator is but where `:` is contains or has."""


def compile_filter(text: str, columns: Columns) -> sa.ColumnElement[bool]:
    """The condition that a filter in AIP-160 syntax puts on rows with these columns; it is never null. A blank filter is true.

    `columns` are those one may filter by, under the report's names: columns of a table, or labelled expressions. The type says
    how one compares: Exact, Integer, Date, Boolean, UtcDateTime, TextList or String. A `sa.Column` that is not nullable is
    never unset, every other element may be: an outer-joined key must come as a label. What the elements must keep to:
    expressions of type Exact have values of its scale (on SQLite a sum must be rounded to it), and a text column whose
    empty text means unset comes as NULLIF(column, '').

    Raises FilterError for a text that is no filter, an unknown column, a comparator or value that does not fit the column.
    """
    tree = parse(text)
    return sa.true() if tree is None else _condition(tree, columns)


def _condition(node: Node, columns: Columns) -> _Condition:
    """Recursive: `parse` limits the depth."""
    if isinstance(node, AllOf):
        return sa.and_(*(_condition(part, columns) for part in node.parts))
    if isinstance(node, AnyOf):
        return sa.or_(*(_condition(part, columns) for part in node.parts))
    if isinstance(node, Negation):
        return sa.not_(_condition(node.part, columns))
    return _comparison(node, columns)


def _comparison(comparison: Comparison, columns: Columns) -> _Condition:
    name, value = comparison.column, comparison.value
    if name not in columns:
        raise FilterError(comparison.position, f"there is no column {shown(name)}; the columns are {', '.join(columns)}")
    element, sql_type = bare(columns[name]), columns[name].type
    is_set = element.is_not(None) if may_be_unset(element) else sa.true()
    if value.text in ("null", "NULL") and not value.is_quoted:
        raise FilterError(value.position, f'null is no value; -{name}:* is true where {name} is unset, "null" is the text')
    if isinstance(sql_type, TextList):
        return sa.and_(is_set, _list(element, comparison))
    if comparison.comparator == ":" and value.is_star:
        return is_set
    if isinstance(sql_type, sa.String):
        return sa.and_(is_set, _text(element, comparison))
    if isinstance(sql_type, sa.Boolean):
        return sa.and_(is_set, _boolean(element, comparison))
    return sa.and_(is_set, _ordered(element, sql_type, comparison.comparator, place(value, name, sql_type)))


def _ordered(element: sa.ColumnElement[Any], sql_type: sa.types.TypeEngine[Any], comparator: str, literal: Place) -> _Condition:
    """A comparison with a literal that need not be one the column can hold: then the nearest that are decide, or none has to."""
    if literal.side:
        wins = ("!=", "<", "<=") if literal.side > 0 else ("!=", ">", ">=")
        return sa.true() if comparator in wins else sa.false()
    if comparator in ("=", ":", "!=") and literal.floor != literal.ceiling:
        return sa.true() if comparator == "!=" else sa.false()
    bound = sa.bindparam(None, literal.ceiling if comparator in ("<", ">=") else literal.floor, sql_type, unique=True)
    return _OPERATIONS[comparator](comparable(element, sql_type), comparable(bound, sql_type))


def _boolean(element: sa.ColumnElement[Any], comparison: Comparison) -> _Condition:
    if comparison.comparator not in ("=", "!=", ":"):
        message = f"{comparison.column} is true or false; it compares by = and !=, not by {comparison.comparator}"
        raise FilterError(comparison.comparator_position, message)
    is_true = truth(comparison.value, comparison.column) != (comparison.comparator == "!=")
    return element == sa.bindparam(None, is_true, sa.Boolean(), unique=True)


def _text(element: sa.ColumnElement[Any], comparison: Comparison) -> _Condition:
    comparator, value = comparison.comparator, comparison.value
    if comparator == "=":
        return _like(element, value)
    if comparator == "!=":
        return sa.not_(_like(element, value))
    if value.stars:
        message = f"a * is a wildcard, which goes with = and !=, not with {comparator}; {_QUOTED_STAR}"
        raise FilterError(value.stars[0].position, message)
    if comparator == ":":
        return texts.contains(element, value.text) if value.text else sa.true()
    return _OPERATIONS[comparator](element, sa.bindparam(None, value.text, sa.Unicode(), unique=True))


def _like(element: sa.ColumnElement[Any], value: Value) -> _Condition:
    """Equality with a text, or what its wildcards at the start and the end leave of it."""
    if not value.stars:
        return texts.equals(element, value.text)
    last = len(value.text) - 1
    for star in value.stars:
        if star.index not in (0, last):
            raise FilterError(star.position, f"a * is a wildcard at the start or the end of a text alone; {_QUOTED_STAR}")
    any_start, any_end = value.stars[0].index == 0, value.stars[-1].index == last
    rest = value.text[any_start : last if any_end else None]
    if not rest:
        return sa.true()
    if any_start:
        return texts.contains(element, rest) if any_end else texts.ends_with(element, rest)
    return texts.starts_with(element, rest)


def _list(element: sa.ColumnElement[Any], comparison: Comparison) -> _Condition:
    value = comparison.value
    if comparison.comparator != ":":
        message = f'{comparison.column} is a list; {comparison.column}:"X" is true where X is one of it'
        raise FilterError(comparison.comparator_position, message)
    if value.is_star:
        return texts.has_any(element)
    if value.stars:
        raise FilterError(value.stars[0].position, f"a list is searched for whole elements, without wildcards; {_QUOTED_STAR}")
    if value.text == texts.SEPARATOR:
        raise FilterError(value.position, f"{texts.SEPARATOR!r} cannot be looked for in a list")
    return texts.has(element, value.text)


_QUOTED_STAR = 'within quotes \\* is the character, as in "5\\*"'
