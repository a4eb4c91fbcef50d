"""Time and memory of a whole run from database to database, and how they grow: the table of specification 04 section 2.

python -m benchmarks.run [--shared DIR] [--only NAMES] [--seeds SEEDS]

DIR (by default ../shared) holds tools/make_tenant.py, which makes the inputs. A tenant is loaded into SQLite, the run service
started in processes of its own, and runs are executed over gRPC until the event `finished`. Results are merged into
docs/benchmarks/run.json, so that parts can be measured apart.
"""

import argparse
import asyncio
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.inputs import NAMED_SEED, Input, bench, chosen, made, seeds_of
from benchmarks.results import FIGURES, RESULTS, ROOT, Records, code_digest, write_markdown
from benchmarks.run_report import GROWTH, report
from benchmarks.whole_runs import DATABASE, load_tenant, options_for, serving
from cli.wire import summary_json

NAME = "run"
SEEDS = (NAMED_SEED, 1, 2)
OPEN_TRADES = 1000


@dataclass(frozen=True)
class Case:
    """An input of the table, its improvement's time limit, and how often it is executed after a first time."""

    kind: Input
    time_limit_s: str
    repeats: int = 0


def _bench_title(loans: int) -> str:
    return f"{loans:,} loans, {OPEN_TRADES:,} open trades"


CASES = (
    Case(Input("demo", "demo tenant, improvement limited to 2 s"), "2", repeats=4),
    Case(Input("100k", f"{_bench_title(100_000)}, 30 s of improvement", bench(100_000, OPEN_TRADES)), "30", repeats=1),
    Case(Input("1M", f"{_bench_title(1_000_000)}, 300 s of improvement", bench(1_000_000, OPEN_TRADES)), "300"),
    *(Case(Input(name, _bench_title(loans), bench(loans, OPEN_TRADES)), "0", repeats=1) for name, loans in GROWTH.items()),
)


def main() -> None:
    """Measure what is asked for, then write the Markdown from everything measured so far."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", type=Path, default=ROOT.parent / "shared")
    parser.add_argument("--only", default="", help=f"inputs, of {','.join(case.kind.name for case in CASES)}")
    parser.add_argument("--seeds", default=",".join(map(str, SEEDS)), help="seeds of the generator (default: %(default)s)")
    parser.add_argument("--results", type=Path, default=RESULTS, help="where they go; another directory for trials")
    given = parser.parse_args()
    records, code = Records(NAME, given.results), code_digest()
    names = {kind.name for kind in chosen([case.kind for case in CASES], given.only)}
    for case in (case for case in CASES if case.kind.name in names):
        for seed in seeds_of(given.seeds):
            record = asyncio.run(measure(case, made(case.kind, seed, given.shared)))
            records.put({"input": case.kind.name, "seed": seed, "what": "sqlite", **record}, code)
            print(f"{case.kind.name} seed {seed}: {record}", flush=True)
    write_markdown(NAME, report([case.kind for case in CASES], records), given.results)


async def measure(case: Case, tables: Path) -> dict[str, Any]:
    """Load the tenant, start the service, execute the runs; steps are those of the last run."""
    with tempfile.TemporaryDirectory(prefix="powerfill-benchmark-") as directory:
        home = Path(directory)
        registry = await load_tenant(home, tables)
        async with serving(registry) as service:
            runs = [await service.run(options_for(case.time_limit_s)) for _ in range(1 + case.repeats)]
            peak_gib = service.peak_gib()
        database_gib = _database_gib(home)
    last = runs[-1]
    summary = summary_json(last.run.summary)
    return {
        "first_s": round(runs[0].seconds, 3),
        "next_s": [round(one.seconds, 3) for one in runs[1:]],
        "steps_s": {step: round(last.step_s(step), 3) for step in sorted(last.run.summary.step_durations)},
        "passes_s": round(last.passes_s, 3),
        **{name: summary[name] for name in FIGURES},
        "peak_gib": round(peak_gib, 3),
        "database_gib": round(database_gib, 3),
    }


def _database_gib(home: Path) -> float:
    """The SQLite file and those beside it."""
    return sum(file.stat().st_size for file in home.glob(f"{DATABASE}*")) / 2**30


if __name__ == "__main__":
    main()
