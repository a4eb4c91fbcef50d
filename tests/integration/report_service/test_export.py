"""Reports as files: the rows of the pages, whole or an error, and nothing left behind."""

import asyncio
import io
import tempfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import grpc
import polars as pl
import pytest
import sqlalchemy as sa
from powerfill.report.v1.report_service_pb2 import ExportReportRequest
from pyarrow import parquet

from services.report_service.export import formats, stream
from services.report_service.export.formats import FORMATS as ENCODERS
from services.report_service.export.parquet import arrow_type
from services.report_service.reports import base, kickouts
from services.report_service.reports.catalogue import REPORTS
from shared.errors import PowerFillError, Reason
from shared.rpc.status import ReceivedError
from tests.integration.report_service.desk import KICKOUTS, Client, Desk, Desks, client_of
from tests.integration.report_service.exporting import FORMATS, columns_of, exported, request_of, rows_of
from tests.integration.report_service.said import KEYS, note_codes, plain
from tests.integration.report_service.whole import whole_run

Left = Callable[[], list[Path]]


@pytest.fixture(autouse=True)
def left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Left:
    """What lies in the directory for temporary files, which is of this test alone."""
    directory = tmp_path / "temporary"
    directory.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(directory))
    return lambda: list(directory.iterdir())


@pytest.fixture
async def whole(server: str, desk: Desk) -> AsyncIterator[Client]:
    """A client of a tenant with a run for which every report has rows, and one that failed after it."""
    await desk.ran("R1", whole_run(), minute=1)
    await desk.ran("R2", whole_run(), minute=2, status="FAILED", tables=["pfill_cash_market_map"])
    async with client_of(server, desk.tenant_id) as client:
        yield client


async def received(client: Client, request: ExportReportRequest) -> ReceivedError:
    with pytest.raises(ReceivedError) as error:
        await anext(client.connection.stream(client.stub.ExportReport, request))
    return error.value


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("report", [name.lower() for name in REPORTS])
async def test_a_file_has_the_rows_of_the_pages(
    whole: Client, report: str, form: str, monkeypatch: pytest.MonkeyPatch, left: Left
) -> None:
    monkeypatch.setattr(stream, "CHUNK_ROWS", 3)
    page = await whole.report(report)
    header, data = await exported(whole, report, form)
    assert len(page.rows) > 1
    assert rows_of(report, form, data) == [plain(row) for row in page.rows]
    assert header == page.header
    assert left() == []


@pytest.mark.parametrize("report", [name.lower() for name in REPORTS])
async def test_the_types_of_a_parquet_file_are_those_of_the_columns(whole: Client, report: str) -> None:
    _, data = await exported(whole, report, "PARQUET")
    schema = parquet.read_schema(io.BytesIO(data))
    assert {field.name: str(field.type) for field in schema} == {
        name: str(arrow_type(column.type)).replace("item:", "element:") for name, column in columns_of(report).items()
    }
    assert pl.read_parquet(data).columns == list(columns_of(report))


@pytest.mark.parametrize("report", list(KEYS))
async def test_the_rows_are_in_the_order_of_their_key(whole: Client, report: str) -> None:
    _, data = await exported(whole, report, "PARQUET")
    frame = pl.read_parquet(data)
    assert frame.equals(frame.sort(KEYS[report]))


async def test_two_runs_with_the_same_rows_give_the_same_bytes(whole: Client, desk: Desk) -> None:
    await desk.ran("R3", whole_run(), minute=3)
    for report in KEYS:
        files = [await exported(whole, report, "PARQUET", run_id=run_id) for run_id in ("R1", "R3")]
        assert [header.run_id for header, _ in files] == ["R1", "R3"]
        assert files[0][1] == files[1][1]


@pytest.mark.parametrize("form", FORMATS)
async def test_filter_order_and_columns_are_those_of_the_pages(whole: Client, form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "CHUNK_ROWS", 2)
    query: dict[str, Any] = {
        "filter": "loan_amount > 100000", "order_by": "trade_id desc, loan_id", "read_mask": {"paths": ["loan_id", "trade_id"]},
    }  # fmt: skip
    page = await whole.report("allocation_guide", **query)
    header, data = await exported(whole, "allocation_guide", form, **query)
    rows = rows_of("allocation_guide", form, data)
    assert 2 < len(rows) < 9
    assert rows == [{"loan_id": row.loan_id, "trade_id": row.trade_id} for row in page.rows]
    assert header.row_count == len(rows)


@pytest.mark.parametrize("form", FORMATS)
async def test_a_report_without_rows_is_a_file_of_its_columns_and_its_header_says_why(client: Client, form: str) -> None:
    header, data = await exported(client, "kickouts", form)
    assert (header.run_id, note_codes(header)) == ("", ["NO_RUN_YET"])
    assert rows_of("kickouts", form, data) == []
    heading = {"PARQUET": lambda: pl.read_parquet(data).columns, "CSV": lambda: data.decode().strip().split(",")}
    assert form == "XLSX" or heading[form]() == list(columns_of("kickouts"))


async def test_what_a_failed_run_kept_can_be_exported(whole: Client) -> None:
    header, data = await exported(whole, "cash_trade_slotting", "CSV", run_id="R2")
    assert (note_codes(header), header.failure_step) == (["KEPT_FOR_DIAGNOSIS"], "")
    assert len(rows_of("cash_trade_slotting", "CSV", data)) == header.row_count > 0


