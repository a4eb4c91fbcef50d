"""ExplainLoan over a real server with the real engine: the decision that is stored, and the inputs that were."""

from collections.abc import AsyncIterator, Callable

import grpc
import pytest
import sqlalchemy as sa
from powerfill.run.v1 import explanation_pb2 as pb

from services.run_service.app import running
from services.run_service.repositories.run_rows import HISTORY
from shared.database.tables import AUDIT_TABLES, CONFIG_TABLES, LENDER_TABLES
from shared.rpc.status import ReceivedError
from shared.tenancy.connections import TenantConnections
from shared.tenancy.database import TenantDatabase
from shared.tenancy.registry import TenantRegistry
from tests.builders import constraint, fill, instrument, loan, rule, small_instance, trade
from tests.conftest import new_tenant
from tests.integration.run_service.desk import DAY, Desk, desk_of, settings_for

OPTIMAL = {**DAY, "strategy": "OPTIMAL"}


@pytest.fixture
async def tenant(connections: TenantConnections) -> TenantDatabase:
    """T1 has room for A and B, which add half a point; L1 and L2 are alike, and one finds room on T2. L3 fails a rule."""
    database = await new_tenant(connections, "acme")
    tables = small_instance(
        loan=[
            loan("A", note_rate=6.75), loan("B", note_rate=6.75), loan("L1", 400_000), loan("L2", 400_000), loan("L3", fico=640),
            loan("L4", status_code="Started"),
        ],
        pscat_instruments=[instrument()],
        pscat_trades=[trade("T1", price=101.25), trade("T2")],
        pfill_sec_rules=[rule("good", {"field": "fico", "op": "ge", "value": 680})],
        pfill_constraints=[constraint("C1", "good")],
    )  # fmt: skip
    await fill(database, tables)
    return database


@pytest.fixture
async def real(registry: TenantRegistry, tenant: TenantDatabase) -> AsyncIterator[Desk]:
    """The desk of `acme` at a server with the real engine."""
    async with running(settings_for(registry)) as server, desk_of(server.address) as desk:
        yield desk


async def refused(desk: Desk, loan_id: str, run_id: str = "") -> tuple[grpc.StatusCode, str]:
    with pytest.raises(ReceivedError) as error:
        await desk.explain(loan_id, run_id)
    return error.value.code, error.value.reason


async def test_why_loans_went_where_they_did_whatever_became_of_the_lenders_tables(real: Desk, tenant: TenantDatabase) -> None:
    run = await real.completed(OPTIMAL)
    explained = {loan_id: await real.explain(loan_id, run.run_id) for loan_id in ("A", "L1", "L2", "L3")}
    went, left = (explained[name] for name in ("L1", "L2"))
    if went.outcome == pb.LOAN_OUTCOME_LEFT_OUT:
        went, left = left, went
    assert (went.outcome, went.trade_id, left.outcome, left.reason) == (
        pb.LOAN_OUTCOME_ALLOCATED, "T2", pb.LOAN_OUTCOME_LEFT_OUT, "NO_CAPACITY",
    )  # fmt: skip
    full, taken = went.candidates
    assert (full.trade_id, full.standing.verdict, taken.standing.verdict) == ("T1", pb.VERDICT_FULL, pb.VERDICT_TAKEN)
    assert {rival.loan_id for rival in full.standing.rivals} == {"A", "B"}
    assert (full.standing.allocated_amount.value, full.standing.hi.value) == ("400000.00", "404000.00")
    assert full.standing.HasField("room_value")
    assert [one.standing.verdict for one in left.candidates] == [pb.VERDICT_FULL, pb.VERDICT_FULL]
    assert explained["A"].explanation.startswith("Loan A ($200,000) went to T1 (30 FNMA 6.0, settles 2026-05-14) under C1 at ")
    change = explained["L3"].smallest_change
    assert (change.field, change.before, change.after, change.trade_id) == ("fico", "640", "680", "T1")

    async with tenant.begin() as connection:
        for table in (*LENDER_TABLES.values(), *CONFIG_TABLES.values()):
            await connection.execute(sa.delete(table))
    assert {loan_id: await real.explain(loan_id) for loan_id in explained} == explained


async def test_what_cannot_be_explained(real: Desk, tenant: TenantDatabase) -> None:
    assert await refused(real, "L1") == (grpc.StatusCode.NOT_FOUND, "RUN_NOT_FOUND")
    run_id = (await real.completed({**DAY, "strategy": "PASSES"})).run_id
    assert (await real.explain("L3")).run_id == run_id
    assert await refused(real, "") == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD")
    assert await refused(real, "L1", "nothing") == (grpc.StatusCode.NOT_FOUND, "RUN_NOT_FOUND")
    for loan_id in ("L4", "nothing", "x" * 5000, "nul\0"):
        assert await refused(real, loan_id, run_id) == (grpc.StatusCode.NOT_FOUND, "LOAN_NOT_FOUND")

    inputs = AUDIT_TABLES["pfill_run_input"]
    async with tenant.begin() as connection:
        await connection.execute(sa.delete(inputs).where(inputs.c.run_id == run_id))
    assert await refused(real, "L1", run_id) == (grpc.StatusCode.NOT_FOUND, "RUN_EXPIRED")
    async with tenant.begin() as connection:
        await connection.execute(sa.update(HISTORY).values(outputs_removed=True))
    assert await refused(real, "L1", run_id) == (grpc.StatusCode.NOT_FOUND, "RUN_EXPIRED")


async def test_a_run_without_a_result(desk: Desk, behave: Callable[[str], None]) -> None:
    behave("refuse")
    run = await desk.submit()
    await desk.watched(run.run_id)
    assert await refused(desk, "L001", run.run_id) == (grpc.StatusCode.FAILED_PRECONDITION, "RUN_NOT_COMPLETE")


async def test_another_tenants_run_is_not_explained(real: Desk, birch: TenantDatabase) -> None:
    run_id = (await real.completed({**DAY, "strategy": "PASSES"})).run_id
    async with desk_of(real.address, "birch") as other:
        assert await refused(other, "L1", run_id) == (grpc.StatusCode.NOT_FOUND, "RUN_NOT_FOUND")
