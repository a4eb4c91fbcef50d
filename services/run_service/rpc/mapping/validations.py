"""Another system's allocation from powerfill.run.v1.ValidateAllocationRequest, and the verdict to its response."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, TypeVar

from google.protobuf.message import Message
from google.type.decimal_pb2 import Decimal as DecimalMessage
from powerfill.run.v1 import preflight_pb2, validation_pb2
from powerfill.run.v1 import run_service_pb2 as pb

from services.run_service.application.validate_allocation import AllocationVerdict, HardRule, Placements
from services.run_service.rpc.mapping.requests import checked_run_id
from shared.errors import invalid_field
from shared.rpc.values import decimal_from_proto, decimal_to_proto, enum_numbers

DEFAULT_MAX_DIFFERENCES, LARGEST_MAX_DIFFERENCES = 10_000, 200_000
MAX_ID_LENGTH = 100
"""Characters of a loan's or trade's id; no table holds longer ones."""

MAX_PRICE = 9_999
"""Points."""

ROWS_AT_ONCE = 1_000
"""Rows translated before the server's other calls get their turn."""

MAX_LISTED_BYTES = 56 * 1024 * 1024
"""All lists of an answer together; clients take 64 MiB."""

_FRAME_BYTES = 8
"""What a row of a list takes beside its own bytes, at most."""

_RULE_NUMBERS = enum_numbers(validation_pb2.HardRule.DESCRIPTOR)
_REASON_NUMBERS = enum_numbers(validation_pb2.DifferenceReason.DESCRIPTOR)
_M = TypeVar("_M", bound=Message)

_TOLD: Mapping[HardRule, tuple[str, str, str]] = {
    HardRule.LOAN_REPEATED: ("placements", "placements of loans that are placed before", "keep one placement a loan"),
    HardRule.LOAN_UNKNOWN: ("loan", "loans that the run's inputs do not have", "load them and run again"),
    HardRule.LOAN_NOT_IN_SCOPE: ("loan", "loans that are shipped or not far enough", "leave them out"),
    HardRule.LOAN_DATA_ERROR: ("loan", "loans that lack what it takes to be placed", "complete their data"),
    HardRule.LOAN_HELD: ("pfill_lockdown", "loans that a lockdown holds back", "release the lockdowns, or leave the loans out"),
    HardRule.LOCKED_ELSEWHERE: ("pfill_lockdown", "loans that a lockdown puts on another trade", "obey or release the lockdowns"),
    HardRule.LOCKED_MISSING: ("pfill_lockdown", "loans of a lockdown that are not placed", "obey or release the lockdowns"),
    HardRule.TRADE_UNKNOWN: ("pscat_trades", "placements on trades that the run's inputs do not have", "load the trades"),
    HardRule.TRADE_TAKES_NO_PART: ("pscat_trades", "placements on trades that take no part", "use open trades"),
    HardRule.TRADE_OUTSIDE_WINDOW: (
        "pscat_trades", "placements on trades that settle outside the run's window", "use another max_trade_settle_days"
    ),
    HardRule.NO_RULE_MATCH: ("pfill_constraints", "placements that no constraint allows", "change the rules, or the placements"),
    HardRule.NOTE_RATE_WINDOW: ("pscat_instruments", "note rates outside the instrument's window", "use another instrument"),
    HardRule.LOAN_SIZE: ("pscat_instruments", "loans larger than the instrument allows", "use another instrument"),
    HardRule.SETTLEMENT_WINDOW: ("loan", "loans that are not eligible in time for the trade", "use a later trade"),
    HardRule.NO_PRICE: ("pscat_trades", "placements without a price", "complete prices or grids"),
    HardRule.BELOW_PRICE_FLOOR: ("bx_price_floor", "placements priced under the floor", "lower the floor, or use another trade"),
    HardRule.TRADE_OVERFILLED: ("pscat_trades", "trades filled beyond their band", "take loans off them"),
}  # fmt: skip
"""Of each rule the subject, the message and the remedy of its finding."""


