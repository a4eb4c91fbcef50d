"""The run overview over gRPC: rows, their figures, and what the first page says of all runs."""

import datetime as dt
import json
from typing import Any

import grpc
import pytest
from powerfill.common.v1.run_status_pb2 import RunStatus
from powerfill.report.v1.report_pb2 import OtherRun

from shared.rpc.status import ReceivedError
from tests.integration.report_service.desk import DAY, Client, Desk, Desks, client_of
from tests.integration.report_service.said import note_codes, plain
from tests.integration.report_service.test_freshness import verdict
from tests.integration.report_service.whole import whole_run

SUMMARY = {
    "in_scope_count": 10, "in_scope_amount": "3000000.00", "candidate_count": 40, "allocated_count": 7,
    "allocated_amount": "2000000.00", "kicked_out_count": 3, "trades_filled": 2, "trades_underfilled": 1,
    "total_pair_off": "12.50", "value": "3030000.10", "baseline_value": "3000000.05", "upper_bound": "3030100.10",
    "gap_amount": "100.00", "gap_bp": "0.3333",
}  # fmt: skip


async def overview(client: Client, **query: Any) -> Any:
    return await client.report("run_overview", **query)


def run_ids(answer: Any) -> list[str]:
    return [row.run_id for row in answer.rows]


async def test_every_figure_of_a_complete_run(desk: Desk, client: Client) -> None:
    started = DAY + dt.timedelta(minutes=1, seconds=10)
    await desk.run("R1", minute=1, summary=json.dumps(SUMMARY), started_at_utc=started)
    [row] = (await overview(client)).rows
    assert plain(row) == {
        "run_id": "R1", "status": "COMPLETE", "requested_by": "anonymous", "replay_of": None,
        "as_of_date": dt.date(2026, 4, 17), "strategy": None, "priority_mode": None,
        "submitted_at": DAY + dt.timedelta(minutes=1), "started_at": started,
        "ended_at": DAY + dt.timedelta(minutes=1, seconds=30), "duration": 20.0, **SUMMARY,
        "trades_filled_pct": "66.666667", "allocated_pct": "66.666667", "failure_step": None, "failure_message": None,
    }  # fmt: skip


async def test_a_run_has_the_figures_it_came_to(desk: Desk, client: Client) -> None:
    await desk.run(
        "R1", "FAILED", minute=1, replay_of="R0", failure_step="ue", failure_message="it broke", summary='{"in_scope_count": 0}',
        options='{"as_of_date": "2026-04-17", "strategy": "PASSES", "priority_mode": "STRICT"}',
    )  # fmt: skip
    [row] = (await overview(client)).rows
    unset = set(SUMMARY) - {"in_scope_count"} | {"started_at", "duration", "trades_filled_pct", "allocated_pct"}
    cells = plain(row)
    assert {name for name, cell in cells.items() if cell is None} == unset
    assert (cells["in_scope_count"], cells["strategy"], cells["priority_mode"]) == (0, "PASSES", "STRICT")
    assert (cells["replay_of"], cells["failure_step"], cells["failure_message"]) == ("R0", "ue", "it broke")


async def test_the_figures_of_a_run_of_the_engine(desk: Desk, client: Client) -> None:
    await desk.ran("R1", whole_run(), minute=1)
    answer = await overview(client)
    cells, summary = plain(answer.latest_run), whole_run().summary
    for name in SUMMARY:
        assert cells[name] == summary[name], name
    assert answer.latest_run == answer.rows[0]


async def test_runs_come_newest_first_page_by_page(desk: Desk, client: Client) -> None:
    for minute in (2, 0, 3, 1):
        await desk.run(f"R{minute}", "FAILED" if minute == 3 else "COMPLETE", minute=minute)
    await desk.run("R9", minute=3)  # of the same moment: told apart by id
    pages = await client.pages("run_overview", page_size=2)
    assert [run_ids(page) for page in pages] == [["R9", "R3"], ["R2", "R1"], ["R0"]]
    assert {page.header.row_count for page in pages} == {5}
    assert [bool(page.status_distribution) for page in pages] == [True, False, False]
    assert [page.HasField("latest_run") for page in pages] == [True, False, False]
    assert [bool(page.trend) for page in pages] == [True, False, False]


