"""0001: the lender's input tables (an empty database only), configuration, outputs with their current views, audit.

Frozen: what later versions change comes as a later revision. PowerFill's own tables stand in schema `powerfill`, which the
connection translates away on SQLite.
"""

import sqlalchemy as sa
from alembic.operations import Operations
from sqlalchemy import Column as column  # noqa: N813 - a column a word, so that a table reads like a sentence
from sqlalchemy.dialects import mssql

revision = "0001"
down_revision = None

SCHEMA = "powerfill"

RUN_ID, DIGEST = sa.String(36), sa.String(64)
CODE, ID, POOL, NAME, TEXT = sa.Unicode(20), sa.Unicode(100), sa.Unicode(105), sa.Unicode(200), sa.Unicode()
AMOUNT, TOTAL, PRICE, RATE = sa.Numeric(14, 2), sa.Numeric(20, 2), sa.Numeric(12, 8), sa.Numeric(10, 6)
TOLERANCE, WIDE = sa.Numeric(10, 8), sa.Numeric(18, 6)
INTEGER, BOOLEAN, DATE, BLOB = sa.BigInteger(), sa.Boolean(), sa.Date(), sa.LargeBinary()
MOMENT = sa.DateTime().with_variant(mssql.DATETIME2(6), "mssql")  # type: ignore[no-untyped-call]

ACTIVE = sa.text("status IN ('PENDING', 'PRE_PROCESSING', 'ALLOCATING', 'POST_PROCESSING')")
NAMED = sa.text("request_id IS NOT NULL")

LENDER_TABLES = (
    "loan", "rmcat_loan", "loan_shipped", "pscat_instruments", "pscat_trades", "pscat_trade_cash_grid", "pscat_pools",
    "pscat_trades_pools_relation", "pscat_pool_loans", "rmcat_todays_prices", "rmusr_payups",
)  # fmt: skip


def upgrade(op: Operations, *, empty: bool) -> None:
    """Create everything; the lender's tables only in a database that is `empty`."""
    _configuration(op)
    _outputs(op)
    _audit(op)
    if empty:
        _lender(op)
        embedded = sa.table("pfill_embedded_table", sa.column("table_name", ID), schema=_schema_of_names(op))
        op.bulk_insert(embedded, [{"table_name": name} for name in LENDER_TABLES])


def _lender(op: Operations) -> None:
    op.create_table(
        "loan",
        column("loan_id", ID, nullable=False),
        column("loan_instrument", NAME),
        column("loan_amount", AMOUNT),
        column("note_rate", RATE),
        column("term_months", INTEGER),
        column("status_code", NAME),
        column("lock_date", DATE),
        column("lock_expiration_date", DATE),
        column("close_date", DATE),
        column("fico", INTEGER),
        column("ltv", RATE),
        column("dti", RATE),
        column("state", NAME),
        column("property_type", NAME),
        column("occupancy", NAME),
        column("purpose", NAME),
        column("units", INTEGER),
        column("high_balance", BOOLEAN),
        sa.PrimaryKeyConstraint("loan_id"),
    )
    op.create_table(
        "rmcat_loan",
        column("loan_id", ID, nullable=False),
        column("segment_name", ID, nullable=False),
        column("risk_status", NAME),
        sa.PrimaryKeyConstraint("loan_id", "segment_name"),
    )
    op.create_table(
        "loan_shipped",
        column("loan_id", ID, nullable=False),
        column("shipped_date", DATE),
        column("investor", NAME),
        sa.PrimaryKeyConstraint("loan_id"),
    )
    op.create_table(
        "pscat_instruments",
        column("investor_instrument", ID, nullable=False),
        column("investor", NAME),
        column("kind", NAME),
        column("term_months", INTEGER),
        column("coupon", RATE),
        column("min_note_over_coupon", RATE),
        column("max_note_over_coupon", RATE),
        column("guaranty_fee", RATE),
        column("servicing_fee", RATE),
        column("buyup_multiple", RATE),
        column("buydown_multiple", RATE),
        column("min_pool_amount", AMOUNT),
        column("max_loan_amount", AMOUNT),
        sa.PrimaryKeyConstraint("investor_instrument"),
    )
    op.create_table(
        "pscat_trades",
        column("trade_id", ID, nullable=False),
        column("counterparty", NAME),
        column("investor_instrument", ID),
        column("trade_date", DATE),
        column("settlement_date", DATE),
        column("trade_amount", AMOUNT),
        column("pair_off_amount", AMOUNT),
        column("delivered_amount", AMOUNT),
        column("price", PRICE),
        column("tolerance_pct", TOLERANCE),
        column("status", NAME),
        column("is_phantom", BOOLEAN),
        sa.PrimaryKeyConstraint("trade_id"),
    )
    op.create_table(
        "pscat_trade_cash_grid",
        column("trade_id", ID, nullable=False),
        column("sequence_number", INTEGER, nullable=False),
        column("rate", RATE),
        column("price", PRICE),
        column("syntax_name", ID),
        sa.PrimaryKeyConstraint("trade_id", "sequence_number"),
    )
    op.create_table(
        "pscat_pools",
        column("pool_name", ID, nullable=False),
        column("investor_instrument", ID),
        column("pool_amount", AMOUNT),
        column("settlement_date", DATE),
        column("pool_status", NAME),
        sa.PrimaryKeyConstraint("pool_name"),
    )
    op.create_table(
        "pscat_trades_pools_relation",
        column("trade_id", ID, nullable=False),
        column("pool_name", ID, nullable=False),
        column("amount", AMOUNT),
        sa.PrimaryKeyConstraint("trade_id", "pool_name"),
    )
    op.create_table(
        "pscat_pool_loans",
        column("pool_name", ID, nullable=False),
        column("loan_id", ID, nullable=False),
        column("posted_date", DATE),
        sa.PrimaryKeyConstraint("pool_name", "loan_id"),
    )
    op.create_table(
        "rmcat_todays_prices",
        column("investor_instrument", ID, nullable=False),
        column("settlement_date", DATE, nullable=False),
        column("price", PRICE),
        sa.PrimaryKeyConstraint("investor_instrument", "settlement_date"),
    )
    op.create_table(
        "rmusr_payups",
        column("investor_instrument", ID),
        column("attribute", NAME),
        column("low_value", WIDE),
        column("high_value", WIDE),
        column("payup", PRICE),
        column("div_by", RATE),
    )


