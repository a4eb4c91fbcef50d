"""Reports to messages and queries from them, without a server."""

import asyncio
import datetime as dt
from typing import Any

import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from powerfill.common.v1.run_status_pb2 import RunStatus
from powerfill.report.v1.cash_trade_slotting_pb2 import GetCashTradeSlottingResponse
from powerfill.report.v1.report_pb2 import ReportQuery
from powerfill.report.v1.run_log_pb2 import GetRunLogResponse
from powerfill.report.v1.run_overview_pb2 import GetRunOverviewResponse
from powerfill.report.v1.synthetic_opportunities_pb2 import GetSyntheticOpportunitiesResponse
from powerfill.report.v1.trade_recap_pb2 import GetTradeRecapResponse

from services.report_service.reports import base, freshness
from services.report_service.reports.freshness import Freshness, ReportedRun, Verdict
from services.report_service.reports.order import Ordering
from services.report_service.reports.trade_recap import REPORT
from services.report_service.rpc import mapping
from shared.errors import PowerFillError, Reason

NO_HEADER = base.Header(None, Verdict(Freshness.NO_RUN_YET), 0, ())


async def test_a_row_takes_each_cell_and_leaves_none_unset() -> None:
    response = GetTradeRecapResponse()
    columns = {
        "trade_id": ("T1", "T2"),
        "settlement_date": (dt.date(2026, 5, 14), None),
        "need": ["1.00", None],
        "allocated_count": (3, None),
    }
    await mapping.fill(response, base.Page(NO_HEADER, columns), "next")
    first, second = response.rows
    assert (first.trade_id, first.need.value, first.settlement_date.day, first.allocated_count) == ("T1", "1.00", 14, 3)
    assert [field.name for field, _ in second.ListFields()] == ["trade_id"]
    assert response.next_page_token == "next"


async def test_a_number_that_the_field_cannot_hold_is_left_unset() -> None:
    """A lender's sequence number may have 64 bits, the contract's has 32."""
    response = GetCashTradeSlottingResponse()
    numbers = (2**31 - 1, 2**31, -(2**31), -(2**31) - 1, None)
    await mapping.fill(response, base.Page(NO_HEADER, {"sequence_number": numbers}), "")
    assert [row.sequence_number if row.HasField("sequence_number") else None for row in response.rows] == [
        2**31 - 1, None, -(2**31), None, None,
    ]  # fmt: skip


async def test_texts_times_durations_and_words_of_enums() -> None:
    log, overview = GetRunLogResponse(), GetRunOverviewResponse()
    await mapping.fill(log, base.Page(NO_HEADER, {"sequence": (1, 2), "examples": [("a, b", "c"), ()]}), "")
    assert [list(row.examples) for row in log.rows] == [["a, b", "c"], []]
    moment = dt.datetime(2026, 4, 17, 12, 0, 0, 5, tzinfo=dt.UTC)
    columns: dict[str, Any] = {
        "status": ("COMPLETE", None), "submitted_at": (moment, None), "duration": (dt.timedelta(seconds=1.5), None),
    }  # fmt: skip
    beside: dict[str, dict[str, Any]] = {"latest_run": {"run_id": ("R1",)}, "trend": {"run_id": ("R1", "R2")}}
    await mapping.fill(overview, base.Page(NO_HEADER, columns, beside=beside), "")
    row, unset = overview.rows
    assert (row.status, row.submitted_at.nanos, row.duration.nanos) == (RunStatus.RUN_STATUS_COMPLETE, 5000, 500_000_000)
    assert not unset.ListFields()
    assert (overview.latest_run.run_id, [point.run_id for point in overview.trend]) == ("R1", ["R1", "R2"])


async def test_rows_within_rows() -> None:
    response = GetSyntheticOpportunitiesResponse()
    ranks = [
        [{"rank": 1, "score": "1.00000000", "settlement_date": dt.date(2026, 5, 14)},
         {"rank": 2, "score": None, "settlement_date": None}],
        [],
        [{"rank": 1, "score": "3.00000000", "settlement_date": dt.date(2026, 5, 14)}],
    ]  # fmt: skip
    await mapping.fill(response, base.Page(NO_HEADER, {"loan_id": ("L1", "L2", "L3"), "ranks": ranks}), "")
    assert [[(one.rank, one.score.value, one.settlement_date.day) for one in row.ranks] for row in response.rows] == [
        [(1, "1.00000000", 14), (2, "", 0)], [], [(1, "3.00000000", 14)],
    ]  # fmt: skip
    await mapping.fill(response, base.Page(NO_HEADER, {"loan_id": ("L4",), "ranks": [[]]}), "")
    assert not response.rows[-1].ranks


async def test_a_large_page_lets_others_have_their_turn() -> None:
    response, turns = GetTradeRecapResponse(), 0

    async def other_call() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    other = asyncio.create_task(other_call())
    row_count = 3 * mapping.ROWS_AT_ONCE
    page = base.Page(NO_HEADER, {"trade_id": [f"T{number}" for number in range(row_count)]})
    await mapping.fill(response, page, "")
    other.cancel()
    assert len(response.rows) == row_count
    assert turns >= 3


def test_a_query_without_anything_is_the_first_page_of_the_latest_run() -> None:
    assert mapping.params_from_proto(ReportQuery(), REPORT) == base.Params(run_id="", page_size=500)


def test_a_mask_may_name_a_column_twice() -> None:
    query = ReportQuery(run_id="R1", page_size=7, read_mask=FieldMask(paths=["need", "lo", "need"]))
    assert mapping.params_from_proto(query, REPORT) == base.Params("R1", 7, None, ("need", "lo"))


def test_a_filter_and_an_order_are_over_the_columns_of_the_report() -> None:
    query = ReportQuery(filter="need > 1", order_by=" need desc , lo")
    params = mapping.params_from_proto(query, REPORT)
    assert params.orderings == (Ordering("need", descending=True), Ordering("lo"))
    assert params.filter is not None
    assert mapping.params_from_proto(ReportQuery(filter="  ", order_by=" "), REPORT) == base.Params()


@pytest.mark.parametrize(
    ("query", "field", "said"),
    [
        (ReportQuery(filter="need >"), "query.filter", "character 6"),
        (ReportQuery(filter="nope = 1"), "query.filter", "trade_id, counterparty"),
        (ReportQuery(order_by="need, nope"), "query.order_by", "character 6: there is no column nope; the columns are trade_id"),
        (ReportQuery(order_by="need sideways"), "query.order_by", "character 5"),
        (ReportQuery(page_size=10_001), "query.page_size", "1 to 10000"),
        (ReportQuery(read_mask=FieldMask(paths=["x" * 100_000])), "query.read_mask", "there are trade_id, counterparty"),
    ],
)
def test_what_cannot_be_asked_names_the_field_and_the_place(query: ReportQuery, field: str, said: str) -> None:
    with pytest.raises(PowerFillError) as error:
        mapping.params_from_proto(query, REPORT)
    assert error.value.reason == Reason.INVALID_FIELD
    [violation] = error.value.fields
    assert violation.field == field
    assert said in violation.description
    assert len(violation.description) < 2000


def test_a_run_whose_options_lack_some_still_has_a_header() -> None:
    """An option that came with a later version is unset for an older run."""
    run = ReportedRun("R1", freshness.RunStatus.PENDING, {"as_of_date": "2026-04-17"})
    header = mapping.header_to_proto(base.Header(run, Verdict(Freshness.IN_PROGRESS), 0, ()))
    assert (header.as_of_date.year, header.options.HasField("seed"), header.HasField("completed_at")) == (2026, False, False)
