"""Strategy PASSES: the desk's traditional way, deterministic to the loan (specification 01 section 8).

1. exact_fit       trades in order take their own best loans where these land in the band;
2. best_fit        all pairs by priority and score;
3. fill_remaining  trades below their band add, then replace small loans by larger ones;
4. orphan_handling what is left goes wherever there is room.
"""

from collections.abc import Callable

import numba
import numpy as np

from services.run_service.engine.optimise.problem import AllocationProblem
from services.run_service.engine.optimise.value import Allocation
from services.run_service.engine.stop import Stop
from shared.money import Int64Array

PASS_NAMES = ("exact_fit", "best_fit", "fill_remaining", "orphan_handling")


def run_passes(problem: AllocationProblem, stop: Stop, on_pass: Callable[[str, Allocation], None]) -> Allocation:
    """Execute the four passes; `on_pass` sees the allocation after each."""
    usable = np.nonzero(problem.usable)[0]
    loan, trade = problem.loan[usable].astype(np.int64), problem.trade[usable].astype(np.int64)
    score, amount = problem.score[usable], problem.amount[loan]
    best_first = np.lexsort((loan, -amount, -score, trade))
    worst_first = np.lexsort((loan, amount, score, trade))
    by_loan = np.lexsort((trade, -score, loan))
    by_priority = np.lexsort((trade, loan, -amount, -score, problem.priority[usable]))
    start = _starts(trade, problem.trade_count)
    best_trade = np.full(problem.loan_count, -1, dtype=np.int64)
    best_trade[loan[by_loan][::-1]] = trade[by_loan][::-1]  # the first of each loan is written last

    taken = np.full(problem.loan_count, -1, dtype=np.int64)
    placed_by = np.full(problem.loan_count, -1, dtype=np.int64)
    fill = problem.locked_fill.copy()
    lo, hi = problem.lo, problem.hi
    orphans = by_loan[np.lexsort((loan[by_loan], -amount[by_loan]))]  # largest loans first, each one's best trade first
    passes: tuple[Callable[[int], None], ...] = (
        lambda number: _exact_fit(best_first, start, loan, amount, best_trade, lo, hi, fill, taken, placed_by, number),
        lambda number: _place_in_order(by_priority, loan, trade, amount, hi, fill, taken, placed_by, number),
        lambda number: _fill_remaining(best_first, worst_first, start, loan, amount, lo, hi, fill, taken, placed_by, number),
        lambda number: _place_in_order(orphans, loan, trade, amount, hi, fill, taken, placed_by, number),
    )
    allocation = Allocation(taken, placed_by)
    for number, (name, execute) in enumerate(zip(PASS_NAMES, passes, strict=True)):
        stop.checkpoint()
        execute(number)
        allocation = Allocation(np.where(taken >= 0, usable[np.maximum(taken, 0)] if len(usable) else -1, -1), placed_by.copy())
        on_pass(name, allocation)
    return allocation


def _starts(trade: Int64Array, trade_count: int) -> Int64Array:
    return np.concatenate([[0], np.cumsum(np.bincount(trade, minlength=trade_count))]).astype(np.int64)


@numba.njit(cache=True)
def _exact_fit(
    best_first: Int64Array,
    start: Int64Array,
    loan: Int64Array,
    amount: Int64Array,
    best_trade: Int64Array,
    lo: Int64Array,
    hi: Int64Array,
    fill: Int64Array,
    taken: Int64Array,
    placed_by: Int64Array,
    number: int,
) -> None:
    """Trades in order. Own loans are the free ones whose best candidate trade is this one, whether or not it is full."""
    for j in range(len(lo)):
        first, end = start[j], start[j + 1]
        total = fill[j]
        chosen = np.empty(end - first, dtype=np.int64)
        count = 0
        for position in range(first, end):  # 1. best first, each that fits under hi
            c = best_first[position]
            if best_trade[loan[c]] == j and taken[loan[c]] < 0 and total + amount[c] <= hi[j]:
                total += amount[c]
                chosen[count] = c
                count += 1
        if count == 0:
            continue
        if total < lo[j]:  # 2. the last added gives way to the first of the others that lands in the band
            count -= 1
            total -= amount[chosen[count]]
            found = -1
            next_chosen = 0
            for position in range(first, end):
                c = best_first[position]
                if next_chosen < count and chosen[next_chosen] == c:
                    next_chosen += 1
                    continue
                if best_trade[loan[c]] == j and taken[loan[c]] < 0 and lo[j] <= total + amount[c] <= hi[j]:
                    found = c
                    break
            if found < 0:
                continue
            chosen[count] = found
            count += 1
            total += amount[found]
        fill[j] = total  # 3. commit
        for k in range(count):
            taken[loan[chosen[k]]] = chosen[k]
            placed_by[loan[chosen[k]]] = number


@numba.njit(cache=True)
def _place_in_order(
    order: Int64Array,
    loan: Int64Array,
    trade: Int64Array,
    amount: Int64Array,
    hi: Int64Array,
    fill: Int64Array,
    taken: Int64Array,
    placed_by: Int64Array,
    number: int,
) -> None:
    """Pairs in the order given: place the loan if it is still free and fits under hi."""
    for c in order:
        j = trade[c]
        if taken[loan[c]] < 0 and fill[j] + amount[c] <= hi[j]:
            taken[loan[c]] = c
            placed_by[loan[c]] = number
            fill[j] += amount[c]


@numba.njit(cache=True)
def _fill_remaining(
    best_first: Int64Array,
    worst_first: Int64Array,
    start: Int64Array,
    loan: Int64Array,
    amount: Int64Array,
    lo: Int64Array,
    hi: Int64Array,
    fill: Int64Array,
    taken: Int64Array,
    placed_by: Int64Array,
    number: int,
) -> None:
    """Trades in order, while below the band: add free candidates, then replace its loans by larger ones. One sweep."""
    for j in range(len(lo)):
        first, end = start[j], start[j + 1]
        for position in range(first, end):
            if fill[j] >= lo[j]:
                break
            c = best_first[position]
            if taken[loan[c]] < 0 and fill[j] + amount[c] <= hi[j]:
                taken[loan[c]] = c
                placed_by[loan[c]] = number
                fill[j] += amount[c]
        if fill[j] >= lo[j]:
            continue
        mine = np.empty(end - first, dtype=np.int64)
        count = 0
        for position in range(first, end):
            c = worst_first[position]
            if taken[loan[c]] == c:
                mine[count] = c
                count += 1
        for k in range(count):
            if fill[j] >= lo[j]:
                break
            old = mine[k]
            best = -1
            for position in range(first, end):
                c = best_first[position]
                if taken[loan[c]] >= 0 or amount[c] <= amount[old] or fill[j] - amount[old] + amount[c] > hi[j]:
                    continue
                if best < 0 or amount[c] > amount[best]:
                    best = c
            if best >= 0:
                taken[loan[old]] = placed_by[loan[old]] = -1
                taken[loan[best]] = best
                placed_by[loan[best]] = number
                fill[j] += amount[best] - amount[old]
