"""Builders of input rows: each names a table and gives a row sensible defaults; `inputs` makes RunInputs of a few of them.

Days are counted from AS_OF. Amounts, rates and prices are given as text or whole numbers, so that they are exact. The default
instrument "X" is a TBA without a coupon: nothing is added to a base price, every note rate fits.
"""

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import polars as pl

from services.run_service.engine.frames import INPUT_TABLES, RunInputs

AS_OF = dt.date(2026, 4, 17)
Number = int | str | Decimal
Day = int | dt.date | None


@dataclass(frozen=True)
class Row:
    """One row of an input table; columns that are not given are null."""

    table: str
    values: dict[str, Any] = field(default_factory=dict)


def day(offset: Day) -> dt.date | None:
    """The date so many days after AS_OF; dates and None stay."""
    return AS_OF + dt.timedelta(offset) if isinstance(offset, int) else offset


def loan(
    loan_id: str,
    amount: Number | None = 100_000,
    *,
    note: Number | None = "6.5",
    status: str | None = "Closed",
    closed: Day = 0,
    lock_expires: Day = None,
    product: str | None = "30YR",
    **fields: Any,
) -> Row:
    """A closed loan; `fields` are other columns of the loan table."""
    values = {
        "loan_id": loan_id,
        "loan_instrument": product,
        "loan_amount": amount,
        "note_rate": note,
        "status_code": status,
        "close_date": day(closed),
        "lock_expiration_date": day(lock_expires),
    }
    return Row("loan", values | fields)


def shipped(loan_id: str) -> Row:
    """A loan that has left."""
    return Row("loan_shipped", {"loan_id": loan_id, "shipped_date": AS_OF, "investor": "FNMA"})


def instrument(
    name: str = "X",
    kind: str | None = "TBA",
    *,
    coupon: Number | None = None,
    window: tuple[Number | None, Number | None] = (None, None),
    guaranty: Number | None = 0,
    servicing: Number | None = 0,
    buyup: Number | None = 0,
    buydown: Number | None = 0,
    min_pool: Number = 0,
    max_loan: Number | None = None,
) -> Row:
    """An instrument; `window` is what the note rate may be over the coupon, low and high."""
    return Row(
        "pscat_instruments",
        {
            "investor_instrument": name,
            "investor": "FNMA",
            "kind": kind,
            "term_months": 360,
            "coupon": coupon,
            "min_note_over_coupon": window[0],
            "max_note_over_coupon": window[1],
            "guaranty_fee": guaranty,
            "servicing_fee": servicing,
            "buyup_multiple": buyup,
            "buydown_multiple": buydown,
            "min_pool_amount": min_pool,
            "max_loan_amount": max_loan,
        },
    )


def trade(
    trade_id: str,
    amount: Number | None = 100_000,
    *,
    price: Number | None = 100,
    on: str | None = "X",
    settles: Day = 20,
    tolerance: Number | None = 0,
    pair_off: Number | None = 0,
    delivered: Number | None = 0,
    status: str = "OPEN",
    phantom: bool = False,
) -> Row:
    """An open trade of instrument `on`."""
    return Row(
        "pscat_trades",
        {
            "trade_id": trade_id,
            "counterparty": "DEALER",
            "investor_instrument": on,
            "trade_date": AS_OF,
            "settlement_date": day(settles),
            "trade_amount": amount,
            "pair_off_amount": pair_off,
            "delivered_amount": delivered,
            "price": price,
            "tolerance_pct": tolerance,
            "status": status,
            "is_phantom": phantom,
        },
    )


def grid(trade_id: str, sequence: int, rate: Number | None, price: Number | None, rule_name: str | None = None) -> Row:
    """A row of a trade's cash grid."""
    values = {"trade_id": trade_id, "sequence_number": sequence, "rate": rate, "price": price, "syntax_name": rule_name}
    return Row("pscat_trade_cash_grid", values)


def pool(name: str, status: str | None = "FORMING", on: str = "X") -> Row:
    """A pool."""
    return Row("pscat_pools", {"pool_name": name, "investor_instrument": on, "pool_amount": 0, "pool_status": status})


def relation(trade_id: str, pool_name: str, amount: Number | None = 100_000) -> Row:
    """A pool that delivers into a trade."""
    return Row("pscat_trades_pools_relation", {"trade_id": trade_id, "pool_name": pool_name, "amount": amount})


