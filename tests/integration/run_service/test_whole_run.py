"""A run with the real engine: from a tenant's tables to its outputs."""

import asyncio
import time
from collections.abc import AsyncIterator

import pytest
import sqlalchemy as sa
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from services.run_service.app import running
from services.run_service.domain.run import RunRef
from services.run_service.repositories.inputs import SqlInputs
from shared.database.tables import AUDIT_TABLES
from shared.errors import PowerFillError, Reason
from shared.tenancy.connections import TenantConnections
from shared.tenancy.database import TenantDatabase
from shared.tenancy.registry import TenantRegistry
from tests.builders import fill, small_instance
from tests.integration.run_service.desk import DAY, Desk, desk_of, kinds, outputs_of, settings_for, status_name

INPUTS = AUDIT_TABLES["pfill_run_input"]
PASSES = {**DAY, "strategy": "PASSES"}


@pytest.fixture
async def desk(registry: TenantRegistry, filled: TenantDatabase) -> AsyncIterator[Desk]:
    """The desk of `acme` at a server with the real engine."""
    async with running(settings_for(registry)) as server, desk_of(server.address) as desk:
        yield desk


async def test_a_run_tells_what_it_does_and_writes_what_it_decides(desk: Desk, filled: TenantDatabase) -> None:
    run = await desk.submit(DAY)
    events = await desk.watched(run.run_id)
    assert status_name(await desk.get(run.run_id)) == "COMPLETE"
    assert {"pass_completed", "step_completed", "finished"} <= set(kinds(events))
    written = await outputs_of(filled, run.run_id)
    assert written["pfill_powerfill_guide"].height == 4  # four loans of 200,000 fill two trades of 400,000


async def test_stored_inputs_are_told_apart_by_their_digests_and_by_nothing_else(
    desk: Desk, filled: TenantDatabase, connections: TenantConnections
) -> None:
    async def stored(run_id: str) -> dict[str, str]:
        async with filled.connect() as connection:
            rows = await connection.execute(sa.select(INPUTS.c.table_name, INPUTS.c.digest).where(INPUTS.c.run_id == run_id))
            return {row.table_name: row.digest for row in rows}

    digests = []
    for change in (None, "update loan set state = 'CA' where loan_id = 'L003'"):
        if change:
            async with filled.begin() as connection:
                await connection.execute(sa.text(change))
        run = await desk.submit(PASSES)
        await desk.watched(run.run_id)
        digests.append(await stored(run.run_id))
    assert {name for name in digests[0] if digests[0][name] != digests[1][name]} == {"loan"}


async def test_the_order_of_rows_changes_neither_digest_nor_outputs(
    desk: Desk, filled: TenantDatabase, birch: TenantDatabase
) -> None:
    await fill(birch, {name: list(reversed(rows)) for name, rows in small_instance().items()})
    run = await desk.submit(PASSES)
    await desk.watched(run.run_id)
    async with desk_of(desk.address, "birch") as other:
        again = await other.submit(PASSES)
        await other.watched(again.run_id)
    one, two = await outputs_of(filled, run.run_id), await outputs_of(birch, again.run_id)
    assert all(one[name].equals(two[name]) for name in one)


async def test_inputs_that_are_not_stored_are_told_as_expired(connections: TenantConnections, filled: TenantDatabase) -> None:
    with pytest.raises(PowerFillError) as raised:
        await SqlInputs(connections).load(RunRef("acme", "unknown"))
    assert raised.value.reason == Reason.RUN_EXPIRED


async def test_a_tenant_where_nothing_can_be_allocated_has_a_complete_run(desk: Desk, birch: TenantDatabase) -> None:
    await fill(birch, small_instance(pfill_constraints=[]))
    async with desk_of(desk.address, "birch") as other:
        run = await other.submit(DAY)
        await other.watched(run.run_id)
        ended = await other.get(run.run_id)
    assert (status_name(ended), ended.summary.allocated_count, ended.summary.kicked_out_count) == ("COMPLETE", 0, 6)


async def test_one_span_a_run_and_one_a_step(
    registry: TenantRegistry, filled: TenantDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(trace, "get_tracer", provider.get_tracer)
    async with running(settings_for(registry)) as server, desk_of(server.address) as desk:
        run = await desk.submit(PASSES)
        await desk.watched(run.run_id)
    spans = [span for span in exporter.get_finished_spans() if (span.attributes or {}).get("run_id") == run.run_id]
    by_name = {span.name: span for span in spans}
    assert len(by_name) == len(spans)
    assert set(by_name) == {
        "run", "read_inputs", "bx_cash_grids", "bx_settle_and_price", "candidate_builder", "allocation", "pool_guide", "ue",
        "write_outputs",
    }  # fmt: skip
    root = by_name.pop("run")
    assert root.context is not None
    assert {span.parent.span_id for span in by_name.values() if span.parent} == {root.context.span_id}
    assert (root.attributes or {})["value"] == (by_name["allocation"].attributes or {})["value"]


async def test_the_event_loop_goes_on_while_a_run_is_at_work(desk: Desk) -> None:
    lags, calls = [], []

    async def measure() -> None:
        while True:
            began_s = time.perf_counter()
            await asyncio.sleep(0.005)
            lags.append(time.perf_counter() - began_s - 0.005)

    measuring = asyncio.create_task(measure())
    run = await desk.submit(DAY)
    watching = asyncio.create_task(desk.watched(run.run_id))
    while not watching.done():
        began_s = time.perf_counter()
        await desk.get(run.run_id)
        calls.append(time.perf_counter() - began_s)
        await asyncio.sleep(0.005)
    measuring.cancel()
    assert len(calls) > 20
    # A run that worked in this loop would block it for all of its half second; a busy machine delays a few of the calls.
    assert sorted(lags)[int(len(lags) * 0.9)] < 0.05
    assert sorted(calls)[int(len(calls) * 0.9)] < 0.1
