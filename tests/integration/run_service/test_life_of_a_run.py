"""Runs from their submission to each of their ends, with real processes and a pipeline that does as it is told."""

import json
import time
from collections.abc import Callable

import pytest
import sqlalchemy as sa
from powerfill.run.v1.run_pb2 import Step

from services.run_service.application import execute_run
from services.run_service.domain import life
from services.run_service.domain.outputs import DIAGNOSTIC_TABLES
from services.run_service.repositories import outputs
from services.run_service.repositories.run_rows import HISTORY
from shared.rpc.status import ReceivedError
from shared.tenancy.database import TenantDatabase
from tests.integration.run_service.desk import Desk, eventually, kinds, output_counts, status_name


async def test_a_run_goes_through_its_states_to_complete(desk: Desk, filled: TenantDatabase) -> None:
    run = await desk.submit()
    assert status_name(run) == "PENDING"
    events = await desk.watched(run.run_id)
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))
    assert kinds(events)[0] == "accepted"
    assert kinds(events)[-1] == "finished"
    moves = [event.status_changed for event in events if event.WhichOneof("kind") == "status_changed"]
    assert [move.to for move in moves] == [2, 3, 4, 5]
    ended = await desk.get(run.run_id)
    assert status_name(ended) == "COMPLETE"
    assert ended.last_sequence == len(events)
    assert ended.summary == events[-1].finished.summary
    assert set(ended.summary.step_durations) == {
        "read_inputs", "bx_settle_and_price", "candidate_builder", "allocation", "pool_guide", "ue", "write_outputs",
    }  # fmt: skip
    assert await output_counts(filled, run.run_id) == {"pfill_loan2trade_candy_level_01": 2, "pfill_powerfill_log": 1}


async def test_the_audit_row_tells_what_went_in_and_came_out(desk: Desk, filled: TenantDatabase) -> None:
    run = await desk.submit()
    await desk.watched(run.run_id)
    async with filled.connect() as connection:
        row = (await connection.execute(sa.select(HISTORY).where(HISTORY.c.run_id == run.run_id))).one()
    assert json.loads(row.input_loan_ids) == [f"L{number:03d}" for number in range(1, 7)]
    assert json.loads(row.input_counts)["loan"] == 6
    assert json.loads(row.output_counts)["pfill_loan2trade_candy_level_01"] == 2
    assert row.requested_by == "desk"
    assert row.lease_owner == ""


async def test_outputs_are_not_the_current_ones_before_the_run_is_complete(
    desk: Desk, filled: TenantDatabase, behave: Callable[[str], None]
) -> None:
    behave("rows 60000")
    run = await desk.submit()
    current = sa.text("select count(*) from pfill_loan2trade_candy_level_01_current")
    seen = []
    async for event in desk.watch(run.run_id):
        async with filled.connect() as connection:
            seen.append((event.WhichOneof("kind"), (await connection.execute(current)).scalar_one()))
    assert {count for kind, count in seen if kind != "finished"} <= {0, 60_000}
    assert ("step_completed", 0) in seen
    assert seen[-1] == ("finished", 60_000)


async def test_a_step_that_breaks_fails_the_run_with_an_error_id_and_no_internals(
    desk: Desk, filled: TenantDatabase, behave: Callable[[str], None]
) -> None:
    behave("break")
    run = await desk.submit()
    events = await desk.watched(run.run_id)
    ended = await desk.get(run.run_id)
    assert (status_name(ended), ended.failure.step) == ("FAILED", "allocation")
    assert "hunter2" not in str(ended) + str(events)
    assert "ZeroDivision" not in str(ended) + str(events)
    assert ended.failure.message.startswith("unexpected error ")
    assert kinds(events)[-3:] == ["step_failed", "status_changed", "finished"]
    assert events[-1].finished.failure == ended.failure
    steps = {Step.Name(step.step): step for step in ended.steps}
    assert steps["STEP_CANDIDATE_BUILDER"].outcome == 2
    assert (steps["STEP_ALLOCATION"].outcome, steps["STEP_ALLOCATION"].message) == (4, ended.failure.message)
    assert await output_counts(filled, run.run_id) == {"pfill_powerfill_log": 2}