async def test_runs_that_come_while_one_pages_are_on_no_later_page(desk: Desk, client: Client) -> None:
    for minute in range(3):
        await desk.run(f"R{minute}", minute=minute)
    first = await overview(client, page_size=1)
    await desk.run("R9", "ALLOCATING", minute=9)
    second = await overview(client, page_size=5, page_token=first.next_page_token)
    assert (run_ids(second), second.header.row_count) == (["R1", "R0"], 3)
    assert verdict(second.header) == "NEWER_IN_PROGRESS"


async def test_the_first_page_counts_the_runs_by_status_in_the_order_of_their_lives(desk: Desk, client: Client) -> None:
    for minute, status in enumerate(("CANCELLED", "COMPLETE", "FAILED", "COMPLETE", "PENDING")):
        await desk.run(f"R{minute}", status, minute=minute)
    counts = (await overview(client, page_size=1)).status_distribution
    assert [(RunStatus.Name(one.status), one.run_count) for one in counts] == [
        ("RUN_STATUS_PENDING", 1), ("RUN_STATUS_COMPLETE", 2), ("RUN_STATUS_FAILED", 1), ("RUN_STATUS_CANCELLED", 1),
    ]  # fmt: skip


async def test_the_header_is_that_of_the_latest_complete_run(desk: Desk, client: Client) -> None:
    await desk.run("R1", minute=1)
    await desk.run("R2", minute=2, summary=json.dumps(SUMMARY))
    await desk.run("R3", "FAILED", minute=3, failure_step="ue")
    for run_id in ("", "R1", "R3"):
        answer = await overview(client, run_id=run_id)
        assert (answer.header.run_id, verdict(answer.header)) == ("R2", "SUPERSEDED_BY_FAILURE")
        assert answer.header.other_run == OtherRun(run_id="R3", status=RunStatus.RUN_STATUS_FAILED, failure_step="ue")
        assert plain(answer.latest_run)["value"] == SUMMARY["value"]
        assert run_ids(answer) == ([run_id] if run_id else ["R3", "R2", "R1"])
        assert answer.header.row_count == len(answer.rows)


async def test_the_trend_is_of_complete_runs_without_replays_oldest_first(desk: Desk, client: Client) -> None:
    await desk.run("R1", minute=1, summary=json.dumps(SUMMARY))
    await desk.run("R2", "FAILED", minute=2)
    await desk.run("R3", minute=3, replay_of="R1", summary=json.dumps(SUMMARY))
    await desk.run("R4", minute=4, requested_by="ann")
    answer = await overview(client)
    assert [plain(point) for point in answer.trend] == [
        {
            "run_id": "R1", "as_of_date": dt.date(2026, 4, 17), "ended_at": DAY + dt.timedelta(minutes=1, seconds=30),
            "value": "3030000.10", "gain": "30000.05", "gap_bp": "0.3333", "trades_filled_pct": "66.666667",
            "allocated_pct": "66.666667",
        },
        {
            "run_id": "R4", "as_of_date": dt.date(2026, 4, 17), "ended_at": DAY + dt.timedelta(minutes=4, seconds=30),
            "value": None, "gain": None, "gap_bp": None, "trades_filled_pct": None, "allocated_pct": None,
        },
    ]  # fmt: skip
    selected = await overview(client, filter='requested_by = "ann"')
    assert [point.run_id for point in selected.trend] == ["R4"]


async def test_the_trend_is_of_the_latest_hundred(desk: Desk, client: Client) -> None:
    for minute in range(103):
        await desk.run(f"R{minute:03d}", minute=minute)
    answer = await overview(client, page_size=1)
    assert [point.run_id for point in answer.trend] == [f"R{minute:03d}" for minute in range(3, 103)]


async def test_runs_past_retention_stay_in_the_overview(desk: Desk, client: Client) -> None:
    await desk.run("R1", minute=1, outputs_removed=True)
    answer = await overview(client, run_id="R1")
    assert (run_ids(answer), answer.header.run_id) == (["R1"], "R1")


