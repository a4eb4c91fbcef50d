"""Conditions on text that mean the same on every database: exact to the character, upper and lower case told apart.

LIKE is not used: SQLite's ignores the case of ASCII letters, SQL Server's the case of all unless the column's collation says
otherwise, and all three read %, _ and more as patterns. SQL Server compares as UTF-16 bytes, after the plain comparison that
an index serves; its ordinary equality ignores case and trailing blanks.

The conditions have no SQL type on purpose: SQLAlchemy compares Boolean expressions with 1 on databases without Booleans.
"""

import json
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

SEPARATOR = ", "
"""What stands between the elements of a list (see `TextList`)."""

_LAST = 0x10FFFF
_SURROGATES = range(0xD800, 0xE000)


class TextList(sa.types.TypeDecorator[str]):
    """A list of texts in one cell, as `json.dumps(texts, ensure_ascii=False)` writes it; the cell itself passes as it is.

    Tells filters and orders that the column is a list.
    """

    impl = sa.Unicode
    cache_ok = True


def equals(column: sa.ColumnElement[Any], text: str) -> sa.ColumnElement[bool]:
    """Whether the column is that text."""
    return cast(sa.ColumnElement[bool], _Equals(column, _bound(text)))


def starts_with(column: sa.ColumnElement[Any], text: str) -> sa.ColumnElement[bool]:
    """Whether the column begins with a text that is not empty."""
    bounds = [text, *_after_all_that_start_with(text)]
    return cast(sa.ColumnElement[bool], _StartsWith(column, *map(_bound, bounds)))


def ends_with(column: sa.ColumnElement[Any], text: str) -> sa.ColumnElement[bool]:
    """Whether the column ends with a text that is not empty."""
    return cast(sa.ColumnElement[bool], _EndsWith(column, _bound(text)))


def contains(column: sa.ColumnElement[Any], text: str) -> sa.ColumnElement[bool]:
    """Whether a text that is not empty is anywhere in the column."""
    return cast(sa.ColumnElement[bool], _Contains(column, _bound(text)))


def has(column: sa.ColumnElement[Any], text: str) -> sa.ColumnElement[bool]:
    """Whether a list column (see `TextList`) has that element.

    The element is looked for as it is written, behind the bracket or the separator; quotes within elements are escaped, so
    nothing else looks like it, but for the `SEPARATOR` as an element.
    """
    element = json.dumps(text, ensure_ascii=False)
    return sa.or_(*(contains(column, before + element) for before in ("[", SEPARATOR)))


def has_any(column: sa.ColumnElement[Any]) -> sa.ColumnElement[bool]:
    """Whether a list column has an element."""
    return starts_with(column, '["')


def _bound(text: str) -> sa.BindParameter[str]:
    return sa.bindparam(None, text, sa.Unicode(), unique=True)


def _after_all_that_start_with(text: str) -> list[str]:
    """The least text, by code points, that is greater than every text that starts with this; none where there is no such."""
    kept = text.rstrip(chr(_LAST))
    if not kept:
        return []
    following = ord(kept[-1]) + 1
    return [kept[:-1] + chr(_SURROGATES.stop if following in _SURROGATES else following)]


class _Equals(FunctionElement[Any]):
    inherit_cache = True


class _StartsWith(FunctionElement[Any]):
    """Of a column, a text, and the least text after all that start with it, if there is one."""

    inherit_cache = True


class _EndsWith(FunctionElement[Any]):
    inherit_cache = True


class _Contains(FunctionElement[Any]):
    inherit_cache = True


def _sql(element: FunctionElement[Any], compiler: SQLCompiler, **options: Any) -> tuple[str, str]:
    """The column and the text. Nothing else is compiled: a parameter that no SQL names is one too many for asyncpg."""
    column, text, *_after = element.clauses
    return compiler.process(column, **options), compiler.process(text, **options)


@compiles(_Equals, "sqlite")
@compiles(_Equals, "postgresql")
def _equals(element: _Equals, compiler: SQLCompiler, **options: Any) -> str:
    column, text = _sql(element, compiler, **options)
    return f"({column} = {text})"


@compiles(_Contains, "sqlite")
def _contains_in_sqlite(element: _Contains, compiler: SQLCompiler, **options: Any) -> str:
    column, text = _sql(element, compiler, **options)
    return f"(instr({column}, {text}) > 0)"


@compiles(_StartsWith, "sqlite")
def _starts_with_in_sqlite(element: _StartsWith, compiler: SQLCompiler, **options: Any) -> str:
    """A range, which an index serves: SQLite compares text by code points."""
    column, text, *after = (compiler.process(clause, **options) for clause in element.clauses)
    return f"({column} >= {text} AND {column} < {after[0]})" if after else f"({column} >= {text})"


@compiles(_EndsWith, "sqlite")
def _ends_with_in_sqlite(element: _EndsWith, compiler: SQLCompiler, **options: Any) -> str:
    column, text = _sql(element, compiler, **options)
    return f"(substr({column}, -length({text})) = {text})"


@compiles(_Contains, "postgresql")
def _contains_in_postgresql(element: _Contains, compiler: SQLCompiler, **options: Any) -> str:
    column, text = _sql(element, compiler, **options)
    return f"(strpos({column}, {text}) > 0)"


@compiles(_StartsWith, "postgresql")
def _starts_with_in_postgresql(element: _StartsWith, compiler: SQLCompiler, **options: Any) -> str:
    column, text = _sql(element, compiler, **options)
    return f"starts_with({column}, {text})"


@compiles(_EndsWith, "postgresql")
def _ends_with_in_postgresql(element: _EndsWith, compiler: SQLCompiler, **options: Any) -> str:
    column, text = _sql(element, compiler, **options)
    return f"(right({column}, length({text})) = {text})"


_BINARY = "COLLATE Latin1_General_100_BIN2"


def _units(column: str) -> str:
    """A text on SQL Server that compares, and is searched, by its UTF-16 units."""
    return f"CAST({column} AS NVARCHAR(MAX)) {_BINARY}"


@compiles(_Equals, "mssql")
def _equals_in_mssql(element: _Equals, compiler: SQLCompiler, **options: Any) -> str:
    column, text = _sql(element, compiler, **options)
    column_bytes, text_bytes = (f"CAST(CAST({of} AS NVARCHAR(MAX)) AS VARBINARY(MAX))" for of in (column, text))
    return f"({column} = {text} AND {column_bytes} = {text_bytes})"


@compiles(_Contains, "mssql")
def _contains_in_mssql(element: _Contains, compiler: SQLCompiler, **options: Any) -> str:
    column, text = _sql(element, compiler, **options)
    return f"(CHARINDEX({text} {_BINARY}, {_units(column)}) > 0)"


@compiles(_StartsWith, "mssql")
def _starts_with_in_mssql(element: _StartsWith, compiler: SQLCompiler, **options: Any) -> str:
    column, text = _sql(element, compiler, **options)
    return f"(CHARINDEX({text} {_BINARY}, {_units(column)}) = 1)"


@compiles(_EndsWith, "mssql")
def _ends_with_in_mssql(element: _EndsWith, compiler: SQLCompiler, **options: Any) -> str:
    column, text = _sql(element, compiler, **options)
    return f"(CHARINDEX(REVERSE({text} {_BINARY}), REVERSE({_units(column)})) = 1)"
