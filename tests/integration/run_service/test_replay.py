"""ReplayRun: the old answer again from the stored inputs, whatever became of the lender's tables."""

import asyncio
import signal
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import sqlalchemy as sa
from powerfill.run.v1.run_pb2 import EndedBy, Run

from services.run_service.app import running
from services.run_service.repositories.run_rows import HISTORY
from shared.database.revision import VERSION_TABLE
from shared.database.tables import AUDIT_TABLES, LENDER_TABLES
from shared.rpc.options import options_from_proto
from shared.rpc.status import ReceivedError
from shared.tenancy.database import TenantDatabase
from shared.tenancy.registry import TenantRegistry
from tests.builders import Instance, constraint, fill, instrument, loan, small_instance, todays_price, trade
from tests.fakes import fake_work
from tests.integration.run_service.desk import DAY, Desk, desk_of, kinds, outputs_of, settings_for, status_name
from tests.integration.run_service.server_process import server_process

INPUTS = AUDIT_TABLES["pfill_run_input"]
FAST = {"lease_s": 3.0, "heartbeat_s": 0.3, "sweep_s": 0.3, "drain_s": 0}
OTHER = "30 FNMA 6.5"


def searched_instance() -> Instance:
    """Loans of many amounts for narrow bands on two instruments of two priorities: the search does not come to rest at once."""
    return small_instance(
        loan=[loan(f"L{number:03d}", 90_000 + 1_373 * number, note_rate=6.25 + number % 7 / 8) for number in range(240)],
        pscat_instruments=[instrument(), instrument(OTHER, coupon=6.5, servicing_fee=0.125)],
        pscat_trades=[
            trade(f"T{number:02d}", 1_000_000, price=100 + number % 5 / 16, tolerance_pct=0.0001, **on)
            for number, on in enumerate([{}, {"investor_instrument": OTHER}] * 8)
        ],
        pfill_constraints=[constraint(), constraint("C2", investor_instrument=OTHER, priority=200)],
        rmcat_todays_prices=[todays_price(), todays_price(OTHER)],
    )


@pytest.fixture
async def real(registry: TenantRegistry, birch: TenantDatabase) -> AsyncIterator[Desk]:
    """The desk of `birch` at a server with the real engine."""
    await fill(birch, searched_instance())
    async with running(settings_for(registry)) as server, desk_of(server.address, "birch") as desk:
        yield desk


async def move_on(database: TenantDatabase) -> None:
    """What the lender's tables become: empty, and without a column that a run must have."""
    async with database.begin() as connection:
        for table in LENDER_TABLES.values():
            await connection.execute(sa.delete(table))
        await connection.execute(sa.text("alter table loan drop column note_rate"))


async def replayed(desk: Desk, run_id: str, request_id: str = "") -> Run:
    run = await desk.replay(run_id, request_id)
    await desk.watched(run.run_id)
    return await desk.get(run.run_id)


def figures(run: Run) -> dict[str, Any]:
    """The summary but for how long it took and what ended it: the limit may end a replay one look before rest."""
    summary = run.summary
    return {
        field.name: value
        for field, value in summary.ListFields()
        if field.name not in ("step_durations", "ended_by")
    }  # fmt: skip


@pytest.mark.parametrize(
    ("options", "ended_by"),
    [
        ({"strategy": "PASSES"}, EndedBy.ENDED_BY_UNSPECIFIED),
        ({"time_limit": "60", "work_limit": 1_000_000}, EndedBy.ENDED_BY_WORK_LIMIT),
        ({"time_limit": "0.05", "seed": 5}, EndedBy.ENDED_BY_TIME_LIMIT),
        ({"time_limit": "0.05", "priority_mode": "STRICT"}, EndedBy.ENDED_BY_TIME_LIMIT),
    ],
    ids=["PASSES", "work limit", "VALUE by the clock", "STRICT by the clock"],
)
async def test_a_replay_gives_the_same_answer_after_the_lenders_tables_have_moved_on(
    real: Desk, birch: TenantDatabase, options: dict[str, Any], ended_by: int
) -> None:
    async with birch.begin() as connection:  # a column the lender lacks and a value that is no number belong to the inputs
        await connection.execute(sa.text("alter table loan drop column dti"))
        await connection.execute(sa.text("update loan set fico = 'good' where loan_id = 'L002'"))
    old = await real.completed({**DAY, **options})
    assert old.summary.ended_by == ended_by
    await move_on(birch)
    with pytest.raises(ReceivedError):
        await real.submit(DAY)

    run = await replayed(real, old.run_id)
    assert (status_name(run), run.replay_of) == ("COMPLETE", old.run_id)
    assert figures(run) == figures(old)
    before, after = await outputs_of(birch, old.run_id), await outputs_of(birch, run.run_id)
    assert before["pfill_powerfill_guide"].height > 20
    assert [name for name, frame in before.items() if not frame.equals(after[name])] == []


async def test_its_options_are_those_of_the_run_but_for_what_ends_the_search(real: Desk) -> None:
    old = await real.completed({**DAY, "time_limit": "0.2", "switch_cost": "0.5"})
    run = await replayed(real, old.run_id)
    before, after = options_from_proto(old.options), options_from_proto(run.options)
    before.pop("time_limit")
    assert after == {**before, "work_limit": old.summary.work_done}


