"""The order of a report's rows: `order_by` as in AIP-132, the ORDER BY it becomes, and where a page starts in such an order.

Unset cells come before all others where a column ascends and after them where it descends, on every database: so do SQLite
and SQL Server of themselves, PostgreSQL is told. Text sorts in the database's collation.
"""

import datetime as dt
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from services.report_service.reports.filter.elements import bare, comparable, may_be_unset
from services.report_service.reports.filter.text import TextList
from shared.database.types import Exact, UtcDateTime

MAX_LENGTH = 2000
"""Characters of an order_by: every column of the widest report and more."""

Columns = Mapping[str, sa.ColumnElement[Any]]
TokenValue = str | int | bool | None
"""A cell as a page token holds it, in JSON."""

_WORD = re.compile(r"[^\s,]+")
_NUMBER = re.compile(r"-?\d+(\.\d+)?", re.ASCII)
_INTEGERS = range(-(2**63), 2**63)


@dataclass(frozen=True)
class Ordering:
    """One column of an order."""

    name: str
    descending: bool = False


class OrderError(ValueError):
    """An order_by that makes no sense: `position` is the character (from 0) it is about, `message` says what is possible."""

    def __init__(self, position: int, message: str) -> None:
        super().__init__(f"character {position}: {message}")
        self.position = position
        self.message = message


def parse_order(text: str, columns: Columns) -> tuple[Ordering, ...]:
    """`loan_amount desc, loan_id` as orderings; () for a blank text. Raises OrderError.

    The order need not be total: who pages by it appends what is missing of the report's key.
    """
    if len(text) > MAX_LENGTH:
        raise OrderError(MAX_LENGTH, f"an order has at most {MAX_LENGTH} characters, this one has {len(text)}")
    orderings: dict[str, Ordering] = {}
    start = 0
    for part in text.split(",") if text.strip() else ():
        name, descending, position = _ordering(part, start)
        if name not in columns:
            shown = f"{name[:40]}..." if len(name) > 40 else name
            raise OrderError(position, f"there is no column {shown}; the columns are {', '.join(columns)}")
        if isinstance(columns[name].type, TextList):
            raise OrderError(position, f"{name} is a list, which has no order")
        if name in orderings:
            raise OrderError(position, f"{name} is ordered by twice")
        orderings[name] = Ordering(name, descending)
        start += len(part) + 1
    return tuple(orderings.values())


def _ordering(part: str, start: int) -> tuple[str, bool, int]:
    """The column, whether it descends, and the position of its name; `part` begins at `start` of the order_by."""
    words = list(_WORD.finditer(part))
    if not words:
        raise OrderError(start + len(part), "a column is expected here")
    name, *direction = words
    if direction and (direction[0][0] not in ("asc", "desc") or len(direction) > 1):
        wrong = direction[0] if direction[0][0] not in ("asc", "desc") else direction[1]
        message = f"{wrong[0][:40]} is not expected here; after a column stands asc, desc, a comma or nothing"
        raise OrderError(start + wrong.start(), message)
    return name[0], bool(direction) and direction[0][0] == "desc", start + name.start()


def clauses(orderings: Sequence[Ordering], columns: Columns) -> list[sa.ColumnElement[Any]]:
    """What ORDER BY takes."""
    return [_clause(bare(columns[ordering.name]), ordering.descending) for ordering in orderings]


def comes_after(orderings: Sequence[Ordering], columns: Columns, values: Sequence[Any]) -> sa.ColumnElement[bool]:
    """Whether a row comes after the one with these values, which are as the columns' types read them (None is unset).

    The first column is bounded alone, so that an index is entered there; SQL Server has no comparison of row values. For rows
    of a result to come once each, the orderings must be total and an expression must give what it gave when it was read:
    of type Exact, values of its scale.
    """
    ordering, *rest = orderings
    value, *others = values
    column = columns[ordering.name]
    element = bare(column)
    at_or_after, after = _bounds(element, ordering.descending, _literal(value, column.type))
    return sa.and_(at_or_after, sa.or_(after, comes_after(rest, columns, others))) if rest else after


