"""Every report of a run of the engine over gRPC: each row and each column, page by page, and in the order of every column."""

import dataclasses
from collections.abc import AsyncIterator, Callable
from decimal import Decimal
from typing import Any

import pytest
from powerfill.report.v1.synthetic_opportunities_pb2 import SyntheticTrade

from services.report_service.reports.catalogue import REPORTS
from shared.database.types import Exact
from tests.instances.execute import Ran, run
from tests.instances.rows import desk as desk_of
from tests.instances.rows import loan, today, trade
from tests.integration.report_service.desk import Client, Desk, Desks, client_of
from tests.integration.report_service.said import KEYS, TABLES, expected, note_codes, of_frame, plain
from tests.integration.report_service.whole import whole_run


@pytest.fixture
def ran() -> Ran:
    return whole_run()


@pytest.fixture
async def client(server: str, desk: Desk, ran: Ran) -> AsyncIterator[Client]:
    """A client of a tenant with that run, another before it and one that failed after it."""
    await desk.complete("R0", minute=0, kickouts=3)
    await desk.ran("R1", ran, minute=1)
    await desk.ran("R2", ran, minute=2, status="FAILED", tables=["pfill_powerfill_log"])
    async with client_of(server, desk.tenant_id) as client:
        yield client


def columns_of(report: str) -> list[str]:
    return list(REPORTS[report.upper()].REPORT.columns)


@pytest.mark.parametrize("report", TABLES)
async def test_every_row_and_column_is_what_the_engine_gave(client: Client, ran: Ran, report: str) -> None:
    answer = await client.report(report)
    rows = [plain(row) for row in answer.rows]
    wanted = expected(ran, report, columns_of(report))
    assert len(wanted) >= 4, "too few rows to page through"
    assert rows == wanted
    assert (answer.header.run_id, answer.header.row_count, answer.next_page_token) == ("R1", len(wanted), "")
    assert note_codes(answer.header) == []


@pytest.mark.parametrize("report", TABLES)
async def test_pages_of_three_rows_are_the_same_rows(client: Client, report: str) -> None:
    whole = await client.report(report)
    pages = await client.pages(report, page_size=3)
    assert [row for page in pages for row in page.rows] == list(whole.rows)
    assert {len(page.rows) for page in pages[:-1]} == {3}
    assert {page.header.row_count for page in pages} == {len(whole.rows)}


def typed(report: str, column: str, cell: Any) -> Any:
    """A cell as it compares: decimals by value, texts by code points as SQLite's do."""
    is_decimal = isinstance(REPORTS[report.upper()].REPORT.columns[column].type, Exact)
    return Decimal(cell) if is_decimal and cell is not None else cell


@pytest.mark.parametrize("report", TABLES)
async def test_any_column_orders_the_rows_both_ways_unset_cells_first_or_last(client: Client, report: str) -> None:
    """Within rows that are equal in the column the key decides, also from one page to the next."""
    rows = [plain(row) for row in (await client.report(report)).rows]
    unset = 0
    for column in REPORTS[report.upper()].REPORT.queryable:
        if column == "examples":  # a list
            continue
        unset += any(row[column] is None for row in rows)
        for descending in (False, True):
            filled = sorted(
                (row for row in rows if row[column] is not None),
                key=lambda row: typed(report, column, row[column]),
                reverse=descending,
            )
            empty = [row for row in rows if row[column] is None]
            order = f"{column} desc" if descending else column
            found = [plain(row) for row in await client.rows(report, order_by=order, page_size=7)]
            assert found == (filled + empty if descending else empty + filled), order
    assert unset or report == "pool_candidates"  # which has no column that may be unset


async def test_several_columns_order_the_rows(client: Client) -> None:
    query = {"order_by": "pool_action desc, loan_amount , trade_id asc", "page_size": 2}
    rows = [plain(row) for row in await client.rows("allocation_guide", **query)]
    by_trade = sorted(rows, key=lambda row: (row["trade_id"], row["loan_id"]))
    by_amount = sorted(by_trade, key=lambda row: Decimal(row["loan_amount"]))
    assert rows == sorted(by_amount, key=lambda row: row["pool_action"], reverse=True)


async def test_an_order_by_the_key_backwards(client: Client, ran: Ran) -> None:
    found = [plain(row) for row in await client.rows("existing_disposition", order_by="loan_id desc, pool desc", page_size=2)]
    assert found == expected(ran, "existing_disposition", columns_of("existing_disposition"))[::-1]


async def test_the_synthetic_trades_come_on_the_first_page_alone_whatever_the_filter(client: Client, ran: Ran) -> None:
    names = [field.name for field in SyntheticTrade.DESCRIPTOR.fields]
    frame = ran.table("pfill_syn_trade_base")
    wanted = of_frame(frame, {name: "loan_amount" if name == "amount" else name for name in names})
    first, second, *_ = await client.pages("synthetic_opportunities", page_size=3)
    assert [plain(trade) for trade in first.synthetic_trades] == wanted
    assert not second.synthetic_trades
    for query in ({"filter": 'loan_id = "nobody"'}, {"read_mask": {"paths": ["uplift"]}}):
        answer = await client.report("synthetic_opportunities", **query)
        assert answer.synthetic_trades == first.synthetic_trades


