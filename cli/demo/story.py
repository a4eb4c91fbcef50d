"""What a desk reads after the demo's run: what was left out and why, how the trades were filled, what to look at first."""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal

import polars as pl
from rich.console import Console

from cli.console import count, money, say
from cli.report_cells import cell_texts
from cli.report_pages import Columns
from cli.text_table import Column, print_table
from shared.money import to_decimal

TOP = 8

_DOLLARS, _PERCENT, _TEXT = pl.Decimal(38, 2), pl.Decimal(18, 6), pl.String()

KICKOUT_COLUMNS: Mapping[str, pl.DataType] = {
    "loan_id": _TEXT, "loan_amount": _DOLLARS, "reason": _TEXT, "best_trade_id": _TEXT, "opportunity_cost": _DOLLARS,
    "recommended_action": _TEXT,
}  # fmt: skip
TRADE_COLUMNS: Mapping[str, pl.DataType] = {
    "trade_id": _TEXT, "counterparty": _TEXT, "investor_instrument": _TEXT, "settlement_date": pl.Date(), "need": _DOLLARS,
    "allocated_amount": _DOLLARS, "fill_pct": _PERCENT, "status": _TEXT, "shortfall": _DOLLARS, "pair_off_dollars": _DOLLARS,
}  # fmt: skip
"""The columns of the reports that the story is made of, and their types."""

IMPORTANT = ("loan_id", "trade_id", "reason", "need", "shortfall", "pair_off_dollars", "status", "investor_instrument")
"""The columns that a narrow terminal keeps first."""

LITTLE = Decimal("0.001")
"""The part of a trade's need that a shortfall may be and still is little."""


def kickout_frame(kickouts: Columns) -> pl.DataFrame:
    """The kickouts as a frame."""
    return pl.DataFrame({name: kickouts[name] for name in KICKOUT_COLUMNS}, schema=dict(KICKOUT_COLUMNS))


def trade_frame(recap: Columns) -> pl.DataFrame:
    """The trade recap as a frame."""
    return pl.DataFrame({name: recap[name] for name in TRADE_COLUMNS}, schema=dict(TRADE_COLUMNS))


def by_reason(kickouts: pl.DataFrame) -> pl.DataFrame:
    """Loans, balance and opportunity cost (null where none has one) by reason, the costliest first."""
    return (
        kickouts.group_by("reason")
        .agg(
            loans=pl.len(),
            loan_amount=pl.col("loan_amount").filter(pl.col("loan_amount") > 0).sum(),
            opportunity_cost=pl.when(pl.col("opportunity_cost").count() > 0).then(pl.col("opportunity_cost").sum()),
        )
        .sort("opportunity_cost", "loans", "reason", descending=[True, True, False], nulls_last=True)
    )


def top_kickouts(kickouts: pl.DataFrame) -> pl.DataFrame:
    """The loans that cost most to leave out."""
    costly = kickouts.filter(pl.col("opportunity_cost") > 0)
    return costly.sort("opportunity_cost", "loan_id", descending=[True, False]).head(TOP)


def top_trades(recap: pl.DataFrame) -> pl.DataFrame:
    """The largest trades by open amount."""
    largest = recap.sort("need", "trade_id", descending=[True, False]).head(TOP)
    return largest.with_columns(to_decimal(largest["fill_pct"], pl.Decimal(18, 2)))


def fill_line(recap: pl.DataFrame) -> str:
    """How much of what the trades need was allocated, how many are in their band or short of it, and what that costs."""
    need, allocated, pair_off = (Decimal(recap[name].sum() or 0) for name in ("need", "allocated_amount", "pair_off_dollars"))
    share = f" ({100 * allocated / need:.1f} %)" if need else ""
    over = pl.col("status") == "OVERFILLED_BY_LOCKS"
    short = pl.col("shortfall") > 0
    little = pl.col("shortfall") <= LITTLE * pl.col("need")
    counts = recap.select(
        (~over & ~short).sum().alias("in their band"),
        (short & little).sum().alias(f"short by at most {(100 * LITTLE).normalize():f} % of their need"),
        (short & ~little).sum().alias("short by more"),
        over.sum().alias("overfilled by locks"),
    ).row(0, named=True)
    listed = ", ".join(f"{count(number)} {what}" for what, number in counts.items() if number)
    return (
        f"{count(recap.height)} trades, {money(allocated)} of {money(need)} needed{share}: {listed or 'none'}; "
        f"pair-off {money(pair_off)}"
    )


def print_story(console: Console, kickouts: pl.DataFrame, recap: pl.DataFrame) -> None:
    """The tables, each under a line that says what it is."""
    for title, frame in _tables(kickouts, recap):
        if frame.height:
            say(console)
            say(console, title, style="bold")
            print_table(console, _columns(frame), IMPORTANT, width=console.width)


def _tables(kickouts: pl.DataFrame, recap: pl.DataFrame) -> Iterator[tuple[str, pl.DataFrame]]:
    yield "Loans left out, by reason (opportunity cost: best trade over what the loan is worth elsewhere)", by_reason(kickouts)
    yield f"Trades by size: {fill_line(recap)}", top_trades(recap)
    yield "The loans that cost most to leave out", top_kickouts(kickouts)


def _columns(frame: pl.DataFrame) -> Sequence[Column]:
    return [Column(series.name, cell_texts(series.to_list()), series.dtype.is_numeric()) for series in frame]
