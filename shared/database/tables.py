"""Every table PowerFill reads or writes, as SQLAlchemy Core tables under their physical names.

The lender's tables are those of specification 01 section 2, PowerFill's own those of section 3; the output tables have the
columns of the engine's output frames behind `run_id`. PowerFill's own stand in schema `powerfill`; a SQLite database has no
schemas, its connections translate that name away (`SQLITE_SCHEMAS`). A column's `info["optional"]` says that it may be
missing in the lender's table or in a file; on configuration tables it says that a loaded row may leave it out.
"""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from shared.database.output_tables import OUTPUT_TABLES, SWITCH_SIDES
from shared.database.table import (
    AMOUNT,
    BOOLEAN,
    BOUND,
    DATE,
    ID,
    INTEGER,
    NAME,
    PRICE,
    RATE,
    SCHEMA,
    TEXT,
    TOLERANCE,
    Kind,
    by_name,
    metadata,
    new_table,
)
from shared.database.types import UtcDateTime

__all__ = [
    "ACTIVE_STATUSES", "AUDIT_TABLES", "CONFIG_TABLES", "EMBEDDED_TABLE", "LENDER_TABLES", "OUTPUT_TABLES", "SCHEMA",
    "SCHEMA_REVISION", "SQLITE_SCHEMAS", "SWITCH_SIDES", "current_view", "metadata", "optional_columns",
]  # fmt: skip

SQLITE_SCHEMAS: Mapping[str | None, str | None] = {SCHEMA: None}
"""The schema_translate_map of SQLite connections."""

SCHEMA_REVISION = "0002"
"""The Alembic revision these tables are at."""

ACTIVE_STATUSES = ("PENDING", "PRE_PROCESSING", "ALLOCATING", "POST_PROCESSING")
"""The states in which a run blocks another of its tenant, as the filtered unique index has them."""

LENDER_TABLES: Mapping[str, sa.Table] = by_name(
    new_table("loan", {
        "loan_id": ID, "loan_instrument": NAME, "loan_amount": AMOUNT, "note_rate": RATE, "term_months": INTEGER,
        "status_code": NAME, "lock_date": DATE, "lock_expiration_date": DATE, "close_date": DATE, "fico": INTEGER, "ltv": RATE,
        "dti": RATE, "state": NAME, "property_type": NAME, "occupancy": NAME, "purpose": NAME, "units": INTEGER,
        "high_balance": BOOLEAN,
    }, key=("loan_id",), optional=("close_date", "fico", "ltv", "dti")),
    new_table("rmcat_loan", {"loan_id": ID, "segment_name": ID, "risk_status": NAME}, key=("loan_id", "segment_name")),
    new_table("loan_shipped", {"loan_id": ID, "shipped_date": DATE, "investor": NAME}, key=("loan_id",)),
    new_table("pscat_instruments", {
        "investor_instrument": ID, "investor": NAME, "kind": NAME, "term_months": INTEGER, "coupon": RATE,
        "min_note_over_coupon": RATE, "max_note_over_coupon": RATE, "guaranty_fee": RATE, "servicing_fee": RATE,
        "buyup_multiple": RATE, "buydown_multiple": RATE, "min_pool_amount": AMOUNT, "max_loan_amount": AMOUNT,
    }, key=("investor_instrument",), optional=("coupon", "min_note_over_coupon", "max_note_over_coupon", "max_loan_amount")),
    new_table("pscat_trades", {
        "trade_id": ID, "counterparty": NAME, "investor_instrument": ID, "trade_date": DATE, "settlement_date": DATE,
        "trade_amount": AMOUNT, "pair_off_amount": AMOUNT, "delivered_amount": AMOUNT, "price": PRICE,
        "tolerance_pct": TOLERANCE, "status": NAME, "is_phantom": BOOLEAN,
    }, key=("trade_id",), optional=("price",)),
    new_table("pscat_trade_cash_grid", {
        "trade_id": ID, "sequence_number": INTEGER, "rate": RATE, "price": PRICE, "syntax_name": ID,
    }, key=("trade_id", "sequence_number"), optional=("syntax_name",)),
    new_table("pscat_pools", {
        "pool_name": ID, "investor_instrument": ID, "pool_amount": AMOUNT, "settlement_date": DATE, "pool_status": NAME,
    }, key=("pool_name",)),
    new_table("pscat_trades_pools_relation", {"trade_id": ID, "pool_name": ID, "amount": AMOUNT}, key=("trade_id", "pool_name")),
    new_table("pscat_pool_loans", {"pool_name": ID, "loan_id": ID, "posted_date": DATE}, key=("pool_name", "loan_id")),
    new_table("rmcat_todays_prices", {
        "investor_instrument": ID, "settlement_date": DATE, "price": PRICE,
    }, key=("investor_instrument", "settlement_date")),
    new_table("rmusr_payups", {
        "investor_instrument": ID, "attribute": NAME, "low_value": BOUND, "high_value": BOUND, "payup": PRICE, "div_by": RATE,
    }, key=(), optional=("div_by",)),
)  # fmt: skip


