"""Output rows in chunks: all of them or none, and nobody else's."""

from collections.abc import Iterator
from typing import Any

import polars as pl
import pytest
import sqlalchemy as sa

from services.run_service.application.ports import Job
from services.run_service.domain.errors import LeaseLostError
from services.run_service.domain.outputs import DIAGNOSTIC_TABLES
from services.run_service.domain.run import RunRef
from services.run_service.engine.stop import RunCancelledError
from services.run_service.repositories import outputs as outputs_module
from services.run_service.repositories.outputs import SqlOutputs, write_output
from services.run_service.repositories.run_rows import HISTORY
from shared.database.bulk_write import write_frame
from shared.database.tables import OUTPUT_TABLES
from shared.tenancy.connections import TenantConnections
from shared.tenancy.database import TenantDatabase
from tests.integration.run_service.desk import output_counts

GUIDE, RANKS, TRADES = "pfill_powerfill_guide", "pfill_syn_powerfill_guide_all_rank", "pfill_trade_base"
CHUNK = 10


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Transactions of ten rows."""
    monkeypatch.setattr(outputs_module, "CHUNK_ROWS", CHUNK)
    monkeypatch.setattr(outputs_module, "BREATH_S", 0.0)


def loans(count: int) -> pl.DataFrame:
    return pl.DataFrame({"loan_id": [f"L{number:04d}" for number in range(count)]})


def ranked(count: int) -> pl.DataFrame:
    """Four ranks a loan, so that chunks end in the middle of loans."""
    return loans(count).join(pl.DataFrame({"rank": [1, 2, 3, 4]}), how="cross")


async def put(database: TenantDatabase, table: str, run_id: str, frame: pl.DataFrame) -> None:
    async with database.begin() as connection:
        await write_frame(connection, OUTPUT_TABLES[table], frame, {"run_id": run_id})


@pytest.mark.parametrize("count", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK])
async def test_a_table_is_written_in_chunks_each_told(filled: TenantDatabase, job: Job, count: int) -> None:
    told: list[int] = []
    await write_output(filled, job, GUIDE, loans(count), told.append)
    assert told == [*range(CHUNK, count, CHUNK), *([count] if count else [])]
    assert (await output_counts(filled, "r1")).get(GUIDE, 0) == count


async def test_what_an_attempt_before_left_is_replaced_however_much_it_is(filled: TenantDatabase, job: Job) -> None:
    await put(filled, RANKS, "r1", ranked(23))
    await put(filled, RANKS, "r2", ranked(23))
    await write_output(filled, job, RANKS, ranked(2), lambda row_count: None)
    assert (await output_counts(filled, "r1"))[RANKS] == 8
    assert (await output_counts(filled, "r2"))[RANKS] == 92


async def test_a_duplicate_key_undoes_its_chunk_and_what_was_written_before_can_be_removed(
    filled: TenantDatabase, job: Job, connections: TenantConnections
) -> None:
    twice = pl.concat([loans(2 * CHUNK + 5), loans(2 * CHUNK + 5).tail(1)])
    with pytest.raises(sa.exc.IntegrityError):
        await write_output(filled, job, GUIDE, twice, lambda row_count: None)
    assert await output_counts(filled, "r1") == {GUIDE: 2 * CHUNK}
    assert await SqlOutputs(connections).remove(job.ref)
    assert await output_counts(filled, "r1") == {}


async def test_a_stop_between_chunks_ends_the_writing(filled: TenantDatabase, job: Job) -> None:
    def stop(row_count: int) -> None:
        if row_count == 2 * CHUNK:
            raise RunCancelledError

    with pytest.raises(RunCancelledError):
        await write_output(filled, job, GUIDE, loans(5 * CHUNK), stop)
    assert await output_counts(filled, "r1") == {GUIDE: 2 * CHUNK}


async def test_nothing_is_written_or_deleted_once_the_run_is_somebody_elses(filled: TenantDatabase, job: Job) -> None:
    await put(filled, GUIDE, "r1", loans(25))
    async with filled.begin() as connection:
        await connection.execute(sa.update(HISTORY).values(lease_owner="another"))
    with pytest.raises(LeaseLostError):
        await write_output(filled, job, GUIDE, loans(1), lambda row_count: None)
    assert await output_counts(filled, "r1") == {GUIDE: 25}


@pytest.mark.parametrize("keep", [(), DIAGNOSTIC_TABLES])
async def test_removal_takes_all_of_the_run_but_what_is_kept_and_nothing_of_another(
    filled: TenantDatabase, connections: TenantConnections, keep: tuple[str, ...]
) -> None:
    for run_id in ("r1", "r2", "r3"):
        await put(filled, GUIDE, run_id, loans(33))
        await put(filled, RANKS, run_id, ranked(33))
        await put(filled, TRADES, run_id, pl.DataFrame({"trade_id": ["T1", "T2"]}))
    assert await SqlOutputs(connections).remove(RunRef("acme", "r2"), keep)
    whole = {GUIDE: 33, RANKS: 132, TRADES: 2}
    assert await output_counts(filled, "r2") == {name: count for name, count in whole.items() if name in keep}
    assert await output_counts(filled, "r1") == await output_counts(filled, "r3") == whole


async def test_removal_ends_with_its_budget_and_goes_on_where_it_ended(
    filled: TenantDatabase, connections: TenantConnections, monkeypatch: pytest.MonkeyPatch
) -> None:
    await put(filled, GUIDE, "r1", loans(50))
    outputs, ref = SqlOutputs(connections), RunRef("acme", "r1")
    assert not await outputs.remove(ref, budget_s=-1.0)
    assert await output_counts(filled, "r1") == {GUIDE: 50}
    with monkeypatch.context() as slow:
        slow.setattr(outputs_module, "BREATH_S", 0.1)
        assert not await outputs.remove(ref, budget_s=0.15)
    left = (await output_counts(filled, "r1")).get(GUIDE, 0)
    assert 0 < left < 50
    assert await outputs.remove(ref)
    assert await output_counts(filled, "r1") == {}


async def test_leftovers_of_several_runs_are_removed_chunk_by_chunk(
    filled: TenantDatabase, connections: TenantConnections, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with filled.begin() as connection:
        row = (await connection.execute(sa.select(HISTORY).where(HISTORY.c.run_id == "r1"))).mappings().one()
        for run_id, status in (("bad", "FAILED"), ("worse", "CANCELLED"), ("good", "COMPLETE")):
            await connection.execute(sa.insert(HISTORY), {**row, "run_id": run_id, "status": status})
    for run_id in ("bad", "worse", "good", "r1"):
        await put(filled, GUIDE, run_id, loans(35))
        await put(filled, RANKS, run_id, ranked(3))
    await SqlOutputs(connections).remove_leftovers("acme")
    whole = {GUIDE: 35, RANKS: 12}
    kept = {run_id: await output_counts(filled, run_id) for run_id in ("bad", "worse", "good", "r1")}
    assert kept == {"bad": {RANKS: 12}, "worse": {RANKS: 12}, "good": whole, "r1": whole}


async def test_no_transaction_deletes_much_more_than_a_chunk(
    filled: TenantDatabase, connections: TenantConnections, deleted: list[int]
) -> None:
    await put(filled, RANKS, "r1", ranked(50))
    await SqlOutputs(connections).remove(RunRef("acme", "r1"))
    assert sum(deleted) == 200
    assert max(deleted) <= CHUNK + 4


@pytest.fixture
def deleted() -> Iterator[list[int]]:
    """The row counts of the DELETE statements executed since."""
    counts: list[int] = []

    def executed(connection: object, cursor: Any, statement: str, *given: object) -> None:
        if statement.startswith("DELETE"):
            counts.append(cursor.rowcount)

    sa.event.listen(sa.Engine, "after_cursor_execute", executed)
    yield counts
    sa.event.remove(sa.Engine, "after_cursor_execute", executed)
