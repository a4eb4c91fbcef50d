"""How stored cells become the values a report shows.

Decimals are texts in one canonical form: plain digits with exactly the places of their column (amounts 2, prices and
tolerances 8, rates and percentages 6), a minus sign where negative, never an exponent. They are read as the driver gives
them and printed once, a column at a time: on SQLite that takes no Decimal object a cell.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from shared.database.types import Exact

Cells = Sequence[Any]


def selected(name: str, sql: sa.ColumnElement[Any]) -> sa.Label[Any]:
    """A column as a page selects it: decimals without the conversion of their type, everything else as it is."""
    return (sa.type_coerce(sql, sa.types.NullType()) if isinstance(sql.type, Exact) else sql).label(name)


def shown(kind: sa.types.TypeEngine[Any], cells: Cells) -> Cells:
    """The cells of a `selected` column of this type as a report shows them; null stays None."""
    return decimal_texts(cells, kind.scale) if isinstance(kind, Exact) else cells


def by_column(rows: Sequence[sa.Row[Any]], kinds: Mapping[str, sa.types.TypeEngine[Any]]) -> dict[str, Cells]:
    """The first columns of rows as they are shown, by the names and types given; further columns are left out."""
    if not rows:
        return dict.fromkeys(kinds, ())
    cells = zip(*rows, strict=True)
    return {name: shown(kind, next(cells)) for name, kind in kinds.items()}


def decimal_texts(cells: Cells, places: int) -> list[str | None]:
    """Stored decimals of at most `places` places (int, float, Decimal, or their digits as bytes) in canonical form."""
    form = f".{places}f"
    return [None if cell is None else format(Decimal(cell.decode()) if isinstance(cell, bytes) else cell, form) for cell in cells]