def token_value(cell: Any) -> TokenValue:
    """A cell, as its column's type reads it, in the JSON form of a page token."""
    if isinstance(cell, Decimal):
        return format(cell, "f")
    if isinstance(cell, dt.date):
        return cell.isoformat()
    if cell is None or isinstance(cell, (str, int)):
        return cell
    raise TypeError(f"a page token cannot hold {cell!r}")


def from_token(value: Any, column: sa.ColumnElement[Any]) -> Any:
    """The cell that `token_value` made this of. Raises ValueError for what is no cell of the column."""
    sql_type = column.type
    if value is None and may_be_unset(bare(column)):
        return None
    if isinstance(sql_type, sa.Boolean) and isinstance(value, bool):
        return value
    if isinstance(sql_type, sa.Integer) and isinstance(value, int) and not isinstance(value, bool) and value in _INTEGERS:
        return value
    if isinstance(value, str):
        if isinstance(sql_type, Exact) and _NUMBER.fullmatch(value) and len(value) <= sql_type.precision + 2:
            return Decimal(value)
        if isinstance(sql_type, sa.Date):
            return dt.date.fromisoformat(value)
        if isinstance(sql_type, UtcDateTime) and (moment := dt.datetime.fromisoformat(value)).tzinfo == dt.UTC:
            return moment
        if isinstance(sql_type, sa.String):
            return value
    raise ValueError(f"{value!r} is no value of a column of type {sql_type!r}")


class _UnsetFirst(FunctionElement[Any]):
    inherit_cache = True


class _UnsetLast(FunctionElement[Any]):
    inherit_cache = True


@compiles(_UnsetFirst, "sqlite")
@compiles(_UnsetFirst, "mssql")
def _ascending(element: _UnsetFirst, compiler: SQLCompiler, **options: Any) -> str:
    return compiler.process(element.clauses, **options)


@compiles(_UnsetLast, "sqlite")
@compiles(_UnsetLast, "mssql")
def _descending(element: _UnsetLast, compiler: SQLCompiler, **options: Any) -> str:
    return f"{compiler.process(element.clauses, **options)} DESC"


@compiles(_UnsetFirst, "postgresql")
def _ascending_in_postgresql(element: _UnsetFirst, compiler: SQLCompiler, **options: Any) -> str:
    return f"{compiler.process(element.clauses, **options)} NULLS FIRST"


@compiles(_UnsetLast, "postgresql")
def _descending_in_postgresql(element: _UnsetLast, compiler: SQLCompiler, **options: Any) -> str:
    return f"{compiler.process(element.clauses, **options)} DESC NULLS LAST"


def _clause(element: sa.ColumnElement[Any], descending: bool) -> sa.ColumnElement[Any]:  # noqa: FBT001 - as `Ordering` has it
    number = comparable(element, element.type)
    if not may_be_unset(element):
        return number.desc() if descending else number
    return _UnsetLast(number) if descending else _UnsetFirst(number)


def _literal(value: Any, sql_type: sa.types.TypeEngine[Any]) -> sa.ColumnElement[Any] | None:
    """A value as its column compares with it; None for unset."""
    return None if value is None else comparable(sa.bindparam(None, value, sql_type, unique=True), sql_type)


def _bounds(
    element: sa.ColumnElement[Any],
    descending: bool,  # noqa: FBT001 - as `Ordering` has it
    value: sa.ColumnElement[Any] | None,
) -> tuple[sa.ColumnElement[bool], sa.ColumnElement[bool]]:
    """Whether a cell is at or after a value in its column's order, and whether it is after it; null counts as not."""
    if value is None:
        return (element.is_(None), sa.false()) if descending else (sa.true(), element.is_not(None))
    number = comparable(element, element.type)
    if not descending:
        return number >= value, number > value
    if not may_be_unset(element):
        return number <= value, number < value
    return sa.or_(number <= value, element.is_(None)), sa.or_(number < value, element.is_(None))
