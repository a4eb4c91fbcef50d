"""What Decisions promises (application/ports.py), over a real SQLite database."""

import datetime as dt
from decimal import Decimal

import polars as pl
import pytest
import sqlalchemy as sa

from services.run_service.domain.run import RunRef
from services.run_service.repositories import decisions as decisions_module
from services.run_service.repositories.decisions import SqlDecisions
from services.run_service.repositories.run_rows import HISTORY
from shared.database.bulk_write import write_frame
from shared.database.tables import OUTPUT_TABLES
from shared.errors import PowerFillError, Reason
from shared.tenancy.connections import TenantConnections
from shared.tenancy.database import TenantDatabase

GUIDE, KICKOUTS, TRADES = "pfill_powerfill_guide", "pfill_kickout_guide_01", "pfill_trade_base"
R1 = RunRef("acme", "r1")


def prices(*values: str) -> pl.Series:
    return pl.Series([Decimal(value) for value in values], dtype=pl.Decimal(12, 8))


async def put(database: TenantDatabase, table: str, run_id: str, frame: pl.DataFrame) -> None:
    async with database.begin() as connection:
        await write_frame(connection, OUTPUT_TABLES[table], frame, {"run_id": run_id})


@pytest.fixture
async def decisions(connections: TenantConnections, acme: TenantDatabase) -> SqlDecisions:
    """Two runs: r1 with three allocated loans on two trades and a kickout, r2 with other rows."""
    async with acme.begin() as connection:
        for run_id in ("r1", "r2"):
            moment = dt.datetime(2026, 4, 17, tzinfo=dt.UTC)
            row = {"run_id": run_id, "tenant_id": "acme", "status": "COMPLETE", "submitted_at_utc": moment}
            await connection.execute(sa.insert(HISTORY), row)
    guide = pl.DataFrame({"loan_id": ["L3", "L1", "L2"], "trade_id": ["T2", "T1", "T1"], "locked": [False, True, False]})
    guide = guide.with_columns(score=prices("101.12345678", "99.5", "100"), current_pool=pl.Series(["P", None, None]))
    await put(acme, GUIDE, "r1", guide)
    await put(acme, GUIDE, "r2", guide.head(1))
    await put(acme, KICKOUTS, "r1", pl.DataFrame({"loan_id": ["L9"], "reason": ["NO_PRICE"], "reason_detail": ["on T1"]}))
    await put(acme, TRADES, "r1", pl.DataFrame({"trade_id": ["T2", "T1"], "room_value": prices("0.52", "0")}))
    return SqlDecisions(connections)


async def test_the_row_of_a_loan_whether_it_was_allocated_or_left_out(decisions: SqlDecisions) -> None:
    allocated, left_out = await decisions.loan(R1, "L3"), await decisions.loan(R1, "L9")
    assert allocated is not None
    assert left_out is not None
    assert (allocated.is_allocated, allocated.row["trade_id"], allocated.row["score"]) == (True, "T2", Decimal("101.12345678"))
    assert (left_out.is_allocated, left_out.row["reason"]) == (False, "NO_PRICE")
    assert "run_id" not in allocated.row
    assert await decisions.loan(R1, "unknown") is None


async def test_whole_tables_by_their_keys_and_of_this_run_alone(decisions: SqlDecisions) -> None:
    allocation, kickouts, trades = await decisions.allocation(R1), await decisions.kickouts(R1), await decisions.trades(R1)
    assert allocation.select("loan_id", "trade_id", "locked", "current_pool").rows() == [
        ("L1", "T1", True, None),
        ("L2", "T1", False, None),
        ("L3", "T2", False, "P"),
    ]
    assert allocation.schema["score"] == pl.Decimal(12, 8)
    assert kickouts.select("loan_id", "reason", "reason_detail").rows() == [("L9", "NO_PRICE", "on T1")]
    assert trades.select("trade_id", "room_value").rows() == [("T1", Decimal(0)), ("T2", Decimal("0.52"))]
    assert (await decisions.allocation(RunRef("acme", "r2")))["loan_id"].to_list() == ["L3"]


@pytest.mark.parametrize("a_query", [500, 1])
async def test_the_loans_of_some_trades(decisions: SqlDecisions, monkeypatch: pytest.MonkeyPatch, a_query: int) -> None:
    monkeypatch.setattr(decisions_module, "IDS_A_QUERY", a_query)
    assert (await decisions.allocation(R1, {"T1"}))["loan_id"].to_list() == ["L1", "L2"]
    assert (await decisions.allocation(R1, ["T2", "T1", "T3"]))["loan_id"].to_list() == ["L1", "L2", "L3"]
    nothing = await decisions.allocation(R1, ())
    assert (nothing.height, nothing.columns) == (0, (await decisions.allocation(R1)).columns)


@pytest.mark.parametrize(("ref", "reason"), [(R1, Reason.RUN_EXPIRED), (RunRef("acme", "none"), Reason.RUN_NOT_FOUND)])
async def test_a_run_that_is_not_there_any_more_and_one_that_never_was(
    decisions: SqlDecisions, acme: TenantDatabase, ref: RunRef, reason: Reason
) -> None:
    async with acme.begin() as connection:
        await connection.execute(sa.update(HISTORY).where(HISTORY.c.run_id == "r1").values(outputs_removed=True))
    for asked in (decisions.loan(ref, "L1"), decisions.trades(ref), decisions.allocation(ref), decisions.kickouts(ref)):
        with pytest.raises(PowerFillError) as raised:
            await asked
        assert raised.value.reason == reason


async def test_another_tenants_run_does_not_exist(decisions: SqlDecisions, birch: TenantDatabase) -> None:
    with pytest.raises(PowerFillError) as raised:
        await decisions.allocation(RunRef("birch", "r1"))
    assert raised.value.reason == Reason.RUN_NOT_FOUND
