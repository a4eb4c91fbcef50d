"""A proven upper bound on the value of any allocation, with the prices of the trades' room that prove it.

The relaxation lets a loan go to several trades in parts. Giving every dollar of room on trade j a price u_j and letting each
loan choose alone bounds it from above for *any* prices (Lagrangian duality; Geoffrion 1974):

    L(u) =  sum over loans    max(0, max over its candidates (gain - u_j * amount))
          + sum over trades   pair_off_j * lo_j + u_j * hi_j    where u_j >= 0
                              pair_off_j * lo_j + u_j * lo_j    where -pair_off_j <= u_j < 0

with lo and hi less what lockdowns placed, gains over leaving the loan out, and all of it on top of the value of leaving every
unlocked loan out (which pays pair_off_j * lo_j on every trade). At the duals of the linear program's optimum L equals that
optimum, so:

1. solve the linear relaxation with HiGHS, its candidates thinned to those that can ever pay;
2. beyond its reach, descend along subgradients of L instead;
3. evaluate L at the prices found. Whatever the solver's tolerances, L is a bound.
"""

import threading
from dataclasses import dataclass
from typing import Any

import highspy
import numba
import numpy as np
import numpy.typing as npt

from services.run_service.engine.optimise.problem import AllocationProblem
from services.run_service.engine.stop import Stop
from shared.money import Int64Array

FloatArray = npt.NDArray[np.float64]

LP_CANDIDATES = 2_000_000
"""Above this many candidates the linear program is left for the subgradient method."""
_SUBGRADIENT_ROUNDS = 300
_POLL_S = 0.05
_ROUNDING_MARGIN = 1e-12
"""Relative to the magnitudes summed; covers the rounding of the floating-point sums in L."""
_AMOUNT_UNIT = 1e7
"""Cents to hundreds of thousands of dollars, so that the program's numbers are near one."""


@dataclass(frozen=True)
class Bound:
    """An upper bound on the gain over leaving every unlocked loan out, dollars, and the prices that prove it."""

    gain: float
    kind: str
    room_price: FloatArray
    """Dollars a dollar of room on each trade is worth; negative where filling towards the band pays."""
    fractions: FloatArray | None
    """The relaxation's share of each candidate, where the linear program was solved."""


def gains(problem: AllocationProblem) -> FloatArray:
    """Dollars each candidate earns over leaving its loan out."""
    points = (problem.net - problem.fallback[problem.loan]).astype(np.float64)
    return points * problem.amount[problem.loan] / 1e12


def prove_bound(problem: AllocationProblem, stop: Stop) -> Bound:
    """The best bound that is quick to prove."""
    gain = gains(problem)
    cost = problem.pair_off / 1e10
    lo = np.maximum(0, problem.lo - problem.locked_fill) / 100.0
    hi = np.maximum(0, problem.hi - problem.locked_fill) / 100.0
    amount = problem.amount / 100.0
    can_pay = problem.usable & (gain + cost[problem.trade] * amount[problem.loan] > 0)
    if int(can_pay.sum()) <= LP_CANDIDATES:
        index = np.nonzero(can_pay)[0]
        relaxed = _solve_relaxation(problem, index, gain[index], cost, stop)
    else:
        relaxed = None
    fractions: FloatArray | None = None
    if relaxed is not None:
        price, kind = relaxed.room_price, "LP"
        fractions = np.zeros(len(gain))
        fractions[index] = relaxed.shares
    else:
        price, kind = _descend(problem, gain, amount, cost, lo, hi, stop), "LAGRANGIAN"
    price = np.maximum(price, -cost)
    dual, _ = _lagrangian(problem.start, problem.trade, problem.usable, gain, amount, price, cost, lo, hi)
    terms = abs(dual) + 2 * float((np.abs(price) * hi + cost * lo).sum())  # at least the sum of all terms' magnitudes
    return Bound(dual + terms * _ROUNDING_MARGIN, kind, price, fractions)


@dataclass(frozen=True)
class _Relaxed:
    """The optimum of the linear relaxation: dollars a dollar of room is worth, and the share of each candidate."""

    room_price: FloatArray
    shares: FloatArray


