"""The shapes of the engine's input and output frames: one schema a table, under the physical names of the specification.

Inputs are those of specification 01 sections 2 and 3. Outputs have the columns of the report that shows them (03-reports).
Amounts are dollars with 2 decimals, prices, carry and scores points with 8, rates percent with 6 (see `shared.money`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import polars as pl

from shared.money import AMOUNT, PRICE, RATE, TOTAL, to_decimal

TEXT, DATE, INTEGER, BOOLEAN = pl.String(), pl.Date(), pl.Int64(), pl.Boolean()
TOLERANCE = pl.Decimal(10, 8)
"""A share of the trade amount: 0.0001 is 0.01 %."""
PERCENT = pl.Decimal(18, 6)
"""At most 12 digits before the point."""


@dataclass(frozen=True)
class InputTable:
    """One table a run reads.

    `optional` columns may be missing from the lender's table and are then null. A row with a null in one of `needed` is
    ignored (never a loan). `key` identifies a row; of several rows with one key the `kept` one in sorted order counts.
    """

    columns: Mapping[str, pl.DataType]
    key: tuple[str, ...]
    needed: tuple[str, ...]
    optional: tuple[str, ...] = ()
    kept: Literal["first", "last"] = "first"


INPUT_TABLES: Mapping[str, InputTable] = {
    "loan": InputTable(
        columns={
            "loan_id": TEXT, "loan_instrument": TEXT, "loan_amount": AMOUNT, "note_rate": RATE, "term_months": INTEGER,
            "status_code": TEXT, "lock_date": DATE, "lock_expiration_date": DATE, "close_date": DATE, "fico": INTEGER,
            "ltv": RATE, "dti": RATE, "state": TEXT, "property_type": TEXT, "occupancy": TEXT, "purpose": TEXT,
            "units": INTEGER, "high_balance": BOOLEAN,
        },
        key=("loan_id",), needed=("loan_id",), optional=("close_date", "fico", "ltv", "dti"),
    ),
    "rmcat_loan": InputTable(
        columns={"loan_id": TEXT, "segment_name": TEXT, "risk_status": TEXT},
        key=("loan_id", "segment_name"), needed=("loan_id", "segment_name"),
    ),
    "loan_shipped": InputTable(
        columns={"loan_id": TEXT, "shipped_date": DATE, "investor": TEXT}, key=("loan_id",), needed=("loan_id",),
    ),
    "pscat_instruments": InputTable(
        columns={
            "investor_instrument": TEXT, "investor": TEXT, "kind": TEXT, "term_months": INTEGER, "coupon": RATE,
            "min_note_over_coupon": RATE, "max_note_over_coupon": RATE, "guaranty_fee": RATE, "servicing_fee": RATE,
            "buyup_multiple": RATE, "buydown_multiple": RATE, "min_pool_amount": AMOUNT, "max_loan_amount": AMOUNT,
        },
        key=("investor_instrument",),
        needed=("investor_instrument", "kind", "guaranty_fee", "servicing_fee", "buyup_multiple", "buydown_multiple"),
        optional=("coupon", "min_note_over_coupon", "max_note_over_coupon", "max_loan_amount"),
    ),
    "pscat_trades": InputTable(
        columns={
            "trade_id": TEXT, "counterparty": TEXT, "investor_instrument": TEXT, "trade_date": DATE, "settlement_date": DATE,
            "trade_amount": AMOUNT, "pair_off_amount": AMOUNT, "delivered_amount": AMOUNT, "price": PRICE,
            "tolerance_pct": TOLERANCE, "status": TEXT, "is_phantom": BOOLEAN,
        },
        key=("trade_id",),
        needed=(
            "trade_id", "investor_instrument", "settlement_date", "trade_amount", "pair_off_amount", "delivered_amount",
            "tolerance_pct", "status", "is_phantom",
        ),
        optional=("price",),
    ),
    "pscat_trade_cash_grid": InputTable(
        columns={"trade_id": TEXT, "sequence_number": INTEGER, "rate": RATE, "price": PRICE, "syntax_name": TEXT},
        key=("trade_id", "sequence_number"), needed=("trade_id", "sequence_number", "rate", "price"), optional=("syntax_name",),
    ),
    "pscat_pools": InputTable(
        columns={
            "pool_name": TEXT, "investor_instrument": TEXT, "pool_amount": AMOUNT, "settlement_date": DATE, "pool_status": TEXT,
        },
        key=("pool_name",), needed=("pool_name", "pool_status"),
    ),
    "pscat_trades_pools_relation": InputTable(
        columns={"trade_id": TEXT, "pool_name": TEXT, "amount": AMOUNT},
        key=("trade_id", "pool_name"), needed=("trade_id", "pool_name", "amount"),
    ),
    "pscat_pool_loans": InputTable(
        columns={"pool_name": TEXT, "loan_id": TEXT, "posted_date": DATE},
        key=("pool_name", "loan_id"), needed=("pool_name", "loan_id", "posted_date"), kept="last",
    ),
    "rmcat_todays_prices": InputTable(
        columns={"investor_instrument": TEXT, "settlement_date": DATE, "price": PRICE},
        key=("investor_instrument", "settlement_date"), needed=("investor_instrument", "settlement_date", "price"),
    ),
    "rmusr_payups": InputTable(
        columns={
            "investor_instrument": TEXT, "attribute": TEXT, "low_value": pl.Decimal(18, 6), "high_value": pl.Decimal(18, 6),
            "payup": PRICE, "div_by": RATE,
        },
        key=(), needed=("investor_instrument", "attribute", "low_value", "high_value", "payup"), optional=("div_by",),
    ),
    "pfill_sec_rules": InputTable(
        columns={"rule_name": TEXT, "description": TEXT, "expression": TEXT},
        key=("rule_name",), needed=("rule_name", "expression"),
    ),
    "pfill_constraints": InputTable(
        columns={
            "constraint_id": TEXT, "priority": INTEGER, "investor": TEXT, "investor_instrument": TEXT, "rule_name": TEXT,
            "enabled": BOOLEAN,
        },
        key=("constraint_id",), needed=("constraint_id", "priority", "investor_instrument", "enabled"), optional=("rule_name",),
    ),
    "pfill_carry_cost": InputTable(
        columns={"investor_instrument": TEXT, "from_day": INTEGER, "to_day": INTEGER, "annual_rate_pct": RATE},
        key=(), needed=("investor_instrument", "from_day", "to_day", "annual_rate_pct"),
    ),
    "pfill_lockdown": InputTable(
        columns={"loan_id": TEXT, "trade_id": TEXT, "reason": TEXT, "expires_on": DATE},
        key=(), needed=("loan_id",), optional=("trade_id", "expires_on"),
    ),
    "pfill_limits": InputTable(
        columns={
            "name": TEXT, "scope": TEXT, "target": TEXT, "measure": TEXT, "subject": TEXT, "op": TEXT, "value": RATE,
            "enabled": BOOLEAN,
        },
        key=("name",), needed=("name", "scope", "target", "measure", "subject", "op", "value", "enabled"),
    ),
}  # fmt: skip

LOAN_FIELDS = INPUT_TABLES["loan"].columns
"""The fields a security rule can speak of, and their types."""

OUTPUT_TABLES: Mapping[str, Mapping[str, pl.DataType]] = {
    "pfill_cash_market_map": {
        "loan_instrument": TEXT, "investor_instrument": TEXT, "slot_number": INTEGER, "cash_grid_type": TEXT, "trade_id": TEXT,
        "rate": RATE, "sequence_number": INTEGER, "price": PRICE, "syntax_name": TEXT, "loan_count": INTEGER,
        "loan_amount": TOTAL,
    },
    "pfill_loan2trade_candy_level_01": {
        "loan_id": TEXT, "trade_id": TEXT, "constraint_id": TEXT, "priority": INTEGER, "price": PRICE, "payup": PRICE,
        "excess": PRICE, "carry": PRICE, "score": PRICE, "rank": INTEGER, "taken": BOOLEAN,
    },
    "pfill_powerfill_guide": {
        "loan_id": TEXT, "loan_instrument": TEXT, "loan_amount": AMOUNT, "note_rate": RATE, "status_code": TEXT,
        "trade_id": TEXT, "counterparty": TEXT, "investor": TEXT, "investor_instrument": TEXT, "settlement_date": DATE,
        "constraint_id": TEXT, "priority": INTEGER, "pass": TEXT, "price": PRICE, "carry": PRICE, "score": PRICE,
        "best_score": PRICE, "rank": INTEGER, "fallback": PRICE, "value": TOTAL, "current_pool": TEXT,
        "recommended_pool": TEXT, "pool_action": TEXT, "locked": BOOLEAN, "syn_trade_id": TEXT, "syn_score": PRICE,
    },
    "pfill_kickout_guide_01": {
        "loan_id": TEXT, "loan_instrument": TEXT, "loan_amount": AMOUNT, "note_rate": RATE, "status_code": TEXT,
        "reason": TEXT, "reason_detail": TEXT, "nearest_constraint_id": TEXT, "failed_condition": TEXT,
        "best_trade_id": TEXT, "best_score": PRICE, "opportunity_cost": TOTAL, "syn_trade_id": TEXT, "syn_score": PRICE,
        "recommended_action": TEXT,
    },
    "pfill_trade_base": {
        "trade_id": TEXT, "counterparty": TEXT, "investor": TEXT, "investor_instrument": TEXT, "kind": TEXT,
        "trade_date": DATE, "settlement_date": DATE, "trade_price": PRICE, "trade_amount": AMOUNT, "pair_off_amount": AMOUNT,
        "delivered_amount": AMOUNT, "need": TOTAL, "lo": TOTAL, "hi": TOTAL, "tolerance_pct": TOLERANCE,
        "allocated_amount": TOTAL, "allocated_count": INTEGER, "locked_amount": TOTAL, "pre_session_amount": TOTAL,
        "pre_session_need": TOTAL, "post_session_need": TOTAL, "space_left": TOTAL, "fill_pct": PERCENT,
        "status": TEXT, "shortfall": TOTAL, "pair_off_points": PRICE, "pair_off_dollars": TOTAL, "avg_note_rate": RATE,
        "avg_fico": RATE, "avg_ltv": RATE, "avg_price": PRICE, "avg_score": PRICE, "room_value": PRICE, "fill_value": PRICE,
    },
    "pfill_cblock_guide": {
        "constraint_id": TEXT, "priority": INTEGER, "investor": TEXT, "investor_instrument": TEXT, "rule_name": TEXT,
        "candidate_count": INTEGER, "loan_count": INTEGER, "loan_amount": TOTAL, "avg_price": PRICE, "avg_score": PRICE,
    },
    "pfill_trade_cblock_base": {
        "trade_id": TEXT, "constraint_id": TEXT, "priority": INTEGER, "candidate_count": INTEGER, "loan_count": INTEGER,
        "loan_amount": TOTAL, "avg_price": PRICE, "avg_score": PRICE,
    },
    "pfill_pool_guide": {
        "loan_id": TEXT, "trade_id": TEXT, "pool_name": TEXT, "pool_action": TEXT, "loan_amount": AMOUNT, "note_rate": RATE,
        "investor_instrument": TEXT, "current_pool": TEXT, "recommended_pool": TEXT, "recommended_trade_id": TEXT,
        "other_pool": TEXT, "other_trade_id": TEXT, "price": PRICE, "score": PRICE, "gain": TOTAL, "below_minimum": BOOLEAN,
    },
    "pfill_existing_disposition": {
        "loan_id": TEXT, "pool": TEXT, "loan_amount": AMOUNT, "note_rate": RATE, "pool_status": TEXT, "is_current_pool": BOOLEAN,
        "trade_id": TEXT, "at_risk": BOOLEAN, "risk_status": TEXT, "in_scope": BOOLEAN, "recommended_pool": TEXT,
        "recommended_trade_id": TEXT, "pool_action": TEXT,
    },
    "pfill_pooling_guide": {
        "pool": TEXT, "trade_id": TEXT, "investor_instrument": TEXT, "loan_count": INTEGER, "amount": TOTAL,
        "target_amount": TOTAL, "fill_pct": PERCENT, "below_minimum": BOOLEAN, "locked_count": INTEGER, "locked_amount": TOTAL,
        "unpooled_count": INTEGER, "unpooled_amount": TOTAL, "joining_count": INTEGER, "joining_amount": TOTAL,
        "remaining_count": INTEGER, "remaining_amount": TOTAL, "switching_count": INTEGER, "switching_amount": TOTAL,
        "leaving_count": INTEGER, "leaving_amount": TOTAL, "swapped_out_count": INTEGER, "swapped_out_amount": TOTAL,
        "swapped_in_count": INTEGER, "swapped_in_amount": TOTAL, "avg_note_rate": RATE, "avg_fico": RATE, "avg_ltv": RATE,
        "avg_price": PRICE, "avg_score": PRICE,
    },
    "pfill_syn_trade_base": {
        "syn_trade_id": TEXT, "investor_instrument": TEXT, "settlement_date": DATE, "price": PRICE, "loan_count": INTEGER,
        "loan_amount": TOTAL, "value": TOTAL,
    },
    "pfill_syn_powerfill_guide_all_rank": {
        "loan_id": TEXT, "rank": INTEGER, "syn_trade_id": TEXT, "investor_instrument": TEXT, "settlement_date": DATE,
        "price": PRICE, "carry": PRICE, "score": PRICE,
    },
    "pfill_syn_powerfill_guide": {
        "loan_id": TEXT, "syn_trade_id": TEXT, "investor_instrument": TEXT, "settlement_date": DATE, "score": PRICE,
        "taken_score": PRICE, "uplift": PRICE, "recommended_sale": BOOLEAN, "loan_instrument": TEXT, "loan_amount": AMOUNT,
        "trade_id": TEXT,
    },
    "pfill_powerfill_log": {
        "sequence": INTEGER, "step": TEXT, "severity": TEXT, "code": TEXT, "subject": TEXT, "message": TEXT,
        "row_count": INTEGER, "examples": TEXT, "pass": TEXT,
    },
}  # fmt: skip

OUTPUT_KEYS: Mapping[str, tuple[str, ...]] = {
    "pfill_cash_market_map": ("loan_instrument", "investor_instrument", "slot_number"),
    "pfill_loan2trade_candy_level_01": ("loan_id", "trade_id"),
    "pfill_powerfill_guide": ("loan_id",),
    "pfill_kickout_guide_01": ("loan_id",),
    "pfill_trade_base": ("trade_id",),
    "pfill_cblock_guide": ("constraint_id",),
    "pfill_trade_cblock_base": ("trade_id", "constraint_id"),
    "pfill_pool_guide": ("loan_id", "trade_id", "pool_name", "pool_action"),
    "pfill_existing_disposition": ("loan_id", "pool"),
    "pfill_pooling_guide": ("pool",),
    "pfill_syn_trade_base": ("syn_trade_id",),
    "pfill_syn_powerfill_guide_all_rank": ("loan_id", "rank"),
    "pfill_syn_powerfill_guide": ("loan_id",),
    "pfill_powerfill_log": ("sequence",),
}
"""What identifies a row of an output table within a run; text key columns are empty rather than null where nothing applies."""


@dataclass(frozen=True)
class RunInputs:
    """What a run reads: a frame for every table of INPUT_TABLES (an absent optional table is an empty frame).

    `missing_columns` names optional columns the lender's tables lack, as `table.column`; `unreadable` counts values that
    are no number or date of the column's type and were read as null, by `table.column`.
    """

    tables: Mapping[str, pl.DataFrame]
    missing_columns: tuple[str, ...] = ()
    unreadable: Mapping[str, int] = field(default_factory=dict)


def conform(name: str, raw: pl.DataFrame) -> tuple[pl.DataFrame, dict[str, int]]:
    """A raw frame of table `name` with exactly its columns and types; and how many values were unreadable, by column.

    Missing columns become null. Numbers round half away from zero to the column's scale; a float counts as the shortest
    decimal that prints it.
    """
    spec = INPUT_TABLES[name]
    unreadable: dict[str, int] = {}
    columns: list[pl.Series] = []
    for column, dtype in spec.columns.items():
        if column not in raw.columns:
            columns.append(pl.Series(column, [None] * raw.height, dtype=dtype))
            continue
        source = raw[column]
        series = _convert(source, dtype).alias(column)
        lost = series.null_count() - source.null_count()
        if lost > 0:
            unreadable[column] = lost
        columns.append(series)
    return pl.DataFrame(columns), unreadable


def empty_inputs() -> dict[str, pl.DataFrame]:
    """An empty frame for every input table."""
    return {name: pl.DataFrame(schema=dict(spec.columns)) for name, spec in INPUT_TABLES.items()}


_BOOLEAN_WORDS = {"true": True, "t": True, "1": True, "false": False, "f": False, "0": False}


def _convert(source: pl.Series, dtype: pl.DataType) -> pl.Series:
    if isinstance(dtype, pl.Decimal):
        return to_decimal(source, dtype)
    if source.dtype == dtype:
        return source
    if dtype == INTEGER and not source.dtype.is_integer() and source.dtype != pl.Null:
        whole = to_decimal(source, pl.Decimal(18, 6))
        return whole.set(whole != whole.round(0), None).cast(pl.Int64, strict=False)
    if dtype == BOOLEAN and source.dtype == pl.String:
        words = source.str.to_lowercase().str.strip_chars()
        return words.replace_strict(_BOOLEAN_WORDS, default=None, return_dtype=BOOLEAN)
    if dtype == DATE and source.dtype == pl.String:
        return source.str.slice(0, 10).str.to_date("%Y-%m-%d", strict=False)
    return source.cast(dtype, strict=False)
