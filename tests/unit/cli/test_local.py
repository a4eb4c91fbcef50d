"""Services in this process: started whole or not at all, on addresses that are nobody else's."""

import asyncio
import contextlib
import os
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from cli import local
from cli.exit_codes import UsageError
from services.report_service.settings import Settings as ReportSettings
from services.run_service.settings import Settings as RunSettings


async def test_a_service_cancelled_while_it_starts_is_stopped_as_one_that_has_started() -> None:
    told: list[str] = []
    starting = asyncio.Event()

    @contextlib.asynccontextmanager
    async def slow_service() -> AsyncIterator[str]:
        starting.set()
        await asyncio.sleep(0.05)
        told.append("started")
        try:
            yield "address"
        finally:
            told.append("stopped")

    async def host() -> None:
        async with local._started_whole(slow_service()):
            told.append("used")

    hosting = asyncio.create_task(host())
    await starting.wait()
    hosting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await hosting
    assert told == ["started", "stopped"]


async def test_a_service_that_cannot_start_says_why() -> None:
    @contextlib.asynccontextmanager
    async def broken_service() -> AsyncIterator[str]:
        raise OSError("no")
        yield ""

    with pytest.raises(OSError, match="no"):
        async with local._started_whole(broken_service()):
            pass


@pytest.mark.parametrize("deep", [False, True])
def test_a_private_socket_is_short_and_only_this_user_s(deep: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    temporary = tmp_path / ("d" * 120 if deep else "d")
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    with local._private_socket("report.sock") as address:
        directory = Path(address.removeprefix("unix:")).parent
        assert stat.S_IMODE(directory.stat().st_mode) == 0o700
        assert directory.stat().st_uid == os.getuid()
        assert len(address) <= 108
    assert not directory.exists()


def test_settings_come_from_the_environment_but_for_what_a_host_decides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POWERFILL_QUEUE_SIZE", "3")
    monkeypatch.setenv("POWERFILL_WORKERS", "5")
    monkeypatch.setenv("POWERFILL_HOME", str(tmp_path))
    chosen = local.settings(RunSettings, None, workers=1)
    assert (chosen.queue_size, chosen.workers, chosen.registry_file) == (3, 1, tmp_path / "tenants.yaml")
    assert local.settings(ReportSettings, tmp_path / "r.yaml").registry_file == tmp_path / "r.yaml"
    monkeypatch.setenv("POWERFILL_QUEUE_SIZE", "0")
    with pytest.raises(UsageError, match="POWERFILL_QUEUE_SIZE is not allowed"):
        local.settings(RunSettings, None)
