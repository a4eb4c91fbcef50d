"""Kernels over rows laid end to end, against plain sorts: the best, the first few, ranks and groups, with ties and empty rows."""

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from services.run_service.engine.rows import best_of_rows, grouped, ranks_in_rows, starts, top_of_rows
from shared.money import Int64Array

ROWS = st.lists(st.lists(st.integers(-3, 3), max_size=8), max_size=6)


def laid(rows: list[list[int]]) -> tuple[Int64Array, Int64Array]:
    """Where the rows start, and their numbers end to end."""
    lengths = np.array([len(row) for row in rows], dtype=np.int64)
    return starts(lengths), np.array([number for row in rows for number in row], dtype=np.int64)


def in_order(rows: list[list[int]]) -> list[list[int]]:
    """Indices of each row's numbers, greatest first and the first of equal ones first."""
    start, score = laid(rows)
    return [sorted(range(int(first), int(end)), key=lambda c: (-int(score[c]), c)) for first, end in pairwise(start)]


@given(rows=ROWS, most=st.integers(1, 9))
def test_the_first_few_of_each_row_are_those_of_a_stable_sort(rows: list[list[int]], most: int) -> None:
    kept, kept_start = top_of_rows(*laid(rows), most)
    found = [kept[first:end].tolist() for first, end in pairwise(kept_start)]
    assert found == [row[:most] for row in in_order(rows)]


@given(rows=ROWS)
def test_the_best_is_the_first_of_them(rows: list[list[int]]) -> None:
    assert best_of_rows(*laid(rows)).tolist() == [row[0] if row else -1 for row in in_order(rows)]


@given(rows=ROWS)
def test_ranks_count_from_one_in_that_order(rows: list[list[int]]) -> None:
    start, score = laid(rows)
    rank = ranks_in_rows(start, score, np.repeat(np.arange(len(rows)), np.diff(start)), np.arange(len(score)))
    for row in in_order(rows):
        assert rank[row].tolist() == list(range(1, len(row) + 1))


@given(groups=st.lists(st.integers(0, 4), max_size=20))
def test_groups_keep_their_order(groups: list[int]) -> None:
    order, start = grouped(np.array(groups, dtype=np.int32), 5)
    for group in range(5):
        assert order[start[group] : start[group + 1]].tolist() == [place for place, g in enumerate(groups) if g == group]
