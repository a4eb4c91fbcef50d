"""Priorities break ties: of allocations with one value the loans are moved to candidates of lower priority numbers.

1. Loans in order; each looks at its candidates with the same net score and a lower priority number than the one it took.
2. It moves to the one of the lowest number that has room, if the pair-off of both trades together stays what it is, exactly.
3. Again until nobody moves: every move lowers the sum of priority numbers, so it ends.
"""

import numba
import numpy as np
import numpy.typing as npt

from services.run_service.engine.optimise.bands import may_change, shortfall_saved
from services.run_service.engine.optimise.problem import AllocationProblem
from services.run_service.engine.optimise.value import Allocation, filled
from shared.money import Int64Array


def prefer_low_priorities(problem: AllocationProblem, taken: Int64Array) -> Int64Array:
    """An allocation of the same value; `taken` is the candidate of each loan (-1: none)."""
    settled = taken.copy()
    fill = filled(problem, Allocation(taken, taken))
    p = problem
    while _settle(p.start, p.trade, p.net, p.priority, p.amount, p.lo, p.hi, p.pair_off, fill, settled):
        continue
    return settled


@numba.njit(cache=True)
def _settle(
    start: Int64Array,
    trade: npt.NDArray[np.int32],
    net: Int64Array,
    priority: Int64Array,
    amount: Int64Array,
    lo: Int64Array,
    hi: Int64Array,
    pair_off: Int64Array,
    fill: Int64Array,
    taken: Int64Array,
) -> int:
    """One round; how many loans moved."""
    moved = 0
    for i in range(len(taken)):
        now = taken[i]
        if now < 0:
            continue
        best = now
        here = trade[now]
        freed = -shortfall_saved(fill[here], -amount[i], lo[here])
        for c in range(start[i], start[i + 1]):
            there = trade[c]
            if net[c] != net[now] or priority[c] >= priority[best] or not may_change(fill[there], amount[i], hi[there]):
                continue
            covered = shortfall_saved(fill[there], amount[i], lo[there])
            if freed == covered and (freed == 0 or pair_off[here] == pair_off[there]):
                best = c
        if best != now:
            fill[here] -= amount[i]
            fill[trade[best]] += amount[i]
            taken[i] = best
            moved += 1
    return moved
