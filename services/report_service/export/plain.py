"""Cells for formats that know one value a cell: lists and records become JSON text, lengths of time seconds."""

import datetime as dt
import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from services.report_service.reports.cells import Cells
from services.report_service.reports.columns import Records
from shared.database.types import Exact, UtcDateTime

SECOND_PLACES = 6
"""Places of a length of time in seconds."""


def plain(kind: sa.types.TypeEngine[Any], cells: Cells) -> Cells:
    """The cells of a column as single values; None where unset, which an empty text and a list without items are too.

    Decimals and lengths of time (in seconds) are texts of digits, what is neither number, date, moment nor truth value a text.
    """
    match kind:
        case sa.ARRAY() | Records():
            return [_json(cell) if cell else None for cell in cells]
        case sa.Interval():
            return second_texts(cells)
        case Exact() | sa.Integer() | sa.Boolean() | sa.Date() | UtcDateTime():
            return cells
        case _:
            return [cell or None for cell in cells]


def second_texts(cells: Sequence[dt.timedelta | None]) -> list[str | None]:
    """Lengths of time in seconds, as decimals with SECOND_PLACES places."""
    return [None if cell is None else format(Decimal(cell // _MICROSECOND).scaleb(-SECOND_PLACES), "f") for cell in cells]


def _json(items: Sequence[Any]) -> str:
    return json.dumps([_named(item) for item in items], ensure_ascii=False)


def _named(item: Any) -> Any:
    """A text as it is; a mapping with its dates in ISO form."""
    if not isinstance(item, Mapping):
        return item
    return {name: cell.isoformat() if isinstance(cell, dt.date) else cell for name, cell in item.items()}


_MICROSECOND = dt.timedelta(microseconds=1)
