"""Old runs give their outputs and inputs up: after a run, in the sweep, and whatever came between."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import sqlalchemy as sa
import yaml

from services.run_service.app import SystemClock, running
from services.run_service.application.retention import Retention
from services.run_service.domain.run import RunRef
from services.run_service.repositories.inputs import SqlInputs
from services.run_service.repositories.outputs import SqlOutputs
from services.run_service.repositories.run_rows import HISTORY
from services.run_service.repositories.runs import SqlRuns
from services.run_service.repositories.tenants import RegistryTenants
from shared.database.tables import AUDIT_TABLES
from shared.errors import PowerFillError, Reason
from shared.tenancy.connections import TenantConnections
from shared.tenancy.database import TenantDatabase
from shared.tenancy.registry import TenantRegistry
from tests import fakes
from tests.integration.run_service.desk import DAY, Desk, desk_of, eventually, output_counts, settings_for, status_name

INPUTS = AUDIT_TABLES["pfill_run_input"]
QUICK = {**DAY, "strategy": "PASSES"}


def keep(registry: TenantRegistry, count: int) -> None:
    """Have `acme` keep so many runs from now on, as an operator edits the file."""
    document = yaml.safe_load(registry.path.read_text())
    document["tenants"]["acme"]["keep_runs"] = count
    registry.path.write_text(yaml.safe_dump(document))


async def stored_inputs(database: TenantDatabase, run_id: str) -> int:
    async with database.connect() as connection:
        return (await connection.execute(sa.select(sa.func.count()).where(INPUTS.c.run_id == run_id))).scalar_one()


async def rows_of(database: TenantDatabase, run_id: str) -> dict[str, int]:
    """Rows by table, of those that have any."""
    inputs = await stored_inputs(database, run_id)
    return await output_counts(database, run_id) | ({INPUTS.name: inputs} if inputs else {})


async def a_run(desk: Desk, **options: object) -> str:
    run = await desk.submit({**QUICK, **options})
    await desk.watched(run.run_id)
    return run.run_id


async def until_empty(database: TenantDatabase, *run_ids: str) -> None:
    async def empty() -> bool:
        return not any([await rows_of(database, run_id) for run_id in run_ids])

    await eventually(empty)


def retention_of(connections: TenantConnections, registry: TenantRegistry) -> Retention:
    runs = SqlRuns(connections, SystemClock())
    return Retention(runs, SqlOutputs(connections), SqlInputs(connections), RegistryTenants(registry))


@pytest.fixture
async def desk(registry: TenantRegistry, filled: TenantDatabase) -> AsyncIterator[Desk]:
    """The desk of `acme` at a server with the real engine; two runs are kept."""
    keep(registry, 2)
    async with running(settings_for(registry, drain_s=0)) as server, desk_of(server.address) as desk:
        yield desk


async def test_after_each_run_the_newest_complete_ones_keep_everything_and_the_others_nothing(
    desk: Desk, filled: TenantDatabase, connections: TenantConnections
) -> None:
    first, second = await a_run(desk), await a_run(desk)
    whole = await rows_of(filled, first)
    assert whole == await rows_of(filled, second)
    assert {"pfill_powerfill_guide", "pfill_powerfill_log", INPUTS.name} <= set(whole)
    third = await a_run(desk)
    await until_empty(filled, first)
    fourth = await a_run(desk)
    await until_empty(filled, second)
    assert await rows_of(filled, third) == await rows_of(filled, fourth) == whole

    old = await desk.get(first)
    assert (status_name(old), old.outputs_removed, old.summary.in_scope_count) == ("COMPLETE", True, 6)
    assert [run.outputs_removed for run in await desk.listed()] == [False, False, True, True]
    assert (await desk.watched(first))[-1].WhichOneof("kind") == "finished"
    with pytest.raises(PowerFillError) as raised:
        await SqlInputs(connections).packed(RunRef("acme", first))
    assert raised.value.reason == Reason.RUN_EXPIRED


async def test_a_registry_that_keeps_fewer_counts_from_the_next_run_on(
    desk: Desk, filled: TenantDatabase, registry: TenantRegistry
) -> None:
    first, second = await a_run(desk), await a_run(desk)
    keep(registry, 1)
    third = await a_run(desk)
    await until_empty(filled, first, second)
    assert await rows_of(filled, third)


async def test_the_rows_that_a_marked_run_still_has_are_finished_by_the_next_servers_sweep(
    registry: TenantRegistry, filled: TenantDatabase, connections: TenantConnections
) -> None:
    async with running(settings_for(registry, drain_s=0), fakes.fake_work) as server, desk_of(server.address) as desk:
        first, second = await a_run(desk), await a_run(desk)
    async with filled.begin() as connection:  # as a server leaves it that was killed between mark and deletion
        await connection.execute(sa.update(HISTORY).where(HISTORY.c.run_id == first).values(outputs_removed=True))
    assert await rows_of(filled, first)
    with pytest.raises(PowerFillError) as raised:
        await SqlInputs(connections).load(RunRef("acme", first))
    assert raised.value.reason == Reason.RUN_EXPIRED
    whole = await rows_of(filled, second)
    async with running(settings_for(registry, drain_s=0), fakes.fake_work):
        await until_empty(filled, first)
    assert await rows_of(filled, second) == whole


async def test_a_server_that_keeps_fewer_than_there_are_removes_them_in_its_first_sweep(
    registry: TenantRegistry, filled: TenantDatabase
) -> None:
    async with running(settings_for(registry, drain_s=0), fakes.fake_work) as server, desk_of(server.address) as desk:
        first, second, third = [await a_run(desk) for _ in range(3)]
    keep(registry, 1)
    async with running(settings_for(registry, drain_s=0), fakes.fake_work):
        await until_empty(filled, first, second)
    assert await rows_of(filled, third)


async def test_what_a_failed_run_left_goes_when_it_is_older_than_the_kept_ones(
    registry: TenantRegistry, filled: TenantDatabase, tmp_path: Path
) -> None:
    keep(registry, 2)
    async with running(settings_for(registry, drain_s=0), fakes.fake_work) as server, desk_of(server.address) as desk:
        fakes.behave(tmp_path, "refuse")
        failed = await a_run(desk)
        assert set(await rows_of(filled, failed)) == {"pfill_powerfill_log", INPUTS.name}
        fakes.behave(tmp_path, "")
        await a_run(desk)
        assert await rows_of(filled, failed)
        await a_run(desk)
        await until_empty(filled, failed)
        assert (await desk.get(failed)).outputs_removed
        assert (await desk.get(failed)).failure.message == "loan L1 has no amount; correct it"


async def test_what_an_active_replay_needs_stays_until_it_has_ended(
    registry: TenantRegistry, filled: TenantDatabase, connections: TenantConnections, behave: Callable[[str], None]
) -> None:
    retention = retention_of(connections, registry)
    async with running(settings_for(registry, drain_s=0), fakes.fake_work) as server, desk_of(server.address) as desk:
        first, second = await a_run(desk), await a_run(desk)
        whole = await rows_of(filled, first)
        behave("wait")
        replay = await desk.replay(first)
        await desk.until(replay.run_id, "pass_completed")
        keep(registry, 1)
        await retention.apply("acme")
        assert await rows_of(filled, first) == whole
        await desk.cancel(replay.run_id)
        await desk.watched(replay.run_id)
        await retention.apply("acme")
    assert await rows_of(filled, first) == {}
    assert await rows_of(filled, second) == whole
    assert INPUTS.name in await rows_of(filled, replay.run_id)  # younger than the oldest kept run, and one replay stays


async def test_two_servers_at_once_remove_what_one_would(
    registry: TenantRegistry, filled: TenantDatabase, connections: TenantConnections, behave: Callable[[str], None]
) -> None:
    behave("rows 30000")
    async with running(settings_for(registry, drain_s=0), fakes.fake_work) as server, desk_of(server.address) as desk:
        first, second, third = [await a_run(desk) for _ in range(3)]
    keep(registry, 1)
    async with TenantConnections(registry) as others:
        one, other = retention_of(connections, registry), retention_of(others, registry)
        one.begin("acme")
        other.begin("acme")
        await until_empty(filled, first, second)
        await one.apply("acme")
        await one.stop()
        await other.stop()
    assert (await rows_of(filled, third))["pfill_loan2trade_candy_level_01"] == 30_000


async def test_a_removal_cut_short_anywhere_is_found_again(
    registry: TenantRegistry, filled: TenantDatabase, connections: TenantConnections
) -> None:
    async with running(settings_for(registry, drain_s=0)) as server, desk_of(server.address) as desk:
        first, second = await a_run(desk), await a_run(desk)
    keep(registry, 1)
    retention, left = retention_of(connections, registry), 0
    whole = await rows_of(filled, second)

    class CutError(Exception):
        """The server ends here."""

    def cut(_: object, cursor: object, statement: str, *given: object) -> None:
        nonlocal left
        if statement.startswith("DELETE"):
            left -= 1
            if left < 0:
                raise CutError

    sa.event.listen(sa.Engine, "before_cursor_execute", cut)
    try:
        for left in (0, 5, 20, 27, 30, 35, 1):  # noqa: B007 - how many deletions are done before the end
            with pytest.raises(CutError):
                await retention.apply("acme")
            assert await rows_of(filled, first)
            [found] = [run for run in await SqlRuns(connections, SystemClock()).stored("acme") if run.run_id == first]
            assert found.is_marked
    finally:
        sa.event.remove(sa.Engine, "before_cursor_execute", cut)
    await retention.apply("acme")
    assert await rows_of(filled, first) == {}
    assert await rows_of(filled, second) == whole


async def test_where_nothing_is_to_be_removed_nothing_is_written(
    registry: TenantRegistry, filled: TenantDatabase, connections: TenantConnections
) -> None:
    async with running(settings_for(registry, drain_s=0), fakes.fake_work) as server, desk_of(server.address) as desk:
        await a_run(desk)
    statements: list[str] = []

    def executed(_: object, cursor: object, statement: str, *given: object) -> None:
        statements.append(statement.split(maxsplit=1)[0])

    sa.event.listen(sa.Engine, "before_cursor_execute", executed)
    try:
        await retention_of(connections, registry).apply("acme")
    finally:
        sa.event.remove(sa.Engine, "before_cursor_execute", executed)
    assert set(statements) <= {"SELECT", "PRAGMA", "BEGIN"}
    assert statements.count("SELECT") == 2
