"""Strategy PASSES: the desk's traditional way, deterministic to the loan (specification 01 section 8).

1. exact_fit       trades in order take their own best loans where these land in the band;
2. best_fit        all pairs by priority and score;
3. fill_remaining  trades below their band add, then replace small loans by larger ones;
4. orphan_handling what is left goes wherever there is room.

The passes read their orders from one list a trade (`best_first`); all candidates together are never sorted. Best_fit merges the
lists: a heap holds the first entry of each that can still be placed. What cannot be placed now (the loan is taken, or too large
for the room) cannot be placed later in that pass either, so that an entry once skipped is never looked at again.
"""

import heapq
from collections.abc import Callable, Iterator
from itertools import pairwise

import numba
import numpy as np

from services.run_service.engine.book import Int32Array, at
from services.run_service.engine.optimise.best_first import list_best_first
from services.run_service.engine.optimise.problem import AllocationProblem
from services.run_service.engine.optimise.value import Allocation
from services.run_service.engine.rows import best_of_rows, spans
from services.run_service.engine.stop import Stop
from shared.money import Int64Array

PASS_NAMES = ("exact_fit", "best_fit", "fill_remaining", "orphan_handling")
_FREE, _LOCKED = -1, -2
_TRADES_AT_ONCE = 32
"""Between two looks at the stop criterion."""


def run_passes(problem: AllocationProblem, stop: Stop, on_pass: Callable[[str, Allocation], None]) -> Allocation:
    """Execute the four passes; `on_pass` sees the allocation after each. Raises RunCancelledError after a cancel."""
    passes = _Passes(problem, stop)
    in_order = (passes.exact_fit, passes.best_fit, passes.fill_remaining, passes.orphan_handling)
    allocation = passes.allocation()
    for number, (name, execute) in enumerate(zip(PASS_NAMES, in_order, strict=True)):
        stop.checkpoint()
        execute(number)
        allocation = passes.allocation()
        on_pass(name, allocation)
    return allocation


class _Passes:
    """The state of the passes. Loans go by their numbers by size; `on` is the trade each is on, _FREE or _LOCKED."""

    def __init__(self, problem: AllocationProblem, stop: Stop) -> None:
        self.problem, self.stop = problem, stop
        self.lists = list_best_first(problem, stop)
        by_size = self.lists.by_size
        self.amount = problem.amount[by_size]
        self.on = np.where(problem.locked[by_size], _LOCKED, _FREE).astype(np.int32)
        self.placed_by = np.full(problem.loan_count, -1, dtype=np.int64)
        self.fill = problem.locked_fill.copy()

    def allocation(self) -> Allocation:
        """Who is where so far, in the problem's own numbers."""
        taken, placed_by = np.full((2, self.problem.loan_count), -1, dtype=np.int64)
        _look_up(self.lists.by_size, self.on, self.problem.start, self.problem.trade, taken)
        placed_by[self.lists.by_size] = self.placed_by
        return Allocation(taken, placed_by)

    def exact_fit(self, number: int) -> None:
        """Trades in order take their own loans: the free ones whose best candidate trade they are, full or not."""
        problem, lists = self.problem, self.lists
        best = best_of_rows(problem.start, problem.score)
        best_trade = at(problem.trade, best, missing=-1)[lists.by_size].astype(np.int32)
        for first, end in self._trades():
            _exact_fit(
                first, end, lists.entries, lists.start, lists.loan_bits, self.amount, best_trade, problem.lo, problem.hi,
                self.fill, self.on, self.placed_by, number,
            )  # fmt: skip

    def best_fit(self, number: int) -> None:
        """Priority by priority, all pairs best first."""
        tiers = self.lists.tiers
        edges = [*np.unique(tiers.priority, return_index=True)[1].tolist(), len(tiers.priority)]
        for first, end in pairwise(edges):
            self.stop.checkpoint()
            _best_fit(
                first, end, tiers.entries, tiers.trade, tiers.first, tiers.end, self.lists.loan_bits, self.amount,
                self.problem.hi, self.fill, self.on, self.placed_by, number,
            )  # fmt: skip

    def fill_remaining(self, number: int) -> None:
        """Trades in order, while below the band, add free loans, then replace their loans by larger ones. One sweep."""
        problem, lists = self.problem, self.lists
        for first, end in self._trades():
            _fill_remaining(
                first, end, lists.entries, lists.start, lists.loan_bits, self.amount, problem.lo, problem.hi,
                self.fill, self.on, self.placed_by, number,
            )  # fmt: skip

    def orphan_handling(self, number: int) -> None:
        """Free loans, largest first, to the first of their candidate trades with room."""
        problem = self.problem
        _place_orphans(
            self.lists.by_size, problem.start, problem.trade, problem.score, self.amount, problem.hi,
            self.fill, self.on, self.placed_by, number,
        )  # fmt: skip

    def _trades(self) -> Iterator[tuple[int, int]]:
        """The trades in order, a few at a time."""
        for span in spans(self.problem.trade_count, _TRADES_AT_ONCE):
            self.stop.checkpoint()
            yield span


