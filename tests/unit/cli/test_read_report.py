"""All pages of a report, and nothing that is not whole."""

import dataclasses
from typing import Any, cast

import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from powerfill.report.v1.kickouts_pb2 import GetKickoutsResponse, KickoutRow
from powerfill.report.v1.report_pb2 import ReportHeader, ReportQuery
from powerfill.report.v1.synthetic_opportunities_pb2 import (
    GetSyntheticOpportunitiesResponse,
    SyntheticOpportunityRow,
    SyntheticTrade,
)

from cli.clients import ReportClient
from cli.exit_codes import CommandError
from cli.report_pages import PAGE_ROWS, read_report


@dataclasses.dataclass
class Pages:
    """A report client with so many rows, three a page at most, that says there are `promised`."""

    rows: int
    promised: int
    asked: list[ReportQuery] = dataclasses.field(default_factory=list)

    async def page(self, rpc: str, request: type[Any], query: ReportQuery) -> GetKickoutsResponse:
        copy = ReportQuery()
        copy.CopyFrom(query)
        self.asked.append(copy)
        first = int(query.page_token or 0)
        last = min(self.rows, first + min(3, query.page_size))
        return GetKickoutsResponse(
            header=ReportHeader(run_id="r1", row_count=self.promised),
            rows=[KickoutRow(loan_id=f"L{number}") for number in range(first, last)],
            next_page_token=str(last) if last < self.rows else "",
        )


def client(rows: int, promised: int | None = None) -> tuple[Pages, ReportClient]:
    pages = Pages(rows, rows if promised is None else promised)
    return pages, cast(ReportClient, pages)


@pytest.mark.parametrize("rows", [0, 1, 3, 7])
async def test_every_page_is_read(rows: int) -> None:
    pages, connected = client(rows)
    report = await read_report(connected, "kickouts", ReportQuery(run_id="r1"))
    assert report.columns["loan_id"] == [f"L{number}" for number in range(rows)]
    assert [query.page_token for query in pages.asked] == ["", "3", "6"][: max(1, -(-rows // 3))]
    assert {(query.run_id, query.page_size) for query in pages.asked} == {("r1", PAGE_ROWS)}


@pytest.mark.parametrize(("limit", "calls"), [(1, 1), (3, 1), (4, 2), (7, 3), (99, 3)])
async def test_a_limit_reads_no_further_than_it_must(limit: int, calls: int) -> None:
    pages, connected = client(7)
    report = await read_report(connected, "kickouts", ReportQuery(), limit)
    assert report.height == len(report.columns["reason"]) == min(7, limit)
    assert report.header.row_count == 7
    assert len(pages.asked) == calls


async def test_only_the_columns_asked_for_are_sent_and_kept() -> None:
    pages, connected = client(2)
    report = await read_report(connected, "kickouts", ReportQuery(read_mask=FieldMask(paths=["reason", "loan_id"])))
    assert list(report.columns) == ["loan_id", "reason"]
    assert list(pages.asked[0].read_mask.paths) == ["reason", "loan_id"]


async def test_filter_and_order_go_with_every_page() -> None:
    pages, connected = client(4)
    query = ReportQuery(filter='reason = "LIMIT"', order_by="loan_id desc")
    await read_report(connected, "kickouts", query)
    assert [(asked.filter, asked.order_by, asked.page_token) for asked in pages.asked] == [
        ('reason = "LIMIT"', "loan_id desc", ""),
        ('reason = "LIMIT"', "loan_id desc", "3"),
    ]
    assert (query.page_size, query.page_token) == (0, "")


async def test_what_the_first_page_has_beside_its_rows() -> None:
    trade = SyntheticTrade(syn_trade_id="SYN-A", loan_count=2)

    class TwoPages:
        async def page(self, rpc: str, request: type[Any], query: ReportQuery) -> GetSyntheticOpportunitiesResponse:
            if query.page_token:
                return GetSyntheticOpportunitiesResponse(
                    header=ReportHeader(row_count=2), rows=[SyntheticOpportunityRow(loan_id="L2")]
                )
            return GetSyntheticOpportunitiesResponse(
                header=ReportHeader(row_count=2), rows=[SyntheticOpportunityRow(loan_id="L1")], next_page_token="x",
                synthetic_trades=[trade],
            )  # fmt: skip

    report = await read_report(cast(ReportClient, TwoPages()), "synthetic_opportunities", ReportQuery())
    assert report.columns["loan_id"] == ["L1", "L2"]
    assert list(report.beside) == ["synthetic_trades"]
    assert (report.beside["synthetic_trades"]["syn_trade_id"], report.beside["synthetic_trades"]["loan_count"]) == (
        ["SYN-A"],
        [2],
    )


@pytest.mark.parametrize("promised", [6, 8])
async def test_a_report_that_is_not_whole_is_no_report(promised: int) -> None:
    _, connected = client(7, promised)
    with pytest.raises(CommandError, match=f"7 rows of kickouts came, the run has {promised}"):
        await read_report(connected, "kickouts", ReportQuery())
