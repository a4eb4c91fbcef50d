"""What a run decided, read back from its output tables."""

from collections.abc import Collection
from typing import Any

import polars as pl
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.run_service.application.errors import outputs_expired
from services.run_service.application.ports import DecidedLoan
from services.run_service.domain.run import RunRef
from services.run_service.repositories.run_rows import HISTORY, is_run
from shared.database.bulk import read_frame
from shared.database.tables import OUTPUT_TABLES
from shared.errors import run_not_found
from shared.tenancy.connections import TenantConnections

_GUIDE = OUTPUT_TABLES["pfill_powerfill_guide"]
_KICKOUTS = OUTPUT_TABLES["pfill_kickout_guide_01"]
_TRADES = OUTPUT_TABLES["pfill_trade_base"]

ALLOCATION_COLUMNS = (
    "loan_id", "trade_id", "loan_amount", "price", "score", "fallback", "value", "locked", "constraint_id", "priority",
    "current_pool",
)  # fmt: skip
KICKOUT_COLUMNS = (
    "loan_id", "loan_amount", "reason", "reason_detail", "best_trade_id", "best_score", "opportunity_cost", "syn_trade_id",
    "syn_score",
)  # fmt: skip

IDS_A_QUERY = 500
"""Values in one IN list: under what every database takes."""


class SqlDecisions:
    """`application.ports.Decisions` over the tenants' databases."""

    def __init__(self, connections: TenantConnections) -> None:
        self._connections = connections

    async def loan(self, ref: RunRef, loan_id: str) -> DecidedLoan | None:
        """The loan's row. Raises RUN_NOT_FOUND, RUN_EXPIRED."""
        database = await self._connections.database(ref.tenant_id)
        async with database.connect() as connection:
            await _refuse_expired(connection, ref)
            for table in (_GUIDE, _KICKOUTS):
                columns = [column for column in table.columns if column.name != "run_id"]
                chosen = sa.and_(table.c.run_id == ref.run_id, table.c.loan_id == loan_id)
                row = (await connection.execute(sa.select(*columns).where(chosen))).mappings().first()
                if row is not None:
                    return DecidedLoan(is_allocated=table is _GUIDE, row=dict(row))
        return None

    async def trades(self, ref: RunRef) -> pl.DataFrame:
        """The trades' rows. Raises RUN_NOT_FOUND, RUN_EXPIRED."""
        columns = [column.name for column in _TRADES.columns if column.name != "run_id"]
        return (await self._rows(ref, _TRADES, columns)).sort("trade_id")

    async def allocation(self, ref: RunRef, trade_ids: Collection[str] | None = None) -> pl.DataFrame:
        """The allocated loans' rows. Raises RUN_NOT_FOUND, RUN_EXPIRED."""
        if trade_ids is None:
            return (await self._rows(ref, _GUIDE, ALLOCATION_COLUMNS)).sort("loan_id")
        ids = sorted(trade_ids)
        firsts = range(0, max(1, len(ids)), IDS_A_QUERY)
        chosen = [_GUIDE.c.trade_id.in_(ids[first : first + IDS_A_QUERY]) for first in firsts]
        return (await self._rows(ref, _GUIDE, ALLOCATION_COLUMNS, *chosen)).sort("loan_id")

    async def kickouts(self, ref: RunRef) -> pl.DataFrame:
        """The kickouts' rows. Raises RUN_NOT_FOUND, RUN_EXPIRED."""
        return (await self._rows(ref, _KICKOUTS, KICKOUT_COLUMNS)).sort("loan_id")

    async def _rows(
        self, ref: RunRef, table: sa.Table, columns: Collection[str], *chosen: sa.ColumnElement[bool]
    ) -> pl.DataFrame:
        """The run's rows of a table; where conditions are given those that fulfil one of them (they exclude each other)."""
        database = await self._connections.database(ref.tenant_id)
        async with database.connect() as connection:
            await _refuse_expired(connection, ref)
            ours = table.c.run_id == ref.run_id
            parts = [
                await read_frame(connection, table, list(columns), sa.and_(ours, condition))
                for condition in chosen or (sa.true(),)
            ]
        return pl.concat(parts)


async def _refuse_expired(connection: AsyncConnection, ref: RunRef) -> None:
    """Read in the snapshot that the rows are read in: what retention removes later is still there."""
    removed: Any = (
        await connection.execute(sa.select(HISTORY.c.outputs_removed).where(is_run(ref.tenant_id, ref.run_id)))
    ).scalar_one_or_none()
    if removed is None:
        raise run_not_found(ref.run_id, ref.tenant_id)
    if removed:
        raise outputs_expired(ref.run_id)
