"""How long the demo tenant's run takes: the engine's parts, and a whole run from database to database over gRPC.

python -m benchmarks.demo_run [--runs N]
"""

import argparse
import asyncio
import tempfile
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import polars as pl

from benchmarks.inputs import AS_OF
from benchmarks.results import Measured, publish
from benchmarks.whole_runs import load_tenant, options_for, serving
from cli.demo.generate import demo_tables, write_tables
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
from services.run_service.worker.stopping import WorkerStop


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
        "Whole runs: `ExecuteRun` over gRPC on a SQLite tenant until the event `finished`, service in processes of its own."
    )
    publish("demo_run", "The demo tenant's run", about, [*engine_rows, *whole_rows], facts)


def measure_engine(tables: dict[str, pl.DataFrame], runs: int) -> tuple[list[Measured], dict[str, str]]:
    """Candidate building and the pipeline under both strategies."""
    warm_up()
    inputs = RunInputs({**empty_inputs(), **{name: conform(name, frame)[0] for name, frame in tables.items()}})
    optimal = RunOptions(as_of_date=AS_OF, time_limit=Decimal(2))
    passes = RunOptions(as_of_date=AS_OF, strategy=Strategy.PASSES)
    book = open_book(inputs, optimal, lambda finding: None, Stop())
    result = run_pipeline(inputs, optimal, Progress(), WorkerStop(lambda: False))
    summary = result.summary
    rows = [
        measured("candidate building (step 3)", runs, lambda: build_candidates(book, Pricer(book), Progress(), Stop())),
        measured("six steps, strategy PASSES", runs, lambda: run_pipeline(inputs, passes, Progress(), Stop())),
        measured(
            "six steps, strategy OPTIMAL, 2 s of improvement",
            runs,
            lambda: run_pipeline(inputs, optimal, Progress(), WorkerStop(lambda: False)),
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
        registry = await load_tenant(home, home / "tables")
        async with serving(registry) as service:
            first = await service.run(options_for(None))
            default = [await service.run(options_for(None)) for _ in range(runs)]
            limited = [await service.run(options_for("2")) for _ in range(runs)]
    rows = [
        Measured("whole run, the first after the server's start", "s", [first.seconds]),
        Measured("whole run, default options", "s", [one.seconds for one in default]),
        Measured("whole run, improvement limited to 2 s", "s", [one.seconds for one in limited]),
    ]
    steps = (step for step in Step if step in default[0].run.summary.step_durations)
    return rows + [Measured(f"step {step} of it", "s", [one.step_s(step) for one in default]) for step in steps]


if __name__ == "__main__":
    main()
