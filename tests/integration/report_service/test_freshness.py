"""Each freshness verdict over gRPC, from rows of the run history, and the note that says why a report is empty."""

import grpc
import pytest
from powerfill.common.v1.run_status_pb2 import RunStatus
from powerfill.report.v1.report_pb2 import Freshness, NoteCode, OtherRun, ReportHeader

from shared.rpc.status import ReceivedError
from tests.integration.report_service.desk import DAY, KICKOUTS, LOG, Client, Desk, Desks, client_of


def verdict(header: ReportHeader) -> str:
    return Freshness.Name(header.freshness).removeprefix("FRESHNESS_")


def note_codes(header: ReportHeader) -> list[str]:
    return [NoteCode.Name(note.code).removeprefix("NOTE_CODE_") for note in header.notes]


async def test_current(desk: Desk, client: Client) -> None:
    await desk.complete("R1", minute=1, kickouts=2)
    header = (await client.kickouts()).header
    assert verdict(header) == "CURRENT"
    assert (header.run_id, header.status, header.row_count) == ("R1", RunStatus.RUN_STATUS_COMPLETE, 2)
    assert not header.HasField("other_run")
    assert not header.notes


async def test_header_says_when_and_with_which_options(desk: Desk, client: Client) -> None:
    await desk.complete("R1", minute=1)
    header = (await client.kickouts(run_id="R1")).header
    assert header.completed_at.ToDatetime().replace(tzinfo=DAY.tzinfo) == DAY.replace(minute=1, second=30)
    assert (header.as_of_date.year, header.as_of_date.month, header.as_of_date.day) == (2026, 4, 17)
    assert header.options.pair_off_cost.tba.value == "0.03125"
    assert not header.options.HasField("time_limit")  # a run without a limit by the clock


@pytest.mark.parametrize("status", ["PENDING", "PRE_PROCESSING", "ALLOCATING", "POST_PROCESSING"])
async def test_newer_in_progress(desk: Desk, client: Client, status: str) -> None:
    await desk.complete("R1", minute=1, kickouts=1)
    await desk.run("R2", status, minute=2)
    for run_id in ("", "R1"):
        answer = await client.kickouts(run_id=run_id)
        assert (verdict(answer.header), answer.header.run_id) == ("NEWER_IN_PROGRESS", "R1")
        assert answer.header.other_run == OtherRun(run_id="R2", status=RunStatus.Value(f"RUN_STATUS_{status}"))
        assert [row.loan_id for row in answer.rows] == ["L0001"]


async def test_stale_keeps_its_own_rows_and_names_the_latest_complete_run(desk: Desk, client: Client) -> None:
    for minute in (1, 2, 3):
        await desk.complete(f"R{minute}", minute=minute, kickouts=minute)
    await desk.run("R4", "FAILED", minute=4)
    answer = await client.kickouts(run_id="R1")
    assert verdict(answer.header) == "STALE"
    assert answer.header.other_run == OtherRun(run_id="R3", status=RunStatus.RUN_STATUS_COMPLETE)
    assert [row.reason for row in answer.rows] == ["R1"]


@pytest.mark.parametrize("status", ["FAILED", "CANCELLED"])
async def test_superseded_by_failure_names_the_latest_failure_and_its_step(desk: Desk, client: Client, status: str) -> None:
    await desk.run("R0", "FAILED", minute=0, failure_step="ue")
    await desk.complete("R1", minute=1, kickouts=1)
    await desk.run("R2", "FAILED", minute=2, failure_step="read_inputs")
    await desk.run("R3", status, minute=3, failure_step="allocation", failure_message="the rule does not parse")
    answer = await client.kickouts()
    assert (verdict(answer.header), answer.header.run_id, len(answer.rows)) == ("SUPERSEDED_BY_FAILURE", "R1", 1)
    assert answer.header.other_run == OtherRun(
        run_id="R3", status=RunStatus.Value(f"RUN_STATUS_{status}"), failure_step="allocation"
    )


async def test_an_active_run_comes_before_a_failed_one(desk: Desk, client: Client) -> None:
    await desk.complete("R1", minute=1)
    await desk.run("R2", "FAILED", minute=2)
    await desk.run("R3", "ALLOCATING", minute=3)
    header = (await client.kickouts()).header
    assert (verdict(header), header.other_run.run_id) == ("NEWER_IN_PROGRESS", "R3")
    await desk.end("R3", "CANCELLED")
    header = (await client.kickouts()).header
    assert (verdict(header), header.other_run.run_id) == ("SUPERSEDED_BY_FAILURE", "R3")


