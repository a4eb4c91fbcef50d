"""Pages: sizes, totals, tokens and what they are bound to."""

import hashlib
import sqlite3
from typing import Any

import grpc
import pytest
import sqlalchemy as sa
from itsdangerous import URLSafeSerializer
from powerfill.report.v1.kickouts_pb2 import GetKickoutsResponse
from powerfill.report.v1.report_pb2 import Freshness, NoteCode, ReportQuery

from services.report_service.app import running
from services.report_service.reports import base, kickouts
from shared.rpc.paging import request_digest
from shared.rpc.status import ReceivedError
from tests.integration.report_service.desk import HISTORY, KICKOUTS, Client, Desk, Desks, client_of


def loans(answer: Any) -> list[str]:
    return [row.loan_id for row in answer.rows]


async def test_pages_give_every_row_once_in_the_order_of_the_key(desk: Desk, client: Client) -> None:
    await desk.complete("R1", minute=1, kickouts=7)
    answer = await client.kickouts(page_size=3)
    pages = [loans(answer)]
    while answer.next_page_token:
        assert answer.header.row_count == 7
        answer = await client.kickouts(page_size=3, page_token=answer.next_page_token)
        pages.append(loans(answer))
    assert pages == [["L0001", "L0002", "L0003"], ["L0004", "L0005", "L0006"], ["L0007"]]


async def test_a_page_that_ends_with_the_last_row_has_no_next(desk: Desk, client: Client) -> None:
    await desk.complete("R1", minute=1, kickouts=4)
    answer = await client.kickouts(page_size=2)
    answer = await client.kickouts(page_size=2, page_token=answer.next_page_token)
    assert (loans(answer), answer.next_page_token) == (["L0003", "L0004"], "")


@pytest.mark.parametrize(("page_size", "rows"), [(0, 500), (1, 1), (10_000, 501)])
async def test_page_size_is_500_unless_given_and_at_most_10000(desk: Desk, client: Client, page_size: int, rows: int) -> None:
    await desk.complete("R1", minute=1, kickouts=501)
    answer = await client.kickouts(page_size=page_size)
    assert (len(answer.rows), answer.header.row_count) == (rows, 501)