async def test_ranks_are_filled_in_without_the_loan_and_not_without_being_asked_for(client: Client) -> None:
    whole = await client.report("synthetic_opportunities")
    ranks = await client.report("synthetic_opportunities", read_mask={"paths": ["ranks"]}, order_by="uplift")
    assert {row.loan_id for row in ranks.rows} == {""}
    by_uplift = await client.report("synthetic_opportunities", order_by="uplift")
    assert [row.ranks for row in ranks.rows] == [row.ranks for row in by_uplift.rows]
    without = await client.report("synthetic_opportunities", read_mask={"paths": ["loan_id"]})
    assert [plain(row) for row in without.rows] == [
        {**dict.fromkeys(columns_of("synthetic_opportunities")), "loan_id": row.loan_id, "ranks": ()} for row in whole.rows
    ]


async def test_a_filter_leaves_the_rows_that_match_in_every_report(client: Client, ran: Ran) -> None:
    filters: dict[str, tuple[str, Callable[[dict[str, Any]], bool]]] = {
        "allocation_guide": ('trade_id = "T1" AND loan_amount > 100000', lambda row: row["trade_id"] == "T1"),
        "kickouts": ("reason = NO_RULE_MATCH", lambda row: row["reason"] == "NO_RULE_MATCH"),
        "pool_switching": ('side = "SWAPPED_IN"', lambda row: row["side"] == "SWAPPED_IN"),
        "pool_candidates": ("rank <= 2 AND NOT taken = true", lambda row: row["rank"] <= 2 and not row["taken"]),
        "existing_disposition": ('pool = "P1"', lambda row: row["pool"] == "P1"),
        "pooling_guide": ("leaving_count > 0", lambda row: row["leaving_count"] > 0),
        "synthetic_opportunities": ("uplift > 0", lambda row: row["uplift"] is not None and Decimal(row["uplift"]) > 0),
        "run_log": ('examples:"X/fico"', lambda row: "X/fico" in row["examples"]),
    }
    for report, (text, matches) in filters.items():
        wanted = [row for row in expected(ran, report, columns_of(report)) if matches(row)]
        assert 0 < len(wanted) < len(expected(ran, report, columns_of(report)))
        pages = await client.pages(report, filter=text, page_size=1)
        assert [plain(row) for page in pages for row in page.rows] == wanted, report
        assert {page.header.row_count for page in pages} == {len(wanted)}


@pytest.mark.parametrize("report", TABLES)
async def test_a_mask_leaves_the_other_fields_unset(client: Client, report: str) -> None:
    whole = [plain(row) for row in (await client.report(report)).rows]
    one = columns_of(report)[-1]
    masked = await client.report(report, read_mask={"paths": [one]})
    assert [plain(row)[one] for row in masked.rows] == [row[one] for row in whole]
    assert {field.name for row in masked.rows for field, _ in row.ListFields()} <= {one}


async def test_every_report_says_which_columns_the_lender_lacks_and_that_there_are_no_synthetic_prices(
    desks: Desks, server: str
) -> None:
    missing = ("loan.fico", "pscat_trades.price", "rmusr_payups.div_by")
    lacking = run(dataclasses.replace(desk_of(loan("A"), trade("T1")), missing_columns=missing))
    birch = await desks.add("birch")
    await birch.ran("R1", lacking, minute=1)
    async with client_of(server, "birch") as client:
        for report in TABLES:
            header = (await client.report(report)).header
            told = [note for note in header.notes if "is missing in the lender's tables" in note.text]
            assert len(told) == (0 if report == "run_log" else 3), report
            has_synthetic = report in ("allocation_guide", "kickouts", "synthetic_opportunities")
            assert ("NO_SYNTHETIC_PRICES" in note_codes(header)) == has_synthetic, report
        lines = [row.message for row in await client.rows("run_log") if row.code == "UPSTREAM_SCHEMA"]
        assert [line.split(" ")[0] for line in lines] == list(missing)


async def test_an_empty_report_of_a_run_says_why(desks: Desks, server: str) -> None:
    birch = await desks.add("birch")
    await birch.ran("R1", run(desk_of(today(100))), minute=1)
    async with client_of(server, "birch") as client:
        for report in TABLES:
            header = (await client.report(report)).header
            if not header.row_count:
                assert note_codes(header)[:1] == ["NOTHING_TO_REPORT"], report
                assert header.notes[0].text.startswith("no rows: "), report


def test_keys_are_those_of_the_reports() -> None:
    for report, key in KEYS.items():
        assert tuple(ordering.name for ordering in REPORTS[report.upper()].REPORT.key) == key
