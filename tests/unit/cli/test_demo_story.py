"""What a desk reads after the demo, on rows solved by hand."""

from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from rich.console import Console

from cli.demo.story import (
    KICKOUT_COLUMNS,
    TRADE_COLUMNS,
    by_reason,
    fill_line,
    kickout_frame,
    print_story,
    top_kickouts,
    top_trades,
    trade_frame,
)
from cli.report_pages import REPORTS


def rows_of(report: str, rows: list[dict[str, Any]]) -> pl.DataFrame:
    """Rows of a report; columns that are not named are null."""
    columns = {name: [row.get(name) for row in rows] for name in REPORTS[report].fields}
    return kickout_frame(columns) if report == "kickouts" else trade_frame(columns)


def kickout(loan_id: str, reason: str, amount: str | None, cost: str | None = None) -> dict[str, Any]:
    exact = {"loan_amount": amount, "opportunity_cost": cost}
    return {"loan_id": loan_id, "reason": reason, **{name: text and Decimal(text) for name, text in exact.items()}}


def trade(trade_id: str, need: str, allocated: str, fill_pct: str, status: str, *short: str) -> dict[str, Any]:
    shortfall, pair_off = short or ("0.00", "0.00")
    figures = {
        "need": need, "allocated_amount": allocated, "fill_pct": fill_pct, "shortfall": shortfall, "pair_off_dollars": pair_off,
    }  # fmt: skip
    return {"trade_id": trade_id, "status": status, **{name: Decimal(text) for name, text in figures.items()}}


KICKOUTS = rows_of(
    "kickouts",
    [
        kickout("L1", "NO_CAPACITY", "100.00", "1.50"),
        kickout("L2", "NO_CAPACITY", "200.00", "2.50"),
        kickout("L3", "DATA_ERROR", None),
        kickout("L4", "DATA_ERROR", "-50.00"),
        kickout("L5", "NOT_WORTH_IT", "300.00", "0.00"),
    ],
)
RECAP = rows_of(
    "trade_recap",
    [
        trade("T1", "1000.00", "995.00", "99.505000", "FILLED"),
        trade("T2", "3000.00", "0.00", "0.000000", "EMPTY", "2970.00", "14.85"),
        trade("T3", "1000.00", "1005.00", "100.500001", "FILLED"),
    ],
)


def test_reasons() -> None:
    assert by_reason(KICKOUTS).rows() == [
        ("NO_CAPACITY", 2, Decimal("300.00"), Decimal("4.00")),
        ("NOT_WORTH_IT", 1, Decimal("300.00"), Decimal("0.00")),
        ("DATA_ERROR", 2, Decimal("0.00"), None),
    ]


def test_the_costliest_loans_come_first_and_only_those_that_cost() -> None:
    assert top_kickouts(KICKOUTS)["loan_id"].to_list() == ["L2", "L1"]
    assert set(KICKOUT_COLUMNS) <= set(REPORTS["kickouts"].fields)
    assert set(TRADE_COLUMNS) <= set(REPORTS["trade_recap"].fields)


def test_the_largest_trades_come_first() -> None:
    top = top_trades(RECAP)
    assert top["trade_id"].to_list() == ["T2", "T1", "T3"]
    assert top["fill_pct"].to_list() == [Decimal("0.00"), Decimal("99.51"), Decimal("100.50")]


def test_fill() -> None:
    assert fill_line(RECAP) == (
        "3 trades, $2,000.00 of $5,000.00 needed (40.0 %): 2 in their band, 1 short by more; pair-off $14.85"
    )
    assert fill_line(RECAP.clear()) == "0 trades, $0.00 of $0.00 needed: none; pair-off $0.00"


def test_a_shortfall_of_a_thousandth_of_the_need_is_little() -> None:
    recap = rows_of(
        "trade_recap",
        [
            trade("T1", "2000.00", "1978.00", "98.900000", "UNDERFILLED", "2.00", "0.01"),
            trade("T2", "2000.00", "1977.99", "98.899500", "UNDERFILLED", "2.01", "0.02"),
            trade("T3", "2000.00", "0.00", "0.000000", "EMPTY"),  # its tolerance reaches to nothing
            trade("T4", "2000.00", "2044.01", "102.200500", "OVERFILLED_BY_LOCKS"),
        ],
    )
    assert fill_line(recap).split(": ")[1] == (
        "1 in their band, 1 short by at most 0.1 % of their need, 1 short by more, 1 overfilled by locks; pair-off $0.03"
    )


def test_the_story_has_its_tables_and_leaves_out_empty_ones(capsys: pytest.CaptureFixture[str]) -> None:
    print_story(Console(width=80, highlight=False), KICKOUTS, RECAP)
    text = capsys.readouterr().out
    assert text.index("Loans left out, by reason") < text.index("Trades by size: 3 trades") < text.index("cost most to leave out")
    (heading,) = [line for line in text.splitlines() if line.startswith("trade_id")]
    assert {"need", "shortfall", "pair_off_dollars"} <= set(heading.split())
    print_story(Console(width=120), KICKOUTS.clear(), RECAP.clear())
    assert capsys.readouterr().out == ""
