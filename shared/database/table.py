"""How a table is written down: its columns by name and kind, and the kinds that tables share."""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from shared.database.types import Exact
from shared.digits import AMOUNT_DIGITS, PRICE_DIGITS, RATE_DIGITS, TOTAL_DIGITS

SCHEMA = "powerfill"
"""Where PowerFill's own tables stand on a database that has schemas."""

metadata = sa.MetaData()

Kind = sa.types.TypeEngine[Any]

ID, POOL, NAME, TEXT = sa.Unicode(100), sa.Unicode(105), sa.Unicode(200), sa.Unicode()
"""`POOL` also holds the name of a proposed pool: that of its trade behind four letters."""
INTEGER, DATE, BOOLEAN = sa.BigInteger(), sa.Date(), sa.Boolean()
AMOUNT, PRICE, RATE, TOTAL = Exact(*AMOUNT_DIGITS), Exact(*PRICE_DIGITS), Exact(*RATE_DIGITS), Exact(*TOTAL_DIGITS)
TOLERANCE, PERCENT, BOUND = Exact(10, 8), Exact(18, 6), Exact(18, 6)


def new_table(
    name: str, columns: Mapping[str, Kind], key: tuple[str, ...], optional: tuple[str, ...] = (), schema: str | None = None
) -> sa.Table:
    """A table whose key columns are never null; every other column may be, rows that lack something are the run's affair."""
    table = sa.Table(name, metadata, schema=schema)
    for column, kind in columns.items():
        is_key = column in key
        info = {"optional": column in optional}
        table.append_column(sa.Column(column, kind, primary_key=is_key, autoincrement=False, nullable=not is_key, info=info))
    return table


def by_name(*tables: sa.Table) -> dict[str, sa.Table]:
    """The tables by their names."""
    return {table.name: table for table in tables}
