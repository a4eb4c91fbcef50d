"""What is refused and how: the status, the reason and the details, over gRPC."""

import sqlite3
from collections.abc import Sequence
from typing import Any

import grpc
import pytest
import sqlalchemy as sa

from shared.database.tables import SCHEMA_REVISION
from shared.errors import PowerFillError, Reason
from shared.rpc.status import ReceivedError
from tests.integration.report_service.desk import HISTORY, Client, Desk, Desks, client_of
from tests.integration.report_service.said import TABLES


async def received(call: Any) -> ReceivedError:
    with pytest.raises(ReceivedError) as error:
        await call
    return error.value


REFUSED: Sequence[tuple[dict[str, Any], str, str]] = [
    ({"filter": "loan_idd = 1"}, "query.filter", "loan_idd"),
    ({"filter": "("}, "query.filter", "character 1"),
    ({"order_by": "loan_idd desc"}, "query.order_by", "loan_idd"),
    ({"order_by": "loan_id loan_id"}, "query.order_by", "character"),
    ({"read_mask": {"paths": ["loan_idd"]}}, "query.read_mask", "loan_idd"),
    ({"page_size": 10_001}, "query.page_size", "10000"),
]
"""What no report can be asked: the query, the field that is refused, and what is said of it."""


async def test_what_a_report_cannot_be_asked_names_the_field(client: Client) -> None:
    for report in [*TABLES, "run_overview"]:
        for query, field, said in REFUSED:
            error = await received(client.report(report, **query))
            assert (error.code, error.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD")
            [violation] = error.fields
            assert (violation.field, said in violation.description) == (field, True), (report, query)


async def test_an_unknown_tenant(server: str) -> None:
    async with client_of(server, "nobody") as client:
        error = await received(client.guide())
    assert (error.code, error.reason) == (grpc.StatusCode.NOT_FOUND, "TENANT_UNKNOWN")
    assert error.metadata == {"tenant_id": "nobody"}


async def test_no_tenant(server: str) -> None:
    async with client_of(server, "") as client:
        error = await received(client.guide())
    assert (error.code, error.reason) == (grpc.StatusCode.UNAUTHENTICATED, "UNAUTHENTICATED")


async def test_a_tenant_without_tables(desks: Desks, server: str) -> None:
    birch = await desks.add("birch", migrated=False)
    async with client_of(server, birch.tenant_id) as client:
        error = await received(client.recap())
    assert (error.code, error.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "SCHEMA_VERSION")
    assert error.metadata == {"tenant_id": "birch", "found": "", "expected": SCHEMA_REVISION}
    assert "powerfill tenants migrate birch" in error.message


async def test_tables_of_another_version(desk: Desk, client: Client) -> None:
    with sqlite3.connect(desk.path) as connection:
        connection.execute("UPDATE pfill_schema_revision SET version_num = '9999'")
    connection.close()
    error = await received(client.recap())
    assert (error.code, error.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "SCHEMA_VERSION")
    assert error.metadata == {"tenant_id": "acme", "found": "9999", "expected": SCHEMA_REVISION}


async def test_a_database_that_is_away_and_comes_back(desks: Desks, server: str) -> None:
    birch = await desks.add("birch")
    await birch.complete("R1", minute=1, kickouts=1)
    async with client_of(server, "birch") as client:
        away = birch.path.rename(birch.path.with_suffix(".away"))
        error = await received(client.kickouts())
        assert (error.code, error.reason) == (grpc.StatusCode.UNAVAILABLE, "TENANT_UNAVAILABLE")
        assert error.metadata == {"tenant_id": "birch"}
        assert error.retry_after_s is not None
        assert error.retry_after_s > 0
        assert str(birch.path.parent) not in error.message
        away.rename(birch.path)
        assert (await client.kickouts()).header.row_count == 1


async def test_one_tenants_database_away_leaves_the_others_served(desk: Desk, desks: Desks, client: Client) -> None:
    birch = await desks.add("birch")
    birch.path.unlink()
    await desk.complete("R1", minute=1, kickouts=1)
    assert (await client.kickouts()).header.row_count == 1


@pytest.mark.parametrize("run_id", ["\0", "R1\0", "' OR 1=1 --", "\N{SLICE OF PIZZA}", "x" * 100_000], ids=range(5))
async def test_any_text_may_be_asked_for_as_a_run(desk: Desk, client: Client, run_id: str) -> None:
    await desk.complete("R1", minute=1)
    error = await received(client.kickouts(run_id=run_id))
    assert (error.code, error.reason) == (grpc.StatusCode.NOT_FOUND, "RUN_NOT_FOUND")


async def test_what_the_service_reads_with_cannot_write(desk: Desk, desks: Desks) -> None:
    await desk.complete("R1", minute=1)
    reading = await desks.connections.read_only("acme")
    assert not hasattr(reading, "begin")
    with pytest.raises(PowerFillError) as error:
        async with reading.connect() as connection:
            await connection.execute(sa.update(HISTORY).values(status="FAILED"))
    assert error.value.reason == Reason.DATABASE_PERMISSION


async def test_a_report_is_read_while_a_run_writes(desk: Desk, client: Client) -> None:
    """What a transaction has not committed is not there, and it keeps no reader waiting."""
    await desk.complete("R1", minute=1, kickouts=1)
    await desk.run("R2", "POST_PROCESSING", minute=2)
    async with desk.database.begin() as connection:
        await connection.execute(sa.update(HISTORY).where(HISTORY.c.run_id == "R2").values(status="COMPLETE"))
        answer = await client.kickouts()
        assert (answer.header.run_id, answer.header.other_run.run_id) == ("R1", "R2")
    assert (await client.kickouts()).header.run_id == "R2"
