"""The columns of a report as SQL compares and sorts them."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from shared.database.types import Exact

_FLOAT_DIGITS = 15


def bare(column: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    """The column without its label."""
    return column.element if isinstance(column, sa.Label) else column


def may_be_unset(element: sa.ColumnElement[Any]) -> bool:
    """Whether the element can be null: columns of a table say so, of anything else it is not known."""
    return not isinstance(element, sa.Column) or bool(element.nullable)


def comparable(element: sa.ColumnElement[Any], sql_type: sa.types.TypeEngine[Any]) -> sa.ColumnElement[Any]:
    """The element as it compares and sorts; `sql_type` is its own type, or that of the column it is compared with.

    On SQLite decimals of more than 15 digits are digits in a BLOB (ADR 3), which sorts after every number whatever its sign.
    In a column that may have such they become numbers, exact to 15 digits; others stay as they are, so that indexes serve.
    """
    is_wide = isinstance(sql_type, Exact) and sql_type.precision > _FLOAT_DIGITS
    return _Number(element) if is_wide else element


class _Number(FunctionElement[Any]):
    inherit_cache = True


@compiles(_Number)
def _number(element: _Number, compiler: SQLCompiler, **options: Any) -> str:
    return compiler.process(element.clauses, **options)


@compiles(_Number, "sqlite")
def _number_in_sqlite(element: _Number, compiler: SQLCompiler, **options: Any) -> str:
    number = compiler.process(element.clauses, **options)
    return f"CASE typeof({number}) WHEN 'blob' THEN CAST(CAST({number} AS TEXT) AS REAL) ELSE {number} END"
