"""Fixtures: a registry of tenants, one tenant, and the report server before them."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from services.report_service.app import running
from tests.integration.report_service.desk import Client, Desk, Desks, client_of


@pytest.fixture
async def desks(tmp_path: Path) -> AsyncIterator[Desks]:
    desks = Desks(tmp_path)
    async with desks.connections:
        yield desks


@pytest.fixture
async def desk(desks: Desks) -> Desk:
    return await desks.add("acme")


@pytest.fixture
async def server(desks: Desks) -> AsyncIterator[str]:
    """The address of a report server for the tenants of `desks`."""
    async with running(desks.settings()) as server:
        yield server.address


@pytest.fixture
async def client(server: str, desk: Desk) -> AsyncIterator[Client]:
    async with client_of(server, desk.tenant_id) as client:
        yield client
