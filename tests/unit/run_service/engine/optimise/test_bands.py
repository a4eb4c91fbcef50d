"""Bands: who may change a trade's fill, and what a fill costs beyond what the bound allows for."""

import numpy as np
import pytest

from services.run_service.engine.optimise.bands import UNBOUNDED, bands_of, may_change, shortfall_saved, slack_cost
from tests.unit.run_service.engine.optimise.problems import POINT, of_matrix


@pytest.mark.parametrize(
    ("fill", "change", "hi", "may"),
    [
        (0, 100, 100, True),
        (0, 101, 100, False),
        (100, 0, 100, True),
        (60, 40, 100, True),
        (60, 41, 100, False),
        (150, 0, 100, True),  # lockdowns alone are over the band: it may stay
        (150, -10, 100, True),  # or shrink
        (150, 1, 100, False),  # but not grow
    ],
)
def test_a_fill_grows_up_to_hi_and_shrinks_at_any_time(fill: int, change: int, hi: int, may: bool) -> None:
    assert may_change(fill, change, hi) is may


@pytest.mark.parametrize(
    ("fill", "change", "lo", "saved"),
    [(0, 30, 100, 30), (90, 30, 100, 10), (100, 30, 100, 0), (130, -30, 100, 0), (130, -40, 100, -10), (50, -20, 100, -20)],
)
def test_only_what_lies_under_lo_is_saved(fill: int, change: int, lo: int, saved: int) -> None:
    assert shortfall_saved(fill, change, lo) == saved


@pytest.mark.parametrize(
    ("fill", "price", "cost"),
    [
        # band from 80 to 100 cents, 0.5 dollars paired off for each cent short
        (100, 0.25, 0.0),  # full: all room sold
        (90, 0.25, 2.5),  # 10 cents of room unsold
        (80, 0.25, 5.0),
        (60, 0.25, 20.0),  # 40 cents of room at 0.25 and 20 cents short at 0.5
        (80, 0.0, 0.0),
        (60, 0.0, 10.0),
        (80, -0.25, 0.0),  # filling to lo is worth 0.25 a cent, no more beyond
        (100, -0.25, 5.0),
        (60, -0.25, 5.0),  # the bound counts 0.25 of the 0.5
        (60, -0.5, 0.0),
    ],
)
def test_a_fill_costs_its_unused_room_at_the_price_and_its_shortfall_beyond_it(fill: int, price: float, cost: float) -> None:
    assert slack_cost(fill, 80, 100, 0.5, price) == pytest.approx(cost)


def test_the_outside_comes_last_and_has_room_for_all() -> None:
    problem = of_matrix(
        np.zeros((1, 2), dtype=np.int64),
        np.ones((1, 2), dtype=np.bool_),
        amount=np.array([100]),
        fallback=np.array([0]),
        lo=np.array([80, 0]),
        hi=np.array([100, 50]),
        pair_off=np.array([POINT // 2, 0]),
    )
    bands = bands_of(problem, np.array([0.02, -0.01]))
    assert bands.lo.tolist() == [80, 0, 0]
    assert bands.hi.tolist() == [100, 50, UNBOUNDED]
    # half a point of a dollar is 0.005 dollars, of a cent 0.00005
    assert bands.pair_off.tolist() == pytest.approx([0.00005, 0, 0])
    assert bands.price.tolist() == pytest.approx([0.0002, -0.0001, 0])
    assert may_change(0, 10**18, UNBOUNDED)
