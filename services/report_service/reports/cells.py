"""How stored cells become the values a report shows.

Decimals are texts in one canonical form: plain digits with exactly the places of their column (amounts 2, prices and
tolerances 8, rates and percentages 6), a minus sign where negative, never an exponent. They are read as the driver gives
them and printed once, a column at a time: on SQLite that takes no Decimal object a cell.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from shared.database.types import Exact

Cells = Sequence[Any]


def selected(column: sa.Column[Any]) -> sa.ColumnElement[Any]:
    """The column as a page selects it: decimals without the conversion of their type, everything else as it is."""
    return sa.type_coerce(column, sa.types.NullType()).label(column.name) if isinstance(column.type, Exact) else column


def shown(column: sa.Column[Any], cells: Cells) -> Cells:
    """The cells of a `selected` column as a report shows them; null stays None."""
    return decimal_texts(cells, column.type.scale) if isinstance(column.type, Exact) else cells


def decimal_texts(cells: Cells, places: int) -> list[str | None]:
    """Stored decimals of at most `places` places (int, float, Decimal, or their digits as bytes) in canonical form."""
    form = f".{places}f"
    return [None if cell is None else format(Decimal(cell.decode()) if isinstance(cell, bytes) else cell, form) for cell in cells]
