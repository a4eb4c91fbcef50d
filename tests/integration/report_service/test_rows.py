"""What a row of each report says, from the database to the client."""

import datetime as dt
from decimal import Decimal

import grpc
import pytest

from shared.rpc.status import ReceivedError
from tests.integration.report_service.desk import GUIDE, KICKOUTS, RECAP, Client, Desk
from tests.integration.report_service.said import said

ALLOCATED = {
    "loan_id": "L1", "loan_instrument": "CONV30", "loan_amount": Decimal("325000.10"), "note_rate": Decimal("6.625"),
    "status_code": "Closed", "trade_id": "T1", "counterparty": "Dealer A", "investor": "FNMA", "investor_instrument": "FN30-6.0",
    "settlement_date": dt.date(2026, 5, 14), "constraint_id": "C01", "priority": 3, "pass": "OPTIMAL",
    "price": Decimal("100.6375"), "carry": Decimal("0.0739726"), "score": Decimal("100.7114726"),
    "best_score": Decimal("100.71147261"), "rank": 1, "fallback": Decimal("-0.125"), "value": Decimal("327312.39"),
    "current_pool": "P1", "recommended_pool": "NEW-T1", "pool_action": "SWITCHING", "locked": False,
    "syn_trade_id": "SYN-FN30-6.0-20260514", "syn_score": Decimal(101),
}  # fmt: skip


async def test_an_allocated_loan(desk: Desk, client: Client) -> None:
    await desk.run("R1", minute=1)
    await desk.rows(GUIDE, "R1", [ALLOCATED])
    [row] = (await client.guide()).rows
    assert said(row) == {
        "loan_id": "L1", "loan_instrument": "CONV30", "loan_amount": "325000.10", "note_rate": "6.625000",
        "status_code": "Closed", "trade_id": "T1", "counterparty": "Dealer A", "investor": "FNMA",
        "investor_instrument": "FN30-6.0", "settlement_date": dt.date(2026, 5, 14), "constraint_id": "C01", "priority": 3,
        "pass": "OPTIMAL", "price": "100.63750000", "carry": "0.07397260", "score": "100.71147260",
        "best_score": "100.71147261", "rank": 1, "fallback": "-0.12500000", "value": "327312.39", "current_pool": "P1",
        "recommended_pool": "NEW-T1", "pool_action": "SWITCHING", "syn_trade_id": "SYN-FN30-6.0-20260514",
        "syn_score": "101.00000000",
    }  # fmt: skip


async def test_a_locked_loan_without_a_price_leaves_fields_unset(desk: Desk, client: Client) -> None:
    await desk.run("R1", minute=1)
    locked = {"loan_id": "L1", "trade_id": "T1", "loan_amount": Decimal(1), "pass": "LOCKED", "locked": True}
    await desk.rows(GUIDE, "R1", [locked])
    [row] = (await client.guide()).rows
    assert said(row) == locked | {"loan_amount": "1.00"}
    assert not any(row.HasField(name) for name in ("priority", "rank", "price", "settlement_date"))


async def test_a_kickout(desk: Desk, client: Client) -> None:
    await desk.run("R1", minute=1)
    await desk.rows(KICKOUTS, "R1", [
        {"loan_id": "L1", "reason": "DATA_ERROR", "reason_detail": "note_rate is missing", "recommended_action": "FIX_DATA"},
        {"loan_id": "L2", "loan_amount": Decimal("0.01"), "reason": "NO_CAPACITY", "best_trade_id": "T9",
         "best_score": Decimal("99.99999999"), "opportunity_cost": Decimal(0), "recommended_action": "NEW_TRADE"},
    ])  # fmt: skip
    first, second = (await client.kickouts()).rows
    assert said(first) == {
        "loan_id": "L1", "reason": "DATA_ERROR", "reason_detail": "note_rate is missing", "recommended_action": "FIX_DATA",
    }  # fmt: skip
    assert said(second) == {
        "loan_id": "L2", "loan_amount": "0.01", "reason": "NO_CAPACITY", "best_trade_id": "T9", "best_score": "99.99999999",
        "opportunity_cost": "0.00", "recommended_action": "NEW_TRADE",
    }  # fmt: skip


async def test_a_trade(desk: Desk, client: Client) -> None:
    amounts = {column.name: Decimal("1000000.50") for column in RECAP.columns if column.name in AMOUNTS}
    await desk.run("R1", minute=1)
    await desk.rows(RECAP, "R1", [
        {"trade_id": "T1", "trade_date": dt.date(2026, 4, 1), "settlement_date": dt.date(2026, 5, 14), "allocated_count": 3,
         "tolerance_pct": Decimal("0.0001"), "fill_pct": Decimal("99.5"), "status": "FILLED", "avg_fico": Decimal("741.25"),
         "pair_off_points": Decimal(0), "room_value": Decimal("0.25"), **amounts},
    ])  # fmt: skip
    [row] = (await client.recap()).rows
    assert said(row) == {
        "trade_id": "T1", "trade_date": dt.date(2026, 4, 1), "settlement_date": dt.date(2026, 5, 14), "allocated_count": 3,
        "tolerance_pct": "0.00010000", "fill_pct": "99.500000", "status": "FILLED", "avg_fico": "741.250000",
        "pair_off_points": "0.00000000", "room_value": "0.25000000", **dict.fromkeys(AMOUNTS, "1000000.50"),
    }  # fmt: skip


AMOUNTS = (
    "trade_amount", "pair_off_amount", "delivered_amount", "need", "lo", "hi", "allocated_amount", "locked_amount",
    "pre_session_amount", "pre_session_need", "post_session_need", "space_left", "shortfall", "pair_off_dollars",
)  # fmt: skip


async def test_an_amount_that_no_double_holds_comes_exactly(desk: Desk, client: Client) -> None:
    await desk.run("R1", minute=1)
    await desk.rows(RECAP, "R1", [{"trade_id": "T1", "need": Decimal("123456789012345678.91")}])
    [row] = (await client.recap()).rows
    assert row.need.value == "123456789012345678.91"


async def test_a_mask_fills_in_only_what_was_asked_for(desk: Desk, client: Client) -> None:
    await desk.run("R1", minute=1)
    await desk.rows(GUIDE, "R1", [ALLOCATED, ALLOCATED | {"loan_id": "L2"}])
    mask = {"paths": ["score", "trade_id"]}
    first = await client.guide(page_size=1, read_mask=mask)
    assert [said(row) for row in first.rows] == [{"trade_id": "T1", "score": "100.71147260"}]
    second = await client.guide(page_size=1, read_mask=mask, page_token=first.next_page_token)
    assert (len(second.rows), second.next_page_token, second.header.row_count) == (1, "", 2)


@pytest.mark.parametrize("path", ["nope", "price.value", "run_id", "", "*"])
async def test_a_mask_of_a_column_that_is_not_there_names_the_field(client: Client, path: str) -> None:
    with pytest.raises(ReceivedError) as error:
        await client.guide(read_mask={"paths": ["price", path]})
    assert (error.value.code, error.value.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD")
    assert [violation.field for violation in error.value.fields] == ["query.read_mask"]
    assert repr(path) in error.value.fields[0].description