def _solve_relaxation(
    problem: AllocationProblem, index: Int64Array, gain: FloatArray, cost: FloatArray, stop: Stop
) -> _Relaxed | None:
    """The linear relaxation over the candidates at `index`; None where the solver does not reach its optimum."""
    trades, pairs = problem.trade_count, len(index)
    if not trades or not pairs:
        return _Relaxed(-cost, np.zeros(pairs))  # nobody can deliver: every dollar towards a band would save its pair-off
    rows = np.unique(problem.loan[index], return_inverse=True)[1]
    loans = int(rows.max()) + 1
    lo = np.maximum(0, problem.lo - problem.locked_fill) / _AMOUNT_UNIT
    hi = np.maximum(lo, np.maximum(0, problem.hi - problem.locked_fill) / _AMOUNT_UNIT)
    model = highspy.HighsLp()
    model.num_col_, model.num_row_ = pairs + trades, loans + trades
    model.col_cost_ = np.concatenate([-gain, cost * _AMOUNT_UNIT / 100])
    model.col_lower_ = np.zeros(pairs + trades)
    model.col_upper_ = np.concatenate([np.ones(pairs), lo])
    model.row_lower_ = np.concatenate([np.full(loans, -np.inf), lo])  # shortfall columns make up for what is missing
    model.row_upper_ = np.concatenate([np.ones(loans), hi])
    model.a_matrix_.format_ = highspy.MatrixFormat.kColwise
    model.a_matrix_.start_ = np.concatenate([np.arange(pairs) * 2, 2 * pairs + np.arange(trades + 1)]).astype(np.int32)
    entries, values = np.empty(2 * pairs + trades, np.int32), np.ones(2 * pairs + trades)
    entries[0 : 2 * pairs : 2], entries[1 : 2 * pairs : 2] = rows, loans + problem.trade[index]
    values[1 : 2 * pairs : 2] = problem.amount[problem.loan[index]] / _AMOUNT_UNIT
    entries[2 * pairs :] = loans + np.arange(trades)
    model.a_matrix_.index_, model.a_matrix_.value_ = entries, values
    solver: Any = highspy.Highs()  # type: ignore[no-untyped-call]  # highspy ships no annotations
    for option, value in (("output_flag", False), ("threads", 1)):
        solver.setOptionValue(option, value)
    solver.passModel(model)
    _run(solver, stop)
    if solver.getModelStatus() != highspy.HighsModelStatus.kOptimal:
        return None
    solution = solver.getSolution()
    duals = np.array(solution.row_dual)[loans:]
    return _Relaxed(-duals * 100 / _AMOUNT_UNIT, np.array(solution.col_value)[:pairs])


def _run(solver: Any, stop: Stop) -> None:
    """Run HiGHS in a thread so that a cancel is seen within moments. Raises RunCancelledError."""
    solver.HandleUserInterrupt = True
    thread = threading.Thread(target=solver.run, name="highs", daemon=True)
    thread.start()
    while thread.is_alive():
        thread.join(_POLL_S)
        if stop.cancelled():
            solver.cancelSolve()
            thread.join()
            stop.checkpoint()


def _descend(
    problem: AllocationProblem,
    gain: FloatArray,
    amount: FloatArray,
    cost: FloatArray,
    lo: FloatArray,
    hi: FloatArray,
    stop: Stop,
) -> FloatArray:
    """Room prices by subgradient descent on L with a diminishing step (Shor; Held, Wolfe and Crowder 1974)."""
    price = np.zeros(problem.trade_count)
    best, best_price = np.inf, price
    step = 0.5 * float(np.abs(gain).sum() / max(1.0, float(amount[problem.loan].sum())))
    for round_number in range(_SUBGRADIENT_ROUNDS):
        stop.checkpoint()
        dual, slack = _lagrangian(problem.start, problem.trade, problem.usable, gain, amount, price, cost, lo, hi)
        if dual < best:
            best, best_price = dual, price
        scale = np.maximum(hi, 1.0)
        price = np.maximum(price - step / (1 + 0.05 * round_number) * np.clip(slack / scale, -1, 1), -cost)
    return best_price


@numba.njit(cache=True)
def _lagrangian(
    start: Int64Array,
    trade: npt.NDArray[np.int32],
    usable: npt.NDArray[np.bool_],
    gain: FloatArray,
    amount: FloatArray,
    price: FloatArray,
    cost: FloatArray,
    lo: FloatArray,
    hi: FloatArray,
) -> tuple[float, FloatArray]:
    """L(price) for prices of at least -cost, and its subgradient: the room left on each trade, dollars."""
    slack = np.empty(len(lo))
    total = 0.0
    for j in range(len(lo)):
        slack[j] = hi[j] if price[j] >= 0 else lo[j]
        total += cost[j] * lo[j] + price[j] * slack[j]
    for i in range(len(start) - 1):
        best, choice = 0.0, -1
        for c in range(start[i], start[i + 1]):
            if usable[c] and gain[c] - price[trade[c]] * amount[i] > best:
                best, choice = gain[c] - price[trade[c]] * amount[i], c
        total += best
        if choice >= 0:
            slack[trade[choice]] -= amount[i]
    return total, slack
