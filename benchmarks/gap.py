"""Where the gap between the bound and an allocation is: in the bound, in loans being whole, or in the search.

python -m benchmarks.gap [--shared DIR] [--only NAMES] [--seeds SEEDS]

DIR (by default ../shared) holds tools/make_tenant.py, which makes the inputs, and data/fnma_loans.csv. Each input is optimised
for 10 s and the gap of what was found is split (`gap_parts`). Results are merged into docs/benchmarks/gap.json, so that parts
can be measured apart.
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.allocation import CASES
from benchmarks.children import run_child
from benchmarks.engine_run import load, model_of, posed
from benchmarks.gap_parts import WORTH_SOLVING, OwnMinimum, Split, own_minima, split_gap
from benchmarks.gap_report import report
from benchmarks.inputs import AS_OF, NAMED_SEED, chosen, made, seeds_of
from benchmarks.results import RESULTS, ROOT, Records, code_digest, write_markdown
from services.run_service.domain.options import RunOptions, parse_options
from services.run_service.engine.book import Book
from services.run_service.engine.frames import RunInputs
from services.run_service.engine.optimise.optimal import Effort, optimise
from services.run_service.engine.optimise.problem import AllocationProblem
from services.run_service.engine.optimise.value import gain_units
from services.run_service.engine.warmup import warm_up
from services.run_service.worker.stopping import WorkerStop

NAME, WHAT = "gap", "10s"
KINDS = [case.kind for case in CASES if case.has_lp]
LISTED = 10
"""Trades of the largest parts that a record keeps."""
MOST = 0.9
_CENT = 0.01


def main() -> None:
    """Measure what is asked for, then write the Markdown from everything measured so far."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", type=Path, default=ROOT.parent / "shared")
    parser.add_argument("--only", default="", help=f"inputs, of {','.join(kind.name for kind in KINDS)}")
    parser.add_argument("--seeds", default=str(NAMED_SEED), help="seeds of the generator (default: %(default)s)")
    parser.add_argument("--results", type=Path, default=RESULTS, help="where they go; another directory for trials")
    given = parser.parse_args()
    records, code = Records(NAME, given.results), code_digest()
    options = parse_options({"time_limit": "10"}, AS_OF)
    warm_up()
    for kind in chosen(KINDS, given.only):
        for seed in seeds_of(given.seeds):
            record = measure(load(made(kind, seed, given.shared)), options)
            records.put({"input": kind.name, "seed": seed, "what": WHAT, **record}, code)
            print(f"{kind.name} seed {seed}: gap {record['gap']:,.2f}, integrality {record['integrality']:,.2f}", flush=True)
    write_markdown(NAME, report(KINDS, records), given.results)


def measure(inputs: RunInputs, options: RunOptions) -> dict[str, Any]:
    """Optimise, and take the gap apart. Dollars.

    Raises ArithmeticError if the parts do not sum up to the gap, or the relaxation is not solved.
    """
    book, problem = posed(inputs, options)
    limit_s = None if options.time_limit is None else float(options.time_limit)
    effort = Effort(options.seed, options.work_limit, limit_s)
    found = optimise(problem, effort, WorkerStop(lambda: False), lambda name, taken, bound: None)
    split = split_gap(problem, found.bound, found.taken)
    gain = gain_units(problem, found.taken) / 1e12
    gap = found.bound.gain - gain
    if abs(gap - split.of_trade.sum() - split.left_out) > _CENT:
        raise ArithmeticError(f"the parts sum up to {split.of_trade.sum() + split.left_out}, the gap is {gap}")
    minima = list(own_minima(problem, found.bound, split))
    return {
        "candidate_count": len(problem.trade),
        "bound_kind": found.bound.kind,
        "ended_by": found.ended_by,
        **three_parts(gain, found.bound.gain, relaxed_gain(problem), minima),
        "left_out": split.left_out,
        "trade_count": problem.trade_count,
        "trades_of_most": trades_of(split, MOST),
        "solved": len(minima),
        "unsolved": sum(not one.is_solved for one in minima),
        "unasked": float(split.of_trade[split.of_trade <= WORTH_SOLVING].sum()),
        "worst": [described(book, problem, split, one) for one in minima[:LISTED]],
    }


def relaxed_gain(problem: AllocationProblem) -> float:
    """The gain of the linear relaxation's optimum, dollars, as benchmarks/allocation.py measures it.

    Raises ArithmeticError if the solver does not reach it.
    """
    with tempfile.TemporaryDirectory(prefix="powerfill-benchmark-") as directory:
        model = Path(directory) / "model.npz"
        model_of(problem).save(model)
        told = run_child(Path(sys.executable), "benchmarks.peers.highs", [model, "lp"]).result
    if told["ended_by"] != "Optimal":
        raise ArithmeticError(f"the relaxation is not solved: {told['ended_by']}")
    return float(told["lp_gain"])


def three_parts(gain: float, bound_gain: float, lp_gain: float, minima: Sequence[OwnMinimum]) -> dict[str, float]:
    """The gap in three parts: the bound over the linear relaxation, integrality as far as it is proven, and the rest. Dollars.

    No allocation gains more than the bound less the own minima; how far that is under the relaxation is due to integrality.
    """
    highest = min(lp_gain, bound_gain - sum(one.dollars for one in minima))
    return {
        "lp_gain": lp_gain,
        "gain": gain,
        "gap": bound_gain - gain,
        "bound_over_lp": bound_gain - lp_gain,
        "integrality": lp_gain - highest,
        "rest": highest - gain,
    }


def trades_of(split: Split, share: float) -> int:
    """How many trades, the largest parts first, have this share of what all trades have of the gap."""
    largest_first = np.sort(split.of_trade)[::-1]
    return int(np.searchsorted(np.cumsum(largest_first), share * largest_first.sum())) + 1


def described(book: Book, problem: AllocationProblem, split: Split, own: OwnMinimum) -> dict[str, Any]:
    """A trade with its part of the gap. Dollars; the fill counts lockdowns' loans, the members do not."""
    j = own.trade
    return {
        "trade_id": str(book.trades.ids[j]),
        "instrument": book.trades.instrument[j],
        "lo": int(problem.lo[j]) / 100,
        "hi": int(problem.hi[j]) / 100,
        "fill": int(split.fill[j]) / 100,
        "members": int(split.members[j]),
        "near": own.near,
        "part": float(split.of_trade[j]),
        "own_minimum": own.dollars,
    }


if __name__ == "__main__":
    main()
