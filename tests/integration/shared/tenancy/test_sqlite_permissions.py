"""A user whom file permissions bind, on files that are somebody else's; a process of its own, since root is bound by none."""

import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from shared.tenancy.connections import TenantConnections
from shared.tenancy.database import TenantDatabase
from shared.tenancy.registry import TenantRegistry

UNPRIVILEGED = """
import asyncio, os, sys
from pathlib import Path
from powerfill.report.v1.kickouts_pb2 import GetKickoutsRequest
from powerfill.report.v1.report_service_pb2_grpc import ReportServiceStub
from powerfill.run.v1.run_service_pb2 import ListRunsRequest, SubmitRunRequest
from powerfill.run.v1.run_service_pb2_grpc import RunServiceStub
from services.report_service import app as report_app
from services.report_service.settings import Settings as ReportSettings
from services.run_service import app as run_app
from services.run_service.settings import Settings as RunSettings
from shared.database.check import look_over
from shared.database.load import load
from shared.database.migrate import migrate
from shared.errors import PowerFillError
from shared.rpc.client import connect
from shared.rpc.options import options_to_proto
from shared.rpc.status import ReceivedError
from shared.tenancy.connections import TenantConnections
from shared.tenancy.registry import TenantRegistry

NOBODY = 65534

async def call(registry, tenant_id, what):
    options = options_to_proto({"as_of_date": "2026-04-17"})
    run, report = (RunServiceStub, run_app, RunSettings), (ReportServiceStub, report_app, ReportSettings)
    kinds, method, request = {
        "SubmitRun": (run, "SubmitRun", SubmitRunRequest(options=options)),
        "ListRuns": (run, "ListRuns", ListRunsRequest()),
        "GetKickouts": (report, "GetKickouts", GetKickoutsRequest()),
    }[what]
    stub, app, settings = kinds
    own = {"run_address": "127.0.0.1:0", "report_address": "127.0.0.1:0", "workers": 0, "drain_s": 0}
    own = {name: value for name, value in own.items() if name in settings.model_fields}
    async with app.running(settings(registry=registry, **own)) as server:
        async with connect(server.address, tenant_id=tenant_id, user="desk") as connection:
            await connection.call(getattr(stub(connection.channel), method), request)

async def act(registry, tenant_id, what, source):
    if what in ("SubmitRun", "ListRuns", "GetKickouts"):
        return await call(registry, tenant_id, what)
    acts = {"migrate": migrate, "look": look_over, "load": lambda database: load(database, Path(source), "nobody")}
    async with TenantConnections(TenantRegistry(Path(registry)), lock_timeout_s=0.5) as connections:
        return await acts[what](await connections.database(tenant_id))

async def main(registry, what, source):
    for any_act in ("migrate", "look", "load"):  # imports everything while it still may
        await act(registry, "open", any_act, source)
    if os.geteuid() == 0:  # file permissions do not bind root
        os.setgroups([]), os.setgid(NOBODY), os.setuid(NOBODY)
    try:
        await act(registry, "acme", what, source)
    except PowerFillError as error:
        print(error.category, error.reason, error.message, sep="|")
    except ReceivedError as error:
        print(error.code.name, error.reason, error.message, sep="|")
    else:
        print("done", "", "", sep="|")

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """A folder that another user can see into, unlike pytest's."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)
        Path(folder).chmod(0o755)


@pytest.fixture
async def unprivileged(
    acme: TenantDatabase, connections: TenantConnections, registry: TenantRegistry, tmp_path: Path
) -> Callable[[str], list[str]]:
    """Do something with tenant acme as a user whom file permissions bind; gives category, reason and message."""
    await connections.aclose()  # the last to close takes the two files of WAL mode away
    source = tmp_path / "in"
    source.mkdir()
    (source / "loan_shipped.csv").write_text("loan_id,shipped_date,investor\nL1,2026-04-01,FNMA\n")
    registry.add("open", f"sqlite+aiosqlite:///{source / '.open.db'}")
    registry.path.chmod(0o644)

    def act(what: str) -> list[str]:
        command = [sys.executable, "-c", UNPRIVILEGED, str(registry.path), what, str(source)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[4], timeout=50)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip().split("|")

    return act


@pytest.mark.parametrize("what", ["load", "look", "migrate"])
def test_a_folder_that_may_not_be_written(unprivileged: Callable[[str], list[str]], tmp_path: Path, what: str) -> None:
    """SQLite needs two files beside a WAL database even to read it."""
    tmp_path.chmod(0o555)
    category, reason, message = unprivileged(what)
    tmp_path.chmod(0o755)
    assert (category, reason) == ("PERMISSION_DENIED", "DATABASE_PERMISSION"), message
    assert "acme.db" in message


@pytest.mark.parametrize("what", ["ListRuns", "GetKickouts"])
def test_a_reader_in_a_folder_that_may_not_be_written_is_told_of_wal(
    unprivileged: Callable[[str], list[str]], tmp_path: Path, what: str
) -> None:
    tmp_path.chmod(0o555)
    category, reason, message = unprivileged(what)
    tmp_path.chmod(0o755)
    assert (category, reason) == ("PERMISSION_DENIED", "DATABASE_PERMISSION"), message
    assert "the directory of the database file acme.db must be writable" in message
    assert "WAL" in message
    assert "may not write" not in message


def test_a_run_on_a_file_that_may_not_be_written_names_the_table(
    unprivileged: Callable[[str], list[str]], tmp_path: Path
) -> None:
    (tmp_path / "acme.db").chmod(0o444)
    tmp_path.chmod(0o777)
    category, reason, message = unprivileged("SubmitRun")
    assert (category, reason) == ("PERMISSION_DENIED", "DATABASE_PERMISSION"), message
    assert "may not write pfill_run_history in the database file acme.db" in message


def test_a_file_that_may_not_be_written(unprivileged: Callable[[str], list[str]], tmp_path: Path) -> None:
    before = (tmp_path / "acme.db").read_bytes()
    (tmp_path / "acme.db").chmod(0o444)
    tmp_path.chmod(0o777)
    category, reason, message = unprivileged("load")
    assert (category, reason) == ("PERMISSION_DENIED", "DATABASE_PERMISSION"), message
    assert "acme.db" in message
    assert (tmp_path / "acme.db").read_bytes() == before