async def test_an_active_run_comes_before_one_that_failed_though_submitted_later(desk: Desk, client: Client) -> None:
    """As clocks of two servers that differ may have it."""
    await desk.complete("R1", minute=1)
    await desk.run("R2", "ALLOCATING", minute=2)
    await desk.run("R3", "FAILED", minute=3)
    header = (await client.kickouts()).header
    assert (verdict(header), header.other_run.run_id) == ("NEWER_IN_PROGRESS", "R2")


async def test_a_failure_before_the_latest_complete_run_is_forgotten(desk: Desk, client: Client) -> None:
    await desk.run("R1", "FAILED", minute=1)
    await desk.complete("R2", minute=2)
    assert verdict((await client.kickouts()).header) == "CURRENT"


async def test_in_progress_has_no_rows_though_some_are_written(desk: Desk, client: Client) -> None:
    await desk.complete("R1", minute=1)
    await desk.run("R2", "POST_PROCESSING", minute=2)
    await desk.rows(KICKOUTS, "R2", [{"loan_id": "L0001"}])
    answer = await client.kickouts(run_id="R2")
    assert (verdict(answer.header), answer.header.status) == ("IN_PROGRESS", RunStatus.RUN_STATUS_POST_PROCESSING)
    assert (answer.header.row_count, len(answer.rows)) == (0, 0)
    assert not answer.header.HasField("completed_at")
    assert note_codes(answer.header) == ["RUN_IN_PROGRESS"]
    assert "R2 is POST_PROCESSING" in answer.header.notes[0].text


@pytest.mark.parametrize(("status", "word"), [("FAILED", "failed"), ("CANCELLED", "was cancelled")])
async def test_terminal_empty_says_step_and_message(desk: Desk, client: Client, status: str, word: str) -> None:
    await desk.complete("R1", minute=1)
    await desk.run("R2", status, minute=2, failure_step="allocation", failure_message="out of memory")
    await desk.complete("R3", minute=3)
    answer = await client.guide(run_id="R2")
    assert (verdict(answer.header), len(answer.rows)) == ("TERMINAL_EMPTY", 0)
    assert (answer.header.failure_step, answer.header.failure_message) == ("allocation", "out of memory")
    assert not answer.header.HasField("other_run")
    assert note_codes(answer.header) == ["RUN_ENDED_WITHOUT_OUTPUT"]
    assert answer.header.notes[0].text == f"no rows: run R2 {word} in step allocation: out of memory"


@pytest.mark.parametrize(
    ("status", "said"),
    [("", "no run has been submitted"), ("ALLOCATING", "run R1 is ALLOCATING"), ("FAILED", "run R1 ended FAILED in step ue")],
)
async def test_no_run_yet_is_an_empty_report_and_no_error(desk: Desk, client: Client, status: str, said: str) -> None:
    if status:
        await desk.run("R1", status, minute=1, failure_step="ue" if status == "FAILED" else "")
    answer = await client.recap()
    assert (verdict(answer.header), answer.header.run_id, len(answer.rows)) == ("NO_RUN_YET", "", 0)
    assert note_codes(answer.header) == ["NO_RUN_YET"]
    assert said in answer.header.notes[0].text


async def test_a_replay_is_never_current_and_makes_nothing_stale(desk: Desk, client: Client) -> None:
    await desk.complete("R1", minute=1, kickouts=1)
    await desk.complete("P1", minute=2, kickouts=2, replay_of="R1")
    header = (await client.kickouts()).header
    assert (verdict(header), header.run_id) == ("CURRENT", "R1")
    answer = await client.kickouts(run_id="P1")
    assert (verdict(answer.header), answer.header.other_run.run_id, len(answer.rows)) == ("STALE", "R1", 2)
    await desk.run("P2", "FAILED", minute=3, replay_of="R1")
    assert verdict((await client.kickouts()).header) == "CURRENT"
    await desk.run("P3", "ALLOCATING", minute=4, replay_of="R1")
    assert verdict((await client.kickouts()).header) == "CURRENT"
    assert verdict((await client.kickouts(run_id="P3")).header) == "IN_PROGRESS"


async def test_two_runs_of_one_moment_are_told_apart_by_their_ids(desk: Desk, client: Client) -> None:
    await desk.complete("R1", minute=1)
    await desk.complete("R2", minute=1)
    header = (await client.kickouts()).header
    assert (verdict(header), header.run_id) == ("CURRENT", "R2")
    header = (await client.kickouts(run_id="R1")).header
    assert (verdict(header), header.other_run.run_id) == ("STALE", "R2")


