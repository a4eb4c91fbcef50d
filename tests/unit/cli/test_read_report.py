"""All pages of a report, and nothing that is not whole."""

import dataclasses
from typing import Any, cast

import pytest
from powerfill.report.v1.kickouts_pb2 import GetKickoutsResponse, KickoutRow
from powerfill.report.v1.report_pb2 import ReportHeader, ReportQuery

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
    report = await read_report(connected, "kickouts", "r1")
    assert report.rows["loan_id"].to_list() == [f"L{number}" for number in range(rows)]
    assert [query.page_token for query in pages.asked] == ["", "3", "6"][: max(1, -(-rows // 3))]
    assert {(query.run_id, query.page_size) for query in pages.asked} == {("r1", PAGE_ROWS)}


@pytest.mark.parametrize(("limit", "calls"), [(1, 1), (3, 1), (4, 2), (7, 3), (99, 3)])
async def test_a_limit_reads_no_further_than_it_must(limit: int, calls: int) -> None:
    pages, connected = client(7)
    report = await read_report(connected, "kickouts", limit=limit)
    assert report.rows.height == min(7, limit)
    assert report.header.row_count == 7
    assert len(pages.asked) == calls


async def test_only_the_columns_asked_for_are_sent_and_kept() -> None:
    pages, connected = client(2)
    report = await read_report(connected, "kickouts", columns=("reason", "loan_id"))
    assert report.rows.columns == ["loan_id", "reason"]
    assert list(pages.asked[0].read_mask.paths) == ["loan_id", "reason"]


@pytest.mark.parametrize("promised", [6, 8])
async def test_a_report_that_is_not_whole_is_no_report(promised: int) -> None:
    _, connected = client(7, promised)
    with pytest.raises(CommandError, match=f"7 rows of kickouts came, the run has {promised}"):
        await read_report(connected, "kickouts")
