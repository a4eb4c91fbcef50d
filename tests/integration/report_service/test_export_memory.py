"""What exports take of a server's memory: a report server in a process of its own and 100,000 allocated loans."""

import asyncio
import contextlib
import datetime as dt
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from shared.database.bulk import frame_type
from shared.database.bulk_write import write_frame
from tests.integration.report_service.desk import GUIDE, Client, Desks, client_of
from tests.integration.report_service.exporting import FORMATS, exported, request_of

ROWS = 100_000
MAX_RESIDENT_MB = 200
ROOT = Path(__file__).parents[3]

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]


@pytest.fixture(scope="module")
def big(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of a tenant whose one run allocated so many loans."""
    directory = tmp_path_factory.mktemp("big")
    asyncio.run(_fill(directory))
    return directory


async def _fill(directory: Path) -> None:
    desks = Desks(directory)
    async with desks.connections:
        desk = await desks.add("acme")
        await desk.run("R1", minute=1, output_counts=json.dumps({GUIDE.name: ROWS}))
        async with desk.database.begin() as connection:
            await write_frame(connection, GUIDE, guide(), {"run_id": "R1"})


def guide() -> pl.DataFrame:
    """Allocated loans of which no two are alike, with a value in every column."""
    types = {column.name: frame_type(column) for column in GUIDE.columns if column.name != "run_id"}
    return pl.DataFrame([pl.Series(name, list(_cells(name, dtype)), dtype=dtype) for name, dtype in types.items()])


def _cells(name: str, dtype: pl.DataType) -> Iterator[object]:
    for number in range(ROWS):
        if isinstance(dtype, pl.Decimal):
            yield Decimal(number * 7919 % 1_000_003 + 100 * 10**dtype.scale).scaleb(-dtype.scale)
        elif dtype == pl.String:
            yield f"{name}-{number if name == 'loan_id' else number % 1000:06d}"
        elif dtype == pl.Date:
            yield dt.date(2026, 5, 14) + dt.timedelta(days=number % 60)
        else:
            yield number % 100 if dtype == pl.Int64 else number % 10 == 0


@dataclass
class Server:
    """The server's process, and a client of it."""

    pid: int
    client: Client

    def resident_mb(self, figure: str) -> int:
        """VmRSS, what it has in memory now, or VmHWM, the most it ever had."""
        status = Path(f"/proc/{self.pid}/status").read_text(encoding="ascii")
        return next(int(line.split()[1]) // 1024 for line in status.splitlines() if line.startswith(f"{figure}:"))


@contextlib.asynccontextmanager
async def server_of(directory: Path) -> AsyncIterator[Server]:
    """A report server in a process of its own; killed at the end."""
    with tempfile.TemporaryDirectory(prefix="powerfill") as short:  # a socket's path must be
        address = f"unix:{short}/report.sock"
        environment = os.environ | {
            "POWERFILL_REGISTRY": str(directory / "tenants.yaml"), "POWERFILL_REPORT_ADDRESS": address, "TMPDIR": short,
            "POWERFILL_LOG_JSON": "false", "PYTHONPATH": f"{ROOT}:{ROOT / 'shared' / 'gen'}",
        }  # fmt: skip
        process = subprocess.Popen(  # noqa: ASYNC220 - it takes a moment, in which this test has nothing else to do
            [sys.executable, "-m", "services.report_service"], env=environment, cwd=ROOT
        )
        try:
            async with client_of(address, "acme") as client:
                await client.connection.wait_until_serving(timeout_s=60)
                yield Server(process.pid, client)
        finally:
            process.kill()
            await asyncio.to_thread(process.wait)


@pytest.mark.parametrize("form", FORMATS)
async def test_an_export_of_100000_rows_stays_under_200_mb(big: Path, form: str) -> None:
    async with server_of(big) as server:
        header, data = await exported(server.client, "allocation_guide", form)
        assert header.row_count == ROWS
        assert len(data) > 2 * 1024 * 1024
        assert server.resident_mb("VmHWM") < MAX_RESIDENT_MB


async def test_clients_that_do_not_read_take_no_more_memory_however_long_they_wait(big: Path) -> None:
    """Each has a file of 33 MB before it, of which the server holds a chunk."""
    clients = 10
    async with server_of(big) as server:
        _, data = await exported(server.client, "allocation_guide", "CSV")
        before = server.resident_mb("VmRSS")
        request = request_of("allocation_guide", "CSV")
        streams = [server.client.connection.stream(server.client.stub.ExportReport, request) for _ in range(clients)]
        for stream in streams:
            assert (await anext(stream)).header.row_count == ROWS
        assert await at_rest_mb(server) - before < clients * len(data) / 1024 / 1024 / 4
        assert b"".join([message.chunk async for message in streams[0]]) == data
        assert server.resident_mb("VmHWM") < MAX_RESIDENT_MB


async def at_rest_mb(server: Server) -> int:
    """What is resident once it has been the same for 3 seconds."""
    seen = [0, 1, 2]
    while len(set(seen[-3:])) > 1:
        await asyncio.sleep(1)
        seen.append(server.resident_mb("VmRSS"))
    return seen[-1]
