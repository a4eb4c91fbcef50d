"""No loan that pays stays out while one of its trades has room, whatever ended the search.

1. Loans left out, in order; each looks at all its candidates, not just those the search kept.
2. It goes to the one with room that pays the most over its fallback, pair-off saved included.

Placing only uses room up, so one round is enough. A kickout that could be sold for more then really met full trades.
"""

import numba
import numpy as np
import numpy.typing as npt

from services.run_service.engine.optimise.bands import may_change, shortfall_saved
from services.run_service.engine.optimise.problem import AllocationProblem
from services.run_service.engine.optimise.value import Allocation, filled
from shared.money import Int64Array


def place_leftovers(problem: AllocationProblem, taken: Int64Array) -> Int64Array:
    """An allocation worth at least as much; `taken` is the candidate of each loan (-1: none)."""
    placed = taken.copy()
    p = problem
    fill = filled(p, Allocation(taken, taken))
    _place(p.start, p.trade, p.locked, p.net, p.fallback, p.amount, p.lo, p.hi, p.pair_off, fill, placed)
    return placed


@numba.njit(cache=True)
def _place(
    start: Int64Array,
    trade: npt.NDArray[np.int32],
    locked: npt.NDArray[np.bool_],
    net: Int64Array,
    fallback: Int64Array,
    amount: Int64Array,
    lo: Int64Array,
    hi: Int64Array,
    pair_off: Int64Array,
    fill: Int64Array,
    taken: Int64Array,
) -> None:
    for i in range(len(taken)):
        if taken[i] >= 0 or locked[i]:
            continue
        best, most = -1, 0.0
        for c in range(start[i], start[i + 1]):
            j = trade[c]
            if net[c] <= fallback[i] or not may_change(fill[j], amount[i], hi[j]):
                continue
            saved = float(pair_off[j]) * shortfall_saved(fill[j], amount[i], lo[j])
            gain = float(net[c] - fallback[i]) * amount[i] + saved
            if gain > most:
                best, most = c, gain
        if best >= 0:
            taken[i] = best
            fill[trade[best]] += amount[i]
