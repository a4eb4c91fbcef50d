"""A run server in a process of its own, with the fake pipeline: to be ended by signals."""

import asyncio
import contextlib
import os
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

from services.run_service.app import serve
from services.run_service.settings import Settings
from shared.tenancy.registry import TenantRegistry
from tests.fakes import fake_work
from tests.integration.run_service.desk import Desk, desk_of

ROOT = Path(__file__).parents[3]
FAST = {"POWERFILL_LEASE_S": "3", "POWERFILL_HEARTBEAT_S": "0.3", "POWERFILL_SWEEP_S": "0.3", "POWERFILL_WORKERS": "1"}
"""Leases and sweeps short enough for a test."""


@contextlib.asynccontextmanager
async def server_process(registry: TenantRegistry, **given: str) -> AsyncIterator[tuple[subprocess.Popen[bytes], Desk]]:
    """The process, and the desk of `acme` at it. Killed at the end if it still runs."""
    with tempfile.TemporaryDirectory(prefix="powerfill") as directory:  # a socket's path must be short
        address = f"unix:{directory}/run.sock"
        environment = os.environ | FAST | given | {
            "POWERFILL_REGISTRY": str(registry.path), "POWERFILL_RUN_ADDRESS": address, "POWERFILL_LOG_JSON": "false",
            "PYTHONPATH": f"{ROOT}:{ROOT / 'shared' / 'gen'}",
        }  # fmt: skip
        process = subprocess.Popen(  # noqa: ASYNC220 - it takes a moment, in which this test has nothing else to do
            [sys.executable, "-m", __name__], env=environment, cwd=ROOT
        )
        try:
            async with desk_of(address) as desk:
                await desk.wait_until_serving()
                yield process, desk
        finally:
            process.kill()
            await asyncio.to_thread(process.wait)


if __name__ == "__main__":
    asyncio.run(serve(Settings(), fake_work))