@pytest.mark.parametrize(
    ("condition", "found"),
    [
        ('status = "FAILED"', ["R2"]),
        ("status = FAILED OR status = COMPLETE", ["R3", "R2", "R1"]),
        ('failure_step:"*"', ["R2"]),
        ('replay_of = "R1"', ["R3"]),
        ('submitted_at > "2026-04-17T12:01:30Z"', ["R3", "R2"]),
        ('run_id = "R1"', ["R1"]),
        ("NOT started_at:*", ["R3", "R2"]),
    ],
)
async def test_columns_of_the_history_can_be_filtered_by(desk: Desk, client: Client, condition: str, found: list[str]) -> None:
    await desk.run("R1", minute=1, started_at_utc=DAY)
    await desk.run("R2", "FAILED", minute=2, failure_step="ue", failure_message="it broke")
    await desk.run("R3", minute=3, replay_of="R1")
    answer = await overview(client, filter=condition)
    assert (run_ids(answer), answer.header.row_count) == (found, len(found))


@pytest.mark.parametrize(
    ("order", "found"),
    [
        ("run_id", ["R1", "R2", "R3"]),
        ("submitted_at", ["R1", "R2", "R3"]),
        ("failure_step desc", ["R2", "R3", "R1"]),
        ("started_at", ["R3", "R2", "R1"]),
        ("status, submitted_at", ["R1", "R3", "R2"]),
    ],
)
async def test_columns_of_the_history_can_be_ordered_by(desk: Desk, client: Client, order: str, found: list[str]) -> None:
    await desk.run("R1", minute=1, started_at_utc=DAY)
    await desk.run("R2", "FAILED", minute=2, failure_step="ue", failure_message="it broke")
    await desk.run("R3", minute=3, replay_of="R1")
    pages = await client.pages("run_overview", order_by=order, page_size=1)
    assert [run_id for page in pages for run_id in run_ids(page)] == found


@pytest.mark.parametrize("column", ["value", "strategy", "duration", "nope"])
async def test_figures_can_be_neither_filtered_nor_ordered_by(client: Client, column: str) -> None:
    for query, field in (({"filter": f"{column} > 1"}, "query.filter"), ({"order_by": column}, "query.order_by")):
        with pytest.raises(ReceivedError) as error:
            await overview(client, **query)
        assert (error.value.code, error.value.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD")
        [violation] = error.value.fields
        assert violation.field == field
        assert "submitted_at, started_at, ended_at, failure_step, failure_message" in violation.description


async def test_a_tenant_without_runs_says_so(client: Client) -> None:
    answer = await overview(client)
    assert (verdict(answer.header), answer.header.row_count, run_ids(answer)) == ("NO_RUN_YET", 0, [])
    assert note_codes(answer.header) == ["NO_RUN_YET"]
    assert "no run has been submitted" in answer.header.notes[0].text
    assert not answer.HasField("latest_run")
    assert not answer.trend
    assert not answer.status_distribution


async def test_runs_none_of_which_is_complete_are_shown(desk: Desk, client: Client) -> None:
    await desk.run("R1", "FAILED", minute=1)
    answer = await overview(client)
    assert (verdict(answer.header), run_ids(answer), note_codes(answer.header)) == ("NO_RUN_YET", ["R1"], [])


async def test_a_filter_that_matches_no_run_says_so(desk: Desk, client: Client) -> None:
    await desk.run("R1", minute=1)
    answer = await overview(client, filter="status = FAILED")
    assert (answer.header.row_count, note_codes(answer.header)) == (0, ["FILTER_MATCHES_NOTHING"])
    assert answer.latest_run.run_id == "R1"


async def test_an_unknown_run_and_another_tenants_are_not_found(desk: Desk, desks: Desks, client: Client, server: str) -> None:
    await desk.run("R1", minute=1)
    birch = await desks.add("birch")
    await birch.run("B1", minute=1)
    async with client_of(server, "birch") as other:
        assert run_ids(await overview(other)) == ["B1"]
        for asking, run_id in ((client, "R9"), (client, "B1"), (other, "R1")):
            with pytest.raises(ReceivedError) as error:
                await overview(asking, run_id=run_id)
            assert (error.value.code, error.value.reason) == (grpc.StatusCode.NOT_FOUND, "RUN_NOT_FOUND")


async def test_a_mask_leaves_the_figures_out(desk: Desk, client: Client) -> None:
    await desk.run("R1", minute=1, summary=json.dumps(SUMMARY))
    [row] = (await overview(client, read_mask={"paths": ["value", "status"]})).rows
    assert {field.name for field, _ in row.ListFields()} == {"value", "status"}
