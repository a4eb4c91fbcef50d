"""What runs write: the output tables and their indexes, as SQLAlchemy Core tables.

They have the columns of the engine's output frames behind `run_id`, and belong to `shared.database.tables`.
"""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from shared.database.table import (
    AMOUNT,
    BOOLEAN,
    DATE,
    ID,
    INTEGER,
    NAME,
    PERCENT,
    POOL,
    PRICE,
    RATE,
    SCHEMA,
    TEXT,
    TOLERANCE,
    TOTAL,
    Kind,
    by_name,
    new_table,
)

SWITCH_SIDES = ("SWAPPED_IN", "SWAPPED_OUT")
"""The pool actions that the filtered indexes of the switches hold; a statement that is to use one names them as literals."""


def _output_table(name: str, columns: Mapping[str, Kind], key: tuple[str, ...]) -> sa.Table:
    """An output table; on SQLite its rows are stored by key, those of a run together."""
    table = new_table(name, {"run_id": sa.String(36), **columns}, ("run_id", *key), schema=SCHEMA)
    table.dialect_options["sqlite"]["with_rowid"] = False
    return table


OUTPUT_TABLES: Mapping[str, sa.Table] = by_name(
    _output_table("pfill_cash_market_map", {
        "loan_instrument": ID, "investor_instrument": ID, "slot_number": INTEGER, "cash_grid_type": NAME, "trade_id": ID,
        "rate": RATE, "sequence_number": INTEGER, "price": PRICE, "syntax_name": ID, "loan_count": INTEGER, "loan_amount": TOTAL,
    }, ("loan_instrument", "investor_instrument", "slot_number")),
    _output_table("pfill_loan2trade_candy_level_01", {
        "loan_id": ID, "trade_id": ID, "constraint_id": ID, "priority": INTEGER, "price": PRICE, "payup": PRICE, "excess": PRICE,
        "carry": PRICE, "score": PRICE, "rank": INTEGER, "taken": BOOLEAN,
    }, ("loan_id", "trade_id")),
    _output_table("pfill_powerfill_guide", {
        "loan_id": ID, "loan_instrument": NAME, "loan_amount": AMOUNT, "note_rate": RATE, "status_code": NAME, "trade_id": ID,
        "counterparty": NAME, "investor": NAME, "investor_instrument": ID, "settlement_date": DATE, "constraint_id": ID,
        "priority": INTEGER, "pass": NAME, "price": PRICE, "carry": PRICE, "score": PRICE, "best_score": PRICE, "rank": INTEGER,
        "fallback": PRICE, "value": TOTAL, "current_pool": ID, "recommended_pool": NAME, "pool_action": NAME, "locked": BOOLEAN,
        "syn_trade_id": NAME, "syn_score": PRICE,
    }, ("loan_id",)),
    _output_table("pfill_kickout_guide_01", {
        "loan_id": ID, "loan_instrument": NAME, "loan_amount": AMOUNT, "note_rate": RATE, "status_code": NAME, "reason": NAME,
        "reason_detail": TEXT, "nearest_constraint_id": ID, "failed_condition": TEXT, "best_trade_id": ID, "best_score": PRICE,
        "opportunity_cost": TOTAL, "syn_trade_id": NAME, "syn_score": PRICE, "recommended_action": NAME,
    }, ("loan_id",)),
    _output_table("pfill_trade_base", {
        "trade_id": ID, "counterparty": NAME, "investor": NAME, "investor_instrument": ID, "kind": NAME, "trade_date": DATE,
        "settlement_date": DATE, "trade_price": PRICE, "trade_amount": AMOUNT, "pair_off_amount": AMOUNT,
        "delivered_amount": AMOUNT, "need": TOTAL, "lo": TOTAL, "hi": TOTAL, "tolerance_pct": TOLERANCE,
        "allocated_amount": TOTAL, "allocated_count": INTEGER, "locked_amount": TOTAL, "pre_session_amount": TOTAL,
        "pre_session_need": TOTAL, "post_session_need": TOTAL, "space_left": TOTAL, "fill_pct": PERCENT, "status": NAME,
        "shortfall": TOTAL, "pair_off_points": PRICE, "pair_off_dollars": TOTAL, "avg_note_rate": RATE, "avg_fico": RATE,
        "avg_ltv": RATE, "avg_price": PRICE, "avg_score": PRICE, "room_value": PRICE, "fill_value": PRICE,
    }, ("trade_id",)),
    _output_table("pfill_cblock_guide", {
        "constraint_id": ID, "priority": INTEGER, "investor": NAME, "investor_instrument": ID, "rule_name": ID,
        "candidate_count": INTEGER, "loan_count": INTEGER, "loan_amount": TOTAL, "avg_price": PRICE, "avg_score": PRICE,
    }, ("constraint_id",)),
    _output_table("pfill_trade_cblock_base", {
        "trade_id": ID, "constraint_id": ID, "priority": INTEGER, "candidate_count": INTEGER, "loan_count": INTEGER,
        "loan_amount": TOTAL, "avg_price": PRICE, "avg_score": PRICE,
    }, ("trade_id", "constraint_id")),
    _output_table("pfill_pool_guide", {
        "loan_id": ID, "trade_id": ID, "pool_name": POOL, "pool_action": sa.Unicode(20), "loan_amount": AMOUNT,
        "note_rate": RATE, "investor_instrument": ID, "current_pool": ID, "recommended_pool": NAME, "recommended_trade_id": ID,
        "other_pool": NAME, "other_trade_id": ID, "price": PRICE, "score": PRICE, "gain": TOTAL, "below_minimum": BOOLEAN,
    }, ("loan_id", "trade_id", "pool_name", "pool_action")),
    _output_table("pfill_existing_disposition", {
        "loan_id": ID, "pool": ID, "loan_amount": AMOUNT, "note_rate": RATE, "pool_status": NAME, "is_current_pool": BOOLEAN,
        "trade_id": ID, "at_risk": BOOLEAN, "risk_status": NAME, "in_scope": BOOLEAN, "recommended_pool": NAME,
        "recommended_trade_id": ID, "pool_action": NAME,
    }, ("loan_id", "pool")),
    _output_table("pfill_pooling_guide", {
        "pool": POOL, "trade_id": ID, "investor_instrument": ID, "loan_count": INTEGER, "amount": TOTAL,
        "target_amount": TOTAL, "fill_pct": PERCENT, "below_minimum": BOOLEAN, "locked_count": INTEGER, "locked_amount": TOTAL,
        "unpooled_count": INTEGER, "unpooled_amount": TOTAL, "joining_count": INTEGER, "joining_amount": TOTAL,
        "remaining_count": INTEGER, "remaining_amount": TOTAL, "switching_count": INTEGER, "switching_amount": TOTAL,
        "leaving_count": INTEGER, "leaving_amount": TOTAL, "swapped_out_count": INTEGER, "swapped_out_amount": TOTAL,
        "swapped_in_count": INTEGER, "swapped_in_amount": TOTAL, "avg_note_rate": RATE, "avg_fico": RATE, "avg_ltv": RATE,
        "avg_price": PRICE, "avg_score": PRICE,
    }, ("pool",)),
    _output_table("pfill_syn_trade_base", {
        "syn_trade_id": NAME, "investor_instrument": ID, "settlement_date": DATE, "price": PRICE, "loan_count": INTEGER,
        "loan_amount": TOTAL, "value": TOTAL,
    }, ("syn_trade_id",)),
    _output_table("pfill_syn_powerfill_guide_all_rank", {
        "loan_id": ID, "rank": INTEGER, "syn_trade_id": NAME, "investor_instrument": ID, "settlement_date": DATE, "price": PRICE,
        "carry": PRICE, "score": PRICE,
    }, ("loan_id", "rank")),
    _output_table("pfill_syn_powerfill_guide", {
        "loan_id": ID, "syn_trade_id": NAME, "investor_instrument": ID, "settlement_date": DATE, "score": PRICE,
        "taken_score": PRICE, "uplift": PRICE, "recommended_sale": BOOLEAN, "loan_instrument": NAME, "loan_amount": AMOUNT,
        "trade_id": ID,
    }, ("loan_id",)),
    _output_table("pfill_powerfill_log", {
        "sequence": INTEGER, "step": NAME, "severity": NAME, "code": NAME, "subject": TEXT, "message": TEXT, "row_count": INTEGER,
        "examples": TEXT, "pass": NAME,
    }, ("sequence",)),
)  # fmt: skip


