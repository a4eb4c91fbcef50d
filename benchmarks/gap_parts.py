"""What the gap between the bound and an allocation is made of, trade by trade, and how little of it any allocation can have.

At the bound's prices the gap is a sum of terms that are none of them negative (`optimise.places`, `bands.slack_cost`):

    gap  =  sum over trades  (regrets of the loans on it + slack cost of its fill)  +  regrets of the loans left out

1. A trade's part of the gap depends on which loans are on it and on nothing else. Forget that a loan can be on one trade only,
   and every trade chooses a set of whole loans alone: its own minimum, a knapsack. The sum of the own minima is no more than the
   gap of any allocation (Lagrangian decomposition; the price of a loan is its best worth).
2. For parts of loans all own minima are 0 at prices that reach the linear relaxation's optimum: that optimum has no gap, so no
   trade has a part of it. What the sum is over 0 is there because loans are whole.
3. A set with a loan of more regret than the trade's part of the gap costs more than the set that is there, so it is not the least
   one: such loans are left out of the knapsack. A trade whose part is small is not solved; its minimum is taken to be 0.
4. Of the solver's answer the dual bound is taken, not the set it found: however early it stops, that is no more than the minimum.
   It is as exact as HiGHS's feasibility tolerance, here 1e-9 of a hundred thousand dollars of fill.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import highspy
import numpy as np

from services.run_service.engine.optimise.bands import FloatArray, slack_cost
from services.run_service.engine.optimise.bound import Bound
from services.run_service.engine.optimise.problem import AllocationProblem
from services.run_service.engine.optimise.relaxation import gains, new_highs, run_highs
from services.run_service.engine.optimise.value import Allocation, filled
from shared.money import Int64Array

WORTH_SOLVING = 1.0
"""Dollars of the gap a trade must have for its own minimum to be looked for."""
_UNFOUND = 0.5
"""Dollars by which a solver's dual bound may stay under the minimum."""
_NODES = 20_000
"""Branch-and-bound nodes of one knapsack at most."""
_TOLERANCE = 1e-9
_ROUNDING = 1e-6
"""Dollars by which sums of floating-point numbers may differ."""
_AMOUNT_UNIT = 1e7
"""Cents to hundreds of thousands of dollars, so that the program's numbers are near one."""


@dataclass(frozen=True)
class Split:
    """The parts of an allocation's gap, dollars."""

    regret: FloatArray
    """Of each candidate: how much less it is worth at the prices than its loan's best place; infinite for locked loans'."""
    members: Int64Array
    """Loans on each trade, without locked ones."""
    fill: Int64Array
    """Of each trade, cents, lockdowns' included."""
    of_trade: FloatArray
    left_out: float
    """Regrets of the loans left out."""


@dataclass(frozen=True)
class OwnMinimum:
    """The least part of the gap that a trade could have if all loans were free for it."""

    trade: int
    near: int
    """Loans that may be in the set."""
    dollars: float
    """The minimum, proven: no more than it."""
    is_solved: bool
    """The solver ended within half a dollar of it, and not at its limit of nodes."""


def split_gap(problem: AllocationProblem, bound: Bound, taken: Int64Array) -> Split:
    """The parts of the gap of an allocation (the candidate each loan takes; -1: none)."""
    price = bound.room_price / 100.0
    regret, best = _regrets(problem, price)
    placed = np.nonzero(taken >= 0)[0]
    fill = filled(problem, Allocation(taken, taken))
    at = problem.trade[taken[placed]]
    of_trade: FloatArray = np.zeros(problem.trade_count)
    np.add.at(of_trade, at, regret[taken[placed]])
    top = np.maximum(problem.hi, problem.locked_fill)  # what lockdowns overfill is no room that could be used
    for j in range(problem.trade_count):
        of_trade[j] += slack_cost(int(fill[j]), int(problem.lo[j]), int(top[j]), problem.pair_off[j] / 1e12, price[j])
    return Split(
        regret=regret,
        members=np.bincount(at, minlength=problem.trade_count).astype(np.int64),
        fill=fill,
        of_trade=of_trade,
        left_out=float(best[(taken < 0) & ~problem.locked].sum()),
    )


