"""How good the allocation is, how fast, and how other solvers do on the same model: the table of specification 04 section 1.

python -m benchmarks.allocation [--shared DIR] [--only NAMES] [--seeds SEEDS] [--methods NAMES] [--no-peers | --peers-only]

DIR (by default ../shared) holds tools/make_tenant.py, which makes the inputs, tools/check_export.py, which judges every result
against the linear relaxation, and data/fnma_loans.csv. Everything is measured in a process of its own with kernels loaded.
Results are merged into docs/benchmarks/allocation.json and allocation_peers.json, so that parts can be measured apart; with
`--methods none --no-peers` the Markdown is only written anew. The other solvers need `make bench-peers`.
"""

import argparse
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.allocation_report import report
from benchmarks.checker import ask
from benchmarks.children import run_child
from benchmarks.inputs import REAL_LOANS, SEEDS, Input, bench, chosen, made, seeds_of
from benchmarks.results import RESULTS, ROOT, Records, code_digest, write_markdown

NAME, PEERS_NAME = "allocation", "allocation_peers"
PEERS_PYTHON = ROOT / "build" / "peers" / "bin" / "python"
ENGINE = "benchmarks.engine_run"

METHODS: Mapping[str, tuple[str, ...]] = {
    "passes": ("strategy=PASSES",),
    "2s": ("time_limit=2",),
    "10s": ("time_limit=10",),
    "end": ("time_limit=none",),
    "strict": ("priority_mode=STRICT", "time_limit=10"),
}
"""Run options by the name of what is measured."""

PEERS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "highs-lp": ("benchmarks.peers.highs", ("lp",)),
    "highs-mip": ("benchmarks.peers.highs", ("mip", "--time-limit-s", "60")),
    "cp-sat": ("benchmarks.peers.cp_sat", ("--time-limit-s", "60")),
}
"""Module and arguments after the model's file, by the name of what is measured."""


@dataclass(frozen=True)
class Case:
    """An input of the table, and what is measured on it."""

    kind: Input
    methods: Mapping[str, tuple[str, ...]]
    is_judged: bool = True
    """Whether the checker, which holds every candidate in Python objects, judges the results."""
    has_lp: bool = True
    """Whether it is judged against the linear relaxation, and the other solvers are measured."""


CASES = (
    Case(Input("demo", "demo (defaults)"), METHODS),
    Case(Input("bench", "`--profile bench --loans 12000 --open-trades 300`", bench(12_000, 300)), METHODS),
    Case(Input("tight", "`--profile tight --loans 12000 --open-trades 300`", bench(12_000, 300, "tight")), METHODS),
    Case(Input("real-loans", "`--loans-from data/fnma_loans.csv`", ("--loans-from", REAL_LOANS)), METHODS),
    Case(
        Input("100k", "`--profile bench --loans 100000 --open-trades 1000`", bench(100_000, 1000)),
        {"30s": ("time_limit=30",)},
        has_lp=False,
    ),
    Case(
        Input("1M", "`--profile bench --loans 1000000 --open-trades 1000`", bench(1_000_000, 1000)),
        {"300s": ("time_limit=300",)},
        is_judged=False,
        has_lp=False,
    ),
)


def main() -> int:
    """Measure what is asked for, then write the Markdown from everything measured so far; 1 if a check failed."""
    given = _parser().parse_args()
    methods = {name for case in CASES for name in case.methods}
    wanted = {"none": set(), "": methods}.get(given.methods, set(given.methods.split(",")))
    if not wanted <= methods:
        sys.exit(f"{given.methods}: choose among {', '.join(sorted(methods))}, or none")
    if not given.no_peers and not PEERS_PYTHON.exists():
        sys.exit("the other solvers' environment is not there: `make bench-peers` makes it, --no-peers measures without them")
    ours, peers = Records(NAME, given.results), Records(PEERS_NAME, given.results)
    code = code_digest()
    failures = 0
    for case, seed in _chosen_cases(given.only, given.seeds):
        for method in () if given.peers_only else [name for name in case.methods if name in wanted]:
            failures += not measure(case, seed, method, made(case.kind, seed, given.shared), given.shared, ours, code)
        if case.has_lp and not given.no_peers:
            measure_peers(case, seed, made(case.kind, seed, given.shared), peers, code)
    write_markdown(NAME, report([case.kind for case in CASES], ours, peers), given.results)
    return 1 if failures else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", type=Path, default=ROOT.parent / "shared")
    parser.add_argument("--only", default="", help=f"inputs, of {','.join(case.kind.name for case in CASES)}")
    parser.add_argument("--seeds", default=",".join(map(str, SEEDS)), help="seeds of the generator (default: %(default)s)")
    parser.add_argument("--methods", default="", help=f"of {','.join(METHODS)},30s,300s, or none")
    parser.add_argument("--results", type=Path, default=RESULTS, help="where they go; another directory for trials")
    alternatives = parser.add_mutually_exclusive_group()
    alternatives.add_argument("--no-peers", action="store_true", help="without the other solvers")
    alternatives.add_argument("--peers-only", action="store_true", help="the other solvers alone")
    return parser


def _chosen_cases(only: str, seeds: str) -> Iterator[tuple[Case, int]]:
    """Every chosen case with every chosen seed."""
    names = {kind.name for kind in chosen([case.kind for case in CASES], only)}
    for case in CASES:
        if case.kind.name in names:
            yield from ((case, seed) for seed in seeds_of(seeds))


def measure(case: Case, seed: int, method: str, tables: Path, shared: Path, records: Records, code: str) -> bool:
    """One run of the engine, and the checker's verdict on it; whether that is good."""
    options = [part for option in case.methods[method] for part in ("--option", option)]
    with tempfile.TemporaryDirectory(prefix="powerfill-benchmark-") as directory:
        export = Path(directory) / "export"
        exported = ["--export", str(export)] if case.is_judged else []
        child = run_child(Path(sys.executable), ENGINE, [tables, *options, *exported])
        verdict = ask(shared, tables, export, lp=case.has_lp) if case.is_judged else None
    record = {"input": case.kind.name, "seed": seed, "what": method, **child.result}
    record |= {"peak_gib": round(child.peak_gib, 3), "peak_by": child.peak_by}
    if verdict:
        record |= verdict.to_json()
    records.put(record, code)
    phases = ", ".join(f"{name} {seconds:.1f}" for name, seconds in record["phases_s"].items())
    judged = "not judged" if not verdict else "all checks hold" if verdict.holds else verdict.complaints
    print(f"{case.kind.name} seed {seed} {method}: {phases} s; {child.peak_gib:.2f} GiB; {judged}", flush=True)
    return verdict is None or verdict.holds


def measure_peers(case: Case, seed: int, tables: Path, records: Records, code: str) -> None:
    """Every other solver on the case's model."""
    with tempfile.TemporaryDirectory(prefix="powerfill-benchmark-") as directory:
        model = Path(directory) / "model.npz"
        run_child(Path(sys.executable), ENGINE, [tables, "--model", model])
        for name, (module, arguments) in PEERS.items():
            child = run_child(PEERS_PYTHON, module, [model, *arguments])
            record = {"input": case.kind.name, "seed": seed, "what": name, **child.result}
            records.put(record | {"peak_gib": round(child.peak_gib, 3), "peak_by": child.peak_by}, code)
            print(f"{case.kind.name} seed {seed} {name}: {child.result}; {child.peak_gib:.2f} GiB", flush=True)


if __name__ == "__main__":
    sys.exit(main())
