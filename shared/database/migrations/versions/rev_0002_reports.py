"""0002: the tables behind the reports on postings and pools, what the run log and the synthetic guide lacked, and indexes.

Frozen: what later versions change comes as a later revision. Runs from before keep their rows: new columns are null in them,
the new tables have none of theirs, and the examples of their log, keys joined by commas, become the JSON list that later runs
write. Views are changed in place where a database can do that, so that who may read them still may.
"""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from alembic.operations import Operations
from sqlalchemy import Column as column  # noqa: N813 - a column a word, so that a table reads like a sentence

revision = "0002"
down_revision = "0001"

SCHEMA = "powerfill"

RUN_ID = sa.String(36)
ID, POOL, NAME, TEXT = sa.Unicode(100), sa.Unicode(105), sa.Unicode(200), sa.Unicode()
AMOUNT, TOTAL, PRICE, RATE, PERCENT = (
    sa.Numeric(14, 2), sa.Numeric(20, 2), sa.Numeric(12, 8), sa.Numeric(10, 6), sa.Numeric(18, 6),
)  # fmt: skip
INTEGER, BOOLEAN = sa.BigInteger(), sa.Boolean()

NEW_VIEW, CHANGED_VIEW = "CREATE VIEW", {"postgresql": "CREATE OR REPLACE VIEW", "mssql": "ALTER VIEW"}
SWITCH = sa.text("pool_action IN ('SWAPPED_IN', 'SWAPPED_OUT')")
SIZES = (
    ("pfill_powerfill_guide", "pfill_powerfill_guide", "1000000 100000 1"),
    ("pfill_powerfill_guide", "pfill_powerfill_guide_by_trade", "1000000 100000 100 1"),
    ("pfill_kickout_guide_01", "pfill_kickout_guide_01", "1000000 100000 1"),
    ("pfill_kickout_guide_01", "pfill_kickout_guide_01_by_reason", "1000000 100000 1000 1"),
    ("pfill_existing_disposition", "pfill_existing_disposition", "1000000 100000 2 1"),
    ("pfill_existing_disposition", "pfill_existing_disposition_by_pool", "1000000 100000 100 1"),
    ("pfill_trade_cblock_base", "pfill_trade_cblock_base", "100000 10000 10 1"),
    ("pfill_trade_cblock_base", "pfill_trade_cblock_base_by_constraint", "100000 10000 100 1"),
    ("pfill_pool_guide", "pfill_pool_guide", "1000000 100000 2 1 1 1"),
    ("pfill_pool_guide", "pfill_pool_guide_switches", "100000 10000 2 1"),
    ("pfill_pool_guide", "pfill_pool_guide_switches_by_pool", "100000 10000 20 1 1"),
)
"""Tables, their indexes (the key by the table's name), and rows: of all, of a run, of each column more of the index."""
ESCAPES = (("\\", "\\\\"), ('"', '\\"'), ("\t", "\\t"), ("\n", "\\n"), ("\r", "\\r"), (", ", '", "'))
"""What stands in a text, and what stands for it in a JSON list of texts; the last is the comma between two of them."""


def upgrade(op: Operations, *, empty: bool) -> None:
    """Create the new tables, widen two old ones, index all."""
    _existing_disposition(op)
    _pooling_guide(op)
    _synthetic_guide(op)
    _log(op)
    _indexes(op)


def _existing_disposition(op: Operations) -> None:
    _output(
        op,
        "pfill_existing_disposition",
        column("run_id", RUN_ID, nullable=False),
        column("loan_id", ID, nullable=False),
        column("pool", ID, nullable=False),
        column("loan_amount", AMOUNT),
        column("note_rate", RATE),
        column("pool_status", NAME),
        column("is_current_pool", BOOLEAN),
        column("trade_id", ID),
        column("at_risk", BOOLEAN),
        column("risk_status", NAME),
        column("in_scope", BOOLEAN),
        column("recommended_pool", NAME),
        column("recommended_trade_id", ID),
        column("pool_action", NAME),
        sa.PrimaryKeyConstraint("run_id", "loan_id", "pool"),
    )


def _pooling_guide(op: Operations) -> None:
    _output(
        op,
        "pfill_pooling_guide",
        column("run_id", RUN_ID, nullable=False),
        column("pool", POOL, nullable=False),
        column("trade_id", ID),
        column("investor_instrument", ID),
        column("loan_count", INTEGER),
        column("amount", TOTAL),
        column("target_amount", TOTAL),
        column("fill_pct", PERCENT),
        column("below_minimum", BOOLEAN),
        column("locked_count", INTEGER),
        column("locked_amount", TOTAL),
        column("unpooled_count", INTEGER),
        column("unpooled_amount", TOTAL),
        column("joining_count", INTEGER),
        column("joining_amount", TOTAL),
        column("remaining_count", INTEGER),
        column("remaining_amount", TOTAL),
        column("switching_count", INTEGER),
        column("switching_amount", TOTAL),
        column("leaving_count", INTEGER),
        column("leaving_amount", TOTAL),
        column("swapped_out_count", INTEGER),
        column("swapped_out_amount", TOTAL),
        column("swapped_in_count", INTEGER),
        column("swapped_in_amount", TOTAL),
        column("avg_note_rate", RATE),
        column("avg_fico", RATE),
        column("avg_ltv", RATE),
        column("avg_price", PRICE),
        column("avg_score", PRICE),
        sa.PrimaryKeyConstraint("run_id", "pool"),
    )


