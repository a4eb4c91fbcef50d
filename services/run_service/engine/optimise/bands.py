"""Bands: the one place that says whether a trade may change its fill, and what the change does to its pair-off.

A trade's fill (cents, lockdowns' included) may grow to `hi`, never beyond; a fill that lockdowns alone put over `hi` may stay or
shrink. Under `lo` every cent missing is paired off at `pair_off`. Every kernel that places or moves loans asks here, so that a
rule which depends on more than the amount (a share, a weighted average, a least delivery) has one place to go.
"""

from typing import NamedTuple

import numba
import numpy as np
import numpy.typing as npt

from services.run_service.engine.optimise.problem import AllocationProblem
from shared.money import Int64Array

FloatArray = npt.NDArray[np.float64]

UNBOUNDED = 1 << 60
"""Cents; the room outside."""


class Bands(NamedTuple):
    """One element a trade, and a last one for the outside: the place of loans left out, which has room for all of them."""

    lo: Int64Array
    hi: Int64Array
    pair_off: FloatArray
    """Dollars a cent of shortfall."""
    price: FloatArray
    """Dollars a cent of room is worth, from the bound; negative where filling towards the band pays."""


def bands_of(problem: AllocationProblem, room_price: FloatArray) -> Bands:
    """The bands of a problem, with the prices (dollars a dollar) of its bound."""
    return Bands(
        lo=np.append(problem.lo, 0),
        hi=np.append(problem.hi, UNBOUNDED),
        pair_off=np.append(problem.pair_off / 1e12, 0.0),
        price=np.append(room_price / 100.0, 0.0),
    )


@numba.njit(cache=True, nogil=True, inline="always")
def may_change(fill: int, change: int, hi: int) -> bool:
    """Whether a trade's fill may change by this many cents."""
    return change <= 0 or fill + change <= hi


@numba.njit(cache=True, nogil=True, inline="always")
def shortfall_saved(fill: int, change: int, lo: int) -> int:
    """Cents by which a trade's shortfall shrinks when its fill changes by `change` cents."""
    return max(0, lo - fill) - max(0, lo - fill - change)


@numba.njit(cache=True, nogil=True)
def slack_cost(fill: int, lo: int, hi: int, pair_off: float, price: float) -> float:
    """Dollars by which a trade's fill costs more than the bound allows for: unused room at its price, shortfall beyond it.

    The term of trade j in the difference between the bound and an allocation's value (see `bound`); never negative under `hi`.
    """
    cost = 0.0
    if price >= 0.0:
        cost += price * (hi - fill)
    elif fill > lo:
        cost -= price * (fill - lo)
    if fill < lo:
        cost += (pair_off + min(price, 0.0)) * (lo - fill)
    return cost