def _configuration(op: Operations) -> None:
    op.create_table(
        "pfill_sec_rules",
        column("rule_name", ID, nullable=False),
        column("description", TEXT),
        column("expression", TEXT),
        column("row_version", INTEGER, nullable=False, server_default=sa.text("1")),
        sa.PrimaryKeyConstraint("rule_name"),
        schema=SCHEMA,
    )
    op.create_table(
        "pfill_constraints",
        column("constraint_id", ID, nullable=False),
        column("priority", INTEGER),
        column("investor", NAME),
        column("investor_instrument", ID),
        column("rule_name", ID),
        column("enabled", BOOLEAN),
        column("row_version", INTEGER, nullable=False, server_default=sa.text("1")),
        sa.PrimaryKeyConstraint("constraint_id"),
        schema=SCHEMA,
    )
    op.create_table(
        "pfill_carry_cost",
        column("curve_id", ID, nullable=False),
        column("investor_instrument", ID),
        column("from_day", INTEGER),
        column("to_day", INTEGER),
        column("annual_rate_pct", RATE),
        column("row_version", INTEGER, nullable=False, server_default=sa.text("1")),
        sa.PrimaryKeyConstraint("curve_id"),
        schema=SCHEMA,
    )
    op.create_table(
        "pfill_lockdown",
        column("lock_id", ID, nullable=False),
        column("loan_id", ID),
        column("trade_id", ID),
        column("reason", TEXT),
        column("expires_on", DATE),
        column("row_version", INTEGER, nullable=False, server_default=sa.text("1")),
        sa.PrimaryKeyConstraint("lock_id"),
        schema=SCHEMA,
    )
    op.create_table(
        "pfill_limits",
        column("name", ID, nullable=False),
        column("scope", NAME),
        column("target", ID),
        column("measure", NAME),
        column("subject", NAME),
        column("op", NAME),
        column("value", RATE),
        column("enabled", BOOLEAN),
        column("row_version", INTEGER, nullable=False, server_default=sa.text("1")),
        sa.PrimaryKeyConstraint("name"),
        schema=SCHEMA,
    )
    op.create_table(
        "pfill_preflight_settings",
        column("check_code", ID, nullable=False),
        column("enabled", BOOLEAN),
        column("severity", NAME),
        column("row_version", INTEGER, nullable=False, server_default=sa.text("1")),
        sa.PrimaryKeyConstraint("check_code"),
        schema=SCHEMA,
    )
    op.create_table(
        "pfill_embedded_table",
        column("table_name", ID, nullable=False),
        sa.PrimaryKeyConstraint("table_name"),
        schema=SCHEMA,
    )