async def test_tables_that_make_a_run_impossible_fail_it_with_what_to_do(desk: Desk, behave: Callable[[str], None]) -> None:
    behave("refuse")
    run = await desk.submit()
    await desk.watched(run.run_id)
    ended = await desk.get(run.run_id)
    assert (status_name(ended), ended.failure.message) == ("FAILED", "loan L1 has no amount; correct it")


@pytest.mark.parametrize("behaviour", ["wait", "hang"])
async def test_a_cancel_ends_the_run_within_two_seconds_whatever_the_engine_does(
    desk: Desk, filled: TenantDatabase, behave: Callable[[str], None], behaviour: str
) -> None:
    behave(behaviour)
    run = await desk.submit()
    await desk.until(run.run_id, "pass_completed")
    began = time.monotonic()
    assert status_name(await desk.cancel(run.run_id)) == "ALLOCATING"
    events = await desk.watched(run.run_id)
    assert time.monotonic() - began < 2.0
    ended = await desk.get(run.run_id)
    assert (status_name(ended), ended.failure.step) == ("CANCELLED", "allocation")
    assert events[-1].finished.status == ended.status
    assert set(await output_counts(filled, run.run_id)) <= set(DIAGNOSTIC_TABLES)
    assert status_name(await desk.cancel(run.run_id)) == "CANCELLED"
    behave("")
    again = await desk.submit()
    assert kinds(await desk.watched(again.run_id))[-1] == "finished"
    assert status_name(await desk.get(again.run_id)) == "COMPLETE"


async def test_a_cancel_while_outputs_are_written_leaves_none_but_the_whole_log(
    desk: Desk, filled: TenantDatabase, behave: Callable[[str], None]
) -> None:
    behave("rows 400000")
    run = await desk.submit()
    await desk.until(run.run_id, "step_started", step=Step.STEP_WRITE_OUTPUTS)

    async def is_writing() -> bool:
        return (await output_counts(filled, run.run_id)).get("pfill_loan2trade_candy_level_01", 0) > 0

    await eventually(is_writing)
    began = time.monotonic()
    await desk.cancel(run.run_id)
    await desk.watched(run.run_id)
    assert time.monotonic() - began < 2.0
    ended = await desk.get(run.run_id)
    assert (status_name(ended), ended.failure.step) == ("CANCELLED", "write_outputs")
    assert await output_counts(filled, run.run_id) == {"pfill_powerfill_log": 1}


