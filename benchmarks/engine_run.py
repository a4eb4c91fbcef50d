"""One run of the engine, measured: a process that loads tables, warms the kernels, executes the steps and prints JSON.

    python -m benchmarks.engine_run TABLES [--option NAME=VALUE ...] [--export DIR] [--model FILE]

`--export` leaves what the independent checker reads; `--model` writes the allocation model for other solvers instead of running.
"""

import argparse
import json
import time
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from benchmarks.inputs import AS_OF
from benchmarks.memory import peak_kib
from benchmarks.peers.model import Model
from benchmarks.results import FIGURES
from services.run_service.domain.options import RunOptions, parse_options
from services.run_service.domain.run import Step
from services.run_service.engine.book import Book
from services.run_service.engine.frames import RunInputs, conform, empty_inputs
from services.run_service.engine.opening import open_book
from services.run_service.engine.optimise.problem import AllocationProblem, pose, price_locks
from services.run_service.engine.pipeline import run_pipeline
from services.run_service.engine.pricing import Pricer
from services.run_service.engine.progress import Progress
from services.run_service.engine.result import RunResult
from services.run_service.engine.steps.candidates import build_candidates
from services.run_service.engine.stop import Stop
from services.run_service.engine.warmup import warm_up
from services.run_service.worker.stopping import WorkerStop

EXPORTED = {
    "allocation_guide": "pfill_powerfill_guide",
    "kickouts": "pfill_kickout_guide_01",
    "trade_recap": "pfill_trade_base",
}
"""The reports that the checker reads, by the names of their files."""
CURVE_POINTS = 40


def main() -> None:
    """Measure, and print one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tables", type=Path)
    parser.add_argument("--option", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--export", type=Path)
    parser.add_argument("--model", type=Path)
    given = parser.parse_args()
    inputs = load(given.tables)
    options = parse_options(dict(option.split("=", 1) for option in given.option), AS_OF)
    if given.model:
        model = allocation_model(inputs, options)
        model.save(given.model)
        result = {"candidate_count": len(model.trade)}
    else:
        result = measured_run(inputs, options, given.export)
    print(json.dumps(result | {"peak_kib": peak_kib()}))


def load(directory: Path) -> RunInputs:
    """The tables of a directory as a run would read them from a database."""
    tables = empty_inputs()
    unreadable: dict[str, int] = {}
    for path in sorted(directory.glob("*.parquet")):
        tables[path.stem], lost = conform(path.stem, pl.read_parquet(path))
        unreadable |= {f"{path.stem}.{column}": count for column, count in lost.items()}
    return RunInputs(tables, unreadable=unreadable)


def measured_run(inputs: RunInputs, options: RunOptions, export: Path | None) -> dict[str, Any]:
    """Seconds of each phase, the figures of the summary, and the improvement's value over time."""
    warm_up()
    timeline = Timeline()
    result = run_pipeline(inputs, options, timeline, timeline.stop)
    phases = timeline.phases(time.perf_counter())
    if export:
        write_export(result, options, export)
    return {
        "phases_s": {name: round(seconds, 3) for name, seconds in phases.items()},
        **{name: result.summary[name] for name in FIGURES},
        "curve": thinned(timeline.curve, CURVE_POINTS),
    }


class Timeline(Progress):
    """When the steps and the improvement phase began and ended, and how the value grew."""

    def __init__(self) -> None:
        self.started_s = time.perf_counter()
        self.at_s: dict[str, float] = {}
        self.stop = _TimedStop(self)
        self.curve: list[tuple[float, str, str]] = []
        """Seconds of improvement, value, bound."""

    def step_started(self, step: Step) -> None:
        """Remember when."""
        self.at_s[f"{step} started"] = time.perf_counter()

    def step_completed(self, step: Step, row_count: int) -> None:
        """Remember when."""
        self.at_s[f"{step} completed"] = time.perf_counter()

    def pass_completed(self, name: str, value: Decimal, upper_bound: Decimal | None, allocated_count: int) -> None:
        """A point of the curve, once the improvement phase has begun."""
        now_s = time.perf_counter()
        self.at_s.setdefault(f"pass {name}", now_s)
        if "improvement" in self.at_s:
            self.curve.append((round(now_s - self.at_s["improvement"], 3), str(value), str(upper_bound)))

    def phases(self, ended_s: float) -> dict[str, float]:
        """Seconds by phase; `bound` is all of step 4 before the improvement phase but for PASSES's value, told as `passes`."""
        at_s = self.at_s
        build, built = at_s[f"{Step.CANDIDATE_BUILDER} started"], at_s[f"{Step.CANDIDATE_BUILDER} completed"]
        decide, decided = at_s[f"{Step.ALLOCATION} started"], at_s[f"{Step.ALLOCATION} completed"]
        improve = at_s.get("improvement", decided)
        passes = min(at_s.get("pass passes", decide), improve)
        return {
            "opening": build - self.started_s,
            "candidates": built - build,
            "passes": passes - decide,
            "bound": improve - passes,
            "improvement": decided - improve,
            "tables": ended_s - decided,
            "all": ended_s - self.started_s,
        }


class _TimedStop(WorkerStop):
    """A worker's stop criterion that nobody cancels; tells the timeline when the improvement phase begins."""

    def __init__(self, timeline: Timeline) -> None:
        super().__init__(lambda: False)
        self._timeline = timeline

    def start_improvement(self, time_limit_s: float | None) -> None:
        """The improvement phase begins, in STRICT with its first tier."""
        self._timeline.at_s.setdefault("improvement", time.perf_counter())
        super().start_improvement(time_limit_s)


def thinned(points: Sequence[tuple[float, str, str]], most: int) -> list[tuple[float, str, str]]:
    """At most so many of the points, evenly taken, the first and the last among them."""
    if len(points) <= most:
        return list(points)
    return [points[index] for index in np.linspace(0, len(points) - 1, most).round().astype(int)]


def write_export(result: RunResult, options: RunOptions, directory: Path) -> None:
    """What the checker reads of an export: three reports, and run.json with options and summary."""
    directory.mkdir(parents=True, exist_ok=True)
    for report, table in EXPORTED.items():
        result.tables[table].write_parquet(directory / f"{report}.parquet")
    run: Mapping[str, Any] = {"options": options.to_json(), "summary": result.summary}
    (directory / "run.json").write_text(json.dumps(run))


def posed(inputs: RunInputs, options: RunOptions) -> tuple[Book, AllocationProblem]:
    """A run's steps up to the allocation problem."""
    book = open_book(inputs, options, lambda finding: None, Stop())
    pricer = Pricer(book)
    candidates, synthetic, _ = build_candidates(book, pricer, Progress(), Stop())
    return book, pose(book, candidates, synthetic, price_locks(book, pricer), Stop())


def model_of(problem: AllocationProblem) -> Model:
    """The allocation model in what lockdowns leave: unlocked loans, their candidates, the room of the trades."""
    kept = np.nonzero(~problem.locked[problem.loan])[0]
    loan = problem.loan[kept]
    return Model(
        amount=problem.amount,
        room_lo=np.maximum(0, problem.lo - problem.locked_fill),
        room_hi=np.maximum(0, problem.hi - problem.locked_fill),
        pair_off=problem.pair_off,
        start=np.searchsorted(loan, np.arange(len(problem.amount) + 1)),
        trade=problem.trade[kept].astype(np.int64),
        points=problem.net[kept] - problem.fallback[loan],
    )


def allocation_model(inputs: RunInputs, options: RunOptions) -> Model:
    """The allocation model of a run."""
    _, problem = posed(inputs, options)
    return model_of(problem)


if __name__ == "__main__":
    main()
