"""The columns of a report: what their cells are, and where they stand in SQL."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa


class Records(sa.JSON):
    """Rows within a cell: a sequence of mappings of these names to cells of these types."""

    cache_ok = False

    def __init__(self, fields: Mapping[str, sa.types.TypeEngine[Any]]) -> None:
        super().__init__()
        self.fields = fields


@dataclass(frozen=True, eq=False)
class Column:
    """One column of a report.

    `type` says what its cells are: Exact a decimal as text, Date a `datetime.date`, UtcDateTime a `datetime.datetime`, Interval
    a `datetime.timedelta`, ARRAY a sequence of texts, Records a sequence of mappings, anything else the value itself. `sql` is
    what a page selects for it, None where it is made of other things; `queried` is what a filter and an order are over, None
    where there can be none.
    """

    type: sa.types.TypeEngine[Any]
    sql: sa.ColumnElement[Any] | None = None
    queried: sa.ColumnElement[Any] | None = None


Columns = Mapping[str, Column]
"""A report's columns by the contract's names, in its order."""


def stored(table: sa.Table, names: Iterable[str], **stored_as: str) -> dict[str, Column]:
    """The columns of these names as the table stores them, under another name where `stored_as` gives one."""
    return {name: plain(table.c[stored_as.get(name, name)]) for name in names}


def plain(sql: sa.ColumnElement[Any]) -> Column:
    """A column that is selected, filtered and ordered by as it is."""
    return Column(sql.type, sql, sql)


def unset_if_empty(column: sa.Column[Any]) -> Column:
    """A text column of which an empty text says that there is none."""
    return plain(sa.func.nullif(column, "", type_=column.type))
