"""The allocation written as a linear or mixed integer program a second time, row by row in dollars, solved by HiGHS."""

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import highspy
import numpy as np

from services.run_service.engine.optimise.problem import AllocationProblem
from services.run_service.engine.optimise.value import gain_units
from shared.money import Int64Array
from tests.unit.run_service.engine.optimise.problems import DOLLAR, assert_feasible


@dataclass(frozen=True)
class Solved:
    """The optimum of a program: dollars over leaving every unlocked loan out, and how much of each candidate is taken."""

    gain: float
    fractions: list[float]


def _solve(problem: AllocationProblem, *, whole: bool) -> Solved:
    solver: Any = highspy.Highs()  # type: ignore[no-untyped-call]  # highspy ships no annotations
    for option, value in (
        ("output_flag", False), ("threads", 1), ("mip_rel_gap", 0.0), ("mip_abs_gap", 0.0), ("mip_feasibility_tolerance", 1e-9),
        ("primal_feasibility_tolerance", 1e-9), ("dual_feasibility_tolerance", 1e-9),
    ):  # fmt: skip
        solver.setOptionValue(option, value)
    dollars = problem.amount / 100
    for c in range(len(problem.loan)):
        i = int(problem.loan[c])
        points = float(problem.net[c] - problem.fallback[i]) / 1e8
        solver.addCol(-points * dollars[i] / 100, 0.0, 0.0 if problem.locked[i] else 1.0, 0, [], [])
    for j in range(problem.trade_count):
        solver.addCol(problem.pair_off[j] / 1e10, 0.0, highspy.kHighsInf, 0, [], [])
    for i in range(problem.loan_count):
        own = list(range(problem.start[i], problem.start[i + 1]))
        if own:
            solver.addRow(-highspy.kHighsInf, 1.0, len(own), own, [1.0] * len(own))
    constant = 0.0
    for j in range(problem.trade_count):
        here = np.nonzero(problem.trade == j)[0]
        lacks = max(0, int(problem.lo[j] - problem.locked_fill[j])) / 100
        room = max(0, int(problem.hi[j] - problem.locked_fill[j])) / 100
        weights = dollars[problem.loan[here]].tolist()
        solver.addRow(-highspy.kHighsInf, room, len(here), here.tolist(), weights)
        solver.addRow(lacks, highspy.kHighsInf, len(here) + 1, [*here.tolist(), len(problem.loan) + j], [*weights, 1.0])
        constant += lacks * float(problem.pair_off[j]) / 1e10
    if whole:
        for c in range(len(problem.loan)):
            solver.changeColIntegrality(c, highspy.HighsVarType.kInteger)
    solver.run()
    assert solver.getModelStatus() == highspy.HighsModelStatus.kOptimal
    values = np.array(solver.getSolution().col_value)[: len(problem.loan)].tolist()
    return Solved(constant - float(solver.getObjectiveValue()), values)


def relaxed_optimum(problem: AllocationProblem) -> float:
    """The most that loans in parts could gain, dollars, up to the solver's tolerances."""
    return _solve(problem, whole=False).gain


def exact_optimum(problem: AllocationProblem) -> tuple[Fraction, Int64Array]:
    """The most that whole loans can gain, dollars, worked out exactly from the solution; and the solution."""
    solved = _solve(problem, whole=True)
    taken = np.full(problem.loan_count, -1, dtype=np.int64)
    chosen = np.nonzero(np.array(solved.fractions) > 0.5)[0]
    taken[problem.loan[chosen]] = chosen
    assert_feasible(problem, taken)
    return Fraction(gain_units(problem, taken), DOLLAR), taken
