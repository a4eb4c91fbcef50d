"""A report on a terminal: what is said of its run, the columns that matter most, and cells as people read them."""

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal

import polars as pl
from powerfill.common.v1.run_status_pb2 import RunStatus
from powerfill.report.v1.report_pb2 import Freshness, NoteCode, ReportHeader
from rich.console import Console

from cli.console import count, number, say
from cli.report_pages import ReportRows
from cli.text_table import Column, print_table
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
}  # fmt: skip
"""Columns by report, the most important first; those not named come last."""

VERDICTS = {
    Freshness.FRESHNESS_CURRENT: "the latest complete run, and nothing newer has been attempted",
    Freshness.FRESHNESS_NEWER_IN_PROGRESS: "the latest complete run; a newer one is active",
    Freshness.FRESHNESS_STALE: "a newer complete run exists; these rows are still this run's",
    Freshness.FRESHNESS_SUPERSEDED_BY_FAILURE: "the latest complete run, but a newer attempt did not complete",
    Freshness.FRESHNESS_IN_PROGRESS: "the run is still active: no rows yet",
    Freshness.FRESHNESS_TERMINAL_EMPTY: "the run did not complete: no rows",
    Freshness.FRESHNESS_NO_RUN_YET: "no complete run yet: no rows",
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
    """The header above the table; then what the table does not show. `all_columns` shows them however wide the terminal."""
    for position, line in enumerate(header_lines(name, tenant_id, report.header)):
        say(console, line, style="" if position else "bold")
    if not report.rows.height:
        return
    say(console)
    columns = [Column(series.name, cell_texts(series), _is_figure(series.dtype)) for series in report.rows]
    hidden = print_table(console, columns, IMPORTANCE.get(name, ()), width=None if all_columns else console.width)
    say(console)
    if report.rows.height < report.header.row_count:
        say(console, f"{count(report.rows.height)} of {count(report.header.row_count)} rows; without --limit all are shown")
    if hidden:
        say(console, f"hidden for want of room ({len(hidden)}): {', '.join(hidden)}; --columns a,b chooses", style="dim")


def cell_texts(series: pl.Series) -> list[str]:
    """The cells of a column: exact figures with thousands separators; empty where unset."""
    return ["" if cell is None else _text(cell) for cell in series.to_list()]


def _text(cell: object) -> str:
    match cell:
        case bool():
            return "yes" if cell else "no"
        case int():
            return count(cell)
        case Decimal():
            return number(cell)
        case dt.date():
            return cell.isoformat()
        case _:
            return str(cell)


def _is_figure(dtype: pl.DataType) -> bool:
    return dtype.is_numeric()


def _other(header: ReportHeader) -> str:
    if not header.HasField("other_run"):
        return ""
    other = header.other_run
    where = f" in {other.failure_step}" if other.failure_step else ""
    return f" (run {other.run_id}, {word(RunStatus.DESCRIPTOR, other.status)}{where})"
