"""CompareRuns over a real server: runs before and after a change of the lender's tables, of options, of the method."""

from collections.abc import AsyncIterator, Callable

import pytest
import sqlalchemy as sa
from powerfill.run.v1.comparison_pb2 import MoveReason
from powerfill.run.v1.run_service_pb2 import CompareRunsResponse

from services.run_service.app import running
from services.run_service.repositories.run_rows import HISTORY
from shared.database.tables import AUDIT_TABLES
from shared.rpc.status import ReceivedError
from shared.tenancy.database import TenantDatabase
from shared.tenancy.registry import TenantRegistry
from tests.builders import fill, loan, small_instance, trade
from tests.integration.run_service.desk import DAY, Desk, desk_of, settings_for

PASSES = {**DAY, "strategy": "PASSES"}
INPUTS = AUDIT_TABLES["pfill_run_input"]


@pytest.fixture
async def real(registry: TenantRegistry, filled: TenantDatabase) -> AsyncIterator[Desk]:
    """The desk of `acme` at a server with the real engine."""
    async with running(settings_for(registry)) as server, desk_of(server.address) as desk:
        yield desk


async def change(database: TenantDatabase, *statements: str) -> None:
    async with database.begin() as connection:
        for statement in statements:
            await connection.execute(sa.text(statement))


PARTS = ("by_market", "by_data", "by_options", "by_moves", "by_pair_off")


def parts(compared: CompareRunsResponse) -> dict[str, str]:
    """The parts that are not nothing."""
    return {name: text for name in PARTS if float(text := getattr(compared, name).value)}


async def test_a_run_and_itself(real: Desk) -> None:
    run = await real.completed(PASSES)
    compared = await real.compare(run.run_id, run.run_id)
    assert (compared.value_difference.value, parts(compared)) == ("0.00", {})
    assert (compared.moved_count, len(compared.options), len(compared.inputs), len(compared.trades)) == (0, 0, 0, 0)
    assert compared.value_a == compared.value_b == run.summary.value


async def test_one_price(real: Desk, filled: TenantDatabase) -> None:
    # T1 takes two loans of 200,000; a quarter of a point more on 400,000
    a = await real.completed(PASSES)
    await change(filled, "update pscat_trades set price = 101.25 where trade_id = 'T1'")
    b = await real.completed(PASSES)
    compared = await real.compare(a.run_id, b.run_id)
    assert parts(compared) == {"by_market": "1000.00"}
    sums = compared.value_difference, compared.by_inputs, compared.by_decision
    assert [dollars.value for dollars in sums] == ["1000.00", "1000.00", "0.00"]
    (table,) = compared.inputs
    (column,) = table.columns
    assert (table.table, table.added, table.removed, table.changed) == ("pscat_trades", 0, 0, 1)
    assert (column.column, column.count, column.average_move.value) == ("price", 1, "0.25000000")
    (cell,) = table.examples
    assert (cell.key, cell.column, cell.before, cell.after) == ("T1", "price", "101", "101.25")


async def test_one_option(real: Desk, filled: TenantDatabase) -> None:
    # no loan is small enough for trades of 1,000,000 and twice 400,000, each within 1 percent: 0.03125 points and then 0.05
    await fill(filled, {"pscat_trades": [trade("T3", 1_000_000)]})
    await change(filled, "update pscat_instruments set max_loan_amount = 1")
    a = await real.completed(PASSES)
    b = await real.completed({**PASSES, "pair_off_cost": {"TBA": "0.05"}})
    compared = await real.compare(a.run_id, b.run_id)
    (option,) = compared.options
    assert (option.name, option.a, option.b) == ("pair_off_cost.TBA", "0.03125", "0.05")
    # 1,782,000 dollars are short: 891.00 less 556.875, which is 556.88 as a value
    assert parts(compared) == {"by_options": "-334.12"}


