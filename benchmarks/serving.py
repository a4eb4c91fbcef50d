"""What reading reports costs: pages of a report of 100,000 rows, and its export, beside a bare echo server in the same run.

python -m benchmarks.serving [--shared DIR] [--rounds N]

The rows are those of a real run on the demo tenant of DIR (by default ../shared), repeated under other loan ids until there are
100,000. Both servers are processes of their own; calls go one after the other, in rounds that interleave what is measured.
"""

import argparse
import asyncio
import contextlib
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc.aio
from powerfill.report.v1.allocation_guide_pb2 import GetAllocationGuideRequest
from powerfill.report.v1.report_pb2 import ReportQuery
from powerfill.report.v1.report_service_pb2 import ExportFormat, ExportReportRequest, ReportName
from powerfill.report.v1.report_service_pb2_grpc import ReportServiceStub
from powerfill.report.v1.synthetic_opportunities_pb2 import GetSyntheticOpportunitiesRequest

from benchmarks.echo_server import METHOD
from benchmarks.inputs import NAMED_SEED, Input, made
from benchmarks.many_rows import tenant_with_many_rows
from benchmarks.memory import peak_kib
from benchmarks.results import ROOT, described, machine, table, write_json, write_markdown
from benchmarks.whole_runs import TENANT
from shared.rpc.client import Connection, connect
from shared.tenancy.registry import TenantRegistry

NAME = "serving"
ROWS, PAGE_ROWS, PAGE_AT_ONCE = 100_000, 100, 10_000
CALLS_A_ROUND = 25
EXPORTS = 5
SERVICE = "powerfill.report.v1.ReportService"

ABOUT = """\
A report page is `GetAllocationGuide` with 100 rows and all columns of a run with 100,000 rows in SQLite, read over gRPC with
one call in flight; the echo server sends back a request of the same size. Rounds of 25 calls each interleave the rows of the
table. "Ratio" is to the echo's median of the same round: the median over the rounds, with the range behind it. The widest page
is one of the synthetic opportunities, whose 100 rows have 1,000 ranks within them; it is read from the demo tenant's own run.
Authentication comes with a later issue and is not part of these figures."""
EXPORT_ABOUT = """\
`ExportReport` of the same 100,000 rows, each format on a server of its own: seconds from the call to the last byte (the median of
five, with the range), and the most resident memory (VmHWM) of that server's process after them."""

Call = Callable[[], Awaitable[object]]


@dataclass(frozen=True)
class Timed:
    """Milliseconds of calls, by round."""

    rounds: Sequence[Sequence[float]]

    @property
    def all(self) -> list[float]:
        """Of every round together."""
        return [call_ms for one in self.rounds for call_ms in one]

    def p99(self) -> float:
        """Milliseconds that 99 of 100 calls take at most."""
        return statistics.quantiles(self.all, n=100, method="inclusive")[-1]

    def ratios(self, other: "Timed") -> list[float]:
        """Median to the other's median, round by round."""
        return [statistics.median(mine) / statistics.median(its) for mine, its in zip(self.rounds, other.rounds, strict=True)]


