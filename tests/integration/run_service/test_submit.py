"""Who gets a run, and what stands in the way of one."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa

from services.run_service.app import running
from services.run_service.repositories.run_rows import HISTORY
from shared.database.tables import CONFIG_TABLES
from shared.rpc.status import ReceivedError
from shared.tenancy.connections import TenantConnections
from shared.tenancy.database import TenantDatabase
from shared.tenancy.registry import TenantRegistry
from tests.builders import Row, constraint, fill, rule, small_instance
from tests.conftest import new_tenant
from tests.fakes import fake_work
from tests.integration.run_service.desk import DAY, Desk, desk_of, eventually, kinds, settings_for, status_name


async def history(database: TenantDatabase) -> int:
    async with database.connect() as connection:
        return int((await connection.execute(sa.select(sa.func.count()).select_from(HISTORY))).scalar_one())


async def refusal(desk: Desk, options: dict[str, Any] | None = None, request_id: str = "") -> ReceivedError:
    with pytest.raises(ReceivedError) as raised:
        await desk.submit(options or DAY, request_id)
    return raised.value


async def test_of_two_hundred_submissions_at_once_one_wins_and_the_others_learn_who(
    desk: Desk, filled: TenantDatabase, behave: Callable[[str], None]
) -> None:
    behave("wait")
    answers = await asyncio.gather(*(desk.submit() for _ in range(200)), return_exceptions=True)
    won = [answer for answer in answers if not isinstance(answer, BaseException)]
    lost = [answer for answer in answers if isinstance(answer, ReceivedError)]
    assert (len(won), len(lost)) == (1, 199)
    assert {(error.code.name, error.reason, error.metadata["run_id"]) for error in lost} == {
        ("ALREADY_EXISTS", "RUN_ACTIVE", won[0].run_id)
    }
    assert all(error.metadata["status"] in ("PENDING", "PRE_PROCESSING", "ALLOCATING") for error in lost)
    assert await history(filled) == 1


async def test_of_two_hundred_repetitions_of_one_request_all_get_the_same_run(
    desk: Desk, filled: TenantDatabase, behave: Callable[[str], None]
) -> None:
    behave("wait")
    runs = await asyncio.gather(*(desk.submit(request_id="key") for _ in range(200)))
    assert len({run.run_id for run in runs}) == 1
    assert await history(filled) == 1


async def test_a_request_that_is_repeated_gets_its_run_even_after_its_end(desk: Desk) -> None:
    run = await desk.submit(request_id="key")
    await desk.watched(run.run_id)
    again = await desk.submit({**DAY, "switch_cost": "0.031250"}, request_id="key")
    assert (again.run_id, status_name(again)) == (run.run_id, "COMPLETE")


async def test_a_request_id_used_for_something_else_is_refused(desk: Desk, filled: TenantDatabase) -> None:
    run = await desk.submit(request_id="key")
    error = await refusal(desk, {**DAY, "seed": 7}, request_id="key")
    assert (error.code.name, error.reason) == ("INVALID_ARGUMENT", "REQUEST_ID_REUSED")
    assert error.metadata == {"request_id": "key", "run_id": run.run_id}
    assert await history(filled) == 1


async def test_options_out_of_range_are_named_with_their_range(desk: Desk, filled: TenantDatabase) -> None:
    error = await refusal(desk, {"max_trade_settle_days": -1, "candidate_top_k": 0, "as_of_date": "0001-01-01"})
    assert (error.code.name, error.reason) == ("INVALID_ARGUMENT", "INVALID_FIELD")
    assert {field.field for field in error.fields} == {
        "options.max_trade_settle_days", "options.candidate_top_k", "options.as_of_date",
    }  # fmt: skip
    assert await history(filled) == 0


async def test_limits_are_not_yet(desk: Desk, filled: TenantDatabase) -> None:
    limit = {
        "name": "no more than half", "scope": "TRADE", "target": "T1", "measure": "SHARE", "subject": "conv", "op": "le",
        "value": 0.5, "enabled": True,
    }  # fmt: skip
    await fill(filled, {"pfill_limits": [limit]})
    error = await refusal(desk)
    assert (error.code.name, error.reason) == ("UNIMPLEMENTED", "NOT_YET")
    async with filled.begin() as connection:
        await connection.execute(sa.update(CONFIG_TABLES["pfill_limits"]).values(enabled=False))
    await desk.submit()


@pytest.mark.parametrize(
    ("row", "subject"),
    [
        (constraint("C2", investor_instrument="45 FNMA 9.9"), "instrument 45 FNMA 9.9"),
        (constraint("C2", "no such rule"), "rule no such rule"),
        (rule("bad", '{"all":[]}'), "rule bad"),
    ],
)
async def test_a_policy_that_makes_no_sense_stops_the_run_before_it_starts(
    desk: Desk, filled: TenantDatabase, row: Row, subject: str
) -> None:
    await fill(filled, {"pfill_sec_rules" if "expression" in row else "pfill_constraints": [row]})
    error = await refusal(desk)
    assert (error.code.name, error.reason) == ("FAILED_PRECONDITION", "PREFLIGHT_FAILED")
    assert [(item.kind, item.subject) for item in error.preconditions] == [("CONSTRAINTS", subject)]
    assert await history(filled) == 0


async def test_a_missing_column_stops_the_run_if_it_is_required_and_warns_if_not(desk: Desk, filled: TenantDatabase) -> None:
    async with filled.begin() as connection:
        await connection.execute(sa.text("alter table loan drop column fico"))
    findings = (await desk.check_readiness()).findings
    assert [(finding.code, finding.severity, finding.subject) for finding in findings] == [("UPSTREAM_SCHEMA", 1, "loan.fico")]
    run = await desk.submit()
    await desk.watched(run.run_id)
    assert status_name(await desk.get(run.run_id)) == "COMPLETE"
    async with filled.begin() as connection:
        await connection.execute(sa.text("drop table pscat_pools"))
        await connection.execute(sa.text("alter table loan drop column note_rate"))
    error = await refusal(desk)
    assert {item.subject for item in error.preconditions} == {"pscat_pools", "loan.note_rate"}


async def test_a_tenant_without_tables_is_told_to_migrate(desk: Desk, registry: TenantRegistry) -> None:
    path = registry.path.with_name("empty.db")
    path.touch()
    registry.add("empty", f"sqlite+aiosqlite:///{path}")
    async with desk_of(desk.address, "empty") as other:
        error = await refusal(other)
        assert (error.code.name, error.reason) == ("FAILED_PRECONDITION", "SCHEMA_VERSION")
        assert "powerfill tenants migrate empty" in error.message
        findings = (await other.check_readiness()).findings
        assert findings[0].code == "SCHEMA_VERSION"
        assert not (await other.check_readiness()).ready


async def test_an_unknown_tenant_is_not_found(desk: Desk) -> None:
    async with desk_of(desk.address, "nobody") as other:
        error = await refusal(other)
        assert (error.code.name, error.reason) == ("NOT_FOUND", "TENANT_UNKNOWN")


async def test_another_tenants_run_is_not_found(desk: Desk, birch: TenantDatabase) -> None:
    run = await desk.submit()
    async with desk_of(desk.address, "birch") as other:
        for asked in (other.get(run.run_id), other.cancel(run.run_id), other.watched(run.run_id)):
            with pytest.raises(ReceivedError) as raised:
                await asked
            assert (raised.value.code.name, raised.value.reason) == ("NOT_FOUND", "RUN_NOT_FOUND")


async def test_a_client_that_goes_away_while_it_submits_leaves_no_run_that_nobody_executes(
    desk: Desk, filled: TenantDatabase
) -> None:
    active = sa.select(sa.func.count()).select_from(HISTORY).where(HISTORY.c.status != "COMPLETE")

    async def none_is_active() -> bool:
        async with filled.connect() as connection:
            return (await connection.execute(active)).scalar_one() == 0

    for number in range(20):
        submitting = asyncio.create_task(desk.submit())
        await asyncio.sleep(0.002 * number)
        submitting.cancel()
        await asyncio.wait([submitting])
        await asyncio.sleep(0.05)
        await eventually(none_is_active)
    await desk.submit()


async def test_a_full_queue_takes_the_run_back_after_two_seconds(
    registry: TenantRegistry,
    connections: TenantConnections,
    filled: TenantDatabase,
    birch: TenantDatabase,
    behave: Callable[[str], None],
) -> None:
    behave("wait")
    cedar = await new_tenant(connections, "cedar")
    for database in (birch, cedar):
        await fill(database, small_instance())
    async with (
        running(settings_for(registry, queue_size=1, drain_s=0), fake_work) as server,
        desk_of(server.address) as desk,
        desk_of(server.address, "birch") as second,
        desk_of(server.address, "cedar") as third,
    ):
        first = await desk.submit()
        await desk.until(first.run_id, "pass_completed")
        waiting = await second.submit()
        began_s = asyncio.get_running_loop().time()
        error = await refusal(third, request_id="key")
        assert 1.9 < asyncio.get_running_loop().time() - began_s < 4
        assert (error.code.name, error.reason) == ("RESOURCE_EXHAUSTED", "QUEUE_FULL")
        assert error.retry_after_s
        assert await history(cedar) == 0
        assert status_name(await second.cancel(waiting.run_id)) == "CANCELLED"
        assert status_name(await third.submit(request_id="key")) == "PENDING"
        assert kinds(await second.watched(waiting.run_id))[-1] == "finished"