@pytest.mark.parametrize(
    ("summary", "guide", "kickouts"),
    [
        ('{"in_scope_count": 0}', "no loan was in scope", "no loan was in scope"),
        ('{"in_scope_count": 9}', "no loan in scope got a trade; the kickouts say why", "every loan in scope got a trade"),
    ],
)
async def test_an_empty_report_of_a_complete_run_says_why(
    desk: Desk, client: Client, summary: str, guide: str, kickouts: str
) -> None:
    await desk.complete("R1", minute=1, summary=summary)
    said = {}
    for name, get in (("guide", client.guide), ("kickouts", client.kickouts), ("recap", client.recap)):
        header = (await get()).header
        assert (verdict(header), header.row_count, note_codes(header)) == ("CURRENT", 0, ["NOTHING_TO_REPORT"])
        said[name] = header.notes[0].text
    assert said["guide"] == f"no rows: {guide}"
    assert said["kickouts"] == f"no rows: {kickouts}"
    assert "settles within 60 days" in said["recap"]


async def test_notes_tell_what_the_run_lacked_where_the_report_shows_it(desk: Desk, client: Client) -> None:
    await desk.complete("R1", minute=1, kickouts=1)
    await desk.rows(LOG, "R1", [
        {"sequence": 1, "code": "UPSTREAM_SCHEMA", "message": "loan.fico is missing"},
        {"sequence": 2, "code": "DATA_QUALITY", "message": "3 loans without an amount"},
        {"sequence": 3, "code": "NO_SYNTHETIC_PRICES", "message": "no prices of today"},
    ])  # fmt: skip
    header = (await client.kickouts()).header
    assert note_codes(header) == ["UPSTREAM_COLUMN_MISSING", "NO_SYNTHETIC_PRICES"]
    assert [note.text for note in header.notes] == ["loan.fico is missing", "no prices of today"]
    assert note_codes((await client.guide()).header) == ["NOTHING_TO_REPORT", "UPSTREAM_COLUMN_MISSING", "NO_SYNTHETIC_PRICES"]
    assert note_codes((await client.recap()).header) == ["NOTHING_TO_REPORT", "UPSTREAM_COLUMN_MISSING"]


async def test_an_unknown_run_is_not_found(desk: Desk, client: Client) -> None:
    await desk.complete("R1", minute=1)
    with pytest.raises(ReceivedError) as error:
        await client.kickouts(run_id="R9")
    assert (error.value.code, error.value.reason) == (grpc.StatusCode.NOT_FOUND, "RUN_NOT_FOUND")
    assert error.value.metadata == {"run_id": "R9"}
    assert f"`powerfill runs list {desk.tenant_id}`" in error.value.message


async def test_another_tenants_run_is_not_found(desk: Desk, desks: Desks, server: str) -> None:
    await desk.complete("R1", minute=1)
    birch = await desks.add("birch")
    async with client_of(server, birch.tenant_id) as client:
        with pytest.raises(ReceivedError) as error:
            await client.kickouts(run_id="R1")
        assert error.value.reason == "RUN_NOT_FOUND"
        assert verdict((await client.kickouts()).header) == "NO_RUN_YET"


async def test_rows_of_the_history_that_name_another_tenant_do_not_count(desk: Desk, client: Client) -> None:
    """Two names of one database: neither reads the other's runs."""
    await desk.complete("R1", minute=1)
    twin = Desk("birch", desk.path, desk.database)
    await twin.complete("R2", minute=2)
    await twin.run("R3", "FAILED", minute=3)
    header = (await client.kickouts()).header
    assert (verdict(header), header.run_id) == ("CURRENT", "R1")
    with pytest.raises(ReceivedError) as error:
        await client.kickouts(run_id="R2")
    assert error.value.reason == "RUN_NOT_FOUND"


@pytest.mark.parametrize("status", ["COMPLETE", "FAILED"])
async def test_a_run_past_retention_is_expired(desk: Desk, client: Client, status: str) -> None:
    await desk.run("R1", status, minute=1, outputs_removed=True)
    await desk.complete("R2", minute=2)
    with pytest.raises(ReceivedError) as error:
        await client.kickouts(run_id="R1")
    assert (error.value.code, error.value.reason) == (grpc.StatusCode.NOT_FOUND, "RUN_EXPIRED")
    assert error.value.metadata == {"run_id": "R1"}
    assert f"`powerfill runs show {desk.tenant_id} R1`" in error.value.message
