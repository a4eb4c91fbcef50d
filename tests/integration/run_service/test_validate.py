"""Another system's allocation over a real server, with the engine in its own process and the inputs that the run stored."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa
from google.type.decimal_pb2 import Decimal as DecimalMessage
from powerfill.run.v1 import run_service_pb2 as pb
from powerfill.run.v1 import validation_pb2
from powerfill.run.v1.run_service_pb2_grpc import RunServiceStub

from services.run_service.app import running
from services.run_service.application import validate_allocation
from services.run_service.repositories.run_rows import HISTORY
from services.run_service.rpc.mapping import validations
from shared.database.tables import LENDER_TABLES, OUTPUT_TABLES
from shared.rpc.client import Connection, connect
from shared.rpc.status import ReceivedError
from shared.rpc.values import enum_words
from shared.tenancy.database import TenantDatabase
from shared.tenancy.registry import TenantRegistry
from tests import fakes
from tests.builders import fill, loan, small_instance
from tests.integration.run_service.desk import DAY, Desk, settings_for

if TYPE_CHECKING:
    from powerfill.run.v1.run_service_pb2_grpc import RunServiceAsyncStub

OPTIMAL = {**DAY, "strategy": "OPTIMAL", "work_limit": 1000}
GUIDE = OUTPUT_TABLES["pfill_powerfill_guide"]
RULES = enum_words(validation_pb2.HardRule.DESCRIPTOR)
REASONS = enum_words(validation_pb2.DifferenceReason.DESCRIPTOR)
Placements = Sequence[tuple[str, ...]]


class Validating:
    """A desk that sends allocations."""

    def __init__(self, connection: Connection, address: str) -> None:
        self.desk = Desk(address, connection)
        self._connection = connection
        self._stub: RunServiceAsyncStub = RunServiceStub(connection.channel)

    async def run(self, **options: Any) -> str:
        """The id of a run that has ended."""
        run = await self.desk.submit({**OPTIMAL, **options})
        await self.desk.watched(run.run_id)
        return run.run_id

    async def send(self, *requests: pb.ValidateAllocationRequest) -> pb.ValidateAllocationResponse:
        """ValidateAllocation with these messages. Raises ReceivedError."""

        async def all_of_them() -> AsyncIterator[pb.ValidateAllocationRequest]:
            for request in requests:
                yield request

        return await self._connection.send(self._stub.ValidateAllocation, all_of_them(), 40.0)

    async def validate(self, placements: Placements, run_id: str = "", **fields: Any) -> pb.ValidateAllocationResponse:
        """ValidateAllocation in messages of two placements. Raises ReceivedError."""
        parts = [[placement(*one) for one in placements[start : start + 2]] for start in range(0, len(placements), 2)]
        first = pb.ValidateAllocationRequest(run_id=run_id, placements=parts[0] if parts else [], **fields)
        return await self.send(first, *(pb.ValidateAllocationRequest(placements=part) for part in parts[1:]))


def placement(loan_id: str, trade_id: str, price: str | None = None) -> pb.Placement:
    told = None if price is None else DecimalMessage(value=price)
    return pb.Placement(loan_id=loan_id, trade_id=trade_id, price=told)


@contextlib.asynccontextmanager
async def validating(registry: TenantRegistry, **fake: Any) -> AsyncIterator[Validating]:
    async with (
        running(settings_for(registry, drain_s=0), **fake) as server,
        connect(server.address, tenant_id="acme", user="desk") as connection,
    ):
        yield Validating(connection, server.address)


@pytest.fixture
async def acme_desk(registry: TenantRegistry, acme: TenantDatabase) -> AsyncIterator[Validating]:
    """The desk of `acme`, whose last loan fills no trade with another, at a server with the real engine."""
    loans = [*(loan(f"L{number:03d}") for number in range(1, 6)), loan("L006", 300_000)]
    await fill(acme, small_instance(loan=loans))
    async with validating(registry) as desk:
        yield desk


async def allocated(database: TenantDatabase, run_id: str) -> list[tuple[str, str, str]]:
    """The run's allocation with its prices."""
    columns = sa.select(GUIDE.c.loan_id, GUIDE.c.trade_id, GUIDE.c.price).where(GUIDE.c.run_id == run_id)
    async with database.connect() as connection:
        rows = (await connection.execute(columns.order_by(GUIDE.c.loan_id))).all()
    return [(row.loan_id, row.trade_id, str(row.price)) for row in rows]