def _synthetic_guide(op: Operations) -> None:
    name, schema = "pfill_syn_powerfill_guide", _schema_of_names(op)
    op.add_column(name, column("loan_instrument", NAME), schema=schema)
    op.add_column(name, column("loan_amount", AMOUNT), schema=schema)
    op.add_column(name, column("trade_id", ID), schema=schema)
    _change_view(
        op,
        name,
        "run_id", "loan_id", "syn_trade_id", "investor_instrument", "settlement_date", "score", "taken_score", "uplift",
        "recommended_sale", "loan_instrument", "loan_amount", "trade_id",
    )  # fmt: skip


def _log(op: Operations) -> None:
    name, schema = "pfill_powerfill_log", _schema_of_names(op)
    op.add_column(name, column("pass", NAME), schema=schema)
    log = sa.table(name, sa.column("examples", TEXT), schema=schema)
    keys: sa.ColumnElement[str] = log.c.examples
    for plain, escaped in ESCAPES:
        keys = sa.func.replace(keys, plain, escaped, type_=TEXT)
    listed = sa.literal('["', TEXT) + keys + sa.literal('"]', TEXT)
    op.execute(sa.update(log).values(examples=sa.case((log.c.examples == sa.literal("", TEXT), "[]"), else_=listed)))
    _change_view(
        op, name, "run_id", "sequence", "step", "severity", "code", "subject", "message", "row_count", "examples", "pass"
    )


def _indexes(op: Operations) -> None:
    """An index a report that is often asked in another order than its table's key, or for few of its rows."""
    _index(op, "pfill_powerfill_guide_by_trade", "pfill_powerfill_guide", "trade_id", "loan_id")
    _index(op, "pfill_kickout_guide_01_by_reason", "pfill_kickout_guide_01", "reason", "loan_id")
    _index(op, "pfill_existing_disposition_by_pool", "pfill_existing_disposition", "pool", "loan_id")
    _index(op, "pfill_trade_cblock_base_by_constraint", "pfill_trade_cblock_base", "constraint_id", "trade_id")
    _index(op, "pfill_pool_guide_switches", "pfill_pool_guide", "loan_id", "pool_action", where=SWITCH)
    _index(op, "pfill_pool_guide_switches_by_pool", "pfill_pool_guide", "pool_name", "loan_id", "pool_action", where=SWITCH)
    if op.get_context().dialect.name == "mssql":  # the others sort the candidates of a loan, which the key leads to, by rank
        _index(op, "pfill_loan2trade_candy_level_01_by_rank", "pfill_loan2trade_candy_level_01", "loan_id", "rank")
    if op.get_context().dialect.name == "sqlite":
        _sizes_to_plan_with(op)


def _sizes_to_plan_with(op: Operations) -> None:
    """Tell SQLite how many rows a key and an index lead to, as ANALYZE would in the middle of a desk's life.

    It takes a run for ten rows otherwise, and reads all of them along the key rather than the few that an index leads to.
    """
    op.execute("ANALYZE pfill_embedded_table")  # the one way to make the table of these figures
    indexes = ", ".join(f"'{index}'" for _, index, _ in SIZES)
    op.execute(f"DELETE FROM sqlite_stat1 WHERE idx IN ({indexes})")  # noqa: S608 - names of this file
    rows = ", ".join(f"('{table}', '{index}', '{rows}')" for table, index, rows in SIZES)
    op.execute(f"INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES {rows}")  # noqa: S608 - as above


def _index(op: Operations, name: str, table: str, *columns: str, where: sa.TextClause | None = None) -> None:
    condition: dict[str, Any] = {f"{dialect}_where": where for dialect in ("sqlite", "postgresql", "mssql") if where is not None}
    op.create_index(name, table, ["run_id", *columns], schema=SCHEMA, **condition)


def _schema_of_names(op: Operations) -> str | None:
    """The schema as statements spell it that are not about tables made here, and so are not translated."""
    return None if op.get_context().dialect.name == "sqlite" else SCHEMA


def _output(op: Operations, name: str, *parts: sa.schema.SchemaItem) -> None:
    """An output table, and its view of the latest complete run that is no replay."""
    table = op.create_table(name, *parts, schema=SCHEMA, sqlite_with_rowid=False)
    _show_latest(op, NEW_VIEW, name, [column.name for column in table.columns])


def _change_view(op: Operations, name: str, *columns: str) -> None:
    """Show these columns of a table in its view; what PostgreSQL takes for a change only adds some behind the old ones."""
    dialect = op.get_context().dialect
    if dialect.name not in CHANGED_VIEW:
        op.execute(f"DROP VIEW {_view(op, name)}")
    _show_latest(op, CHANGED_VIEW.get(dialect.name, NEW_VIEW), name, columns)


def _show_latest(op: Operations, command: str, name: str, columns: Sequence[str]) -> None:
    dialect, schema = op.get_context().dialect, _schema_of_names(op)
    history = sa.table(
        "pfill_run_history", *(sa.column(c) for c in ("run_id", "status", "replay_of", "submitted_at_utc")), schema=schema
    )
    latest = (
        sa.select(history.c.run_id)
        .where(history.c.status == sa.literal_column("'COMPLETE'"), history.c.replay_of == sa.literal_column("''"))
        .order_by(history.c.submitted_at_utc.desc(), history.c.run_id.desc())
        .limit(1)
    )
    rows = sa.table(name, *(sa.column(c) for c in columns), schema=schema)
    shown = sa.select(rows).where(rows.c.run_id == latest.scalar_subquery())
    op.execute(f"{command} {_view(op, name)} AS {shown.compile(dialect=dialect, compile_kwargs={'literal_binds': True})}")


def _view(op: Operations, name: str) -> str:
    """The name of the view of a table, as statements spell it."""
    preparer = op.get_context().dialect.identifier_preparer
    return preparer.format_table(sa.table(f"{name}_current", schema=_schema_of_names(op)))
