"""A small tenant: rows as dicts with what a test does not care about filled in, written into its tables."""

import datetime as dt
import json
from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from shared.database.bulk import frame_type
from shared.database.bulk_write import write_frame
from shared.database.tables import CONFIG_TABLES, LENDER_TABLES
from shared.tenancy.database import TenantDatabase

Row = dict[str, Any]
Instance = Mapping[str, Sequence[Row]]
"""Rows by table; tables that are not named are empty."""

AS_OF = dt.date(2026, 4, 17)
SETTLES = dt.date(2026, 5, 14)


def loan(loan_id: str, amount: float = 200_000, **given: Any) -> Row:
    """A closed conventional 30-year loan."""
    return {
        "loan_id": loan_id, "loan_instrument": "30 YR FIXED", "loan_amount": amount, "note_rate": 6.5, "term_months": 360,
        "status_code": "Closed", "close_date": AS_OF - dt.timedelta(days=5), "fico": 740, "ltv": 80.0, "state": "NY",
        "units": 1, "high_balance": False, **given,
    }  # fmt: skip


def instrument(name: str = "30 FNMA 6.0", **given: Any) -> Row:
    """A TBA coupon of 6 percent."""
    return {
        "investor_instrument": name, "investor": "FNMA", "kind": "TBA", "term_months": 360, "coupon": 6.0, "guaranty_fee": 0.25,
        "servicing_fee": 0.25, "buyup_multiple": 3.0, "buydown_multiple": 4.5, "min_pool_amount": 0, **given,
    }  # fmt: skip


def trade(trade_id: str, amount: float = 400_000, **given: Any) -> Row:
    """An open trade at 101 that settles within the window, with a tolerance of one percent."""
    return {
        "trade_id": trade_id, "counterparty": "Dealer", "investor_instrument": "30 FNMA 6.0", "trade_date": AS_OF,
        "settlement_date": SETTLES, "trade_amount": amount, "pair_off_amount": 0, "delivered_amount": 0, "price": 101.0,
        "tolerance_pct": 0.01, "status": "OPEN", "is_phantom": False, **given,
    }  # fmt: skip


def todays_price(name: str = "30 FNMA 6.0", price: float = 100.5, **given: Any) -> Row:
    """Today's price of an instrument for the usual settlement."""
    return {"investor_instrument": name, "settlement_date": SETTLES, "price": price, **given}


def constraint(constraint_id: str = "C1", rule_name: str | None = None, **given: Any) -> Row:
    """An enabled constraint on the usual instrument."""
    return {
        "constraint_id": constraint_id, "priority": 100, "investor": "FNMA", "investor_instrument": "30 FNMA 6.0",
        "rule_name": rule_name, "enabled": True, **given,
    }  # fmt: skip


def rule(rule_name: str, expression: object) -> Row:
    """A security rule; the expression as JSON text or as what becomes it."""
    text = expression if isinstance(expression, str) else json.dumps(expression)
    return {"rule_name": rule_name, "description": rule_name, "expression": text}


def small_instance(loan_count: int = 6, **tables: Sequence[Row]) -> dict[str, Sequence[Row]]:
    """Loans of 200,000 for two trades of 400,000, one constraint and a today's price; `tables` replace what they name."""
    return {
        "loan": [loan(f"L{number:03d}") for number in range(1, loan_count + 1)],
        "pscat_instruments": [instrument()],
        "pscat_trades": [trade("T1"), trade("T2", price=100.75)],
        "rmcat_todays_prices": [todays_price()],
        "pfill_constraints": [constraint()],
        **tables,
    }


async def fill(database: TenantDatabase, instance: Instance) -> None:
    """Write the instance's rows into a migrated tenant's tables."""
    tables = {**LENDER_TABLES, **CONFIG_TABLES}
    async with database.begin() as connection:
        for name, rows in instance.items():
            table = tables[name]
            columns = [column for column in table.columns if any(column.name in row for row in rows)]
            frame = pl.DataFrame(
                [_series(column.name, [row.get(column.name) for row in rows], frame_type(column)) for column in columns]
            )
            await write_frame(connection, table, frame)


def _series(name: str, values: list[Any], dtype: pl.DataType) -> pl.Series:
    if isinstance(dtype, pl.Decimal):
        return pl.Series(name, [None if value is None else str(value) for value in values], dtype=pl.String).cast(dtype)
    return pl.Series(name, values, dtype=dtype)
