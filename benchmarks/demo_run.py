"""How long the demo tenant's run takes: the engine's parts, and a whole run from database to database over gRPC.

python benchmarks/demo_run.py [--runs N]
"""

import argparse
import asyncio
import datetime as dt
import tempfile
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
from google.type.decimal_pb2 import Decimal as DecimalMessage
from powerfill.common.v1.run_options_pb2 import RunOptions as RunOptionsMessage
from powerfill.common.v1.run_status_pb2 import RUN_STATUS_COMPLETE
from powerfill.run.v1 import run_service_pb2 as pb
from powerfill.run.v1.run_pb2 import Run
from powerfill.run.v1.run_service_pb2_grpc import RunServiceStub

from benchmarks.results import Measured, publish
from cli.demo.generate import demo_tables, write_tables
from services.run_service.app import running
from services.run_service.domain.options import RunOptions, Strategy
from services.run_service.domain.run import Step
from services.run_service.engine.frames import RunInputs, conform, empty_inputs
from services.run_service.engine.opening import open_book
from services.run_service.engine.pipeline import run_pipeline
from services.run_service.engine.pricing import Pricer
from services.run_service.engine.progress import Progress
from services.run_service.engine.steps.candidates import build_candidates
from services.run_service.engine.stop import Stop
from services.run_service.engine.warmup import warm_up
from services.run_service.settings import Settings
from shared.database.load import load
from shared.database.migrate import migrate
from shared.rpc.client import Connection, connect
from shared.tenancy.connections import TenantConnections
from shared.tenancy.registry import TenantRegistry

if TYPE_CHECKING:
    from powerfill.run.v1.run_service_pb2_grpc import RunServiceAsyncStub

AS_OF = dt.date(2026, 4, 17)
TENANT = "demo"


def main() -> None:
    """Measure and publish."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--runs", type=int, default=5, help="how often each thing is measured")
    runs: int = arguments.parse_args().runs
    tables = demo_tables(AS_OF)
    engine_rows, facts = measure_engine(tables, runs)
    whole_rows = asyncio.run(measure_whole_runs(tables, runs))
    about = (
        "The demo tenant (`powerfill demo`: 11,674 loans, 300 open trades). Engine rows: in one process, kernels loaded. "
        "Whole runs: `ExecuteRun` over gRPC on a SQLite tenant until the event `finished`, worker process warm."
    )
    publish("demo_run", "The demo tenant's run", about, [*engine_rows, *whole_rows], facts)


def measure_engine(tables: dict[str, pl.DataFrame], runs: int) -> tuple[list[Measured], dict[str, str]]:
    """Candidate building and the pipeline under both strategies."""
    warm_up()
    inputs = RunInputs({**empty_inputs(), **{name: conform(name, frame)[0] for name, frame in tables.items()}})
    optimal = RunOptions(as_of_date=AS_OF, time_limit=None)
    passes = RunOptions(as_of_date=AS_OF, strategy=Strategy.PASSES)
    book = open_book(inputs, optimal, lambda finding: None)
    result = run_pipeline(inputs, optimal, Progress(), Stop())
    summary = result.summary
    rows = [
        measured("candidate building (step 3)", runs, lambda: build_candidates(book, Pricer(book), Progress(), Stop())),
        measured("six steps, strategy PASSES", runs, lambda: run_pipeline(inputs, passes, Progress(), Stop())),
        measured(
            "six steps, strategy OPTIMAL until it converges", runs, lambda: run_pipeline(inputs, optimal, Progress(), Stop())
        ),
    ]
    gain = Decimal(summary["value"]) - Decimal(summary["baseline_value"])
    bound = Decimal(summary["upper_bound"]) - Decimal(summary["baseline_value"])
    passes_gain = Decimal(summary["passes_value"]) - Decimal(summary["baseline_value"])
    return rows, {
        "candidates": f"{summary['candidate_count']:,}",
        "gain of OPTIMAL over leaving every loan out, of the bound's": f"{100 * gain / bound:.2f} % ({summary['ended_by']})",
        "gain of PASSES, of the bound's": f"{100 * passes_gain / bound:.2f} %",
        "gap": f"${Decimal(summary['gap_amount']):,} or {summary['gap_bp']} bp of the in-scope balance",
    }


def measured(name: str, runs: int, action: Callable[[], object]) -> Measured:
    """Wall-clock seconds of an action, several times."""
    values = []
    for _ in range(runs):
        started = time.perf_counter()
        action()
        values.append(time.perf_counter() - started)
    return Measured(name, "s", values)


async def measure_whole_runs(tables: dict[str, pl.DataFrame], runs: int) -> list[Measured]:
    """Runs over gRPC on a freshly loaded SQLite tenant, by options, and the steps of those with the default options."""
    with tempfile.TemporaryDirectory(prefix="powerfill-benchmark-") as directory:
        home = Path(directory)
        write_tables(tables, home / "tables")
        registry = TenantRegistry(home / "tenants.yaml")
        registry.add(TENANT, f"sqlite+aiosqlite:///{home / 'demo.db'}")
        async with TenantConnections(registry) as connections:
            database = await connections.database(TENANT)
            await migrate(database)
            await load(database, home / "tables", "benchmark")
        settings = Settings(registry=registry.path, run_address="127.0.0.1:0", log_level="ERROR")
        async with running(settings) as server, connect(server.address, tenant_id=TENANT) as connection:
            stub = RunServiceStub(connection.channel)
            first = await one_run(connection, stub, options_for(None))
            default = [await one_run(connection, stub, options_for(None)) for _ in range(runs)]
            limited = [await one_run(connection, stub, options_for("2")) for _ in range(runs)]
    rows = [
        Measured("whole run, the first after the server's start", "s", [first[0]]),
        Measured("whole run, default options", "s", [seconds for seconds, _ in default]),
        Measured("whole run, improvement limited to 2 s", "s", [seconds for seconds, _ in limited]),
    ]
    for step in (step for step in Step if step in default[0][1].summary.step_durations):
        values = [run.summary.step_durations[step].ToTimedelta().total_seconds() for _, run in default]
        rows.append(Measured(f"step {step} of it", "s", values))
    return rows


def options_for(time_limit_s: str | None) -> RunOptionsMessage:
    """The run's options: as of the tables' day, with or without another time limit."""
    options = RunOptionsMessage(time_limit=DecimalMessage(value=time_limit_s) if time_limit_s else None)
    options.as_of_date.year, options.as_of_date.month, options.as_of_date.day = AS_OF.year, AS_OF.month, AS_OF.day
    return options


async def one_run(connection: Connection, stub: "RunServiceAsyncStub", options: RunOptionsMessage) -> tuple[float, Run]:
    """Seconds from the call to the event `finished`, and the run."""
    started = time.perf_counter()
    run_id = ""
    async for message in connection.stream(stub.ExecuteRun, pb.ExecuteRunRequest(options=options)):
        run_id = message.event.run_id or run_id
    seconds = time.perf_counter() - started
    run: Run = (await connection.call(stub.GetRun, pb.GetRunRequest(run_id=run_id))).run
    if run.status != RUN_STATUS_COMPLETE:
        raise SystemExit(f"run {run_id} ended as {run.status}: {run.failure.message}")
    return seconds, run


if __name__ == "__main__":
    main()