async def test_it_is_never_the_current_run_and_can_be_compared_and_replayed_itself(real: Desk, birch: TenantDatabase) -> None:
    old = await real.completed({**DAY, "strategy": "PASSES"})
    run = await replayed(real, old.run_id)
    async with birch.connect() as connection:
        current = await connection.execute(sa.text("select distinct run_id from pfill_powerfill_guide_current"))
        assert current.scalars().all() == [old.run_id]
    again = await replayed(real, run.run_id)
    assert (status_name(again), again.replay_of) == ("COMPLETE", run.run_id)
    compared = await real.compare(old.run_id, again.run_id)
    assert (compared.value_difference.value, compared.moved_count, len(compared.inputs)) == ("0.00", 0, 0)
    assert {option.name for option in compared.options} == {"time_limit", "work_limit"}


async def test_its_events_say_whose_inputs_it_reads(real: Desk, birch: TenantDatabase) -> None:
    old = await real.completed({**DAY, "strategy": "PASSES"})
    run = await real.replay(old.run_id)
    events = await real.watched(run.run_id)
    assert kinds(events)[0] == "accepted"
    reading = [event.step_progress.message for event in events if event.HasField("step_progress")]
    assert reading[0] == f"reading loan of run {old.run_id}"

    async def stored(run_id: str) -> list[tuple[str, int, str]]:
        async with birch.connect() as connection:
            columns = INPUTS.c.table_name, INPUTS.c.row_count, INPUTS.c.digest
            rows = await connection.execute(sa.select(*columns).where(INPUTS.c.run_id == run_id).order_by(INPUTS.c.table_name))
            return [tuple(row) for row in rows]

    assert await stored(run.run_id) == await stored(old.run_id) != []


async def test_two_replays_with_one_request_id_are_one(desk: Desk) -> None:
    old, other = await desk.completed(), await desk.completed()
    runs = await asyncio.gather(*(desk.replay(old.run_id, "key") for _ in range(20)))
    assert len({run.run_id for run in runs}) == 1
    await desk.watched(runs[0].run_id)
    assert (await desk.replay(old.run_id, "key")).run_id == runs[0].run_id
    for asked in (desk.replay(other.run_id, "key"), desk.submit(DAY, "key")):
        with pytest.raises(ReceivedError) as raised:
            await asked
        assert (raised.value.code.name, raised.value.reason) == ("INVALID_ARGUMENT", "REQUEST_ID_REUSED")
    assert (await desk.replay(old.run_id)).run_id != runs[0].run_id


async def test_a_request_finds_its_replay_when_the_old_run_has_expired(desk: Desk, filled: TenantDatabase) -> None:
    old = await desk.completed()
    run = await replayed(desk, old.run_id, "key")
    await forget_inputs(filled, old.run_id)
    assert (await desk.replay(old.run_id, "key")).run_id == run.run_id


async def forget_inputs(database: TenantDatabase, run_id: str) -> None:
    async with database.begin() as connection:
        await connection.execute(sa.delete(INPUTS).where(INPUTS.c.run_id == run_id))


async def test_what_cannot_be_replayed(desk: Desk, filled: TenantDatabase, behave: Callable[[str], None]) -> None:
    async def refusal(run_id: str) -> tuple[str, str]:
        with pytest.raises(ReceivedError) as raised:
            await desk.replay(run_id)
        return raised.value.code.name, raised.value.reason

    assert await refusal("unknown") == ("NOT_FOUND", "RUN_NOT_FOUND")
    old = await desk.completed()
    behave("refuse")
    failed = await desk.submit()
    await desk.watched(failed.run_id)
    assert await refusal(failed.run_id) == ("FAILED_PRECONDITION", "RUN_NOT_COMPLETE")
    behave("wait")
    active = await desk.submit()
    assert await refusal(active.run_id) == ("FAILED_PRECONDITION", "RUN_NOT_COMPLETE")
    assert await refusal(old.run_id) == ("ALREADY_EXISTS", "RUN_ACTIVE")
    await desk.cancel(active.run_id)
    await desk.watched(active.run_id)
    async with filled.begin() as connection:
        await connection.execute(sa.update(VERSION_TABLE).values(version_num="0000"))
    assert await refusal(old.run_id) == ("FAILED_PRECONDITION", "SCHEMA_VERSION")
    await forget_inputs(filled, old.run_id)
    assert await refusal(old.run_id) == ("NOT_FOUND", "RUN_EXPIRED")


async def test_another_tenants_run_is_not_found(desk: Desk, birch: TenantDatabase) -> None:
    old = await desk.completed()
    async with desk_of(desk.address, "birch") as other:
        with pytest.raises(ReceivedError) as raised:
            await other.replay(old.run_id)
    assert raised.value.reason == "RUN_NOT_FOUND"


@pytest.mark.parametrize("is_forgotten", [False, True], ids=["inputs kept", "old inputs gone meanwhile"])
async def test_a_replay_whose_server_is_killed_is_taken_over(
    registry: TenantRegistry, filled: TenantDatabase, behave: Callable[[str], None], is_forgotten: bool
) -> None:
    behave("")
    async with server_process(registry) as (process, desk):
        old = await desk.completed()
        behave("wait")
        run = await desk.replay(old.run_id)
        await desk.until(run.run_id, "pass_completed")
        process.send_signal(signal.SIGKILL)
        await asyncio.to_thread(process.wait, 10)
    await move_on(filled)
    if is_forgotten:
        await forget_inputs(filled, old.run_id)
    behave("")
    async with running(settings_for(registry, **FAST), fake_work) as server, desk_of(server.address) as desk:
        await desk.watched(run.run_id)
        ended = await desk.get(run.run_id)
    assert (status_name(ended), ended.attempt, ended.replay_of) == ("COMPLETE", 2, old.run_id)
    async with filled.connect() as connection:
        listed = await connection.scalar(sa.select(HISTORY.c.input_loan_ids).where(HISTORY.c.run_id == run.run_id))
    assert (listed or "").count("L00") == 6