def posting(pool_name: str, loan_id: str, posted: Day = -1) -> Row:
    """A loan posted to a pool."""
    return Row("pscat_pool_loans", {"pool_name": pool_name, "loan_id": loan_id, "posted_date": day(posted)})


def segment(loan_id: str, name: str = "at risk", status: str | None = "in_risk") -> Row:
    """A risk segment a loan is in."""
    return Row("rmcat_loan", {"loan_id": loan_id, "segment_name": name, "risk_status": status})


def today(price: Number | None, settles: Day = 20, on: str | None = "X") -> Row:
    """Today's price of an instrument for a settlement date."""
    return Row("rmcat_todays_prices", {"investor_instrument": on, "settlement_date": day(settles), "price": price})


def payup(
    attribute: str, low: Number | None, high: Number | None, points: Number | None, div_by: Number | None = None, on: str = "X"
) -> Row:
    """A payup for loans whose attribute lies in a range."""
    return Row(
        "rmusr_payups",
        {
            "investor_instrument": on,
            "attribute": attribute,
            "low_value": low,
            "high_value": high,
            "payup": points,
            "div_by": div_by,
        },
    )


def rule(name: str, expression: str) -> Row:
    """A security rule, its expression as JSON."""
    return Row("pfill_sec_rules", {"rule_name": name, "description": name, "expression": expression})


def constraint(
    constraint_id: str = "C1",
    priority: int | None = 1,
    *,
    on: str | None = "X",
    rule_name: str | None = None,
    enabled: bool = True,
) -> Row:
    """A line of policy: instrument `on` may take loans that pass the rule."""
    return Row(
        "pfill_constraints",
        {
            "constraint_id": constraint_id,
            "priority": priority,
            "investor": "FNMA",
            "investor_instrument": on,
            "rule_name": rule_name,
            "enabled": enabled,
        },
    )


def curve(annual_rate_pct: Number | None, from_day: int = -10_000, to_day: int = 10_000, on: str = "X") -> Row:
    """A row of an instrument's carry curve."""
    values = {"investor_instrument": on, "from_day": from_day, "to_day": to_day, "annual_rate_pct": annual_rate_pct}
    return Row("pfill_carry_cost", values)


def lock(loan_id: str, trade_id: str | None = None, expires: Day = None, reason: str = "desk order") -> Row:
    """A lockdown: the loan stays on this trade, or without one out of allocation."""
    return Row("pfill_lockdown", {"loan_id": loan_id, "trade_id": trade_id, "reason": reason, "expires_on": day(expires)})


def limit(name: str, *, enabled: bool = True) -> Row:
    """A limit on an instrument."""
    return Row(
        "pfill_limits",
        {
            "name": name,
            "scope": "INSTRUMENT",
            "target": "X",
            "measure": "AVERAGE",
            "subject": "fico",
            "op": "ge",
            "value": 700,
            "enabled": enabled,
        },
    )


def inputs(*rows: Row, missing_columns: Iterable[str] = ()) -> RunInputs:
    """The tables of these rows and nothing else."""
    by_table: dict[str, list[dict[str, Any]]] = {name: [] for name in INPUT_TABLES}
    for row in rows:
        by_table[row.table].append(row.values)
    return RunInputs({name: _frame(name, values) for name, values in by_table.items()}, tuple(missing_columns))


def desk(*rows: Row) -> RunInputs:
    """The tables of these rows, with the default instrument "X" and a constraint C1 on it where none of that kind is given."""
    tables = {row.table for row in rows}
    defaults = [row for row in (instrument(), constraint()) if row.table not in tables]
    return inputs(*rows, *defaults)


def _frame(table: str, rows: list[dict[str, Any]]) -> pl.DataFrame:
    spec = INPUT_TABLES[table].columns
    if not rows:
        return pl.DataFrame(schema=dict(spec))
    return pl.DataFrame([_series(name, dtype, [row.get(name) for row in rows]) for name, dtype in spec.items()])


def _series(name: str, dtype: pl.DataType, values: list[Any]) -> pl.Series:
    if not isinstance(dtype, pl.Decimal):
        return pl.Series(name, values, dtype=dtype)
    exact = [None if value is None else Decimal(value) for value in values]
    series = pl.Series(name, exact, dtype=dtype)
    if series.to_list() != exact:
        raise ValueError(f"{name}: {values} do not fit {dtype}")
    return series
