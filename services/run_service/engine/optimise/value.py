"""The value of an allocation: the one definition (specification 01 section 8), exact, that everything uses."""

from dataclasses import dataclass
from decimal import Decimal

import numpy as np

from services.run_service.engine.optimise.problem import AllocationProblem, Locks
from shared.money import Int64Array, divide_half_away, exact_dot, unscaled

UNIT_PLACES = 12
"""Cents times 1e-8 points of percent: 1e-12 dollars."""


@dataclass(frozen=True)
class Allocation:
    """Who goes where: the candidate each unlocked loan takes (-1: none) and what named the pass that placed it."""

    taken: Int64Array
    """Index of a candidate, one element a loan."""
    placed_by: Int64Array
    """Index into `passes.PASS_NAMES`, or the method's own; one element a loan."""

    @property
    def placed(self) -> Int64Array:
        """Indices of the loans that took a candidate."""
        return np.nonzero(self.taken >= 0)[0]


def nothing(problem: AllocationProblem) -> Allocation:
    """Every unlocked loan left out."""
    return Allocation(np.full(problem.loan_count, -1, dtype=np.int64), np.full(problem.loan_count, -1, dtype=np.int64))


def filled(problem: AllocationProblem, allocation: Allocation) -> Int64Array:
    """Cents on every trade, lockdowns' included."""
    total = problem.locked_fill.copy()
    placed = allocation.placed
    np.add.at(total, problem.trade[allocation.taken[placed]], problem.amount[placed])
    return total


def pair_off_units(problem: AllocationProblem, fill: Int64Array) -> int:
    """What buying back every shortfall costs, 1e-12 dollars."""
    return exact_dot(np.maximum(0, problem.lo - fill), problem.pair_off)


def value_units(problem: AllocationProblem, locks: Locks, allocation: Allocation) -> int:
    """Value in units of 1e-12 dollars, as a Python integer."""
    placed = allocation.placed
    left = (allocation.taken < 0) & ~problem.locked
    return (
        exact_dot(problem.amount[placed], problem.net[allocation.taken[placed]])
        + exact_dot(problem.amount[locks.loan], locks.score)
        + exact_dot(problem.amount[left], problem.fallback[left])
        - pair_off_units(problem, filled(problem, allocation))
    )


def gain_units(problem: AllocationProblem, taken: Int64Array) -> int:
    """What the candidates that loans take earn over leaving every unlocked loan out, 1e-12 dollars; -1: none taken."""
    allocation = Allocation(taken, taken)
    placed = allocation.placed
    points = problem.net[taken[placed]] - problem.fallback[placed]
    saved = pair_off_units(problem, problem.locked_fill) - pair_off_units(problem, filled(problem, allocation))
    return exact_dot(problem.amount[placed], points) + saved


def dollars(units: int) -> Decimal:
    """1e-12 dollars as dollars with 2 decimals, half away from zero."""
    return unscaled(divide_half_away(units, 10 ** (UNIT_PLACES - 2)), 2)


def value_dollars(problem: AllocationProblem, locks: Locks, allocation: Allocation) -> Decimal:
    """Value in dollars with 2 decimals."""
    return dollars(value_units(problem, locks, allocation))
