"""The figures of a run that the overview shows, out of what the run history keeps of it as JSON."""

import datetime as dt
import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from shared.database.types import Exact
from shared.digits import AMOUNT_PLACES, TOTAL_DIGITS, round_half_away

_COUNT, _DOLLARS, _PERCENT, _BASIS_POINTS = sa.BigInteger(), Exact(*TOTAL_DIGITS), Exact(18, 6), Exact(18, 4)
_COUNTS = (
    "in_scope_count", "candidate_count", "allocated_count", "kicked_out_count", "trades_filled", "trades_underfilled",
)  # fmt: skip
_AMOUNTS = (
    "in_scope_amount", "allocated_amount", "total_pair_off", "value", "baseline_value", "upper_bound", "gap_amount",
)  # fmt: skip

FIGURES: Mapping[str, sa.types.TypeEngine[Any]] = {
    "as_of_date": sa.Date(),
    "strategy": sa.Unicode(),
    "priority_mode": sa.Unicode(),
    "duration": sa.Interval(),
    **dict.fromkeys(_COUNTS, _COUNT),
    **dict.fromkeys(_AMOUNTS, _DOLLARS),
    "trades_filled_pct": _PERCENT,
    "allocated_pct": _PERCENT,
    "gap_bp": _BASIS_POINTS,
    "gain": _DOLLARS,
}
"""The figures and their types."""


def figures(
    stored_options: str, stored_summary: str, started_at: dt.datetime | None, ended_at: dt.datetime | None
) -> dict[str, Any]:
    """The figures of one run, None for those it does not have: decimals as text with the places of their type.

    `gain` is value - baseline_value.
    """
    options, summary = json.loads(stored_options), json.loads(stored_summary)
    day = options.get("as_of_date")
    found: dict[str, Any] = {
        "as_of_date": dt.date.fromisoformat(day) if day else None,
        "strategy": options.get("strategy"),
        "priority_mode": options.get("priority_mode"),
        "duration": None if started_at is None or ended_at is None else ended_at - started_at,
        **{name: summary.get(name) for name in _COUNTS},
    }
    dollars = {name: _decimal(summary.get(name)) for name in _AMOUNTS}
    filled, short = found["trades_filled"], found["trades_underfilled"]
    value, baseline = dollars["value"], dollars["baseline_value"]
    trade_count = None if filled is None or short is None else filled + short
    return {
        **found,
        **{name: _text(amount, AMOUNT_PLACES) for name, amount in dollars.items()},
        "trades_filled_pct": _percent(filled, trade_count),
        "allocated_pct": _percent(dollars["allocated_amount"], dollars["in_scope_amount"]),
        "gap_bp": _text(_decimal(summary.get("gap_bp")), _BASIS_POINTS.scale),
        "gain": None if value is None or baseline is None else _text(value - baseline, AMOUNT_PLACES),
    }


def _decimal(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)


def _text(value: Decimal | None, places: int) -> str | None:
    return None if value is None else f"{value:.{places}f}"


def _percent(part: Decimal | int | None, whole: Decimal | int | None) -> str | None:
    """100 * part / whole, unset where there is no whole."""
    if part is None or not whole:
        return None
    return _text(round_half_away(100 * Decimal(part) / Decimal(whole), _PERCENT.scale), _PERCENT.scale)
