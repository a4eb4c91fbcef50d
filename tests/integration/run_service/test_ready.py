"""When a server listens, and when its worker processes start."""

import asyncio
import time

import pytest

from services.run_service.app import running
from shared.tenancy.database import TenantDatabase
from shared.tenancy.registry import TenantRegistry
from tests import fakes
from tests.integration.run_service.desk import desk_of, eventually, settings_for, status_name


async def test_a_server_that_is_to_be_ready_listens_when_all_its_workers_are(registry: TenantRegistry) -> None:
    async with running(settings_for(registry, workers=2), fakes.slow_work, give_up=asyncio.Event()):
        assert fakes.preparations(registry.path.parent) == ["begin", "end"] * 2


async def test_a_server_that_need_not_be_listens_at_once_and_a_run_waits_for_the_worker(
    registry: TenantRegistry, filled: TenantDatabase
) -> None:
    async with running(settings_for(registry), fakes.slow_work) as server, desk_of(server.address) as desk:
        assert "end" not in fakes.preparations(registry.path.parent)
        run = await desk.submit()
        await desk.watched(run.run_id)
        assert status_name(await desk.get(run.run_id)) == "COMPLETE"


@pytest.mark.parametrize("workers", [0, 1])
async def test_waiting_for_a_worker_can_be_given_up(registry: TenantRegistry, workers: int) -> None:
    give_up = asyncio.Event()
    give_up.set()
    async with running(settings_for(registry, workers=workers, drain_s=0), fakes.slow_work, give_up=give_up):
        assert "end" not in fakes.preparations(registry.path.parent)


async def test_a_worker_that_cannot_get_ready_keeps_no_server_from_listening(registry: TenantRegistry) -> None:
    async with asyncio.timeout(20), running(settings_for(registry), fakes.broken_work, give_up=asyncio.Event()) as server:
        assert server.address


async def test_the_other_workers_start_when_the_first_is_ready(registry: TenantRegistry) -> None:
    async def all_are_ready() -> bool:
        return fakes.preparations(registry.path.parent).count("end") == 3

    async with running(settings_for(registry, workers=3), fakes.slow_work):
        await eventually(all_are_ready)
    assert fakes.preparations(registry.path.parent)[:2] == ["begin", "end"]


async def test_a_server_stops_at_once_while_its_workers_get_ready(registry: TenantRegistry) -> None:
    async with running(settings_for(registry, workers=3, drain_s=0), fakes.slow_work):
        began_s = time.monotonic()
    assert time.monotonic() - began_s < 0.9 * fakes.PREPARING_S