@pytest.mark.parametrize(
    ("request_", "fields"),
    [
        (ExportReportRequest(), ["report", "format"]),
        (ExportReportRequest(report=99, format=99), ["report", "format"]),  # type: ignore[arg-type]  # no such numbers
        (request_of("kickouts", "CSV", page_size=10), ["query.page_size"]),
        (request_of("kickouts", "CSV", page_token="x"), ["query.page_token"]),
        (request_of("kickouts", "CSV", filter="loan_idd = 1"), ["query.filter"]),
        (request_of("kickouts", "CSV", order_by="loan_idd"), ["query.order_by"]),
        (request_of("kickouts", "CSV", read_mask={"paths": ["loan_idd"]}), ["query.read_mask"]),
    ],
)
async def test_what_cannot_be_exported_names_the_fields(client: Client, request_: ExportReportRequest, fields: list[str]) -> None:
    error = await received(client, request_)
    assert (error.code, error.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD")
    assert [violation.field for violation in error.fields] == fields


async def test_more_rows_than_a_sheet_has_are_refused_before_anything_is_sent(
    desk: Desk, client: Client, monkeypatch: pytest.MonkeyPatch, left: Left
) -> None:
    await desk.complete("R1", minute=1, kickouts=4)
    assert formats.MAX_ROWS["XLSX"] == 1_048_575
    monkeypatch.setattr(formats, "MAX_ROWS", {"XLSX": 3})
    error = await received(client, request_of("kickouts", "XLSX"))
    assert (error.code, error.fields[0].field) == (grpc.StatusCode.INVALID_ARGUMENT, "format")
    assert "ask for PARQUET" in error.message
    assert left() == []
    assert len(rows_of("kickouts", "CSV", (await exported(client, "kickouts", "CSV"))[1])) == 4


async def test_an_unknown_run_and_one_past_retention(desk: Desk, client: Client) -> None:
    await desk.run("R1", minute=1, outputs_removed=True)
    for run_id, reason in (("R9", "RUN_NOT_FOUND"), ("R1", "RUN_EXPIRED")):
        error = await received(client, request_of("kickouts", "PARQUET", run_id=run_id))
        assert (error.code, error.reason) == (grpc.StatusCode.NOT_FOUND, reason)


@pytest.mark.parametrize(("removal", "reason"), [("retention", Reason.RUN_EXPIRED), ("rows", Reason.REPORT_CHANGED)])
async def test_rows_that_go_while_they_are_read_end_in_an_error(desk: Desk, desks: Desks, removal: str, reason: Reason) -> None:
    await desk.complete("R1", minute=1, kickouts=5)
    reading = await desks.connections.read_only(desk.tenant_id)
    columns = columns_of("kickouts")
    parts = stream.Exports().stream(
        lambda params: kickouts.fetch(reading, params), base.Params(page_size=2), lambda _: ENCODERS["CSV"]("kickouts", columns)
    )
    header, first = await anext(parts), await anext(parts)
    assert isinstance(header, base.Header)
    assert isinstance(first, bytes)
    assert (header.row_count, first.count(b"\r\n")) == (5, 3)
    if removal == "retention":
        await desk.end("R1", "COMPLETE", outputs_removed=True)
    else:
        async with desk.database.begin() as connection:
            await connection.execute(sa.delete(KICKOUTS).where(KICKOUTS.c.loan_id > "L0002"))
    with pytest.raises(PowerFillError) as error:
        async for _ in parts:
            pass
    assert error.value.reason == reason


async def test_a_run_that_completes_meanwhile_does_not_mix_with_the_one_begun(desk: Desk, desks: Desks) -> None:
    await desk.complete("R1", minute=1, kickouts=5)
    reading = await desks.connections.read_only(desk.tenant_id)
    columns = columns_of("kickouts")
    parts = stream.Exports().stream(
        lambda params: kickouts.fetch(reading, params), base.Params(page_size=2), lambda _: ENCODERS["CSV"]("kickouts", columns)
    )
    await anext(parts)
    await desk.complete("R2", minute=2, kickouts=9)
    data = b"".join([part async for part in parts if isinstance(part, bytes)])
    assert [row["reason"] for row in rows_of("kickouts", "CSV", data)] == ["R1"] * 5


@pytest.mark.parametrize("form", FORMATS)
async def test_a_client_that_goes_away_leaves_no_file(desk: Desk, client: Client, form: str, left: Left) -> None:
    await desk.complete("R1", minute=1, kickouts=20_000)
    messages = client.connection.stream(client.stub.ExportReport, request_of("kickouts", form))
    assert (await anext(messages)).header.row_count == 20_000
    assert bool(left()) == (form == "XLSX")
    await messages.aclose()  # type: ignore[attr-defined]  # a generator
    async with asyncio.timeout(20):
        while left():  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.01)
    assert (await client.kickouts(page_size=1)).header.row_count == 20_000


async def test_connections_that_break_while_files_are_sent_are_no_errors(
    desk: Desk, server: str, caplog: pytest.LogCaptureFixture
) -> None:
    await desk.run("R1", minute=1)
    await desk.rows(KICKOUTS, "R1", [{"loan_id": f"L{number:05d}", "reason_detail": "x" * 2000} for number in range(6000)])
    async with client_of(server, desk.tenant_id) as client:
        request = request_of("kickouts", "CSV")
        streams = [client.connection.stream(client.stub.ExportReport, request) for _ in range(8)]
        for one in streams:
            await anext(one)
        await asyncio.sleep(1)
        await client.connection.channel.close()
    await asyncio.sleep(0.5)
    async with client_of(server, desk.tenant_id) as client:
        assert (await client.kickouts(page_size=1)).header.row_count == 6000
    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == []
