"""What some reports have beside their rows: the run overview its sums and trend, the synthetic opportunities their trades."""

from collections.abc import Iterator, Mapping
from typing import Any

from cli.console import count, money, number, seconds
from cli.report_cells import table_columns
from cli.report_pages import REPORTS, Columns
from cli.text_table import Column

MOST_ROWS = 10
"""Rows of a table under a report; --json has all of them."""


def beside_lines(beside: Mapping[str, Columns]) -> Iterator[str]:
    """The runs by status, and the figures of the latest complete one."""
    if counts := beside.get("status_distribution"):
        runs = zip(counts["run_count"], counts["status"], strict=True)
        yield f"runs: {', '.join(f'{count(run_count)} {status}' for run_count, status in runs)}"
    if latest := beside.get("latest_run"):
        yield _figures({name: cells[0] for name, cells in latest.items()})


def beside_tables(name: str, beside: Mapping[str, Columns]) -> Iterator[tuple[str, list[Column]]]:
    """Each table under the rows of this report, with its heading."""
    if trades := beside.get("synthetic_trades"):
        largest = sorted(_rows(trades), key=lambda trade: trade["amount"] or 0, reverse=True)
        title = "Synthetic trades: the kickouts whose best each is and what selling them there is worth"
        yield _table(name, "synthetic_trades", title, largest[:MOST_ROWS], len(largest))
    if trend := beside.get("trend"):
        runs = _rows(trend)
        yield _table(name, "trend", "Value and fill over time", runs[-MOST_ROWS:], len(runs))


def _rows(columns: Columns) -> list[dict[str, Any]]:
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _table(name: str, field: str, title: str, rows: list[dict[str, Any]], total: int) -> tuple[str, list[Column]]:
    columns = {column: [row[column] for row in rows] for column in rows[0]}
    told = title if len(rows) == total else f"{title} ({len(rows)} of {count(total)}; --json has all)"
    return told, table_columns(columns, REPORTS[name].beside[field])


def _figures(run: Mapping[str, Any]) -> str:
    """What there is to say of a complete run."""
    parts = [f"value {money(run['value'])}"]
    if run["gap_bp"] is not None:
        parts.append(f"gap {number(run['gap_bp'])} bp")
    if run["allocated_pct"] is not None:
        parts.append(f"{run['allocated_pct']:.1f} % of the in-scope amount allocated")
    if run["trades_filled_pct"] is not None:
        parts.append(f"{run['trades_filled_pct']:.1f} % of the trades filled")
    parts += [f"pair-off {money(run['total_pair_off'])}", f"{count(run['kicked_out_count'] or 0)} loans left out"]
    if run["duration"] is not None:
        parts.append(f"took {seconds(run['duration'].total_seconds())}")
    return f"latest complete run {run['run_id']}: {', '.join(parts)}"