def _audit(op: Operations) -> None:
    op.create_table(
        "pfill_run_history",
        column("run_id", RUN_ID, nullable=False),
        column("tenant_id", ID, nullable=False),
        column("status", CODE, nullable=False),
        column("requested_by", NAME, nullable=False, server_default=""),
        column("options", TEXT, nullable=False, server_default="{}"),
        column("input_loan_ids", TEXT, nullable=False, server_default="[]"),
        column("input_counts", TEXT, nullable=False, server_default="{}"),
        column("output_counts", TEXT, nullable=False, server_default="{}"),
        column("submitted_at_utc", MOMENT, nullable=False),
        column("started_at_utc", MOMENT),
        column("ended_at_utc", MOMENT),
        column("failure_step", NAME, nullable=False, server_default=""),
        column("failure_message", TEXT, nullable=False, server_default=""),
        column("summary", TEXT, nullable=False, server_default="{}"),
        column("steps", TEXT, nullable=False, server_default="[]"),
        column("replay_of", RUN_ID, nullable=False, server_default=""),
        column("request_id", NAME),
        column("request_digest", NAME, nullable=False, server_default=""),
        column("attempt", INTEGER, nullable=False, server_default=sa.text("1")),
        column("deaths", INTEGER, nullable=False, server_default=sa.text("0")),
        column("cancel_requested", BOOLEAN, nullable=False, server_default=sa.false()),
        column("lease_owner", NAME, nullable=False, server_default=""),
        column("lease_until_utc", MOMENT),
        column("last_sequence", INTEGER, nullable=False, server_default=sa.text("0")),
        column("outputs_removed", BOOLEAN, nullable=False, server_default=sa.false()),
        sa.PrimaryKeyConstraint("run_id"),
        schema=SCHEMA,
    )
    op.create_table(
        "pfill_run_event",
        column("run_id", RUN_ID, nullable=False),
        column("sequence", INTEGER, nullable=False),
        column("recorded_at_utc", MOMENT, nullable=False),
        column("attempt", INTEGER, nullable=False),
        column("kind", sa.Unicode(40), nullable=False),
        column("payload", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("run_id", "sequence"),
        schema=SCHEMA,
    )
    op.create_table(
        "pfill_run_input",
        column("run_id", RUN_ID, nullable=False),
        column("table_name", ID, nullable=False),
        column("row_count", INTEGER, nullable=False),
        column("digest", DIGEST, nullable=False),
        column("content", BLOB, nullable=False),
        sa.PrimaryKeyConstraint("run_id", "table_name"),
        schema=SCHEMA,
    )
    op.create_table(
        "pfill_config_audit",
        column("change_id", RUN_ID, nullable=False),
        column("changed_at_utc", MOMENT, nullable=False),
        column("changed_by", NAME, nullable=False),
        column("action", CODE, nullable=False),
        column("table_name", ID, nullable=False, server_default=""),
        column("row_key", ID, nullable=False, server_default=""),
        column("before", TEXT),
        column("after", TEXT),
        sa.PrimaryKeyConstraint("change_id"),
        schema=SCHEMA,
    )
    op.create_index(
        "pfill_run_history_one_active",
        "pfill_run_history",
        ["tenant_id"],
        unique=True,
        schema=SCHEMA,
        sqlite_where=ACTIVE,
        postgresql_where=ACTIVE,
        mssql_where=ACTIVE,
    )
    op.create_index(
        "pfill_run_history_request",
        "pfill_run_history",
        ["tenant_id", "request_id"],
        unique=True,
        schema=SCHEMA,
        sqlite_where=NAMED,
        postgresql_where=NAMED,
        mssql_where=NAMED,
    )
    op.create_index(
        "pfill_run_history_started", "pfill_run_history", ["tenant_id", sa.text("started_at_utc DESC")], schema=SCHEMA
    )
    op.create_index(
        "pfill_run_history_submitted",
        "pfill_run_history",
        ["tenant_id", sa.text("submitted_at_utc DESC"), "run_id"],
        schema=SCHEMA,
    )
    op.create_index("pfill_config_audit_changed", "pfill_config_audit", [sa.text("changed_at_utc DESC")], schema=SCHEMA)


def _outputs(op: Operations) -> None:
    _output(
        op,
        "pfill_cash_market_map",
        column("run_id", RUN_ID, nullable=False),
        column("loan_instrument", ID, nullable=False),
        column("investor_instrument", ID, nullable=False),
        column("slot_number", INTEGER, nullable=False),
        column("cash_grid_type", NAME),
        column("trade_id", ID),
        column("rate", RATE),
        column("sequence_number", INTEGER),
        column("price", PRICE),
        column("syntax_name", ID),
        column("loan_count", INTEGER),
        column("loan_amount", TOTAL),
        sa.PrimaryKeyConstraint("run_id", "loan_instrument", "investor_instrument", "slot_number"),
    )
    _output(
        op,
        "pfill_loan2trade_candy_level_01",
        column("run_id", RUN_ID, nullable=False),
        column("loan_id", ID, nullable=False),
        column("trade_id", ID, nullable=False),
        column("constraint_id", ID),
        column("priority", INTEGER),
        column("price", PRICE),
        column("payup", PRICE),
        column("excess", PRICE),
        column("carry", PRICE),
        column("score", PRICE),
        column("rank", INTEGER),
        column("taken", BOOLEAN),
        sa.PrimaryKeyConstraint("run_id", "loan_id", "trade_id"),
    )
    _output(
        op,
        "pfill_powerfill_guide",
        column("run_id", RUN_ID, nullable=False),
        column("loan_id", ID, nullable=False),
        column("loan_instrument", NAME),
        column("loan_amount", AMOUNT),
        column("note_rate", RATE),
        column("status_code", NAME),
        column("trade_id", ID),
        column("counterparty", NAME),
        column("investor", NAME),
        column("investor_instrument", ID),
        column("settlement_date", DATE),
        column("constraint_id", ID),
        column("priority", INTEGER),
        column("pass", NAME),
        column("price", PRICE),
        column("carry", PRICE),
        column("score", PRICE),
        column("best_score", PRICE),
        column("rank", INTEGER),
        column("fallback", PRICE),
        column("value", TOTAL),
        column("current_pool", ID),
        column("recommended_pool", NAME),
        column("pool_action", NAME),
        column("locked", BOOLEAN),
        column("syn_trade_id", NAME),
        column("syn_score", PRICE),
        sa.PrimaryKeyConstraint("run_id", "loan_id"),
    )
    _output(
        op,
        "pfill_kickout_guide_01",
        column("run_id", RUN_ID, nullable=False),
        column("loan_id", ID, nullable=False),
        column("loan_instrument", NAME),
        column("loan_amount", AMOUNT),
        column("note_rate", RATE),
        column("status_code", NAME),
        column("reason", NAME),
        column("reason_detail", TEXT),
        column("nearest_constraint_id", ID),
        column("failed_condition", TEXT),
        column("best_trade_id", ID),
        column("best_score", PRICE),
        column("opportunity_cost", TOTAL),
        column("syn_trade_id", NAME),
        column("syn_score", PRICE),
        column("recommended_action", NAME),
        sa.PrimaryKeyConstraint("run_id", "loan_id"),
    )
    _output(
        op,
        "pfill_trade_base",
        column("run_id", RUN_ID, nullable=False),
        column("trade_id", ID, nullable=False),
        column("counterparty", NAME),
        column("investor", NAME),
        column("investor_instrument", ID),
        column("kind", NAME),
        column("trade_date", DATE),
        column("settlement_date", DATE),
        column("trade_price", PRICE),
        column("trade_amount", AMOUNT),
        column("pair_off_amount", AMOUNT),
        column("delivered_amount", AMOUNT),
        column("need", TOTAL),
        column("lo", TOTAL),
        column("hi", TOTAL),
        column("tolerance_pct", TOLERANCE),
        column("allocated_amount", TOTAL),
        column("allocated_count", INTEGER),
        column("locked_amount", TOTAL),
        column("pre_session_amount", TOTAL),
        column("pre_session_need", TOTAL),
        column("post_session_need", TOTAL),
        column("space_left", TOTAL),
        column("fill_pct", WIDE),
        column("status", NAME),
        column("shortfall", TOTAL),
        column("pair_off_points", PRICE),
        column("pair_off_dollars", TOTAL),
        column("avg_note_rate", RATE),
        column("avg_fico", RATE),
        column("avg_ltv", RATE),
        column("avg_price", PRICE),
        column("avg_score", PRICE),
        column("room_value", PRICE),
        column("fill_value", PRICE),
        sa.PrimaryKeyConstraint("run_id", "trade_id"),
    )
    _output(
        op,
        "pfill_cblock_guide",
        column("run_id", RUN_ID, nullable=False),
        column("constraint_id", ID, nullable=False),
        column("priority", INTEGER),
        column("investor", NAME),
        column("investor_instrument", ID),
        column("rule_name", ID),
        column("candidate_count", INTEGER),
        column("loan_count", INTEGER),
        column("loan_amount", TOTAL),
        column("avg_price", PRICE),
        column("avg_score", PRICE),
        sa.PrimaryKeyConstraint("run_id", "constraint_id"),
    )
    _output(
        op,
        "pfill_trade_cblock_base",
        column("run_id", RUN_ID, nullable=False),
        column("trade_id", ID, nullable=False),
        column("constraint_id", ID, nullable=False),
        column("priority", INTEGER),
        column("candidate_count", INTEGER),
        column("loan_count", INTEGER),
        column("loan_amount", TOTAL),
        column("avg_price", PRICE),
        column("avg_score", PRICE),
        sa.PrimaryKeyConstraint("run_id", "trade_id", "constraint_id"),
    )
    _output(
        op,
        "pfill_pool_guide",
        column("run_id", RUN_ID, nullable=False),
        column("loan_id", ID, nullable=False),
        column("trade_id", ID, nullable=False),
        column("pool_name", POOL, nullable=False),
        column("pool_action", CODE, nullable=False),
        column("loan_amount", AMOUNT),
        column("note_rate", RATE),
        column("investor_instrument", ID),
        column("current_pool", ID),
        column("recommended_pool", NAME),
        column("recommended_trade_id", ID),
        column("other_pool", NAME),
        column("other_trade_id", ID),
        column("price", PRICE),
        column("score", PRICE),
        column("gain", TOTAL),
        column("below_minimum", BOOLEAN),
        sa.PrimaryKeyConstraint("run_id", "loan_id", "trade_id", "pool_name", "pool_action"),
    )
    _output(
        op,
        "pfill_syn_trade_base",
        column("run_id", RUN_ID, nullable=False),
        column("syn_trade_id", NAME, nullable=False),
        column("investor_instrument", ID),
        column("settlement_date", DATE),
        column("price", PRICE),
        column("loan_count", INTEGER),
        column("loan_amount", TOTAL),
        column("value", TOTAL),
        sa.PrimaryKeyConstraint("run_id", "syn_trade_id"),
    )
    _output(
        op,
        "pfill_syn_powerfill_guide_all_rank",
        column("run_id", RUN_ID, nullable=False),
        column("loan_id", ID, nullable=False),
        column("rank", INTEGER, nullable=False),
        column("syn_trade_id", NAME),
        column("investor_instrument", ID),
        column("settlement_date", DATE),
        column("price", PRICE),
        column("carry", PRICE),
        column("score", PRICE),
        sa.PrimaryKeyConstraint("run_id", "loan_id", "rank"),
    )
    _output(
        op,
        "pfill_syn_powerfill_guide",
        column("run_id", RUN_ID, nullable=False),
        column("loan_id", ID, nullable=False),
        column("syn_trade_id", NAME),
        column("investor_instrument", ID),
        column("settlement_date", DATE),
        column("score", PRICE),
        column("taken_score", PRICE),
        column("uplift", PRICE),
        column("recommended_sale", BOOLEAN),
        sa.PrimaryKeyConstraint("run_id", "loan_id"),
    )
    _output(
        op,
        "pfill_powerfill_log",
        column("run_id", RUN_ID, nullable=False),
        column("sequence", INTEGER, nullable=False),
        column("step", NAME),
        column("severity", NAME),
        column("code", NAME),
        column("subject", TEXT),
        column("message", TEXT),
        column("row_count", INTEGER),
        column("examples", TEXT),
        sa.PrimaryKeyConstraint("run_id", "sequence"),
    )


def _schema_of_names(op: Operations) -> str | None:
    """The schema as statements spell it that are not about tables made here, and so are not translated."""
    return None if op.get_context().dialect.name == "sqlite" else SCHEMA


def _output(op: Operations, name: str, *parts: sa.schema.SchemaItem) -> None:
    """An output table, and its view of the latest complete run that is no replay."""
    table = op.create_table(name, *parts, schema=SCHEMA, sqlite_with_rowid=False)
    schema = _schema_of_names(op)
    history = sa.table(
        "pfill_run_history", *(sa.column(c) for c in ("run_id", "status", "replay_of", "submitted_at_utc")), schema=schema
    )
    latest = (
        sa.select(history.c.run_id)
        .where(history.c.status == sa.literal_column("'COMPLETE'"), history.c.replay_of == sa.literal_column("''"))
        .order_by(history.c.submitted_at_utc.desc(), history.c.run_id.desc())
        .limit(1)
    )
    rows = sa.table(name, *(sa.column(c.name) for c in table.columns), schema=schema)
    shown = sa.select(rows).where(rows.c.run_id == latest.scalar_subquery())
    dialect = op.get_context().dialect
    view = dialect.identifier_preparer.format_table(sa.table(f"{name}_current", schema=schema))
    op.execute(f"CREATE VIEW {view} AS {shown.compile(dialect=dialect, compile_kwargs={'literal_binds': True})}")
