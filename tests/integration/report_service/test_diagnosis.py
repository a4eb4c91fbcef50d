"""What runs left that failed or were cancelled, and what runs of an earlier version did not record."""

import json

import pytest

from shared.database.tables import OUTPUT_TABLES
from tests.integration.report_service.desk import LOG, Client, Desk
from tests.integration.report_service.said import TABLES, expected, note_codes, plain
from tests.integration.report_service.test_freshness import verdict
from tests.integration.report_service.test_whole_run import columns_of
from tests.integration.report_service.whole import whole_run

KEPT = ("cash_trade_slotting", "synthetic_opportunities", "run_log")
SYNTHETIC = ("pfill_syn_trade_base", "pfill_syn_powerfill_guide_all_rank", "pfill_syn_powerfill_guide")
DIAGNOSTIC = ("pfill_powerfill_log", "pfill_cash_market_map", *SYNTHETIC)


async def ended(desk: Desk, run_id: str, status: str, *, minute: int, tables: tuple[str, ...] = DIAGNOSTIC) -> None:
    """A run that ended in writing its outputs, with those of these tables kept."""
    await desk.ran(run_id, whole_run(), minute=minute, status=status, tables=tables)
    await desk.end(run_id, status, failure_step="write_outputs", failure_message="the disk is full")


@pytest.mark.parametrize("status", ["FAILED", "CANCELLED"])
@pytest.mark.parametrize("report", KEPT)
async def test_a_run_that_did_not_complete_shows_what_it_left_for_diagnosis(
    desk: Desk, client: Client, report: str, status: str
) -> None:
    await desk.complete("R1", minute=1)
    await ended(desk, "R2", status, minute=2)
    answer = await client.report(report, run_id="R2")
    assert [plain(row) for row in answer.rows] == expected(whole_run(), report, columns_of(report))
    assert (verdict(answer.header), answer.header.row_count) == ("TERMINAL_EMPTY", len(answer.rows))
    assert note_codes(answer.header) == ["KEPT_FOR_DIAGNOSIS"]
    how = "failed" if status == "FAILED" else "was cancelled"
    assert answer.header.notes[0].text == (
        f"no result: the rows are what run R2 left for diagnosis; it {how} in step write_outputs: the disk is full"
    )
    pages = await client.pages(report, run_id="R2", page_size=3, order_by=f"{columns_of(report)[0]} desc")
    assert sum(len(page.rows) for page in pages) == len(answer.rows)
    assert {page.header.row_count for page in pages} == {len(answer.rows)}
    if report == "synthetic_opportunities":
        assert len(answer.synthetic_trades) == whole_run().table("pfill_syn_trade_base").height


@pytest.mark.parametrize("report", sorted(set(TABLES) - set(KEPT)))
async def test_other_reports_show_nothing_of_it_though_rows_are_left(desk: Desk, client: Client, report: str) -> None:
    await desk.ran("R1", whole_run(), minute=1, status="FAILED")
    answer = await client.report(report, run_id="R1")
    assert (answer.header.row_count, len(answer.rows), answer.next_page_token) == (0, 0, "")
    assert note_codes(answer.header) == ["RUN_ENDED_WITHOUT_OUTPUT"]


@pytest.mark.parametrize("report", KEPT)
async def test_a_run_that_left_nothing_says_in_which_step_it_ended(desk: Desk, client: Client, report: str) -> None:
    await desk.run("R1", "FAILED", minute=1, failure_step="read_inputs", failure_message="no table loan")
    answer = await client.report(report, run_id="R1")
    assert (verdict(answer.header), answer.header.row_count, len(answer.rows)) == ("TERMINAL_EMPTY", 0, 0)
    assert note_codes(answer.header) == ["RUN_ENDED_WITHOUT_OUTPUT"]
    assert answer.header.notes[0].text == "no rows: run R1 failed in step read_inputs: no table loan"