@dataclass(frozen=True)
class AskedValidation:
    """What a client wants: the run (empty: the latest complete one), how much is listed, and the placements as they come."""

    run_id: str
    max_differences: int
    placements: AsyncIterator[Placements]


async def asked_validation(messages: AsyncIterator[pb.ValidateAllocationRequest], tenant_id: str) -> AskedValidation:
    """The first message; the placements of all are read as they are asked for. Raises INVALID_FIELD, RUN_NOT_FOUND."""
    first = await anext(messages, pb.ValidateAllocationRequest())
    if not 0 <= first.max_differences <= LARGEST_MAX_DIFFERENCES:
        allowed = f"it must be an integer from 0 to {LARGEST_MAX_DIFFERENCES}"
        raise invalid_field("max_differences", f"{first.max_differences} is not allowed; {allowed}")
    run_id = checked_run_id(first.run_id, tenant_id) if first.run_id else ""
    return AskedValidation(run_id, first.max_differences or DEFAULT_MAX_DIFFERENCES, _placements(first, messages))


async def _placements(
    first: pb.ValidateAllocationRequest, rest: AsyncIterator[pb.ValidateAllocationRequest]
) -> AsyncIterator[Placements]:
    count = 0
    async for part in _parts(first, count):
        yield part
    count += len(first.placements)
    async for message in rest:
        for field in ("run_id", "max_differences"):
            if getattr(message, field):
                raise invalid_field(field, "it is given in the first message alone")
        async for part in _parts(message, count):
            yield part
        count += len(message.placements)


async def _parts(message: pb.ValidateAllocationRequest, before: int) -> AsyncIterator[Placements]:
    """The placements of a message, some at a time; `before` were in those before it."""
    for start in range(0, len(message.placements), ROWS_AT_ONCE):
        rows = message.placements[start : start + ROWS_AT_ONCE]
        yield Placements(
            [_checked_id(row.loan_id, before + start + place, "loan_id") for place, row in enumerate(rows)],
            [_checked_id(row.trade_id, before + start + place, "trade_id") for place, row in enumerate(rows)],
            [_price(row, before + start + place) for place, row in enumerate(rows)],
        )
        await asyncio.sleep(0)


def _checked_id(text: str, position: int, field: str) -> str:
    if not 0 < len(text) <= MAX_ID_LENGTH:
        problem = f"is {len(text)} characters long" if text else "is empty"
        raise invalid_field(f"placements[{position}].{field}", f"it {problem}; it must have 1 to {MAX_ID_LENGTH} characters")
    return text


def _price(placement: pb.Placement, position: int) -> Decimal | None:
    if not placement.HasField("price"):
        return None
    field = f"placements[{position}].price"
    price = decimal_from_proto(placement.price, field)
    if abs(price) > MAX_PRICE:
        raise invalid_field(field, f"{placement.price.value} is not allowed; it must be from -{MAX_PRICE} to {MAX_PRICE} points")
    return price


