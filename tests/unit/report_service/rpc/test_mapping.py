"""Reports to messages and queries from them, without a server."""

import asyncio
import datetime as dt

import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from powerfill.report.v1.report_pb2 import ReportQuery
from powerfill.report.v1.trade_recap_pb2 import GetTradeRecapResponse

from services.report_service.reports import base
from services.report_service.reports.freshness import Freshness, ReportedRun, RunStatus, Verdict
from services.report_service.rpc import mapping
from shared.errors import PowerFillError

NO_HEADER = base.Header(None, Verdict(Freshness.NO_RUN_YET), 0, ())


async def test_a_row_takes_each_cell_and_leaves_none_unset() -> None:
    response = GetTradeRecapResponse()
    columns = {
        "trade_id": ("T1", "T2"),
        "settlement_date": (dt.date(2026, 5, 14), None),
        "need": ["1.00", None],
        "allocated_count": (3, None),
    }
    await mapping.add_rows(response.rows, mapping.row_fields(response), base.Page(NO_HEADER, columns))
    first, second = response.rows
    assert (first.trade_id, first.need.value, first.settlement_date.day, first.allocated_count) == ("T1", "1.00", 14, 3)
    assert [field.name for field, _ in second.ListFields()] == ["trade_id"]


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
    await mapping.add_rows(response.rows, mapping.row_fields(response), page)
    other.cancel()
    assert len(response.rows) == row_count
    assert turns >= 3


def test_a_query_without_anything_is_the_first_page_of_the_latest_run() -> None:
    assert mapping.params_from_proto(ReportQuery(), {}) == base.Params(run_id="", page_size=500, after=None, columns=())


def test_a_mask_may_name_a_column_twice() -> None:
    query = ReportQuery(run_id="R1", page_size=7, read_mask=FieldMask(paths=["need", "lo", "need"]))
    assert mapping.params_from_proto(query, {"need": 0, "lo": 0}) == base.Params("R1", 7, None, ("need", "lo"))


def test_a_filter_is_refused_rather_than_ignored() -> None:
    with pytest.raises(PowerFillError, match=r"query\.filter"):
        mapping.params_from_proto(ReportQuery(filter="need > 1"), {"need": 0})


def test_a_run_whose_options_lack_some_still_has_a_header() -> None:
    """An option that came with a later version is unset for an older run."""
    run = ReportedRun("R1", RunStatus.PENDING, {"as_of_date": "2026-04-17"})
    header = mapping.header_to_proto(base.Header(run, Verdict(Freshness.IN_PROGRESS), 0, ()))
    assert (header.as_of_date.year, header.options.HasField("seed"), header.HasField("completed_at")) == (2026, False, False)