@numba.njit(cache=True)
def _look_up(by_size: Int64Array, on: Int32Array, start: Int64Array, trade: Int32Array, taken: Int64Array) -> None:
    """The candidate by which each loan is on its trade; the candidates of a loan are in order of their trades."""
    for n in range(len(on)):
        if on[n] < 0:
            continue
        low, high = start[by_size[n]], start[by_size[n] + 1] - 1
        while low < high:
            middle = (low + high) // 2
            if trade[middle] < on[n]:
                low = middle + 1
            else:
                high = middle
        taken[by_size[n]] = low


@numba.njit(cache=True)
def _exact_fit(
    first_trade: int, end_trade: int, entries: Int64Array, start: Int64Array, loan_bits: int, amount: Int64Array,
    best_trade: Int32Array, lo: Int64Array, hi: Int64Array, fill: Int64Array, on: Int32Array, placed_by: Int64Array, number: int,
) -> None:  # fmt: skip
    of_loan = (1 << loan_bits) - 1
    for j in range(first_trade, end_trade):
        own = np.empty(start[j + 1] - start[j], dtype=np.int64)
        owned = 0
        for position in range(start[j], start[j + 1]):
            n = entries[position] & of_loan
            if best_trade[n] == j and on[n] == _FREE:
                own[owned] = n
                owned += 1
        total, last = fill[j], -1
        for k in range(owned):  # 1. best first, each that fits under hi
            if total + amount[own[k]] <= hi[j]:
                on[own[k]] = j
                total += amount[own[k]]
                last = k
        if last < 0:
            continue
        if total < lo[j]:  # 2. the last added gives way to the first of the others that lands in the band
            on[own[last]] = _FREE
            total -= amount[own[last]]
            found = -1
            for k in range(owned):
                if on[own[k]] == _FREE and lo[j] <= total + amount[own[k]] <= hi[j]:
                    found = k
                    break
            if found < 0:  # nothing is committed
                for k in range(owned):
                    on[own[k]] = _FREE
                continue
            on[own[found]] = j
            total += amount[own[found]]
        fill[j] = total  # 3. commit
        for k in range(owned):
            if on[own[k]] == j:
                placed_by[own[k]] = number


@numba.njit(cache=True)
def _best_fit(
    first_list: int, end_list: int, entries: Int64Array, trade: Int64Array, first: Int64Array, end: Int64Array, loan_bits: int,
    amount: Int64Array, hi: Int64Array, fill: Int64Array, on: Int32Array, placed_by: Int64Array, number: int,
) -> None:  # fmt: skip
    of_loan = (1 << loan_bits) - 1
    position = first.copy()
    heap = [(np.int64(0), first_list) for _ in range(0)]  # the next entry of each list that can be placed
    for which in range(first_list, end_list):
        _next_placeable(which, position, entries, trade, end, of_loan, amount, hi, fill, on)
        if position[which] < end[which]:
            heapq.heappush(heap, (entries[position[which]], which))
    while heap:
        entry, which = heapq.heappop(heap)
        n, j = entry & of_loan, trade[which]
        if on[n] == _FREE and fill[j] + amount[n] <= hi[j]:
            on[n] = j
            placed_by[n] = number
            fill[j] += amount[n]
        _next_placeable(which, position, entries, trade, end, of_loan, amount, hi, fill, on)
        if position[which] < end[which]:
            heapq.heappush(heap, (entries[position[which]], which))