@pytest.mark.parametrize("page_size", [-1, 10_001, -(2**31), 2**31 - 1])
async def test_a_page_size_out_of_range_names_the_field(client: Client, page_size: int) -> None:
    with pytest.raises(ReceivedError) as error:
        await client.kickouts(page_size=page_size)
    assert (error.value.code, error.value.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD")
    [violation] = error.value.fields
    assert violation.field == "query.page_size"
    assert "10000" in violation.description


async def test_page_size_may_change_between_pages(desk: Desk, client: Client) -> None:
    await desk.complete("R1", minute=1, kickouts=5)
    answer = await client.kickouts(page_size=2)
    assert loans(await client.kickouts(page_size=100, page_token=answer.next_page_token)) == ["L0003", "L0004", "L0005"]


async def test_pages_stay_with_the_run_of_the_first_when_a_newer_one_completes(desk: Desk, client: Client) -> None:
    await desk.complete("R1", minute=1, kickouts=3)
    first = await client.kickouts(page_size=2)
    await desk.complete("R2", minute=2, kickouts=9)
    second = await client.kickouts(page_size=2, page_token=first.next_page_token)
    assert [(row.loan_id, row.reason) for row in second.rows] == [("L0003", "R1")]
    assert (second.header.run_id, second.header.row_count) == ("R1", 3)
    assert (second.header.freshness, second.header.other_run.run_id) == (Freshness.FRESHNESS_STALE, "R2")
    assert (await client.kickouts()).header.run_id == "R2"


async def test_a_token_outlives_its_run_only_until_retention_removes_it(desk: Desk, client: Client) -> None:
    await desk.complete("R1", minute=1, kickouts=3)
    first = await client.kickouts(page_size=2)
    await desk.end("R1", "COMPLETE", outputs_removed=True)
    with pytest.raises(ReceivedError) as error:
        await client.kickouts(page_size=2, page_token=first.next_page_token)
    assert error.value.reason == "RUN_EXPIRED"


async def refused(client: Client, method: str = "kickouts", **query: Any) -> None:
    with pytest.raises(ReceivedError) as error:
        await getattr(client, method)(**query)
    assert (error.value.code, error.value.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "PAGE_TOKEN_INVALID")


async def test_a_token_is_good_for_its_own_query_alone(desk: Desk, desks: Desks, client: Client, server: str) -> None:
    await desk.complete("R1", minute=1, kickouts=3)
    birch = await desks.add("birch")
    await birch.complete("R1", minute=1, kickouts=3)
    token = (await client.kickouts(page_size=1)).next_page_token
    await refused(client, "guide", page_token=token)
    await refused(client, page_token=token, run_id="R1")
    await refused(client, page_token=token, read_mask={"paths": ["loan_id"]})
    async with client_of(server, "birch") as other:
        await refused(other, page_token=token)


async def test_a_token_made_or_changed_elsewhere_is_refused(desk: Desk, desks: Desks, client: Client) -> None:
    await desk.complete("R1", minute=1, kickouts=3)
    token = (await client.kickouts(page_size=1)).next_page_token
    for wrong in ("x", "R1.L0001", token[:-1], token[1:], f"{token}x", token.swapcase(), "é" * 10, "x" * 5000):
        await refused(client, page_token=wrong)


async def test_the_total_is_counted_where_the_run_did_not_record_it(desk: Desk, client: Client) -> None:
    await desk.run("R1", minute=1)
    await desk.rows(KICKOUTS, "R1", [{"loan_id": f"L{number}"} for number in range(4)])
    await desk.rows(KICKOUTS, "R2", [{"loan_id": "L9"}])
    answer = await client.kickouts(page_size=1)
    assert (answer.header.row_count, loans(answer)) == (4, ["L0"])


async def test_verdict_total_and_rows_are_of_one_moment(desk: Desk, desks: Desks) -> None:
    """Another connection removes everything after the run was found and before its rows are read."""
    await desk.run("R1", minute=1)
    await desk.rows(KICKOUTS, "R1", [{"loan_id": "L1"}, {"loan_id": "L2"}])

    def statement(run_id: str, params: base.Params) -> sa.Select[Any]:
        with sqlite3.connect(desk.path) as other:
            other.execute(f"DELETE FROM {KICKOUTS.name}")  # noqa: S608
            other.execute(f"UPDATE {HISTORY.name} SET status = 'FAILED'")  # noqa: S608
        other.close()
        return kickouts.statement(run_id, params)

    reading = await desks.connections.read_only(desk.tenant_id)
    page = await base.read_page(reading, kickouts.REPORT, statement, base.Params())
    assert (page.header.row_count, list(page.columns["loan_id"])) == (2, ["L1", "L2"])
    assert (await kickouts.fetch(reading, base.Params())).header.run is None


async def test_the_total_under_a_filter_is_counted_on_the_first_page_alone(desk: Desk, client: Client) -> None:
    """The token carries it, as the rows of a complete run do not change."""
    await desk.complete("R1", minute=1, kickouts=5)
    query: dict[str, Any] = {"filter": 'loan_id > "L0001"', "page_size": 2}
    first = await client.kickouts(**query)
    assert (loans(first), first.header.row_count) == (["L0002", "L0003"], 4)
    with sqlite3.connect(desk.path) as connection:
        connection.execute(f"DELETE FROM {KICKOUTS.name} WHERE loan_id < 'L0004'")  # noqa: S608
    connection.close()
    second = await client.kickouts(**query, page_token=first.next_page_token)
    assert (loans(second), second.header.row_count, second.next_page_token) == (["L0004", "L0005"], 4, "")


async def test_a_filter_that_matches_nothing_says_of_how_many_rows(desk: Desk, client: Client) -> None:
    await desk.complete("R1", minute=1, kickouts=5)
    answer = await client.kickouts(filter='loan_id = "nobody"')
    assert (answer.header.row_count, len(answer.rows), answer.next_page_token) == (0, 0, "")
    [note] = answer.header.notes
    assert (note.code, note.text) == (NoteCode.NOTE_CODE_FILTER_MATCHES_NOTHING, "no rows: none of 5 matches the filter")
    [note] = (await client.guide(filter='loan_id = "nobody"')).header.notes
    assert note.code == NoteCode.NOTE_CODE_NOTHING_TO_REPORT


async def test_a_token_is_good_for_its_own_filter_and_order_alone(desk: Desk, client: Client) -> None:
    await desk.complete("R1", minute=1, kickouts=3)
    query: dict[str, Any] = {"filter": 'reason = "R1"', "order_by": "loan_id desc", "page_size": 1}
    token = (await client.kickouts(**query)).next_page_token
    assert loans(await client.kickouts(**query, page_token=token)) == ["L0002"]
    await refused(client, page_token=token)
    await refused(client, **(query | {"filter": 'reason = "R2"'}), page_token=token)
    await refused(client, **(query | {"order_by": "loan_id"}), page_token=token)
    await refused(client, **query, page_token=token, run_id="R1")


@pytest.mark.parametrize(
    "position",
    [None, 7, "R1", {}, [], ["R1"], ["R1", 3], ["R1", 3, 7], ["R1", 3, None], ["R1", 3, ["L0001"]], ["R1", "3", "L0001"],
     ["R1", 3, "L0001", "L0001"], [None, 3, "L0001"], ["R1", -3, "L0001"], ["R1", 3.5, "L0001"]],
)  # fmt: skip
async def test_a_token_of_the_right_secret_that_holds_no_position_is_refused(desk: Desk, desks: Desks, position: object) -> None:
    """As one of another version may be."""
    await desk.complete("R1", minute=1, kickouts=3)
    secret = "a secret of two versions"
    digest = request_digest("acme", ReportQuery(), GetKickoutsResponse.DESCRIPTOR.full_name)
    signed = URLSafeSerializer(secret, salt="powerfill.page", signer_kwargs={"digest_method": hashlib.sha256})
    async with running(desks.settings(page_token_secret=secret)) as server, client_of(server.address, "acme") as client:
        right = signed.dumps([digest, ["R1", 3, "L0001"]])
        assert loans(await client.kickouts(page_token=right)) == ["L0002", "L0003"]
        await refused(client, page_token=signed.dumps([digest, position]))
        await refused(client, page_token=signed.dumps(position))


async def test_long_texts_in_the_order_still_lead_to_the_next_page(desk: Desk, client: Client) -> None:
    await desk.run("R1", minute=1)
    detail = "".join(chr(0x4E00 + number) for number in range(2000))
    await desk.rows(KICKOUTS, "R1", [{"loan_id": f"L{number}", "reason_detail": detail} for number in range(3)])
    pages = await client.pages("kickouts", order_by="reason_detail desc", page_size=1)
    assert [loans(page) for page in pages] == [["L0"], ["L1"], ["L2"]]
