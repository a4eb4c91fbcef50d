"""The linear relaxation, in which a loan may go to several trades in parts: solved by HiGHS for the worth of every trade's room.

    maximise    sum over candidates  gain_c x_c   -   sum over trades  pair_off_j s_j
    subject to  sum over the candidates of a loan  x_c <= 1
                lo_j <= s_j + sum over the candidates on trade j  amount_c x_c <= hi_j
                0 <= x_c,   0 <= s_j <= lo_j

with gains over leaving the loan out, and lo and hi less what lockdowns placed. The dual of trade j's row is what a dollar of its
room is worth: negative where a dollar towards `lo` pays.
"""

import threading
from collections.abc import Callable
from typing import Any

import highspy
import numpy as np

from services.run_service.engine.optimise.bands import FloatArray
from services.run_service.engine.optimise.problem import AllocationProblem
from services.run_service.engine.stop import Stop
from shared.money import Int64Array

_POLL_S = 0.05
AMOUNT_UNIT = 1e7
"""Cents to hundreds of thousands of dollars, so that the program's numbers are near one."""


def gains(problem: AllocationProblem, index: Int64Array) -> FloatArray:
    """Dollars the candidates at these indices earn over leaving their loans out."""
    loan = problem.loan[index]
    return (problem.net[index] - problem.fallback[loan]).astype(np.float64) * problem.amount[loan] / 1e12


def can_pay(problem: AllocationProblem, index: Int64Array) -> Int64Array:
    """Those of the candidates at these indices that may earn something, saved pair-off included; locked loans' do not."""
    points = problem.net[index] - problem.fallback[problem.loan[index]] + problem.pair_off[problem.trade[index]]
    return index[(points > 0) & ~problem.locked[problem.loan[index]]]


def room_worth(problem: AllocationProblem, index: Int64Array, share: float, stop: Stop) -> FloatArray | None:
    """Dollars a dollar of room on each trade is worth, with the candidates at `index` and a `share` of every trade's band.

    None where the solver does not reach the optimum. Raises RunCancelledError.
    """
    trades, pairs = problem.trade_count, len(index)
    cost = problem.pair_off / 1e10
    if not trades or not pairs:
        return -cost  # nobody can deliver: every dollar towards a band would save its pair-off
    rows = np.unique(problem.loan[index], return_inverse=True)[1]
    loans = int(rows.max()) + 1
    lo = share * np.maximum(0, problem.lo - problem.locked_fill) / AMOUNT_UNIT
    hi = np.maximum(lo, share * np.maximum(0, problem.hi - problem.locked_fill) / AMOUNT_UNIT)
    model = highspy.HighsLp()
    model.num_col_, model.num_row_ = pairs + trades, loans + trades
    model.col_cost_ = np.concatenate([-gains(problem, index), cost * AMOUNT_UNIT / 100])
    model.col_lower_ = np.zeros(pairs + trades)
    model.col_upper_ = np.concatenate([np.ones(pairs), lo])
    model.row_lower_ = np.concatenate([np.full(loans, -np.inf), lo])  # shortfall columns make up for what is missing
    model.row_upper_ = np.concatenate([np.ones(loans), hi])
    fill_matrix(model, rows, loans + problem.trade[index].astype(np.int64), problem.amount[problem.loan[index]], loans, trades)
    solver = new_highs()
    solver.passModel(model)
    run_highs(solver, stop.cancelled)
    stop.checkpoint()
    if solver.getModelStatus() != highspy.HighsModelStatus.kOptimal:
        return None
    return -np.array(solver.getSolution().row_dual)[loans:] * 100 / AMOUNT_UNIT


def fill_matrix(
    model: highspy.HighsLp, loan_row: Int64Array, trade_row: Int64Array, amount: Int64Array, loans: int, trades: int
) -> None:
    """The matrix of a program: a pair's one in its loan's row and its amount, cents, in its trade's; then the shortfalls."""
    pairs = len(loan_row)
    entries, values = np.empty(2 * pairs + trades, np.int32), np.ones(2 * pairs + trades)
    entries[0 : 2 * pairs : 2], entries[1 : 2 * pairs : 2] = loan_row, trade_row
    values[1 : 2 * pairs : 2] = amount / AMOUNT_UNIT
    entries[2 * pairs :] = loans + np.arange(trades)
    model.a_matrix_.format_ = highspy.MatrixFormat.kColwise
    model.a_matrix_.start_ = np.concatenate([np.arange(pairs) * 2, 2 * pairs + np.arange(trades + 1)]).astype(np.int32)
    model.a_matrix_.index_, model.a_matrix_.value_ = entries, values


def new_highs() -> Any:
    """A silent solver on one thread."""
    solver: Any = highspy.Highs()  # type: ignore[no-untyped-call]  # highspy ships no annotations
    solver.setOptionValue("output_flag", False)  # noqa: FBT003 - the library takes an option's value by position
    solver.setOptionValue("threads", 1)
    return solver


def run_highs(solver: Any, ended: Callable[[], bool]) -> None:
    """Run HiGHS in a thread, so that it is interrupted within moments of `ended` turning true."""
    solver.HandleUserInterrupt = True
    thread = threading.Thread(target=solver.run, name="highs", daemon=True)
    thread.start()
    while thread.is_alive():
        thread.join(_POLL_S)
        if ended():
            solver.cancelSolve()
            thread.join()
