"""OR-tools CP-SAT on the allocation model, for a time. Two workers, otherwise its own settings.

    python -m benchmarks.peers.cp_sat MODEL [--time-limit-s S]

Apart from HiGHS, since OR-tools brings a HiGHS of its own and one process cannot load both.
"""

import argparse
import time
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.peers.model import THREADS, Integers, Model, judged, tell

_CENTS_A_DOLLAR = 100
_GAIN_UNITS = 100_000
"""Gains are counted in 1e-7 dollars, which are so many of 1e-12 dollars."""


def main() -> None:
    """Solve, and print one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("--time-limit-s", type=float, default=60.0)
    given = parser.parse_args()
    tell(whole_loans(Model.load(given.model), given.time_limit_s))


@dataclass(frozen=True)
class IntegerModel:
    """The model with the integer coefficients that CP-SAT takes.

    Amounts and bands stay cents, so that its solutions keep the rules exactly. Shortfalls are counted in whole dollars, rounded
    up, and gains in 1e-7 dollars, so that the greatest possible sum stays far below 2^63.
    """

    gain: Integers
    """Of each candidate, 1e-7 dollars."""
    shortfall_cost: Integers
    """Of each trade, 1e-7 dollars a whole dollar."""
    most_short: Integers
    """Of each trade, whole dollars."""


def integer_model(model: Model) -> IntegerModel:
    """Round the model's coefficients."""
    exact = model.points.astype(object) * model.cents.astype(object)
    return IntegerModel(
        gain=np.array([_rounded(units, _GAIN_UNITS) for units in exact], dtype=np.int64),
        shortfall_cost=np.array([_rounded(cost * _CENTS_A_DOLLAR, _GAIN_UNITS) for cost in model.pair_off.tolist()], np.int64),
        most_short=-(-model.room_lo // _CENTS_A_DOLLAR),
    )


def _rounded(units: int, step: int) -> int:
    return (2 * units + step) // (2 * step)


def whole_loans(model: Model, time_limit_s: float) -> dict[str, Any]:
    """The best solution that CP-SAT finds in the time, judged by the model in exact arithmetic."""
    from ortools.sat.python import cp_model  # type: ignore[import-not-found]  # noqa: PLC0415 - only in the peers' environment

    started = time.perf_counter()
    whole = integer_model(model)
    program = cp_model.CpModel()
    taken = [program.new_bool_var("") for _ in range(len(model.trade))]
    short = [program.new_int_var(0, most, "") for most in whole.most_short.tolist()]
    for first, last in zip(model.start[:-1].tolist(), model.start[1:].tolist(), strict=True):
        if last > first:
            program.add_at_most_one(taken[first:last])
    cents = model.cents
    by_trade = np.argsort(model.trade, kind="stable")
    ends = np.searchsorted(model.trade[by_trade], np.arange(len(short) + 1))
    for j, shortfall in enumerate(short):
        mine = by_trade[ends[j] : ends[j + 1]]
        filled = cp_model.LinearExpr.weighted_sum([taken[c] for c in mine.tolist()], cents[mine].tolist())
        program.add(filled <= int(model.room_hi[j]))
        program.add(filled + _CENTS_A_DOLLAR * shortfall >= int(model.room_lo[j]))
    earned = cp_model.LinearExpr.weighted_sum(taken, whole.gain.tolist())
    program.maximize(earned - cp_model.LinearExpr.weighted_sum(short, whole.shortfall_cost.tolist()))
    building_s = time.perf_counter() - started
    solver = cp_model.CpSolver()
    solver.parameters.max_time_in_seconds = time_limit_s
    solver.parameters.num_workers = THREADS
    started = time.perf_counter()
    status = solver.solve(program)
    seconds = time.perf_counter() - started
    found = status in (cp_model.OPTIMAL, cp_model.FEASIBLE)
    chosen = np.nonzero([solver.boolean_value(one) for one in taken])[0] if found else None
    told = {"seconds": round(seconds, 2), "building_s": round(building_s, 2), "ended_by": solver.status_name(status)}
    return {**told, "solver": f"OR-tools CP-SAT {version('ortools')}", **judged(model, chosen)}


if __name__ == "__main__":
    main()
