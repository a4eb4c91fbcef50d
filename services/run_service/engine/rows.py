"""Kernels over rows of numbers laid end to end: row i is values[start[i]] to values[start[i + 1]].

Candidates are such rows, one a loan, in trade order; so that of equal scores the first is the one of the earlier trade.
"""

from collections.abc import Iterator

import numba
import numpy as np

from services.run_service.engine.book import Int32Array
from shared.money import Int64Array

BLOCK_LOANS = 32_768
"""So many loans are worked on at a time where there may be a million: their arrays stay in the caches, a cancel is seen soon."""


def spans(count: int, at_a_time: int = BLOCK_LOANS) -> Iterator[tuple[int, int]]:
    """The numbers from 0 to before `count` in spans: first, and end. Nothing is one empty span."""
    for first in range(0, max(1, count), at_a_time):
        yield first, min(count, first + at_a_time)


def small_type(largest: int) -> type[np.signedinteger]:
    """int16 where that holds the numbers from -1 to `largest`, otherwise int32."""
    return np.int16 if largest <= np.iinfo(np.int16).max else np.int32


def starts(counts: Int64Array) -> Int64Array:
    """Where each row starts, and the end of the last, for rows of these lengths."""
    start = np.zeros(len(counts) + 1, dtype=np.int64)
    np.cumsum(counts, out=start[1:])
    return start


@numba.njit(cache=True)
def grouped(group: Int32Array, count: int) -> tuple[Int64Array, Int64Array]:
    """Indices of the elements by group, in their order within each, and where each of the `count` groups starts."""
    start = np.zeros(count + 1, dtype=np.int64)
    for g in group:
        start[g + 1] += 1
    for g in range(count):
        start[g + 1] += start[g]
    cursor = start[:-1].copy()
    order = np.empty(len(group), dtype=np.int64)
    for position in range(len(group)):
        g = group[position]
        order[cursor[g]] = position
        cursor[g] += 1
    return order, start


@numba.njit(cache=True)
def best_of_rows(start: Int64Array, score: Int64Array) -> Int64Array:
    """Index of the greatest score of each row, the first of equal ones; -1 for an empty row."""
    best = np.full(len(start) - 1, -1, dtype=np.int64)
    for i in range(len(best)):
        for c in range(start[i], start[i + 1]):
            if best[i] < 0 or score[c] > score[best[i]]:
                best[i] = c
    return best


@numba.njit(cache=True)
def top_of_rows(start: Int64Array, score: Int64Array, most: int) -> tuple[Int64Array, Int64Array]:
    """Indices of the `most` greatest scores of each row in falling order, the first of equal ones first, and where rows start."""
    count = len(start) - 1
    kept_start = np.zeros(count + 1, dtype=np.int64)
    for i in range(count):
        kept_start[i + 1] = kept_start[i] + min(most, start[i + 1] - start[i])
    kept = np.empty(kept_start[count], dtype=np.int64)
    for i in range(count):
        first, size = kept_start[i], 0
        for c in range(start[i], start[i + 1]):
            if size == most:
                if score[c] <= score[kept[first + size - 1]]:
                    continue
                size -= 1
            place = first + size
            while place > first and score[kept[place - 1]] < score[c]:
                kept[place] = kept[place - 1]
                place -= 1
            kept[place] = c
            size += 1
    return kept, kept_start


@numba.njit(cache=True)
def ranks_in_rows(start: Int64Array, score: Int64Array, row: Int64Array, index: Int64Array) -> Int64Array:
    """1 for the greatest score of a row, and so on: the rank of the element at each `index` within the row beside it."""
    rank = np.ones(len(index), dtype=np.int64)
    for position in range(len(index)):
        i, mine = row[position], index[position]
        for c in range(start[i], start[i + 1]):
            if score[c] > score[mine] or (score[c] == score[mine] and c < mine):
                rank[position] += 1
    return rank
