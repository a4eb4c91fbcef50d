"""A proven upper bound on the value of any allocation, with the prices of the trades' room that prove it.

Giving every dollar of room on trade j a price u_j and letting each loan choose alone bounds every allocation from above for
*any* prices (Lagrangian duality; Geoffrion 1974):

    L(u) =  sum over loans    max(0, max over its candidates (gain - u_j * amount))
          + sum over trades   pair_off_j * lo_j + u_j * hi_j    where u_j >= 0
                              pair_off_j * lo_j + u_j * lo_j    where -pair_off_j <= u_j < 0

with lo and hi less what lockdowns placed, gains over leaving the loan out, and all of it on top of the value of leaving every
unlocked loan out (which pays pair_off_j * lo_j on every trade). So the only question is where to take good prices from:

1. Up to LP_CANDIDATES, the linear relaxation's optimum (`relaxation`): at its duals L equals that optimum.
2. Beyond, the relaxation of samples: some loans drawn at random, with the share of every trade's room that their amounts are of
   all loans'. What a dollar of room is worth depends on the mix of loans and hardly on how many there are, so a few thousand tell
   it well (sample average approximation: Kleywegt, Shapiro and Homem-de-Mello 2001). Of the prices of each sample, their mean
   and their median the best is taken.
3. Evaluate L at the prices found, over all loans and candidates. Whatever the solver's tolerances and the samples' luck, L is a
   bound; a margin for the rounding of its sums is added.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numba
import numpy as np
import numpy.typing as npt

from services.run_service.engine.optimise.bands import FloatArray
from services.run_service.engine.optimise.problem import AllocationProblem
from services.run_service.engine.optimise.relaxation import can_pay, room_worth
from services.run_service.engine.stop import Stop
from shared.money import Int64Array

LP_CANDIDATES = 2_000_000
"""Above this many candidates the relaxation of all of them takes too long."""
_SAMPLES = 4
_SAMPLE_CANDIDATES = 400_000
"""Candidates of the loans of one sample: some seconds of HiGHS."""
_LEAST_SAMPLE = 2_000
"""Loans of a sample at least."""
_ROUNDING = 2.0**-52
"""Relative error of one sum of floating-point numbers."""


@dataclass(frozen=True)
class Bound:
    """An upper bound on the gain over leaving every unlocked loan out, dollars, and the prices that prove it."""

    gain: float
    kind: str
    room_price: FloatArray
    """Dollars a dollar of room on each trade is worth; negative where filling towards the band pays."""


def prove_bound(problem: AllocationProblem, stop: Stop) -> Bound:
    """The best bound that is quick to prove. Raises RunCancelledError."""
    kind, prices = "LAGRANGIAN", [np.zeros(problem.trade_count)]
    if len(problem.trade) <= LP_CANDIDATES:
        price = room_worth(problem, can_pay(problem, np.arange(len(problem.trade))), 1.0, stop)
        if price is not None:
            kind, prices = "LP", [price]
    else:
        prices += _sampled_prices(problem, stop)
    floor = np.where(problem.lo > problem.locked_fill, -problem.pair_off / 1e10, 0.0)  # nothing is owed at lo
    best, best_price = np.inf, prices[0]
    for candidate in prices:
        stop.checkpoint()
        price = np.maximum(candidate, floor)
        gain = lagrangian(problem, price)
        if gain < best:
            best, best_price = gain, price
    return Bound(best, kind, best_price)


def _sampled_prices(problem: AllocationProblem, stop: Stop) -> list[FloatArray]:
    """The room's worth by several samples, two at a time, with their mean and median."""
    loans = np.nonzero((np.diff(problem.start) > 0) & ~problem.locked)[0]
    if not len(loans):
        return []
    each = max(_LEAST_SAMPLE, int(_SAMPLE_CANDIDATES * len(loans) / len(problem.trade)))
    order = np.random.default_rng(0).permutation(loans)
    samples = [np.sort(part) for part in np.array_split(order[: each * _SAMPLES], _SAMPLES)]
    total = float(problem.amount[loans].sum())

    def worth(sample: Int64Array) -> FloatArray | None:
        share = float(problem.amount[sample].sum()) / total
        return room_worth(problem, can_pay(problem, _candidates_of(problem, sample)), share, stop)

    with ThreadPoolExecutor(2, thread_name_prefix="sample") as pool:
        prices = [price for price in pool.map(worth, samples) if price is not None]
    return [*prices, *_middles(prices)]


def _middles(prices: Sequence[FloatArray]) -> list[FloatArray]:
    return [np.mean(prices, axis=0), np.median(prices, axis=0)] if len(prices) > 1 else []


def _candidates_of(problem: AllocationProblem, loans: Int64Array) -> Int64Array:
    """Indices of all candidates of these loans."""
    count = problem.start[loans + 1] - problem.start[loans]
    before = np.cumsum(count) - count
    return np.asarray(np.arange(int(count.sum())) + np.repeat(problem.start[loans] - before, count))


def lagrangian(problem: AllocationProblem, room_price: FloatArray) -> float:
    """L at prices of at least -pair_off (dollars a dollar), rounded up: dollars over leaving every unlocked loan out."""
    cost = problem.pair_off / 1e10
    lo = np.maximum(0, problem.lo - problem.locked_fill) / 100.0
    hi = np.maximum(0, problem.hi - problem.locked_fill) / 100.0
    of_trades = float((cost * lo + room_price * np.where(room_price >= 0, hi, lo)).sum())
    of_loans = _choices_worth(
        problem.start, problem.trade, problem.net, problem.fallback, problem.amount, problem.locked, room_price
    )
    magnitude = of_loans + float((cost * lo + np.abs(room_price) * hi).sum())
    return of_trades + of_loans + magnitude * _ROUNDING * (problem.loan_count + problem.trade_count + 8)


@numba.njit(cache=True, nogil=True)
def _choices_worth(
    start: Int64Array, trade: npt.NDArray[np.int32], net: Int64Array, fallback: Int64Array, amount: Int64Array,
    locked: npt.NDArray[np.bool_], price: FloatArray,
) -> float:  # fmt: skip
    """What every loan's best choice earns at the prices, dollars, summed."""
    total = 0.0
    for i in range(len(start) - 1):
        if locked[i]:
            continue
        best = 0.0
        for c in range(start[i], start[i + 1]):
            best = max(best, (net[c] - fallback[i]) * 1e-10 - price[trade[c]])
        total += best * (amount[i] / 100.0)
    return total