@numba.njit(cache=True)
def _next_placeable(
    which: int, position: Int64Array, entries: Int64Array, trade: Int64Array, end: Int64Array, of_loan: int,
    amount: Int64Array, hi: Int64Array, fill: Int64Array, on: Int32Array,
) -> None:  # fmt: skip
    """Move a list's position on to an entry whose loan is free and fits, or to the end."""
    j = trade[which]
    while position[which] < end[which]:
        n = entries[position[which]] & of_loan
        if on[n] == _FREE and fill[j] + amount[n] <= hi[j]:
            return
        position[which] += 1


@numba.njit(cache=True)
def _fill_remaining(
    first_trade: int, end_trade: int, entries: Int64Array, start: Int64Array, loan_bits: int, amount: Int64Array,
    lo: Int64Array, hi: Int64Array, fill: Int64Array, on: Int32Array, placed_by: Int64Array, number: int,
) -> None:  # fmt: skip
    of_loan = (1 << loan_bits) - 1
    for j in range(first_trade, end_trade):
        for position in range(start[j], start[j + 1]):  # 1. add free candidates, best first
            if fill[j] >= lo[j]:
                break
            n = entries[position] & of_loan
            if on[n] == _FREE and fill[j] + amount[n] <= hi[j]:
                on[n] = j
                placed_by[n] = number
                fill[j] += amount[n]
        if fill[j] >= lo[j]:
            continue
        mine = _worst_first(j, entries, start, loan_bits, amount, on)  # 2. its own, listed once
        if not len(mine):
            continue
        room = hi[j] - fill[j]
        least, most = amount[mine & of_loan].min(), amount[mine & of_loan].max() + room  # what can replace any of them
        free = np.empty(start[j + 1] - start[j], dtype=np.int64)
        free_count = 0
        for position in range(start[j], start[j + 1]):
            n = entries[position] & of_loan
            if on[n] == _FREE and least < amount[n] <= most:
                free[free_count] = entries[position]
                free_count += 1
        for entry in mine:  # 3. replace each by the one that fills most
            if fill[j] >= lo[j]:
                break
            old = entry & of_loan
            best = -1
            for k in range(free_count):
                n = free[k] & of_loan
                if amount[n] <= amount[old] or fill[j] - amount[old] + amount[n] > hi[j]:
                    continue
                if best >= 0:
                    before = free[best] & of_loan
                    if amount[n] < amount[before] or (amount[n] == amount[before] and free[k] > free[best]):
                        continue
                best = k
            if best < 0:
                continue
            new = free[best] & of_loan
            on[old] = _FREE
            placed_by[old] = -1
            on[new] = j
            placed_by[new] = number
            fill[j] += amount[new] - amount[old]
            free[best] = entry  # who is replaced is free again


@numba.njit(cache=True)
def _worst_first(
    j: int, entries: Int64Array, start: Int64Array, loan_bits: int, amount: Int64Array, on: Int32Array
) -> Int64Array:  # fmt: skip
    """The entries of the loans on trade j by (score asc, amount asc, loan_id): the list backwards, equal ones forwards."""
    of_loan = (1 << loan_bits) - 1
    mine = np.empty(start[j + 1] - start[j], dtype=np.int64)
    count = 0
    for position in range(start[j], start[j + 1]):
        if on[entries[position] & of_loan] == j:
            mine[count] = entries[position]
            count += 1
    ordered = np.empty(count, dtype=np.int64)
    end, placed = count, 0
    while end > 0:
        first = end - 1
        while (
            first > 0
            and mine[first - 1] >> loan_bits == mine[end - 1] >> loan_bits
            and amount[mine[first - 1] & of_loan] == amount[mine[end - 1] & of_loan]
        ):
            first -= 1
        for k in range(first, end):
            ordered[placed] = mine[k]
            placed += 1
        end = first
    return ordered


@numba.njit(cache=True)
def _place_orphans(
    by_size: Int64Array, start: Int64Array, trade: Int32Array, score: Int64Array, amount: Int64Array, hi: Int64Array,
    fill: Int64Array, on: Int32Array, placed_by: Int64Array, number: int,
) -> None:  # fmt: skip
    for n in range(len(on)):
        if on[n] != _FREE:
            continue
        best = -1
        for c in range(start[by_size[n]], start[by_size[n] + 1]):
            if fill[trade[c]] + amount[n] <= hi[trade[c]] and (best < 0 or score[c] > score[best]):
                best = c
        if best >= 0:
            on[n] = trade[best]
            placed_by[n] = number
            fill[trade[best]] += amount[n]
