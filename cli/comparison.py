"""What changed between two runs, for people: the dollars first, then what they are due to."""

from collections.abc import Sequence
from decimal import Decimal

from google.type.decimal_pb2 import Decimal as DecimalMessage
from powerfill.run.v1.comparison_pb2 import ColumnChange, InputTableChange, LoanMove, MoveReason, TradeFill, TradeFillChange
from powerfill.run.v1.run_service_pb2 import CompareRunsResponse

from cli.console import count, figures, money, number, say, stdout
from cli.text_table import MAX_CELL_WIDTH, Column, print_table
from cli.wire import word

SHOWN_MOVES = 20
"""Moves that are printed unless more are asked for."""

SHOWN_TRADES = 20

NO_TRADE = "-"


def print_comparison(compared: CompareRunsResponse, run_id_a: str, run_id_b: str) -> None:
    """The whole comparison of run b with run a."""
    console = stdout()
    values = f"{money(compared.value_a.value)} -> {money(compared.value_b.value)}"
    say(console, f"run {run_id_b} against run {run_id_a}: value {signed(compared.value_difference.value)} ({values})", "bold")
    for line in figures(_parts(compared)):
        say(console, line)
    _heading("options", "no option differs" if not compared.options else "")
    for line in figures([(option.name, f"{option.a} -> {option.b}") for option in compared.options]):
        say(console, line)
    _heading("inputs", "both runs read the same" if not compared.inputs else "")
    for table in compared.inputs:
        _print_table_change(table)
    _print_moves(compared)
    _print_trades(compared.trades)


def signed(amount: Decimal | str) -> str:
    """Dollars with their sign."""
    return f"{'+' if Decimal(amount) > 0 else ''}{money(amount)}"


def _parts(compared: CompareRunsResponse) -> list[tuple[str, str]]:
    by_inputs = f"market {_of(compared.by_market)}, data {_of(compared.by_data)}"
    by_decision = f"loans that moved {_of(compared.by_moves)}, pair-off {_of(compared.by_pair_off)}"
    rows = [
        ("new inputs", _of(compared.by_inputs), by_inputs),
        ("new options", _of(compared.by_options), ""),
        ("new decision", _of(compared.by_decision), by_decision),
    ]
    width = max(len(dollars) for _, dollars, _ in rows)
    return [(name, f"{dollars:>{width}}{f'  ({parts})' if parts else ''}") for name, dollars, parts in rows]


def _of(dollars: DecimalMessage) -> str:
    return signed(dollars.value)


def _heading(name: str, nothing: str) -> None:
    say(stdout(), f"{name}: {nothing}" if nothing else name, style="bold")


def _print_table_change(table: InputTableChange) -> None:
    told = [f"{count(rows)} {what}" for rows, what in ((table.added, "added"), (table.removed, "removed")) if rows]
    if table.changed:
        told.append(f"{count(table.changed)} changed: {', '.join(map(_column, table.columns))}")
    say(stdout(), f"  {table.table}: {'; '.join(told)}")
    for what, keys, rows in (("added", table.added_keys, table.added), ("removed", table.removed_keys, table.removed)):
        if keys:
            say(stdout(), f"    {what} {', '.join(keys[:3])}{' ...' if rows > 3 else ''}")
    for cell in table.examples[:3]:
        before = _cut(cell.before) if cell.HasField("before") else "nothing"
        after = _cut(cell.after) if cell.HasField("after") else "nothing"
        say(stdout(), f"    {cell.key}: {cell.column} {before} -> {after}")


def _cut(text: str) -> str:
    """A value that may be a whole rule, on one line."""
    return text if len(text) <= MAX_CELL_WIDTH else f"{text[: MAX_CELL_WIDTH - 2]}.."


def _column(change: ColumnChange) -> str:
    if not change.HasField("average_move"):
        return f"{change.column} {count(change.count)}"
    move = Decimal(change.average_move.value)
    return f"{change.column} {count(change.count)} (on average {'+' if move > 0 else ''}{number(move)})"


