"""HiGHS on the allocation model: its linear relaxation, or whole loans for a time. Two threads, otherwise its own settings.

python -m benchmarks.peers.highs MODEL lp|mip [--time-limit-s S]
"""

import argparse
import time
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import highspy
import numpy as np

from benchmarks.peers.model import THREADS, Model, judged, tell

_CENTS_A_UNIT = 1e7
"""Amounts are counted in hundreds of thousands of dollars, so that the numbers of the program are near one."""


def main() -> None:
    """Solve, and print one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("method", choices=("lp", "mip"))
    parser.add_argument("--time-limit-s", type=float, default=60.0)
    given = parser.parse_args()
    model = Model.load(given.model)
    tell(relaxation(model) if given.method == "lp" else whole_loans(model, given.time_limit_s))


def relaxation(model: Model) -> dict[str, Any]:
    """The linear relaxation's optimal gain."""
    program = _program(model)
    return {**program.solve(), "lp_gain": program.gain_at_objective(program.solver.getObjectiveValue())}


def whole_loans(model: Model, time_limit_s: float) -> dict[str, Any]:
    """The best whole-loan solution that HiGHS finds in the time, judged by the model in exact arithmetic."""
    program = _program(model, integral=True)
    program.solver.setOptionValue("time_limit", time_limit_s)
    told = program.solve()
    values = np.array(program.solver.getSolution().col_value)[: len(model.trade)]
    found = program.solver.getInfo().primal_solution_status == int(highspy.SolutionStatus.kSolutionStatusFeasible)
    bound = program.gain_at_objective(program.solver.getInfo().mip_dual_bound)
    return {**told, "mip_bound_gain": bound, **judged(model, np.nonzero(values > 0.5)[0] if found else None)}


@dataclass(frozen=True)
class Program:
    """The model in HiGHS: a column a candidate and one a trade for its shortfall; a row a loan and one a trade."""

    solver: Any
    nothing_usd: float
    """The objective of taking nothing: every shortfall is paired off."""

    def solve(self) -> dict[str, Any]:
        """Run; seconds and how it ended. Raises RuntimeError where it did not run."""
        self.solver.resetGlobalScheduler(True)  # noqa: FBT003 - it refuses other threads than the solver before it had
        started = time.perf_counter()
        ran = self.solver.run()
        seconds = time.perf_counter() - started
        self.solver.resetGlobalScheduler(True)  # noqa: FBT003 - and so would the next
        status = self.solver.modelStatusToString(self.solver.getModelStatus())
        if ran == highspy.HighsStatus.kError:
            raise RuntimeError(f"HiGHS did not run: {status}")
        return {"seconds": round(seconds, 2), "ended_by": status, "solver": f"HiGHS {version('highspy')}"}

    def gain_at_objective(self, objective_usd: float) -> float | None:
        """The gain over taking nothing that a minimised cost means; None for no finite one."""
        return self.nothing_usd - objective_usd if np.isfinite(objective_usd) else None


def _program(model: Model, *, integral: bool = False) -> Program:
    """Minimise pair-offs less gains, dollars."""
    columns, trades, loans = len(model.trade), len(model.room_lo), len(model.amount)
    low, high, weight = (cents / _CENTS_A_UNIT for cents in (model.room_lo, model.room_hi, model.cents))
    gain = model.points.astype(np.float64) * model.cents / 1e12
    shortfall_cost = model.pair_off / 1e12 * _CENTS_A_UNIT
    program = highspy.HighsLp()
    program.num_col_, program.num_row_ = columns + trades, loans + trades
    program.col_cost_ = np.concatenate([-gain, shortfall_cost])
    program.col_lower_, program.col_upper_ = np.zeros(columns + trades), np.concatenate([np.ones(columns), low])
    program.row_lower_ = np.concatenate([np.full(loans, -np.inf), low])
    program.row_upper_ = np.concatenate([np.ones(loans), np.maximum(high, low)])
    entries, values = np.empty(2 * columns + trades, np.int32), np.ones(2 * columns + trades)
    entries[0 : 2 * columns : 2], entries[1 : 2 * columns : 2] = model.loan, loans + model.trade
    values[1 : 2 * columns : 2] = weight
    entries[2 * columns :] = loans + np.arange(trades)
    program.a_matrix_.format_ = highspy.MatrixFormat.kColwise
    program.a_matrix_.start_ = np.concatenate([np.arange(columns) * 2, 2 * columns + np.arange(trades + 1)]).astype(np.int32)
    program.a_matrix_.index_, program.a_matrix_.value_ = entries, values
    if integral:
        kinds = [highspy.HighsVarType.kInteger] * columns + [highspy.HighsVarType.kContinuous] * trades
        program.integrality_ = kinds
    solver: Any = highspy.Highs()  # type: ignore[no-untyped-call]  # highspy ships no annotations
    for option, value in (("output_flag", False), ("threads", THREADS)):
        solver.setOptionValue(option, value)
    solver.passModel(program)
    return Program(solver, float((low * shortfall_cost).sum()))


if __name__ == "__main__":
    main()
