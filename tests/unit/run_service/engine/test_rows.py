"""Rows laid end to end: a part of them, the types of their numbers, and the spans they are worked on in."""

import numpy as np
import pytest

from services.run_service.engine.rows import small_type, spans, starts, top_of_rows


def test_a_part_of_the_rows_keeps_the_numbers_of_the_whole() -> None:
    # rows 9 | 1 3 3 | 2 2: of the last two rows the best two each are the threes at 2 and 3, and the twos at 4 and 5
    start, score = starts(np.array([1, 3, 2])), np.array([9, 1, 3, 3, 2, 2])
    kept, kept_start = top_of_rows(start[1:], score, 2)
    assert kept.tolist() == [2, 3, 4, 5]
    assert kept_start.tolist() == [0, 2, 4]


@pytest.mark.parametrize(("largest", "kind"), [(0, np.int16), (32_767, np.int16), (32_768, np.int32)])
def test_the_type_of_an_index_is_the_smallest_that_holds_it(largest: int, kind: type) -> None:
    assert small_type(largest) is kind


def test_spans_cover_everything_once() -> None:
    assert list(spans(7, 3)) == [(0, 3), (3, 6), (6, 7)]
    assert list(spans(6, 3)) == [(0, 3), (3, 6)]
    assert list(spans(0, 3)) == [(0, 0)]
