"""The places worth searching: of each loan its candidates of least regret, and the outside.

At the bound's room prices u a candidate is worth gain - u * amount; a loan's regret there is how much less that is than its best.
The bound is the sum of every loan's best and every trade's room at its price, so an allocation falls short of it by exactly

    the regrets of the places its loans took  +  what its trades' fills cost at the prices (`bands.slack_cost`)

and a loan far from its best is hardly ever part of a good allocation. Per loan the KEPT candidates of least regret stay.

1. Each loan's candidates, best first, into a short sorted list; the outside takes its place in it.
2. The lists one behind the other (`Places`), with the candidates that allocations already use always among them.
3. The same places by trade, least regret first (`arriving`), to see who could come.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numba
import numpy as np
import numpy.typing as npt

from services.run_service.engine.optimise.bands import FloatArray
from services.run_service.engine.optimise.problem import AllocationProblem
from services.run_service.engine.stop import Stop
from shared.money import Int64Array

Int32Array = npt.NDArray[np.int32]
Float32Array = npt.NDArray[np.float32]

KEPT = 64
KEPT_OF_MANY = 40
MANY_LOANS = 200_000
"""Above this many loans fewer candidates are kept of each, for memory: 28 bytes a place."""
_CHUNK = 50_000
"""Loans between two looks at the stop criterion."""


class Places(NamedTuple):
    """Places of loan i are start[i] to start[i + 1], least regret first. The outside is the trade after the last.

    Locked loans and loans without candidates have no places.
    """

    start: Int64Array
    trade: Int32Array
    gain: FloatArray
    """Dollars over leaving the loan out."""
    regret: Float32Array
    """Dollars."""
    candidate: Int32Array
    """Offset from the loan's first candidate; -1 outside."""
    loan: Int32Array
    first: Int64Array
    """Places on trade j are arriving[first[j]] to arriving[first[j + 1]], least regret first."""
    arriving: Int32Array


def keep_places(problem: AllocationProblem, starts: Sequence[Int64Array], room_price: FloatArray, stop: Stop) -> Places:
    """The places of a problem; those that the allocations `starts` (the candidate of each loan, -1: none) use are among them."""
    kept = KEPT if problem.loan_count <= MANY_LOANS else KEPT_OF_MANY
    candidates = np.diff(problem.start)
    counts = np.where(problem.locked | (candidates == 0), 0, np.minimum(candidates, kept) + 1)
    start = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    size, outside = int(start[-1]), problem.trade_count
    trade, candidate, loan = (np.empty(size, dtype=np.int32) for _ in range(3))
    gain, regret = np.empty(size), np.empty(size, dtype=np.float32)
    used = np.stack(starts)
    for begin in range(0, problem.loan_count, _CHUNK):
        stop.checkpoint()
        _keep(
            problem.start, problem.trade, problem.net, problem.fallback, problem.amount, room_price / 100.0, used, start,
            trade, gain, regret, candidate, loan, begin, min(begin + _CHUNK, problem.loan_count),
        )  # fmt: skip
    first = np.concatenate([[0], np.cumsum(np.bincount(trade, minlength=outside + 1))]).astype(np.int64)
    arriving = np.empty(size, dtype=np.int32)
    _by_trade(trade, first[:-1].copy(), arriving)
    for j in range(outside):  # the outside is never searched for arrivals
        stop.checkpoint()
        _least_regret_first(arriving, regret, first[j], first[j + 1])
    return Places(start, trade, gain, regret, candidate, loan, first, arriving)


def chosen(places: Places, problem: AllocationProblem, taken: Int64Array) -> Int32Array:
    """The place of each loan under an allocation whose candidates are all kept; -1 for loans without places."""
    choice = np.full(problem.loan_count, -1, dtype=np.int32)
    _choose(places.start, places.candidate, problem.start, taken, choice)
    return choice


@numba.njit(cache=True, nogil=True)
def _keep(
    start: Int64Array, trade: Int32Array, net: Int64Array, fallback: Int64Array, amount: Int64Array, price: FloatArray,
    taken: Int64Array, first: Int64Array, to_trade: Int32Array, gain: FloatArray, regret: Float32Array, candidate: Int32Array,
    of_loan: Int32Array, begin: int, end: int,
) -> None:  # fmt: skip
    most = 0
    for i in range(begin, end):
        most = max(most, first[i + 1] - first[i])
    worth, which = np.empty(most), np.empty(most, dtype=np.int64)
    for i in range(begin, end):
        kept = first[i + 1] - first[i] - 1
        if kept < 0:
            continue
        found = 0
        for c in range(start[i], start[i + 1]):
            w = (net[c] - fallback[i]) * 1e-12 * amount[i] - price[trade[c]] * amount[i]
            if found == kept and w <= worth[found - 1]:
                continue
            at = found if found < kept else kept - 1
            while at > 0 and worth[at - 1] < w:
                worth[at], which[at] = worth[at - 1], which[at - 1]
                at -= 1
            worth[at], which[at] = w, c
            found = min(found + 1, kept)
        for s in range(len(taken)):
            now = taken[s, i]
            present = now < 0
            for k in range(found):
                present |= which[k] == now
            if present:
                continue
            at = found - 1  # it takes the place of the worst that no allocation uses
            while (taken[:, i] == which[at]).any():
                at -= 1
            which[at] = now
            worth[at] = (net[now] - fallback[i]) * 1e-12 * amount[i] - price[trade[now]] * amount[i]
            while at + 1 < found and worth[at] < worth[at + 1]:
                worth[at], worth[at + 1], which[at], which[at + 1] = worth[at + 1], worth[at], which[at + 1], which[at]
                at += 1
        best = max(0.0, worth[0]) if found else 0.0
        at, k, outside = first[i], 0, False
        for _ in range(kept + 1):
            of_loan[at] = i
            if not outside and (k == found or worth[k] <= 0.0):
                outside = True
                to_trade[at], gain[at], regret[at], candidate[at] = len(price), 0.0, best, -1
            else:
                c = which[k]
                to_trade[at], candidate[at] = trade[c], c - start[i]
                gain[at], regret[at] = (net[c] - fallback[i]) * 1e-12 * amount[i], best - worth[k]
                k += 1
            at += 1


@numba.njit(cache=True, nogil=True)
def _by_trade(trade: Int32Array, cursor: Int64Array, arriving: Int32Array) -> None:
    for place in range(len(trade)):
        j = trade[place]
        arriving[cursor[j]] = place
        cursor[j] += 1


@numba.njit(cache=True, nogil=True)
def _least_regret_first(arriving: Int32Array, regret: Float32Array, begin: int, end: int) -> None:
    part = arriving[begin:end].copy()
    order = np.argsort(regret[part], kind="mergesort")
    for k in range(len(part)):
        arriving[begin + k] = part[order[k]]


@numba.njit(cache=True, nogil=True)
def _choose(first: Int64Array, candidate: Int32Array, start: Int64Array, taken: Int64Array, choice: Int32Array) -> None:
    for i in range(len(choice)):
        wanted = taken[i] - start[i] if taken[i] >= 0 else -1
        for place in range(first[i], first[i + 1]):
            if candidate[place] == wanted:
                choice[i] = place
