"""The server as a process and in this one: health, reflection, addresses, a stop by SIGTERM."""

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from pydantic import ValidationError

from services.report_service.app import SERVICE_NAME, running
from services.report_service.settings import Settings
from shared.rpc.server import AddressError
from tests.integration.report_service.desk import Client, Desk, Desks, client_of

ROOT = Path(__file__).parents[3]


async def test_health_and_reflection_name_the_service(client: Client) -> None:
    channel: Any = client.connection.channel
    await client.connection.wait_until_serving(SERVICE_NAME)
    reflection: Any = reflection_pb2_grpc.ServerReflectionStub(channel)
    ask = reflection.ServerReflectionInfo(iter([reflection_pb2.ServerReflectionRequest(list_services="")]))
    answers = [answer async for answer in ask]
    assert SERVICE_NAME in {service.name for service in answers[0].list_services_response.service}


async def test_a_unix_socket_serves_as_well(desk: Desk, desks: Desks, tmp_path: Path) -> None:
    await desk.complete("R1", minute=1, kickouts=1)
    async with running(desks.settings(report_address=f"unix:{tmp_path}/report.sock")) as server:
        assert server.address == f"unix:{tmp_path}/report.sock"
        async with client_of(server.address, desk.tenant_id) as client:
            assert (await client.kickouts()).header.row_count == 1


async def test_an_address_that_others_can_reach_is_refused(desks: Desks) -> None:
    with pytest.raises(AddressError, match="loopback"):
        async with running(desks.settings(report_address="0.0.0.0:0")):
            pass


async def test_replicas_with_one_secret_take_each_others_tokens(desk: Desk, desks: Desks) -> None:
    await desk.complete("R1", minute=1, kickouts=2)
    settings = desks.settings(page_token_secret="a secret of two replicas")
    async with (
        running(settings) as one,
        running(settings) as two,
        client_of(one.address, "acme") as first,
        client_of(two.address, "acme") as second,
    ):
        query = {"page_size": 1, "filter": 'reason = "R1"', "order_by": "recommended_action, loan_id desc"}
        token = (await first.kickouts(**query)).next_page_token
        answer = await second.kickouts(**query, page_token=token)
        assert ([row.loan_id for row in answer.rows], answer.header.row_count) == (["L0001"], 2)


def test_settings_come_from_the_environment_and_show_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POWERFILL_HOME", "/home/desk")
    monkeypatch.setenv("POWERFILL_PAGE_TOKEN_SECRET", "something long and secret")
    settings = Settings()
    assert settings.registry_file == Path("/home/desk/tenants.yaml")
    assert "something" not in repr(settings)
    monkeypatch.setenv("POWERFILL_PAGE_TOKEN_SECRET", "too short")
    with pytest.raises(ValidationError) as error:
        Settings()
    assert "too short" not in str(error.value)


async def test_the_process_serves_and_ends_well_on_sigterm(desk: Desk, desks: Desks, tmp_path: Path) -> None:
    await desk.complete("R1", minute=1, kickouts=1)
    address = f"unix:{tmp_path}/report.sock"
    environment = os.environ | {
        "POWERFILL_REGISTRY": str(desks.registry.path),
        "POWERFILL_REPORT_ADDRESS": address,
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "shared" / "gen")]),
    }
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "services.report_service", env=environment, cwd=ROOT)
    try:
        async with client_of(address, "acme") as client:
            await client.connection.wait_until_serving(SERVICE_NAME, timeout_s=20)
            assert (await client.kickouts()).header.row_count == 1
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 10) == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