async def test_another_method_is_a_decision_alone(real: Desk, birch: TenantDatabase) -> None:
    # T1 has room for A, or for B and C, which PASSES does not see
    amounts = {"A": (60_000, 6.9), "B": (50_000, 6.8), "C": (50_000, 6.8)}
    loans = [loan(name, amount, note_rate=note) for name, (amount, note) in amounts.items()]
    trades = [trade("T1", 100_000, tolerance_pct=0)]
    await fill(birch, small_instance(loan=loans, pscat_trades=trades, rmcat_todays_prices=[]))
    async with desk_of(real.address, "birch") as desk:
        a, b = await desk.completed(PASSES), await desk.completed({**DAY, "seed": 3})
        compared = await desk.compare(a.run_id, b.run_id)
        limited = await desk.compare(a.run_id, b.run_id, max_moves=1)
    # A: a point less on 60,000; B and C: a point more on 50,000 each; 40,000 less is short, at 0.03125
    assert parts(compared) == {"by_moves": "400.00", "by_pair_off": "12.50"}
    assert {option.name: (option.a, option.b) for option in compared.options} == {
        "strategy": ("PASSES", "OPTIMAL"), "seed": ("0", "3"),
    }  # fmt: skip
    moves = {move.loan_id: move for move in compared.moves}
    assert [move.loan_id for move in compared.moves] == ["A", "B", "C"]
    assert (moves["A"].from_trade_id, moves["A"].to_trade_id, moves["A"].dollars.value) == ("T1", "", "-600.00")
    assert moves["A"].reason == MoveReason.MOVE_REASON_MADE_ROOM
    assert (moves["B"].from_trade_id, moves["B"].to_trade_id, moves["B"].dollars.value) == ("", "T1", "500.00")
    assert [(total.reason, total.count, total.dollars.value) for total in compared.move_totals] == [
        (MoveReason.MOVE_REASON_BETTER_HERE, 2, "1000.00"),
        (MoveReason.MOVE_REASON_MADE_ROOM, 1, "-600.00"),
    ]
    (filled_otherwise,) = compared.trades
    assert filled_otherwise.trade_id == "T1"
    assert (filled_otherwise.a.allocated_amount.value, filled_otherwise.b.allocated_amount.value) == ("60000.00", "100000.00")
    assert (filled_otherwise.a.status, filled_otherwise.b.status) == ("UNDERFILLED", "FILLED")
    assert [move.loan_id for move in limited.moves] == ["A"]
    assert (limited.moved_count, limited.move_totals) == (3, compared.move_totals)


async def test_loans_and_rules_that_changed(real: Desk, filled: TenantDatabase) -> None:
    a = await real.completed(PASSES)
    await fill(filled, {"loan": [loan("L900", 50_000)]})
    await change(
        filled,
        "update loan set loan_amount = 150000 where loan_id = 'L001'",
        "delete from loan where loan_id = 'L006'",
        "update pfill_constraints set priority = 7",
    )
    b = await real.completed(PASSES)
    compared = await real.compare(a.run_id, b.run_id)
    tables = {table.table: table for table in compared.inputs}
    assert set(tables) == {"loan", "pfill_constraints"}
    loans = tables["loan"]
    assert (loans.added, loans.removed, loans.changed) == (1, 1, 1)
    assert (list(loans.added_keys), list(loans.removed_keys)) == (["L900"], ["L006"])
    assert compared.by_market.value == "0.00"
    total = float(compared.by_inputs.value) + float(compared.by_options.value) + float(compared.by_decision.value)
    assert total == pytest.approx(float(compared.value_difference.value), abs=1e-6)


async def test_what_cannot_be_compared(desk: Desk, filled: TenantDatabase, behave: Callable[[str], None]) -> None:
    async def refusal(run_id_a: str, run_id_b: str) -> tuple[str, str, str]:
        with pytest.raises(ReceivedError) as raised:
            await desk.compare(run_id_a, run_id_b)
        error = raised.value
        return error.code.name, error.reason, error.metadata["run_id"]

    old = (await desk.completed()).run_id
    behave("refuse")
    failed = (await desk.submit()).run_id
    await desk.watched(failed)
    assert await refusal(old, "unknown") == ("NOT_FOUND", "RUN_NOT_FOUND", "unknown")
    assert await refusal(failed, old) == ("FAILED_PRECONDITION", "RUN_NOT_COMPLETE", failed)
    assert await refusal(old, failed) == ("FAILED_PRECONDITION", "RUN_NOT_COMPLETE", failed)
    async with filled.begin() as connection:
        await connection.execute(sa.update(HISTORY).values(outputs_removed=True))
    assert await refusal(old, old) == ("NOT_FOUND", "RUN_EXPIRED", old)
    async with filled.begin() as connection:
        await connection.execute(sa.delete(INPUTS))
    assert await refusal(old, old) == ("NOT_FOUND", "RUN_EXPIRED", old)


async def test_runs_of_another_tenant_are_not_found(desk: Desk, birch: TenantDatabase) -> None:
    old = (await desk.completed()).run_id
    async with desk_of(desk.address, "birch") as other:
        with pytest.raises(ReceivedError) as raised:
            await other.compare(old, old)
    assert raised.value.reason == "RUN_NOT_FOUND"
