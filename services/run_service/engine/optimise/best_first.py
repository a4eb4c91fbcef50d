"""Each trade's candidates best first: by (score desc, amount desc, loan_id).

1. Loans are numbered by size, (amount desc, loan_id), so that one number stands for both.
2. An entry of a list is one integer: how far the score is under the highest of all, then the loan's number. Entries compare as
   the order asks, and plain integers sort many times faster than indices by several keys.
3. Loan by loan, each candidate's entry goes to the next place of its trade's list; then every list is sorted.
4. Lists by priority: the same list where all candidates of a trade have one priority, otherwise one sorted for each.
"""

from dataclasses import dataclass

import numba
import numpy as np

from services.run_service.engine.book import BoolArray, Int32Array, SmallArray
from services.run_service.engine.optimise.problem import AllocationProblem
from services.run_service.engine.rows import spans, starts
from services.run_service.engine.stop import Stop
from shared.money import Int64Array

_ENTRY_BITS = 63
_TOUCHED_AT_ONCE = 1 << 24


@dataclass(frozen=True)
class Tiers:
    """The lists by priority: entries[first[k]] to entries[end[k]] are those of one trade; in order of (priority, trade)."""

    entries: Int64Array
    priority: Int64Array
    trade: Int64Array
    first: Int64Array
    end: Int64Array


@dataclass(frozen=True)
class Lists:
    """Entries of the candidates of unlocked loans; the last `loan_bits` bits of an entry are the loan's number by size."""

    by_size: Int64Array
    """The loan of each number."""
    loan_bits: int
    entries: Int64Array
    start: Int64Array
    """The list of trade j is entries[start[j]] to entries[start[j + 1]]."""
    tiers: Tiers


def list_best_first(problem: AllocationProblem, stop: Stop) -> Lists:
    """The lists of every trade.

    Raises RunCancelledError after a cancel, OverflowError where scores lie too far apart for so many loans (scores that can be
    stored do for four million).
    """
    by_size = np.argsort(-problem.amount, kind="stable")
    size = np.empty(problem.loan_count, dtype=np.int64)
    size[by_size] = np.arange(problem.loan_count)
    highest, lowest = (int(problem.score.max()), int(problem.score.min())) if len(problem.score) else (0, 0)
    loan_bits = problem.loan_count.bit_length()
    if (highest - lowest).bit_length() + loan_bits > _ENTRY_BITS:
        raise OverflowError(f"scores from {lowest} to {highest} and {problem.loan_count} loans do not fit one integer")
    counts, low, high = np.zeros((3, problem.trade_count), dtype=np.int64)
    for first, end in spans(problem.loan_count):
        stop.checkpoint()
        _count(first, end, problem.start, problem.trade, problem.priority, problem.locked, counts, low, high)
    start = starts(counts)
    entries = np.empty(int(start[-1]), dtype=np.int64)
    for first, end in spans(
        len(entries), _TOUCHED_AT_ONCE
    ):  # the first loans write to all lists: memory comes before, bit by bit
        stop.checkpoint()
        entries[first:end] = 0
    mixed = low != high
    priority = np.empty(len(entries) if mixed.any() else 0, dtype=problem.priority.dtype)
    cursor = start[:-1].copy()
    for first, end in spans(problem.loan_count):
        stop.checkpoint()
        _enter(
            first, end, problem.start, problem.trade, problem.score, problem.priority, problem.locked, size, highest, loan_bits,
            cursor, entries, priority,
        )  # fmt: skip
    tiers = _sort(entries, start, priority, mixed, low, stop)
    return Lists(by_size, loan_bits, entries, start, tiers)


def _sort(entries: Int64Array, start: Int64Array, priority: SmallArray, mixed: BoolArray, only: Int64Array, stop: Stop) -> Tiers:
    """Sort every list in place, and those by priority; `only` is the priority of a trade that is not mixed."""
    by_priority = entries.copy() if mixed.any() else entries
    lists: list[tuple[int, int, int, int]] = []
    for trade in range(len(mixed)):
        stop.checkpoint()
        first, end = int(start[trade]), int(start[trade + 1])
        if mixed[trade]:
            order = np.argsort(priority[first:end], kind="stable")
            by_priority[first:end] = entries[first:end][order]
            tiers, edges = np.unique(priority[first:end][order], return_index=True)
            ends = [*(first + edges[1:]).tolist(), end]
            for tier, tier_first, tier_end in zip(tiers.tolist(), (first + edges).tolist(), ends, strict=True):
                by_priority[tier_first:tier_end].sort()
                lists.append((tier, trade, tier_first, tier_end))
        elif end > first:
            lists.append((int(only[trade]), trade, first, end))
        entries[first:end].sort()
        if not mixed[trade] and by_priority is not entries:
            by_priority[first:end] = entries[first:end]
    columns = np.array(sorted(lists), dtype=np.int64).reshape(len(lists), 4).T.copy()
    return Tiers(by_priority, *columns)


@numba.njit(cache=True)
def _count(
    first: int,
    end: int,
    start: Int64Array,
    trade: Int32Array,
    priority: SmallArray,
    locked: BoolArray,
    counts: Int64Array,
    low: Int64Array,
    high: Int64Array,
) -> None:
    """Entries of each trade's list from these loans, and the lowest and highest priority among them."""
    for i in range(first, end):
        if locked[i]:
            continue
        for c in range(start[i], start[i + 1]):
            j = trade[c]
            low[j] = priority[c] if counts[j] == 0 else min(low[j], priority[c])
            high[j] = priority[c] if counts[j] == 0 else max(high[j], priority[c])
            counts[j] += 1


@numba.njit(cache=True)
def _enter(
    first: int,
    end: int,
    start: Int64Array,
    trade: Int32Array,
    score: Int64Array,
    priority: SmallArray,
    locked: BoolArray,
    size: Int64Array,
    highest: int,
    loan_bits: int,
    cursor: Int64Array,
    entries: Int64Array,
    entry_priority: SmallArray,
) -> None:
    """Each candidate's entry to the next place of its trade's list; priorities beside them where there is room for them."""
    for i in range(first, end):
        if locked[i]:
            continue
        for c in range(start[i], start[i + 1]):
            place = cursor[trade[c]]
            cursor[trade[c]] += 1
            entries[place] = (highest - score[c]) << loan_bits | size[i]
            if len(entry_priority):
                entry_priority[place] = priority[c]
