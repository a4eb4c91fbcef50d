"""A tenant with a small instance, and run servers with the real engine or with a pipeline that does as it is told."""

import datetime as dt
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from services.run_service.app import running
from services.run_service.application.ports import Job
from services.run_service.domain import life
from services.run_service.domain.events import Accepted
from services.run_service.domain.life import Lease
from services.run_service.domain.options import RunOptions
from services.run_service.domain.run import Run, RunStatus
from services.run_service.repositories.runs import SqlRuns
from shared.tenancy.connections import TenantConnections
from shared.tenancy.database import TenantDatabase
from shared.tenancy.registry import TenantRegistry
from tests import fakes
from tests.builders import fill, small_instance
from tests.integration.run_service.desk import Desk, desk_of, settings_for

NOW = dt.datetime(2026, 4, 17, 12, tzinfo=dt.UTC)


class FixedClock:
    """It is always the same moment."""

    def now(self) -> dt.datetime:
        """NOW."""
        return NOW


@pytest.fixture
async def filled(acme: TenantDatabase) -> TenantDatabase:
    """The tenant `acme` with six loans and two trades."""
    await fill(acme, small_instance())
    return acme


@pytest.fixture
async def job(connections: TenantConnections, filled: TenantDatabase) -> Job:
    """A job of the tenant `acme` whose run `r1` is recorded and claimed by `me`."""
    lease, runs = Lease("me", NOW + dt.timedelta(seconds=30)), SqlRuns(connections, FixedClock())
    run = Run(
        "r1", "acme", RunStatus.PENDING, "desk", RunOptions(as_of_date=NOW.date()), NOW,
        last_sequence=1, lease_owner="me", lease_until=lease.until,
    )  # fmt: skip
    await runs.insert(run, Accepted("desk"))
    await runs.change(run.ref, lambda current: life.claim(current, lease, NOW))
    return Job(run.ref, 1, "me", run.options)


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