async def test_what_a_cancel_has_no_time_to_remove_is_removed_afterwards_and_nobody_waits_for_it(
    desk: Desk, filled: TenantDatabase, behave: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(execute_run, "REMOVAL_BUDGET_S", -1.0)
    monkeypatch.setattr(outputs, "CHUNK_ROWS", 500)  # in this process, which removes; the worker writes as ever
    monkeypatch.setattr(outputs, "BREATH_S", 0.05)
    behave("rows 400000")
    run = await desk.submit()
    await desk.until(run.run_id, "step_started", step=Step.STEP_WRITE_OUTPUTS)

    async def rows_of_the_run() -> int:
        return (await output_counts(filled, run.run_id)).get("pfill_loan2trade_candy_level_01", 0)

    async def is_writing() -> bool:
        return await rows_of_the_run() > 0

    async def is_removed() -> bool:
        return await output_counts(filled, run.run_id) == {"pfill_powerfill_log": 1}

    await eventually(is_writing)
    await desk.cancel(run.run_id)
    await desk.watched(run.run_id)
    assert status_name(await desk.get(run.run_id)) == "CANCELLED"
    assert await rows_of_the_run() > 10_000
    behave("")
    again = await desk.submit()
    await desk.watched(again.run_id)
    assert status_name(await desk.get(again.run_id)) == "COMPLETE"
    assert await rows_of_the_run() > 0
    monkeypatch.setattr(outputs, "CHUNK_ROWS", 20_000)
    await eventually(is_removed)


async def test_a_table_that_cannot_be_written_fails_the_run_and_leaves_none_of_its_rows(
    desk: Desk, filled: TenantDatabase, behave: Callable[[str], None]
) -> None:
    behave("rows 45000 twice")
    run = await desk.submit()
    await desk.watched(run.run_id)
    ended = await desk.get(run.run_id)
    assert (status_name(ended), ended.failure.step) == ("FAILED", "write_outputs")
    assert await output_counts(filled, run.run_id) == {"pfill_powerfill_log": 1}


async def test_what_the_service_did_not_foresee_ends_the_run_with_an_id_that_is_in_its_log(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, behave: Callable[[str], None]
) -> None:
    def fail(*given: object) -> None:
        raise ZeroDivisionError("internals")

    with monkeypatch.context() as broken:
        broken.setattr(life, "record", fail)
        run = await desk.submit()
        events = await desk.watched(run.run_id)
    ended = await desk.get(run.run_id)
    assert (status_name(ended), kinds(events)[-1]) == ("FAILED", "finished")
    assert "internals" not in ended.failure.message
    error_id = ended.failure.message.split()[2]
    assert any(error_id in record.getMessage() and record.exc_info for record in caplog.records)
    again = await desk.submit()
    await desk.watched(again.run_id)
    assert status_name(await desk.get(again.run_id)) == "COMPLETE"


async def test_a_run_that_ended_cannot_be_cancelled(desk: Desk) -> None:
    run = await desk.submit()
    await desk.watched(run.run_id)
    with pytest.raises(ReceivedError) as raised:
        await desk.cancel(run.run_id)
    assert (raised.value.code.name, raised.value.reason) == ("FAILED_PRECONDITION", "RUN_NOT_ACTIVE")
    assert raised.value.metadata["status"] == "COMPLETE"
    with pytest.raises(ReceivedError) as raised:
        await desk.cancel("unknown")
    assert raised.value.reason == "RUN_NOT_FOUND"


async def test_a_worker_that_dies_is_replaced_and_the_run_begins_again(desk: Desk, behave: Callable[[str], None]) -> None:
    behave("die once")
    run = await desk.submit()
    events = await desk.watched(run.run_id)
    ended = await desk.get(run.run_id)
    assert (status_name(ended), ended.attempt) == ("COMPLETE", 2)
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))
    assert [event.attempt for event in events] == sorted(event.attempt for event in events)
    restart = next(event for event in events if event.attempt == 2)
    assert restart.warning.code == "WORKER_LOST"
    assert ended.summary.value.value == "10.00"


@pytest.mark.parametrize(
    ("behaviour", "told"),
    [
        ("rows 2", ["is taken up, attempt 1", "ended COMPLETE, attempt 1"]),
        ("die once", ["is taken up, attempt 1", "is started again, attempt 2", "ended COMPLETE, attempt 2"]),
    ],
)
async def test_the_log_tells_the_claim_the_restart_and_the_end_of_a_run(
    desk: Desk, behave: Callable[[str], None], caplog: pytest.LogCaptureFixture, behaviour: str, told: list[str]
) -> None:
    caplog.set_level("INFO", "services.run_service.application.execute_run")
    behave(behaviour)
    run = await desk.submit()
    await desk.watched(run.run_id)
    records = [record for record in caplog.records if record.name.endswith("execute_run")]
    assert [record.getMessage() for record in records] == [f"run {run.run_id} of tenant acme {one}" for one in told]
    assert {(record.__dict__["tenant"], record.__dict__["run"]) for record in records} == {("acme", run.run_id)}


async def test_a_run_whose_workers_die_twice_fails_and_blocks_nobody(desk: Desk, behave: Callable[[str], None]) -> None:
    behave("die")
    run = await desk.submit()
    await desk.watched(run.run_id)
    ended = await desk.get(run.run_id)
    assert (status_name(ended), ended.attempt, ended.failure.step) == ("FAILED", 2, "allocation")
    assert ended.failure.message.startswith("abandoned")
    behave("")
    again = await desk.submit()
    await desk.watched(again.run_id)
    assert status_name(await desk.get(again.run_id)) == "COMPLETE"
