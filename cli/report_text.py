"""A report on a terminal: what is said of its run, and its columns in the order of their importance."""

from collections.abc import Iterator, Mapping, Sequence

from powerfill.common.v1.run_status_pb2 import RunStatus
from powerfill.report.v1.report_pb2 import Freshness, NoteCode, ReportHeader
from rich.console import Console

from cli.console import count, say
from cli.report_beside import beside_lines, beside_tables
from cli.report_cells import table_columns
from cli.report_pages import REPORTS, ReportRows
from cli.text_table import print_table
from cli.wire import as_date, local_time, word

IMPORTANCE: Mapping[str, Sequence[str]] = {
    "allocation_guide": (
        "loan_id", "loan_amount", "trade_id", "investor_instrument", "score", "value", "pool_action", "recommended_pool",
        "settlement_date", "rank", "pass", "price", "constraint_id", "note_rate", "loan_instrument", "counterparty",
        "status_code", "fallback", "best_score", "carry", "current_pool",
    ),
    "kickouts": (
        "loan_id", "loan_amount", "reason", "opportunity_cost", "recommended_action", "best_trade_id", "reason_detail",
        "loan_instrument", "note_rate", "status_code", "syn_trade_id", "best_score", "syn_score",
    ),
    "trade_recap": (
        "trade_id", "need", "allocated_amount", "fill_pct", "status", "shortfall", "pair_off_dollars", "allocated_count",
        "investor_instrument", "settlement_date", "space_left", "counterparty", "avg_score", "kind", "avg_note_rate", "lo", "hi",
    ),
    "pool_switching": (
        "loan_id", "side", "pool", "trade_id", "loan_amount", "gain", "score", "other_pool", "other_trade_id", "price",
    ),
    "pool_candidates": (
        "loan_id", "rank", "trade_id", "score", "taken", "price", "carry", "constraint_id", "priority", "payup", "excess",
    ),
    "existing_disposition": (
        "loan_id", "pool", "pool_action", "recommended_pool", "loan_amount", "is_current_pool", "trade_id",
        "recommended_trade_id", "in_scope", "at_risk", "risk_status", "pool_status", "note_rate",
    ),
    "pooling_guide": (
        "pool", "loan_count", "amount", "target_amount", "fill_pct", "below_minimum", "trade_id", "investor_instrument",
        "joining_amount", "remaining_amount", "switching_amount", "leaving_amount", "swapped_in_amount", "swapped_out_amount",
        "locked_amount", "joining_count", "remaining_count", "switching_count", "leaving_count", "swapped_in_count",
        "swapped_out_count", "locked_count", "avg_score", "avg_note_rate", "avg_price",
    ),
    "cash_trade_slotting": (
        "loan_instrument", "investor_instrument", "cash_grid_type", "trade_id", "rate", "price", "loan_count", "amount",
        "syntax_name", "sequence_number",
    ),
    "synthetic_opportunities": (
        "loan_id", "loan_amount", "trade_id", "score", "syn_trade_id", "syn_score", "uplift", "settlement_date",
        "investor_instrument", "loan_instrument",
    ),
    "constraint_blocks": (
        "constraint_id", "trade_id", "allocated_count", "allocated_amount", "candidate_count", "avg_score", "avg_price",
    ),
    "run_log": ("sequence", "message", "level", "step", "code", "pass", "count"),
    "run_overview": (
        "run_id", "status", "as_of_date", "value", "gap_bp", "allocated_pct", "kicked_out_count", "duration", "failure_step",
        "submitted_at", "trades_filled_pct", "total_pair_off", "strategy", "priority_mode", "allocated_count", "in_scope_count",
        "failure_message", "requested_by", "replay_of",
    ),
}  # fmt: skip
"""Columns by report, the most important first; those not named come last."""

VERDICTS = {
    Freshness.FRESHNESS_CURRENT: "the latest complete run, and nothing newer has been attempted",
    Freshness.FRESHNESS_NEWER_IN_PROGRESS: "the latest complete run; a newer one is active",
    Freshness.FRESHNESS_STALE: "a newer complete run exists; these rows are still this run's",
    Freshness.FRESHNESS_SUPERSEDED_BY_FAILURE: "the latest complete run, but a newer attempt did not complete",
    Freshness.FRESHNESS_IN_PROGRESS: "the run is still active",
    Freshness.FRESHNESS_TERMINAL_EMPTY: "the run did not complete",
    Freshness.FRESHNESS_NO_RUN_YET: "no complete run yet",
}


def header_lines(name: str, tenant_id: str, header: ReportHeader) -> Iterator[str]:
    """The report, its run, how fresh it is, and the notes."""
    if not header.run_id:
        yield f"{name} of {tenant_id}"
    else:
        day, ended = as_date(header.as_of_date), header.HasField("completed_at")
        parts = [f"{name} of {tenant_id}, run {header.run_id}", f"as of {day}"]
        parts += [f"completed {local_time(header.completed_at)}"] if ended else []
        yield f"{', '.join(parts)}: {count(header.row_count)} rows"
    yield f"{word(Freshness.DESCRIPTOR, header.freshness)}: {VERDICTS.get(header.freshness, 'see the notes')}{_other(header)}"
    if header.failure_message:
        yield f"{word(RunStatus.DESCRIPTOR, header.status)} in {header.failure_step or 'no step'}: {header.failure_message}"
    for note in header.notes:
        yield f"note {word(NoteCode.DESCRIPTOR, note.code)}: {note.text}"


def print_report(console: Console, name: str, tenant_id: str, report: ReportRows, *, all_columns: bool) -> None:
    """The header, what stands beside the rows, the rows; then what the table does not show.

    `all_columns` shows them however wide the terminal.
    """
    for position, line in enumerate(header_lines(name, tenant_id, report.header)):
        say(console, line, style="" if position else "bold")
    for line in beside_lines(report.beside):
        say(console, line)
    if not report.height:
        return
    say(console)
    width = None if all_columns else console.width
    hidden = print_table(console, table_columns(report.columns, REPORTS[name].fields), IMPORTANCE[name], width=width)
    say(console)
    if report.height < report.header.row_count:
        say(console, f"{count(report.height)} of {count(report.header.row_count)} rows; without --limit all are shown")
    if hidden:
        say(console, f"hidden for want of room ({len(hidden)}): {', '.join(hidden)}; --columns a,b chooses", style="dim")
    for title, columns in beside_tables(name, report.beside):
        say(console)
        say(console, title, style="bold")
        print_table(console, columns, width=width)


def _other(header: ReportHeader) -> str:
    if not header.HasField("other_run"):
        return ""
    other = header.other_run
    where = f" in {other.failure_step}" if other.failure_step else ""
    return f" (run {other.run_id}, {word(RunStatus.DESCRIPTOR, other.status)}{where})"