def number(message: DecimalMessage) -> Decimal:
    return Decimal(message.value)


async def test_the_runs_own_allocation_is_clean_and_of_its_value_whatever_the_lenders_tables_say_by_now(
    acme_desk: Validating, acme: TenantDatabase
) -> None:
    run_id = await acme_desk.run()
    async with acme.begin() as connection:
        await connection.execute(sa.delete(LENDER_TABLES["loan"]))
    run = await acme_desk.desk.get(run_id)
    own = await allocated(acme, run_id)
    assert len(own) == 4
    verdict = await acme_desk.validate(own)
    assert verdict.run_id == run_id
    assert (verdict.violation_count, verdict.difference_count, list(verdict.violations)) == (0, 0, [])
    assert verdict.value == verdict.value_of_allowed == verdict.run_value == run.summary.value
    assert verdict.upper_bound == run.summary.upper_bound
    assert verdict.gap_amount == verdict.run_gap_amount == run.summary.gap_amount
    assert verdict.gap_bp == verdict.run_gap_bp == run.summary.gap_bp
    assert verdict.in_scope_amount == run.summary.in_scope_amount
    assert (verdict.compared_price_count, verdict.price_difference_count) == (4, 0)
    assert (verdict.placement_count, verdict.placed_count, verdict.run_placed_count) == (4, 4, 4)