def _print_moves(compared: CompareRunsResponse) -> None:
    if not compared.moved_count:
        _heading("loans", "none moved")
        return
    loans = "loan" if compared.moved_count == 1 else "loans"
    _heading(f"{count(compared.moved_count)} {loans} moved, {money(compared.moved_amount.value)}", "")
    totals = compared.move_totals
    columns = [
        Column("why", [_reason(total.reason) for total in totals]),
        Column("loans", [count(total.count) for total in totals], is_figure=True),
        Column("amount", [money(total.amount.value) for total in totals], is_figure=True),
        Column("earns", [signed(total.dollars.value) for total in totals], is_figure=True),
    ]
    print_table(stdout(), columns)
    say(stdout())
    moves = compared.moves
    columns = [
        Column("loan", [move.loan_id for move in moves]),
        Column("amount", [money(move.loan_amount.value) for move in moves], is_figure=True),
        Column("from", [move.from_trade_id or NO_TRADE for move in moves]),
        Column("to", [move.to_trade_id or NO_TRADE for move in moves]),
        Column("points from", [_points(move, "from_points") for move in moves], is_figure=True),
        Column("points to", [_points(move, "to_points") for move in moves], is_figure=True),
        Column("earns", [signed(move.dollars.value) for move in moves], is_figure=True),
        Column("why", [_reason(move.reason) for move in moves]),
    ]
    _print_some(
        columns,
        ("loan", "from", "to", "earns", "why", "amount"),
        len(moves),
        compared.moved_count,
        "moves; --max-moves lists more",
    )


def _print_trades(trades: Sequence[TradeFillChange]) -> None:
    if not trades:
        _heading("trades", "none is filled otherwise")
        return
    _heading(f"{count(len(trades))} {'trade is' if len(trades) == 1 else 'trades are'} filled otherwise", "")
    shown = trades[:SHOWN_TRADES]
    sides = [(trade.a if trade.HasField("a") else None, trade.b if trade.HasField("b") else None) for trade in shown]
    columns = [
        Column("trade", [trade.trade_id for trade in shown]),
        Column("instrument", [trade.investor_instrument for trade in shown]),
        Column("allocated a", [_allocated(a) for a, _ in sides], is_figure=True),
        Column("allocated b", [_allocated(b) for _, b in sides], is_figure=True),
        Column("fill % a", [_percent(a) for a, _ in sides], is_figure=True),
        Column("fill % b", [_percent(b) for _, b in sides], is_figure=True),
        Column("status", [_statuses(a, b) for a, b in sides]),
        Column("pair-off change", [signed(_pair_off(b) - _pair_off(a)) for a, b in sides], is_figure=True),
    ]
    importance = ("trade", "allocated a", "allocated b", "pair-off change", "fill % b", "status")
    _print_some(columns, importance, len(shown), len(trades), "trades; --json lists all")


def _print_some(columns: list[Column], importance: Sequence[str], shown: int, all_of_them: int, how_to_see_more: str) -> None:
    console = stdout()
    hidden = print_table(console, columns, importance, width=console.width)
    if shown < all_of_them:
        say(console, f"{count(shown)} of {count(all_of_them)} {how_to_see_more}")
    if hidden:
        say(console, f"hidden for want of room ({len(hidden)}): {', '.join(hidden)}; --json has them", style="dim")


def _reason(reason: int) -> str:
    return word(MoveReason.DESCRIPTOR, reason)


def _points(move: LoanMove, field: str) -> str:
    return number(Decimal(getattr(move, field).value)) if move.HasField(field) else NO_TRADE  # type: ignore[arg-type]  # a field's name


def _allocated(fill: TradeFill | None) -> str:
    return NO_TRADE if fill is None else money(fill.allocated_amount.value)


def _percent(fill: TradeFill | None) -> str:
    if fill is None or not fill.HasField("fill_pct"):
        return NO_TRADE
    return f"{Decimal(fill.fill_pct.value):,.2f}"


def _statuses(a: TradeFill | None, b: TradeFill | None) -> str:
    before, after = (NO_TRADE if fill is None else fill.status for fill in (a, b))
    return after if before == after else f"{before} -> {after}"


def _pair_off(fill: TradeFill | None) -> Decimal:
    return Decimal(0) if fill is None else Decimal(fill.pair_off_dollars.value or 0)