def _config_table(name: str, columns: Mapping[str, Kind], key: str, optional: tuple[str, ...] = ()) -> sa.Table:
    """A configuration table: `row_version` counts the changes of a row and is what its etag is made of."""
    table = new_table(name, columns, (key,), optional, SCHEMA)
    table.append_column(sa.Column("row_version", INTEGER, nullable=False, server_default=sa.text("1"), info={"optional": True}))
    return table


CONFIG_TABLES: Mapping[str, sa.Table] = by_name(
    _config_table("pfill_sec_rules", {"rule_name": ID, "description": TEXT, "expression": TEXT}, "rule_name"),
    _config_table("pfill_constraints", {
        "constraint_id": ID, "priority": INTEGER, "investor": NAME, "investor_instrument": ID, "rule_name": ID,
        "enabled": BOOLEAN,
    }, "constraint_id", ("rule_name",)),
    _config_table("pfill_carry_cost", {
        "curve_id": ID, "investor_instrument": ID, "from_day": INTEGER, "to_day": INTEGER, "annual_rate_pct": RATE,
    }, "curve_id"),
    _config_table("pfill_lockdown", {
        "lock_id": ID, "loan_id": ID, "trade_id": ID, "reason": TEXT, "expires_on": DATE,
    }, "lock_id", ("trade_id", "expires_on")),
    _config_table("pfill_limits", {
        "name": ID, "scope": NAME, "target": ID, "measure": NAME, "subject": NAME, "op": NAME, "value": RATE, "enabled": BOOLEAN,
    }, "name"),
    _config_table("pfill_preflight_settings", {"check_code": ID, "enabled": BOOLEAN, "severity": NAME}, "check_code"),
)  # fmt: skip


def _given(name: str, kind: sa.types.TypeEngine[Any], default: str | sa.TextClause | None = "") -> sa.Column[Any]:
    """A column that is never null; a row that does not name it gets the default."""
    return sa.Column(name, kind, nullable=False, server_default=default)