def _regrets(problem: AllocationProblem, price: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Regret of each candidate, and the best worth of each loan at prices in dollars a cent; the outside is worth 0."""
    worth = gains(problem, np.arange(len(problem.trade))) - price[problem.trade] * problem.amount[problem.loan]
    best = np.zeros(problem.loan_count)
    np.maximum.at(best, problem.loan, worth)
    return np.where(problem.locked[problem.loan], np.inf, best[problem.loan] - worth), best


def own_minima(problem: AllocationProblem, bound: Bound, split: Split) -> Iterator[OwnMinimum]:
    """The own minimum of every trade whose part is worth solving, the largest part first."""
    by_trade = np.argsort(problem.trade, kind="stable")
    start = np.searchsorted(problem.trade[by_trade], np.arange(problem.trade_count + 1))
    for j in np.argsort(-split.of_trade, kind="stable").tolist():
        part = float(split.of_trade[j])
        if part <= WORTH_SOLVING:
            break
        mine = by_trade[start[j] : start[j + 1]]
        near = mine[split.regret[mine] <= part + _ROUNDING]
        least, is_solved = part, True
        if len(near):
            least, is_solved = _least(_knapsack(problem, j, float(bound.room_price[j]), near, split.regret[near]))
        yield OwnMinimum(j, len(near), min(part, max(0.0, least)), is_solved)


def _least(solver: Any) -> tuple[float, bool]:
    """What the solver proves, at least that the minimum is not negative, and whether it closed its gap."""
    run_highs(solver, lambda: False)
    proven = float(solver.getInfo().mip_dual_bound)
    return proven if np.isfinite(proven) else 0.0, solver.getModelStatus() == highspy.HighsModelStatus.kOptimal


def _knapsack(problem: AllocationProblem, j: int, price: float, near: Int64Array, regret: FloatArray) -> Any:
    """Minimise the regrets of the loans taken and the slack cost of the fill.

    The room left unused, top - fill, is a first piece down to lo, each dollar at the price, and a second one under lo, each
    dollar at price + pair-off. The second costs no less than the first, so the first is used up before it. For a negative price
    the slack cost counts from lo: it is 0 where the first piece is all unused.
    """
    locked = int(problem.locked_fill[j])
    low, top = max(int(problem.lo[j]), locked), max(int(problem.hi[j]), locked)
    pieces = np.array([top - low, low - locked]) / _AMOUNT_UNIT
    costs = (price + np.array([0.0, problem.pair_off[j] / 1e10])) * _AMOUNT_UNIT / 100
    model, count = highspy.HighsLp(), len(near)
    model.num_col_, model.num_row_ = count + 2, 1
    model.col_cost_, model.offset_ = np.concatenate([regret, costs]), -min(0.0, float(costs[0])) * float(pieces[0])
    model.col_lower_, model.col_upper_ = np.zeros(count + 2), np.concatenate([np.ones(count), pieces])
    model.row_lower_ = model.row_upper_ = np.array([pieces.sum()])
    model.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
    model.a_matrix_.start_ = np.array([0, count + 2], dtype=np.int32)
    model.a_matrix_.index_ = np.arange(count + 2, dtype=np.int32)
    model.a_matrix_.value_ = np.concatenate([problem.amount[problem.loan[near]] / _AMOUNT_UNIT, np.ones(2)])
    model.integrality_ = [highspy.HighsVarType.kInteger] * count + [highspy.HighsVarType.kContinuous] * 2
    solver = new_highs()
    settings = {"mip_abs_gap": _UNFOUND, "mip_rel_gap": 0.0, "mip_max_nodes": _NODES, "mip_feasibility_tolerance": _TOLERANCE}
    settings |= {"primal_feasibility_tolerance": _TOLERANCE, "dual_feasibility_tolerance": _TOLERANCE}
    for name, value in settings.items():
        solver.setOptionValue(name, value)
    solver.passModel(model)
    return solver