async def test_an_allocation_that_differs_and_breaks_rules_is_told_in_full(
    acme_desk: Validating, acme: TenantDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = await acme_desk.run()
    (first, there, price), *_ = await allocated(acme, run_id)
    elsewhere = "T1" if there == "T2" else "T2"
    given = [("L006", there, "1.5"), (first, elsewhere, price), ("L999", "T1"), (first, "T3")]
    verdict = await acme_desk.validate(given, run_id)
    told = [(RULES[one.rule], one.loan_id, one.trade_id, one.position) for one in verdict.violation_details]
    assert told == [("LOAN_REPEATED", first, "T3", 3), ("LOAN_UNKNOWN", "L999", "T1", 2)]
    assert verdict.violation_count == 2
    assert [(found.code, found.count, list(found.examples)) for found in verdict.violations] == [
        ("LOAN_REPEATED", 1, [first]), ("LOAN_UNKNOWN", 1, ["L999"]),
    ]  # fmt: skip
    assert all(found.message and found.remedy and found.subject for found in verdict.violations)

    rows = {row.loan_id: row for row in verdict.differences}
    assert (rows["L006"].trade_id, rows["L006"].run_trade_id) == (there, "")
    assert (REASONS[rows["L006"].reason], rows["L006"].detail) == ("LEFT_OUT_HERE", "NO_CAPACITY")
    assert {REASONS[row.reason] for loan_id, row in rows.items() if not row.trade_id} == {"LEFT_OUT_THERE"}
    assert sum(number(row.difference) for row in rows.values()) == number(verdict.loan_difference)
    assert sum(number(total.difference) for total in verdict.difference_totals) == number(verdict.loan_difference)
    parts = (verdict.loan_difference, verdict.pair_off_difference, verdict.rounding)
    assert number(verdict.value_difference) == sum(map(number, parts)) == number(verdict.value) - number(verdict.run_value)
    assert number(verdict.upper_bound) - number(verdict.value) == number(verdict.gap_amount) > 0
    [dearer, same_points] = verdict.price_differences
    assert (dearer.loan_id, number(dearer.difference)) == ("L006", Decimal("1.5") - number(dearer.run_price))
    assert number(same_points.difference) in (Decimal("0.25"), Decimal("-0.25"))  # T1 is at 101, T2 at 100.75

    few = await acme_desk.validate(given, run_id, max_differences=1)
    assert (len(few.violation_details), len(few.differences), len(few.price_differences)) == (1, 1, 1)
    assert (few.violation_count, few.difference_count) == (verdict.violation_count, verdict.difference_count)
    assert few.difference_totals == verdict.difference_totals
    monkeypatch.setattr(validations, "MAX_LISTED_BYTES", 300)
    short = await acme_desk.validate(given, run_id)
    assert len(short.violation_details) + len(short.differences) + len(short.price_differences) < 8
    assert short.difference_count == verdict.difference_count


async def test_what_is_no_allocation_is_refused_with_its_place(
    registry: TenantRegistry, filled: TenantDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(validate_allocation, "MAX_PLACEMENTS", 5)
    good = [("L001", "T1"), ("L002", "T1"), ("L003", "T2")]
    async with validating(registry, work=fakes.fake_work) as desk:
        run_id = await desk.run()
        for placements, field in (
            ([*good, ("", "T1")], "placements[3].loan_id"),
            ([*good, ("L" * 101, "T1")], "placements[3].loan_id"),
            ([("L001", "")], "placements[0].trade_id"),
            ([*good, ("L004", "T1", "dear")], "placements[3].price"),
            ([("L001", "T1", "")], "placements[0].price"),
            ([("L001", "T1", "9999.01")], "placements[0].price"),
            ([("L001", "T1", "-1e4")], "placements[0].price"),
            ([("L001", "T1", "NaN")], "placements[0].price"),
            ([], "placements"),
            ([*good, *good], "placements"),
        ):
            with pytest.raises(ReceivedError) as raised:
                await desk.validate(placements)
            assert (raised.value.code.name, [one.field for one in raised.value.fields]) == ("INVALID_ARGUMENT", [field])
        more = pb.ValidateAllocationRequest(placements=[placement("L001", "T1")])
        for requests, field in (
            ([], "placements"),
            ([pb.ValidateAllocationRequest(max_differences=-1)], "max_differences"),
            ([pb.ValidateAllocationRequest(max_differences=200_001)], "max_differences"),
            ([more, pb.ValidateAllocationRequest(run_id=run_id)], "run_id"),
            ([more, pb.ValidateAllocationRequest(max_differences=5)], "max_differences"),
        ):
            with pytest.raises(ReceivedError) as raised:
                await desk.send(*requests)
            assert (raised.value.code.name, [one.field for one in raised.value.fields]) == ("INVALID_ARGUMENT", [field])
        verdict = await desk.validate([("L001", "T1", "1e-9999"), ("L002", "T1", "101.123456789")])
        assert [number(row.price) for row in verdict.price_differences] == [Decimal(0), Decimal("101.12345679")]


async def test_a_run_without_a_result_or_without_its_inputs_is_told_as_such(
    registry: TenantRegistry, filled: TenantDatabase, behave: Callable[[str], None]
) -> None:
    async with validating(registry, work=fakes.fake_work) as desk:

        async def refused(run_id: str) -> tuple[str, str]:
            with pytest.raises(ReceivedError) as raised:
                await desk.validate([("L001", "T1")], run_id)
            return raised.value.code.name, raised.value.reason

        assert await refused("") == ("NOT_FOUND", "RUN_NOT_FOUND")
        assert await refused("unknown") == ("NOT_FOUND", "RUN_NOT_FOUND")
        assert await refused("x" * 100) == ("NOT_FOUND", "RUN_NOT_FOUND")
        behave("refuse")
        assert await refused(await desk.run()) == ("FAILED_PRECONDITION", "RUN_NOT_COMPLETE")
        behave("")
        run_id = await desk.run()
        async with filled.begin() as connection:
            await connection.execute(sa.update(HISTORY).where(HISTORY.c.run_id == run_id).values(outputs_removed=True))
        assert await refused(run_id) == ("NOT_FOUND", "RUN_EXPIRED")
