"""A comparison as a message."""

import asyncio
import datetime as dt
from decimal import Decimal

import polars as pl
import pytest
from google.type.date_pb2 import Date
from powerfill.run.v1 import comparison_pb2

from services.run_service.application.compare_runs import OptionChange, RunComparison
from services.run_service.domain.options import RunOptions
from services.run_service.domain.run import Run, RunStatus
from services.run_service.engine.compare.comparison import (
    FILL,
    MOVES,
    CellChange,
    ColumnChange,
    Comparison,
    MoveReason,
    MoveTotal,
    TableChange,
    ValueSplit,
)
from services.run_service.rpc.mapping import comparisons
from services.run_service.rpc.mapping.comparisons import comparison_to_proto
from shared.rpc.values import enum_words
from tests.builders import AS_OF

NOW = dt.datetime(2026, 4, 17, tzinfo=dt.UTC)
MOVED = [
    ("L1", Decimal("200000"), "T1", None, Decimal("100.5"), Decimal("99.87500000"), Decimal("-1250.00"), "MADE_ROOM"),
    ("L2", Decimal("0.10"), None, "T2", None, None, Decimal("0"), "NEWLY_IN_SCOPE"),
]


def a_run(run_id: str, value: str) -> Run:
    return Run(run_id, "acme", RunStatus.COMPLETE, "desk", RunOptions(AS_OF), NOW, summary={"value": value})


def trades() -> pl.DataFrame:
    fill = (Decimal(100), 1, Decimal("50.000000"), "UNDERFILLED", Decimal(90), Decimal("0.03"))
    rows = [
        ("T1", "X", AS_OF, True, True, *fill, *fill[:3], "FILLED", *fill[4:]),
        ("T2", "X", None, False, True, *[None] * 6, *fill),
    ]
    columns = ["trade_id", "investor_instrument", "settlement_date", "in_a", "in_b", *FILL, *(f"{name}_b" for name in FILL)]
    return pl.DataFrame(rows, schema=columns, orient="row")


def compared(moves: pl.DataFrame, trades: pl.DataFrame) -> RunComparison:
    change = TableChange(
        "loan", 2, 1, 3, (ColumnChange("fico", 2, Decimal("-1.5")), ColumnChange("state", 1, None)), ("L8", "L9"), ("L7",),
        (CellChange("L5", "state", None, ""),),
    )  # fmt: skip
    total = MoveTotal(MoveReason.MADE_ROOM, 1, Decimal("200000"), Decimal("-1250.00"))
    split = ValueSplit(*map(Decimal, ("1.00", "2.00", "3.00", "-4.00", "0.50")))
    found = Comparison(split, (change,), 2, Decimal("200000.10"), (total,), moves, trades)
    options = (OptionChange("time_limit", "10", None), OptionChange("pair_off_cost.TBA", "0.03125", "0.05"))
    return RunComparison(a_run("a", "10.00"), a_run("b", "12.50"), options, found)


def test_everything_that_was_found() -> None:
    moves = pl.DataFrame(MOVED, schema=dict(MOVES), orient="row")
    message = asyncio.run(comparison_to_proto(compared(moves, trades())))
    assert (message.value_difference.value, message.by_inputs.value, message.by_decision.value) == ("2.50", "3.00", "-3.50")
    assert (message.value_a.value, message.value_b.value) == ("10.00", "12.50")
    assert [(option.name, option.a, option.b) for option in message.options] == [
        ("time_limit", "10", "none"), ("pair_off_cost.TBA", "0.03125", "0.05"),
    ]  # fmt: skip
    (table,) = message.inputs
    assert (table.added, table.removed, table.changed, list(table.added_keys)) == (2, 1, 3, ["L8", "L9"])
    assert (table.columns[0].average_move.value, table.columns[1].HasField("average_move")) == ("-1.5", False)
    assert (table.examples[0].HasField("before"), table.examples[0].HasField("after")) == (False, True)
    first, second = message.moves
    assert (first.loan_id, first.from_trade_id, first.to_trade_id, first.from_points.value) == ("L1", "T1", "", "100.50000000")
    assert (first.dollars.value, first.reason) == ("-1250.00", comparison_pb2.MoveReason.MOVE_REASON_MADE_ROOM)
    assert not second.HasField("from_points")
    assert message.move_totals[0].amount.value == "200000"
    one, other = message.trades
    assert (one.settlement_date, one.a.status, one.b.status) == (Date(year=2026, month=4, day=17), "UNDERFILLED", "FILLED")
    assert (other.HasField("a"), other.HasField("settlement_date"), other.b.allocated_count) == (False, False, 1)


@pytest.mark.parametrize("a_portion", [1, 2, 3])
def test_rows_in_portions_are_all_rows_in_order(monkeypatch: pytest.MonkeyPatch, a_portion: int) -> None:
    monkeypatch.setattr(comparisons, "ROWS_AT_ONCE", a_portion)
    moves = pl.DataFrame([(f"L{number}", *MOVED[0][1:]) for number in range(4)], schema=dict(MOVES), orient="row")
    message = asyncio.run(comparison_to_proto(compared(moves, trades().clear())))
    assert [move.loan_id for move in message.moves] == ["L0", "L1", "L2", "L3"]
    assert not message.trades


def test_every_reason_has_its_number() -> None:
    assert list(enum_words(comparison_pb2.MoveReason.DESCRIPTOR).values()) == [reason.value for reason in MoveReason]
