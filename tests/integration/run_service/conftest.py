"""A tenant with a small instance, and run servers with the real engine or with a pipeline that does as it is told."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from services.run_service.app import running
from shared.tenancy.database import TenantDatabase
from shared.tenancy.registry import TenantRegistry
from tests import fakes
from tests.builders import fill, small_instance
from tests.integration.run_service.desk import Desk, desk_of, settings_for


@pytest.fixture
async def filled(acme: TenantDatabase) -> TenantDatabase:
    """The tenant `acme` with six loans and two trades."""
    await fill(acme, small_instance())
    return acme


@pytest.fixture
def behave(tmp_path: Path) -> Callable[[str], None]:
    """Says what the fake pipeline does from now on."""
    return lambda behaviour: fakes.behave(tmp_path, behaviour)


@pytest.fixture
async def fake_server(registry: TenantRegistry, filled: TenantDatabase) -> AsyncIterator[str]:
    """The address of a server whose worker executes the fake pipeline."""
    async with running(settings_for(registry, drain_s=0), fakes.fake_work) as server:
        yield server.address


@pytest.fixture
async def desk(fake_server: str) -> AsyncIterator[Desk]:
    """The desk of `acme` at the fake server."""
    async with desk_of(fake_server) as desk:
        yield desk
