"""What changed between two runs, to powerfill.run.v1.CompareRunsResponse."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from decimal import Decimal
from typing import Any

from google.type.decimal_pb2 import Decimal as DecimalMessage
from powerfill.run.v1 import comparison_pb2
from powerfill.run.v1 import run_service_pb2 as pb

from services.run_service.application.compare_runs import MoveTotal, OptionChange, RunComparison, TableChange
from shared.errors import invalid_field
from shared.rpc.values import date_to_proto, decimal_to_proto, enum_numbers

DEFAULT_MAX_MOVES, LARGEST_MAX_MOVES = 1_000, 100_000

ROWS_AT_ONCE = 500
"""Moves and trades translated before the server's other calls get their turn."""

NONE = "none"
"""How an option that is off is spelled."""

_REASON_NUMBERS = enum_numbers(comparison_pb2.MoveReason.DESCRIPTOR)


def checked_max_moves(max_moves: int) -> int:
    """How many moves to list; 0 is the default. Raises INVALID_FIELD."""
    if not 0 <= max_moves <= LARGEST_MAX_MOVES:
        raise invalid_field("max_moves", f"{max_moves} is not allowed; it must be an integer from 0 to {LARGEST_MAX_MOVES}")
    return max_moves or DEFAULT_MAX_MOVES


async def comparison_to_proto(compared: RunComparison) -> pb.CompareRunsResponse:
    """The whole answer, rows in portions."""
    found, split = compared.found, compared.found.split
    response = pb.CompareRunsResponse(
        value_difference=decimal_to_proto(split.total),
        by_inputs=decimal_to_proto(split.by_inputs),
        by_options=decimal_to_proto(split.by_options),
        by_decision=decimal_to_proto(split.by_decision),
        by_market=decimal_to_proto(split.by_market),
        by_data=decimal_to_proto(split.by_data),
        by_moves=decimal_to_proto(split.by_moves),
        by_pair_off=decimal_to_proto(split.by_pair_off),
        value_a=decimal_to_proto(compared.a.summary["value"]),
        value_b=decimal_to_proto(compared.b.summary["value"]),
        options=[_option(change) for change in compared.options],
        inputs=[_table(change) for change in found.inputs],
        moved_count=found.moved_count,
        moved_amount=decimal_to_proto(found.moved_amount),
        move_totals=[_total(total) for total in found.totals],
    )
    async for rows in _portions(found.moves.iter_rows(named=True)):
        response.moves.extend(_move(row) for row in rows)
    async for rows in _portions(found.trades.iter_rows(named=True)):
        response.trades.extend(_trade(row) for row in rows)
    return response


async def _portions(rows: Iterable[dict[str, Any]]) -> AsyncIterator[list[dict[str, Any]]]:
    """The rows, some at a time; other calls get their turn in between."""
    portion: list[dict[str, Any]] = []
    for row in rows:
        portion.append(row)
        if len(portion) == ROWS_AT_ONCE:
            yield portion
            portion = []
            await asyncio.sleep(0)
    yield portion


def _option(change: OptionChange) -> comparison_pb2.OptionChange:
    a, b = (NONE if value is None else value for value in (change.before, change.after))
    return comparison_pb2.OptionChange(name=change.name, a=a, b=b)


def _table(change: TableChange) -> comparison_pb2.InputTableChange:
    return comparison_pb2.InputTableChange(
        table=change.table,
        added=change.added,
        removed=change.removed,
        changed=change.changed,
        columns=[
            comparison_pb2.ColumnChange(column=one.column, count=one.count, average_move=_number(one.average_move))
            for one in change.columns
        ],
        added_keys=change.added_keys,
        removed_keys=change.removed_keys,
        examples=[
            comparison_pb2.CellChange(key=one.key, column=one.column, before=one.before, after=one.after)
            for one in change.examples
        ],
    )


def _total(total: MoveTotal) -> comparison_pb2.MoveTotal:
    return comparison_pb2.MoveTotal(
        reason=_reason(total.reason),
        count=total.count,
        amount=decimal_to_proto(total.amount),
        dollars=decimal_to_proto(total.dollars),
    )


def _move(row: Mapping[str, Any]) -> comparison_pb2.LoanMove:
    return comparison_pb2.LoanMove(
        loan_id=row["loan_id"],
        loan_amount=_number(row["loan_amount"]),
        from_trade_id=row["from_trade_id"],
        to_trade_id=row["to_trade_id"],
        from_points=_number(row["from_points"]),
        to_points=_number(row["to_points"]),
        dollars=_number(row["dollars"]),
        reason=_reason(row["reason"]),
    )


def _trade(row: Mapping[str, Any]) -> comparison_pb2.TradeFillChange:
    settles = row["settlement_date"]
    return comparison_pb2.TradeFillChange(
        trade_id=row["trade_id"],
        investor_instrument=row["investor_instrument"],
        settlement_date=None if settles is None else date_to_proto(settles),
        a=_fill(row, "") if row["in_a"] else None,
        b=_fill(row, "_b") if row["in_b"] else None,
    )


def _fill(row: Mapping[str, Any], suffix: str) -> comparison_pb2.TradeFill:
    return comparison_pb2.TradeFill(
        allocated_amount=_number(row[f"allocated_amount{suffix}"]),
        allocated_count=row[f"allocated_count{suffix}"],
        fill_pct=_number(row[f"fill_pct{suffix}"]),
        status=row[f"status{suffix}"],
        shortfall=_number(row[f"shortfall{suffix}"]),
        pair_off_dollars=_number(row[f"pair_off_dollars{suffix}"]),
    )


def _reason(reason: str) -> comparison_pb2.MoveReason.ValueType:
    return comparison_pb2.MoveReason.ValueType(_REASON_NUMBERS[reason])


def _number(value: Decimal | None) -> DecimalMessage | None:
    return None if value is None else decimal_to_proto(value)
