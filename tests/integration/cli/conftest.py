"""The tenant `acme` with six loans and two trades, and a shell whose registry has it."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from services.report_service.app import running as report_running
from services.report_service.settings import Settings as ReportSettings
from services.run_service.app import running as run_running
from services.run_service.settings import Settings as RunSettings
from shared.database.migrate import migrate
from shared.tenancy.connections import TenantConnections
from shared.tenancy.database import TenantDatabase
from shared.tenancy.registry import TenantRegistry
from tests import fakes
from tests.builders import fill, small_instance
from tests.integration.cli.shell import Shell


@pytest.fixture
async def filled(acme: TenantDatabase) -> TenantDatabase:
    """The tenant with its rows."""
    await fill(acme, small_instance())
    return acme


@pytest.fixture
def shell(filled: TenantDatabase, tmp_path: Path) -> Shell:
    """Commands on the tenant."""
    return Shell(tmp_path)


@pytest.fixture
def fake_shell(filled: TenantDatabase, tmp_path: Path) -> Shell:
    """Commands on the tenant whose local runs do as they are told."""
    return Shell(tmp_path, fake_work=True)


@pytest.fixture(scope="session")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The database of a tenant with two complete runs of the same content, by the engine, hosted by the command itself."""
    home = tmp_path_factory.mktemp("ran")
    asyncio.run(_run_twice(home))
    return home / "acme.db"


async def _run_twice(home: Path) -> None:
    registry = TenantRegistry(home / "tenants.yaml")
    registry.add("acme", f"sqlite+aiosqlite:///{home / 'acme.db'}")
    async with TenantConnections(registry) as connections:
        database = await connections.database("acme")
        await migrate(database)
        await fill(database, small_instance())
    for _ in range(2):
        done = await Shell(home).run("run", "acme", "--option", "as_of_date=2026-04-17", "--option", "strategy=PASSES")
        assert done.code == 0, done.err


@pytest.fixture
async def ran_shell(ran: Path, registry: TenantRegistry, tmp_path: Path) -> AsyncIterator[Shell]:
    """Commands on that tenant, by way of servers; local runs do as they are told."""
    shutil.copy(ran, tmp_path / "acme.db")
    registry.add("acme", f"sqlite+aiosqlite:///{tmp_path / 'acme.db'}")
    async with (
        run_running(_run_settings(registry), fakes.fake_work) as run,
        report_running(_report_settings(registry)) as report,
    ):
        servers = {"POWERFILL_SERVER": run.address, "POWERFILL_REPORT_SERVER": report.address}
        yield Shell(tmp_path, fake_work=True, environment=servers)


@pytest.fixture
def behave(tmp_path: Path) -> Callable[[str], None]:
    """Says what runs of the fake do from now on."""
    return lambda behaviour: fakes.behave(tmp_path, behaviour)


@pytest.fixture
async def run_server(registry: TenantRegistry, filled: TenantDatabase) -> AsyncIterator[str]:
    """The address of a run service whose runs do as they are told."""
    async with run_running(_run_settings(registry), fakes.fake_work) as server:
        yield server.address


@pytest.fixture
async def report_server(registry: TenantRegistry, filled: TenantDatabase) -> AsyncIterator[str]:
    """The address of a report service."""
    async with report_running(_report_settings(registry)) as server:
        yield server.address


def _run_settings(registry: TenantRegistry) -> RunSettings:
    return RunSettings(registry=registry.path, run_address="127.0.0.1:0", workers=1, drain_s=0, heartbeat_s=0.5)


def _report_settings(registry: TenantRegistry) -> ReportSettings:
    return ReportSettings(registry=registry.path, report_address="127.0.0.1:0", drain_s=0)
