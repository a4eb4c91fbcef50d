"""The first run after `powerfill serve`, on a machine that has never compiled the kernels."""

import asyncio
import datetime as dt
import json
import time
from pathlib import Path

import pytest

from cli.demo.generate import demo_tables, write_tables
from shared.database.load import load
from shared.tenancy.database import TenantDatabase
from tests.integration.cli.shell import Shell
from tests.integration.run_service.desk import Desk, desk_of, status_name

AS_OF = dt.date(2026, 4, 17)
OPTIONS = {"as_of_date": AS_OF.isoformat(), "time_limit": "0.5", "bx_price_floor": "90"}
MARGIN_S = 1.0
COMPILES_WITHIN_S = 400


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_a_first_run_is_hardly_slower_than_the_second(acme: TenantDatabase, tmp_path: Path) -> None:
    write_tables(demo_tables(AS_OF), tmp_path / "tables")
    await load(acme, tmp_path / "tables", "tester")
    never_compiled = {"NUMBA_CACHE_DIR": str(tmp_path / "kernels")}
    async with Shell(tmp_path).started("serve", "run", "--run-address", "127.0.0.1:0", "--json", **never_compiled) as server:
        assert server.stdout is not None
        async with asyncio.timeout(COMPILES_WITHIN_S):
            address = json.loads(await server.stdout.readline())["run"]
        async with desk_of(address) as desk:
            first, *others = [await seconds_of_a_run(desk) for _ in range(4)]
    assert first < max(others) + MARGIN_S


async def seconds_of_a_run(desk: Desk) -> float:
    """From the request to the last event."""
    began_s = time.monotonic()
    run = await desk.submit(OPTIONS)
    await desk.watched(run.run_id)
    seconds = time.monotonic() - began_s
    assert status_name(await desk.get(run.run_id)) == "COMPLETE"
    return seconds