@pytest.mark.parametrize("report", KEPT)
async def test_an_active_run_shows_none_of_them_yet(desk: Desk, client: Client, report: str) -> None:
    await ended(desk, "R1", "POST_PROCESSING", minute=1)
    answer = await client.report(report, run_id="R1")
    assert (verdict(answer.header), len(answer.rows), note_codes(answer.header)) == ("IN_PROGRESS", 0, ["RUN_IN_PROGRESS"])


async def test_a_filter_that_leaves_nothing_of_it_says_so(desk: Desk, client: Client) -> None:
    await ended(desk, "R1", "FAILED", minute=1)
    header = (await client.report("run_log", run_id="R1", filter="sequence > 1000")).header
    lines = whole_run().table("pfill_powerfill_log").height
    assert [note.text for note in header.notes] == [f"no rows: none of {lines} matches the filter"]
    assert note_codes(header) == ["FILTER_MATCHES_NOTHING"]


async def test_a_log_that_is_all_a_run_left(desk: Desk, client: Client) -> None:
    await ended(desk, "R1", "FAILED", minute=1, tables=("pfill_powerfill_log",))
    assert (await client.report("run_log", run_id="R1")).header.row_count > 0
    synthetic = await client.report("synthetic_opportunities", run_id="R1")
    assert note_codes(synthetic.header) == ["RUN_ENDED_WITHOUT_OUTPUT"]
    assert not synthetic.synthetic_trades


@pytest.mark.parametrize("report", ["existing_disposition", "pooling_guide"])
async def test_a_report_that_is_younger_than_the_run_says_so(desk: Desk, client: Client, report: str) -> None:
    """A run before migration 0002 counted the rows of the tables that there were."""
    counts = {name: 0 for name in TABLES.values() if name not in ("pfill_existing_disposition", "pfill_pooling_guide")}
    await desk.run("R1", minute=1, output_counts=json.dumps(counts))
    answer = await client.report(report)
    assert note_codes(answer.header) == ["NOT_IN_THIS_RUN"]
    assert "run R1 was made by an earlier version, which did not record them" in answer.header.notes[0].text
    assert note_codes((await client.report("pool_switching")).header) == ["NOTHING_TO_REPORT"]


async def test_loans_that_an_earlier_version_did_not_describe_are_no_kickouts(desk: Desk, client: Client) -> None:
    """Without the note an unset trade_id would say that every loan was left out."""
    ran = whole_run()
    table = ran.table("pfill_syn_powerfill_guide").drop("loan_instrument", "loan_amount", "trade_id")
    await desk.run("R1", minute=1, output_counts=json.dumps({"pfill_syn_powerfill_guide": table.height}))
    await desk.rows(OUTPUT_TABLES["pfill_syn_powerfill_guide"], "R1", table.to_dicts())
    first, *others = await client.pages("synthetic_opportunities", page_size=2, read_mask={"paths": ["trade_id"]})
    for page in (first, *others):
        assert note_codes(page.header) == ["NOT_IN_THIS_RUN"]
        assert "did not record loan_instrument, loan_amount, trade_id: they are unset" in page.header.notes[0].text


async def test_a_log_of_an_earlier_version_still_tells_its_passes(desk: Desk, client: Client) -> None:
    await desk.run("R1", minute=1)
    await desk.rows(LOG, "R1", [
        {"sequence": 1, "code": "DATA_QUALITY", "subject": "loan", "examples": '["a, b", "[", "\u00e9"]'},
        {"sequence": 2, "code": "PASS", "subject": "best_fit", "examples": "[]"},
        {"sequence": 3, "code": "PASS", "subject": "allocated loans", "pass": "exact_fit"},
    ])  # fmt: skip
    rows = (await client.report("run_log")).rows
    assert [list(row.examples) for row in rows] == [["a, b", "[", "é"], [], []]
    assert [getattr(row, "pass") for row in rows] == ["", "best_fit", "exact_fit"]
    assert [row.sequence for row in (await client.report("run_log", filter='pass = "best_fit"')).rows] == [2]