def main() -> None:
    """Measure, print, and write docs/benchmarks/serving.md and .json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", type=Path, default=ROOT.parent / "shared")
    parser.add_argument("--rounds", type=int, default=20)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="powerfill") as directory:
        asyncio.run(measure(Path(directory), made(Input("demo", "demo tenant"), NAMED_SEED, given.shared), given.rounds))


async def measure(home: Path, tables: Path, rounds: int) -> None:
    """All of it."""
    registry, run_id, own_run_id = await tenant_with_many_rows(home, tables, ROWS)
    pages = await _measure_pages(registry, home, run_id, own_run_id, rounds)
    exports = {name: await _measure_export(registry, home, run_id, name) for name in ("PARQUET", "CSV", "XLSX")}
    lines = ["# Reading reports", "", *ABOUT.splitlines(), "", described(machine()), ""]
    echo = pages["echo"]
    head = ("what", "median ms", "p99 ms", "target p99", "ratio to echo", "calls")
    lines += table(head, [_page_row(name, timed, echo) for name, timed in pages.items()])
    lines += ["", "## Export", "", *EXPORT_ABOUT.splitlines(), ""]
    head = ("format", "seconds", "target", "MB", "peak memory MB", "target")
    lines += table(head, [_export_row(name, figures) for name, figures in exports.items()])
    write_json(NAME, {"pages": {name: timed.rounds for name, timed in pages.items()}, "exports": exports})
    write_markdown(NAME, lines)


async def _measure_pages(registry: TenantRegistry, home: Path, run_id: str, own_run_id: str, rounds: int) -> dict[str, Timed]:
    async with _report_server(registry, home) as (_, connection), _echo_server(home) as echo:
        stub = ReportServiceStub(connection.channel)

        async def page(page_size: int, token: str) -> Any:
            query = ReportQuery(run_id=run_id, page_size=page_size, page_token=token)
            return await connection.call(stub.GetAllocationGuide, GetAllocationGuideRequest(query=query))

        async def widest() -> Any:
            query = ReportQuery(run_id=own_run_id, page_size=PAGE_ROWS)
            return await connection.call(stub.GetSyntheticOpportunities, GetSyntheticOpportunitiesRequest(query=query))

        first = await page(PAGE_ROWS, "")
        middle = await _token_after(page, ROWS // 2)
        last = await _token_after(page, ROWS - PAGE_ROWS)
        if (await page(PAGE_ROWS, last)).next_page_token:
            raise SystemExit("the last page is not the last")
        payload = b"x" * first.ByteSize()
        calls: Mapping[str, Call] = {
            "echo": lambda: echo(payload),
            "first page": lambda: page(PAGE_ROWS, ""),
            "page in the middle": lambda: page(PAGE_ROWS, middle),
            "last page": lambda: page(PAGE_ROWS, last),
            "widest page": widest,
        }
        for call in calls.values():
            await _timed(call, CALLS_A_ROUND)
        measured = [{name: await _timed(call, CALLS_A_ROUND) for name, call in calls.items()} for _ in range(rounds)]
    return {name: Timed([one[name] for one in measured]) for name in calls}


async def _token_after(page: Callable[[int, str], Awaitable[Any]], rows: int) -> str:
    token = ""
    while rows:
        size = min(rows, PAGE_AT_ONCE)
        token = (await page(size, token)).next_page_token
        rows -= size
    return token


async def _timed(call: Call, times: int) -> list[float]:
    """Milliseconds of each of some calls."""
    taken = []
    for _ in range(times):
        started = time.perf_counter()
        await call()
        taken.append((time.perf_counter() - started) * 1000)
    return taken


async def _measure_export(registry: TenantRegistry, home: Path, run_id: str, form: str) -> dict[str, Any]:
    request = ExportReportRequest(
        report=ReportName.REPORT_NAME_ALLOCATION_GUIDE,
        format=ExportFormat.Value(f"EXPORT_FORMAT_{form}"),
        query=ReportQuery(run_id=run_id),
    )
    seconds: list[float] = []
    size = 0
    async with _report_server(registry, home) as (process_id, connection):
        stub = ReportServiceStub(connection.channel)
        for _ in range(EXPORTS):
            started, size = time.perf_counter(), 0
            async for message in connection.stream(stub.ExportReport, request):
                size += len(message.chunk)
            seconds.append(time.perf_counter() - started)
        return {"seconds": seconds, "megabytes": size / 1e6, "peak_megabytes": peak_kib(process_id) * 1024 / 1e6}


@contextlib.asynccontextmanager
async def _report_server(registry: TenantRegistry, home: Path) -> AsyncIterator[tuple[int, Connection]]:
    """The report service in a process of its own: its id, and a connection of the tenant."""
    address = f"unix:{home}/report.sock"
    settings = {"POWERFILL_REGISTRY": str(registry.path), "POWERFILL_REPORT_ADDRESS": address, "POWERFILL_LOG_LEVEL": "ERROR"}
    with _process(["services.report_service"], settings) as process:
        async with connect(address, tenant_id=TENANT) as connection:
            await connection.wait_until_serving(SERVICE, 30.0)
            yield process.pid, connection


@contextlib.asynccontextmanager
async def _echo_server(home: Path) -> AsyncIterator[Callable[[bytes], Awaitable[bytes]]]:
    """A call of the echo server, which is a process of its own."""
    address = f"unix:{home}/echo.sock"
    with _process(["benchmarks.echo_server", address], {}):
        async with grpc.aio.insecure_channel(address) as channel:
            await asyncio.wait_for(channel.channel_ready(), 30.0)
            call = channel.unary_unary(METHOD, request_serializer=bytes, response_deserializer=bytes)

            async def echo(payload: bytes) -> bytes:
                answer: bytes = await call(payload)
                return answer

            yield echo


@contextlib.contextmanager
def _process(module: Sequence[str], settings: Mapping[str, str]) -> Any:
    process = subprocess.Popen([sys.executable, "-m", *module], env=os.environ | settings)
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


def _page_row(name: str, timed: Timed, echo: Timed) -> list[str]:
    ratios = timed.ratios(echo)
    shown = "1" if name == "echo" else f"{statistics.median(ratios):.1f} ({min(ratios):.1f} to {max(ratios):.1f})"
    target = "-" if name == "echo" else "25"
    return [name, f"{statistics.median(timed.all):.2f}", f"{timed.p99():.2f}", target, shown, str(len(timed.all))]


def _export_row(form: str, figures: Mapping[str, Any]) -> list[str]:
    seconds = figures["seconds"]
    shown = f"{statistics.median(seconds):.2f} ({min(seconds):.2f} to {max(seconds):.2f})"
    target = "2" if form == "PARQUET" else "-"
    return [form.lower(), shown, target, f"{figures['megabytes']:.1f}", f"{figures['peak_megabytes']:.0f}", "200"]


if __name__ == "__main__":
    main()
