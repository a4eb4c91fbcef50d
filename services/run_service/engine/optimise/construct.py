"""A first allocation from the linear relaxation: whole loans stay where it put them, split ones go where the most of them went.

1. Loans the relaxation placed whole fit together, since their amounts alone are within every band.
2. A split loan, largest share first, goes to the candidate with its largest share that still has room.
"""

import numba
import numpy as np
import numpy.typing as npt

from services.run_service.engine.optimise.problem import AllocationProblem
from shared.money import Int64Array

_WHOLE = 1 - 1e-6
_NONE = 1e-6


def round_relaxation(problem: AllocationProblem, fractions: npt.NDArray[np.float64]) -> Int64Array:
    """The candidate each loan takes (-1: none), by rounding the relaxation's shares."""
    touched = np.nonzero(fractions > _NONE)[0]
    whole = fractions[touched] >= _WHOLE
    order = touched[np.lexsort((touched, -fractions[touched], ~whole))]
    taken = np.full(problem.loan_count, -1, dtype=np.int64)
    _place(order, problem.loan, problem.trade, problem.amount, problem.hi, problem.locked_fill.copy(), taken)
    return taken


@numba.njit(cache=True)
def _place(
    order: Int64Array,
    loan: npt.NDArray[np.int32],
    trade: npt.NDArray[np.int32],
    amount: Int64Array,
    hi: Int64Array,
    fill: Int64Array,
    taken: Int64Array,
) -> None:
    for c in order:
        i, j = loan[c], trade[c]
        if taken[i] < 0 and fill[j] + amount[i] <= hi[j]:
            taken[i] = c
            fill[j] += amount[i]