async def verdict_to_proto(verdict: AllocationVerdict) -> pb.ValidateAllocationResponse:
    """The whole answer, rows in portions."""
    found, totals = verdict.found, verdict.found.totals
    response = pb.ValidateAllocationResponse(
        run_id=verdict.run.run_id,
        value=decimal_to_proto(totals.value),
        value_of_allowed=decimal_to_proto(totals.value_of_allowed),
        run_value=decimal_to_proto(totals.run_value),
        value_difference=decimal_to_proto(totals.value_difference),
        value_difference_bp=decimal_to_proto(totals.in_bp(totals.value_difference)),
        loan_difference=decimal_to_proto(totals.loan_difference),
        pair_off=decimal_to_proto(totals.pair_off),
        run_pair_off=decimal_to_proto(totals.run_pair_off),
        pair_off_difference=decimal_to_proto(totals.pair_off_difference),
        rounding=decimal_to_proto(totals.rounding),
        in_scope_amount=decimal_to_proto(totals.in_scope_amount),
        upper_bound=_number(totals.upper_bound),
        gap_amount=_number(totals.gap),
        gap_bp=None if totals.gap is None else decimal_to_proto(totals.in_bp(totals.gap)),
        run_gap_amount=_number(totals.run_gap),
        run_gap_bp=None if totals.run_gap is None else decimal_to_proto(totals.in_bp(totals.run_gap)),
        placement_count=found.placement_count,
        placed_count=found.placed_count,
        run_placed_count=found.run_placed_count,
        violation_count=found.violation_count,
        violations=[_finding(rule.rule, rule.count, rule.examples) for rule in found.rules],
        difference_count=found.difference_count,
        difference_totals=[
            validation_pb2.DifferenceTotal(
                reason=_reason(total.reason), count=total.count, difference=decimal_to_proto(total.difference)
            )
            for total in found.reasons
        ],
        compared_price_count=found.prices.compared_count,
        price_difference_count=found.prices.different_count,
        price_difference_dollars=decimal_to_proto(found.prices.dollars),
    )
    room = MAX_LISTED_BYTES
    room -= await _fill(response.violation_details, map(_violation, found.violations.iter_rows(named=True)), room)
    room -= await _fill(response.differences, map(_difference, found.differences.iter_rows(named=True)), room)
    await _fill(response.price_differences, map(_price_difference, found.price_differences.iter_rows(named=True)), room)
    return response


async def _fill(field: Any, messages: Iterable[_M], most_bytes: int) -> int:
    """Add the messages to a repeated field as far as there is room; gives the bytes they take."""
    size = 0
    for number, message in enumerate(messages, start=1):
        size += message.ByteSize() + _FRAME_BYTES
        if size > most_bytes:
            return most_bytes
        field.append(message)
        if number % ROWS_AT_ONCE == 0:
            await asyncio.sleep(0)
    return size


def _finding(rule: HardRule, count: int, examples: tuple[str, ...]) -> preflight_pb2.Finding:
    subject, message, remedy = _TOLD[rule]
    return preflight_pb2.Finding(
        code=rule.value,
        severity=preflight_pb2.Severity.SEVERITY_ERROR,
        subject=subject,
        message=message,
        count=count,
        examples=examples,
        remedy=remedy,
    )


def _violation(row: Mapping[str, Any]) -> validation_pb2.Violation:
    return validation_pb2.Violation(
        rule=validation_pb2.HardRule.ValueType(_RULE_NUMBERS[row["rule"]]),
        loan_id=row["loan_id"],
        trade_id=row["trade_id"],
        position=row["position"],
        constraint_id=row["constraint_id"],
        message=row["message"],
    )


def _difference(row: Mapping[str, Any]) -> validation_pb2.LoanDifference:
    return validation_pb2.LoanDifference(
        loan_id=row["loan_id"],
        loan_amount=_number(row["loan_amount"]),
        trade_id=row["trade_id"],
        run_trade_id=row["run_trade_id"],
        points=_number(row["points"]),
        run_points=_number(row["run_points"]),
        value=_number(row["value"]),
        run_value=_number(row["run_value"]),
        difference=_number(row["difference"]),
        reason=_reason(row["reason"]),
        detail=row["detail"],
    )


def _price_difference(row: Mapping[str, Any]) -> validation_pb2.PriceDifference:
    return validation_pb2.PriceDifference(
        loan_id=row["loan_id"],
        trade_id=row["trade_id"],
        loan_amount=_number(row["loan_amount"]),
        price=_number(row["price"]),
        run_price=_number(row["run_price"]),
        difference=_number(row["difference"]),
        dollars=_number(row["dollars"]),
    )


def _reason(reason: str) -> validation_pb2.DifferenceReason.ValueType:
    return validation_pb2.DifferenceReason.ValueType(_REASON_NUMBERS[reason])


def _number(value: Decimal | None) -> DecimalMessage | None:
    return None if value is None else decimal_to_proto(value)