_RUN_HISTORY = sa.Table(
    "pfill_run_history",
    metadata,
    sa.Column("run_id", sa.String(36), primary_key=True),
    _given("tenant_id", ID, None),
    _given("status", sa.Unicode(20), None),
    _given("requested_by", NAME),
    _given("options", TEXT, "{}"),
    _given("input_loan_ids", TEXT, "[]"),
    _given("input_counts", TEXT, "{}"),
    _given("output_counts", TEXT, "{}"),
    sa.Column("submitted_at_utc", UtcDateTime(), nullable=False),
    sa.Column("started_at_utc", UtcDateTime()),
    sa.Column("ended_at_utc", UtcDateTime()),
    _given("failure_step", NAME),
    _given("failure_message", TEXT),
    _given("summary", TEXT, "{}"),
    _given("steps", TEXT, "[]"),
    _given("replay_of", sa.String(36)),
    sa.Column("request_id", NAME),
    _given("request_digest", NAME),
    _given("attempt", INTEGER, sa.text("1")),
    _given("deaths", INTEGER, sa.text("0")),
    sa.Column("cancel_requested", BOOLEAN, nullable=False, server_default=sa.false()),
    _given("lease_owner", NAME),
    sa.Column("lease_until_utc", UtcDateTime()),
    _given("last_sequence", INTEGER, sa.text("0")),
    sa.Column("outputs_removed", BOOLEAN, nullable=False, server_default=sa.false()),
    schema=SCHEMA,
)
_active = _RUN_HISTORY.c.status.in_(ACTIVE_STATUSES)
_named = _RUN_HISTORY.c.request_id.is_not(None)
sa.Index(
    "pfill_run_history_one_active", _RUN_HISTORY.c.tenant_id, unique=True,
    sqlite_where=_active, postgresql_where=_active, mssql_where=_active,
)  # fmt: skip
sa.Index(
    "pfill_run_history_request", _RUN_HISTORY.c.tenant_id, _RUN_HISTORY.c.request_id, unique=True,
    sqlite_where=_named, postgresql_where=_named, mssql_where=_named,
)  # fmt: skip
sa.Index("pfill_run_history_started", _RUN_HISTORY.c.tenant_id, _RUN_HISTORY.c.started_at_utc.desc())
sa.Index("pfill_run_history_submitted", _RUN_HISTORY.c.tenant_id, _RUN_HISTORY.c.submitted_at_utc.desc(), _RUN_HISTORY.c.run_id)

AUDIT_TABLES: Mapping[str, sa.Table] = by_name(
    _RUN_HISTORY,
    sa.Table(
        "pfill_run_event",
        metadata,
        sa.Column("run_id", sa.String(36), primary_key=True),
        sa.Column("sequence", INTEGER, primary_key=True, autoincrement=False),
        sa.Column("recorded_at_utc", UtcDateTime(), nullable=False),
        sa.Column("attempt", INTEGER, nullable=False),
        sa.Column("kind", sa.Unicode(40), nullable=False),
        sa.Column("payload", TEXT, nullable=False),
        schema=SCHEMA,
    ),
    sa.Table(
        "pfill_run_input",
        metadata,
        sa.Column("run_id", sa.String(36), primary_key=True),
        sa.Column("table_name", ID, primary_key=True),
        sa.Column("row_count", INTEGER, nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        schema=SCHEMA,
    ),
    sa.Table(
        "pfill_config_audit",
        metadata,
        sa.Column("change_id", sa.String(36), primary_key=True),
        sa.Column("changed_at_utc", UtcDateTime(), nullable=False),
        sa.Column("changed_by", NAME, nullable=False),
        sa.Column("action", sa.Unicode(20), nullable=False),
        _given("table_name", ID),
        _given("row_key", ID),
        sa.Column("before", TEXT),
        sa.Column("after", TEXT),
        schema=SCHEMA,
    ),
)

_CONFIG_AUDIT = AUDIT_TABLES["pfill_config_audit"]
sa.Index("pfill_config_audit_changed", _CONFIG_AUDIT.c.changed_at_utc.desc())

EMBEDDED_TABLE = sa.Table("pfill_embedded_table", metadata, sa.Column("table_name", ID, primary_key=True), schema=SCHEMA)
"""The names of the lender's tables that PowerFill itself created; only those may be loaded."""


def current_view(table: sa.Table) -> str:
    """The name of the view that shows an output table's rows of the latest complete run."""
    return f"{table.name}_current"


def optional_columns(table: sa.Table) -> tuple[str, ...]:
    """The columns that may be missing."""
    return tuple(column.name for column in table.columns if column.info.get("optional"))
