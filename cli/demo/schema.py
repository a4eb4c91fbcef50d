"""Columns and types of the demo's tables, by the names of the lender's database."""

import polars as pl

from shared.money import AMOUNT, PRICE, RATE, to_decimal

BOUND = pl.Decimal(18, 6)
"""An end of a payup's range: the field may be a rate or an amount in dollars."""

Schema = dict[str, pl.DataType | type[pl.DataType]]

TABLES: dict[str, Schema] = {
    "loan": {
        "loan_id": pl.String,
        "loan_instrument": pl.String,
        "loan_amount": AMOUNT,
        "note_rate": RATE,
        "term_months": pl.Int64,
        "status_code": pl.String,
        "lock_date": pl.Date,
        "lock_expiration_date": pl.Date,
        "close_date": pl.Date,
        "fico": pl.Int64,
        "ltv": RATE,
        "dti": RATE,
        "state": pl.String,
        "property_type": pl.String,
        "occupancy": pl.String,
        "purpose": pl.String,
        "units": pl.Int64,
        "high_balance": pl.Boolean,
    },
    "rmcat_loan": {"loan_id": pl.String, "segment_name": pl.String, "risk_status": pl.String},
    "loan_shipped": {"loan_id": pl.String, "shipped_date": pl.Date, "investor": pl.String},
    "pscat_instruments": {
        "investor_instrument": pl.String,
        "investor": pl.String,
        "kind": pl.String,
        "term_months": pl.Int64,
        "coupon": RATE,
        "min_note_over_coupon": RATE,
        "max_note_over_coupon": RATE,
        "guaranty_fee": RATE,
        "servicing_fee": RATE,
        "buyup_multiple": RATE,
        "buydown_multiple": RATE,
        "min_pool_amount": AMOUNT,
        "max_loan_amount": AMOUNT,
    },
    "pscat_trades": {
        "trade_id": pl.String,
        "counterparty": pl.String,
        "investor_instrument": pl.String,
        "trade_date": pl.Date,
        "settlement_date": pl.Date,
        "trade_amount": AMOUNT,
        "pair_off_amount": AMOUNT,
        "delivered_amount": AMOUNT,
        "price": PRICE,
        "tolerance_pct": PRICE,
        "status": pl.String,
        "is_phantom": pl.Boolean,
    },
    "pscat_trade_cash_grid": {
        "trade_id": pl.String,
        "sequence_number": pl.Int64,
        "rate": RATE,
        "price": PRICE,
        "syntax_name": pl.String,
    },
    "pscat_pools": {
        "pool_name": pl.String,
        "investor_instrument": pl.String,
        "pool_amount": AMOUNT,
        "settlement_date": pl.Date,
        "pool_status": pl.String,
    },
    "pscat_trades_pools_relation": {"trade_id": pl.String, "pool_name": pl.String, "amount": AMOUNT},
    "pscat_pool_loans": {"pool_name": pl.String, "loan_id": pl.String, "posted_date": pl.Date},
    "rmcat_todays_prices": {"investor_instrument": pl.String, "settlement_date": pl.Date, "price": PRICE},
    "rmusr_payups": {
        "investor_instrument": pl.String,
        "attribute": pl.String,
        "low_value": BOUND,
        "high_value": BOUND,
        "payup": PRICE,
        "div_by": pl.Int64,
    },
    "pfill_sec_rules": {"rule_name": pl.String, "description": pl.String, "expression": pl.String},
    "pfill_constraints": {
        "constraint_id": pl.String,
        "priority": pl.Int64,
        "investor": pl.String,
        "investor_instrument": pl.String,
        "rule_name": pl.String,
        "enabled": pl.Boolean,
    },
    "pfill_carry_cost": {
        "investor_instrument": pl.String,
        "from_day": pl.Int64,
        "to_day": pl.Int64,
        "annual_rate_pct": RATE,
    },
    "pfill_lockdown": {
        "loan_id": pl.String,
        "trade_id": pl.String,
        "reason": pl.String,
        "expires_on": pl.Date,
    },
}


def conform(table: str, frame: pl.DataFrame) -> pl.DataFrame:
    """The table's columns of `frame`, in their order and types; numbers become exact decimals, other columns are dropped."""
    schema = TABLES[table]
    return frame.select(
        to_decimal(frame[name], dtype) if isinstance(dtype, pl.Decimal) else frame[name].cast(dtype)
        for name, dtype in schema.items()
    )


def rows(table: str, records: list[dict[str, object]]) -> pl.DataFrame:
    """The table as given by `records`, one a row; columns that a record leaves out are null."""
    loose = {name: pl.Float64 if isinstance(dtype, pl.Decimal) else dtype for name, dtype in TABLES[table].items()}
    return conform(table, pl.DataFrame(records, schema=loose))
