"""Fixtures for every test: a registry in a temporary directory, and a migrated tenant in it."""

import logging
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from shared.database.migrate import migrate
from shared.tenancy.connections import TenantConnections
from shared.tenancy.database import TenantDatabase
from shared.tenancy.registry import TenantRegistry


@pytest.fixture(autouse=True)
def own_log_level() -> Iterator[None]:
    """What a command sets the log level to in one test, the next does not see."""
    level = logging.getLogger().level
    yield
    logging.getLogger().setLevel(level)


@pytest.fixture
def registry(tmp_path: Path) -> TenantRegistry:
    """An empty registry."""
    return TenantRegistry(tmp_path / "tenants.yaml")


@pytest.fixture
async def connections(registry: TenantRegistry) -> AsyncIterator[TenantConnections]:
    """The databases of the registry's tenants."""
    async with TenantConnections(registry) as connections:
        yield connections


@pytest.fixture
async def acme(connections: TenantConnections) -> TenantDatabase:
    """The tenant `acme`, migrated, without rows."""
    return await new_tenant(connections, "acme")


@pytest.fixture
async def birch(connections: TenantConnections) -> TenantDatabase:
    """Another tenant, migrated, without rows."""
    return await new_tenant(connections, "birch")


async def new_tenant(connections: TenantConnections, tenant_id: str) -> TenantDatabase:
    """A tenant on a SQLite file beside the registry, migrated, without rows."""
    connections.registry.add(tenant_id, f"sqlite+aiosqlite:///{connections.registry.path.with_name(tenant_id)}.db")
    database = await connections.database(tenant_id)
    await migrate(database)
    return database