def _index(name: str, table: str, *columns: str, only: sa.ColumnElement[bool] | None = None) -> None:
    """An index of an output table within a run; `only` are the rows it holds."""
    of = OUTPUT_TABLES[table].c
    condition: dict[str, Any] = {f"{dialect}_where": only for dialect in ("sqlite", "postgresql", "mssql") if only is not None}
    sa.Index(name, of.run_id, *(of[column] for column in columns), **condition)


_IS_SWITCH = OUTPUT_TABLES["pfill_pool_guide"].c.pool_action.in_(SWITCH_SIDES)

# On SQL Server there is also pfill_loan2trade_candy_level_01_by_rank; the others sort the candidates of a loan by rank.
_index("pfill_powerfill_guide_by_trade", "pfill_powerfill_guide", "trade_id", "loan_id")
_index("pfill_kickout_guide_01_by_reason", "pfill_kickout_guide_01", "reason", "loan_id")
_index("pfill_existing_disposition_by_pool", "pfill_existing_disposition", "pool", "loan_id")
_index("pfill_trade_cblock_base_by_constraint", "pfill_trade_cblock_base", "constraint_id", "trade_id")
_index("pfill_pool_guide_switches", "pfill_pool_guide", "loan_id", "pool_action", only=_IS_SWITCH)
_index("pfill_pool_guide_switches_by_pool", "pfill_pool_guide", "pool_name", "loan_id", "pool_action", only=_IS_SWITCH)
