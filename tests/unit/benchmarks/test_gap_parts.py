"""The parts of a gap sum up to it, and no allocation's gap is under the sum of the trades' own minima."""

import dataclasses
from itertools import combinations

import numpy as np
import pytest

from benchmarks import gap_parts
from benchmarks.gap_parts import OwnMinimum, Split, own_minima, split_gap
from services.run_service.engine.optimise.bound import Bound, lagrangian, prove_bound
from services.run_service.engine.optimise.problem import AllocationProblem
from services.run_service.engine.optimise.value import gain_units
from services.run_service.engine.stop import Stop
from shared.money import Int64Array
from tests.unit.run_service.engine.optimise.problems import DOLLAR, POINT, assert_feasible, nobody, of_matrix, problem_of
from tests.unit.run_service.engine.optimise.programs import exact_optimum

SEEDS = range(24)


def three_for_one() -> AllocationProblem:
    """One trade owes 80,000 and has room for 100,000; loans of 60,000 gain 1, 0.5 and -0.25 points there.

    The first whole and two thirds of the second are the relaxation's optimum, 800; a dollar of room is worth 0.005. At that price
    the first is worth 300 there, the second nothing, the third -450.
    """
    return of_matrix(
        np.array([[POINT], [POINT // 2], [-POINT // 4]]),
        np.ones((3, 1), dtype=np.bool_),
        amount=np.full(3, 60_000_00),
        fallback=np.zeros(3, dtype=np.int64),
        lo=np.array([80_000_00]),
        hi=np.array([100_000_00]),
        pair_off=np.array([0]),
    )


def some_problem(seed: int) -> AllocationProblem:
    return problem_of(seed, 2 + seed % 9, 1 + seed % 4, locked=seed % 2 == 0)


def some_bound(problem: AllocationProblem, seed: int) -> Bound:
    """The relaxation's, and for every third seed one of prices that are not so good."""
    proven = prove_bound(problem, Stop())
    if seed % 3:
        return proven
    price = np.where(proven.room_price > 0, proven.room_price * 1.5 + 1e-3, proven.room_price / 2)
    return Bound(lagrangian(problem, price), "LAGRANGIAN", price)


def some_allocation(problem: AllocationProblem, seed: int) -> Int64Array:
    """Loans at random on trades with room, some out."""
    rng = np.random.default_rng(seed)
    taken, fill = nobody(problem), problem.locked_fill.copy()
    for c in rng.permutation(len(problem.trade)).tolist():
        i, j = problem.loan[c], problem.trade[c]
        fits = fill[j] + problem.amount[i] <= problem.hi[j] and not problem.locked[i]
        if fits and taken[i] < 0 and rng.random() < 0.7:
            taken[i] = c
            fill[j] += problem.amount[i]
    assert_feasible(problem, taken)
    return taken


def gap_of(problem: AllocationProblem, bound: Bound, taken: Int64Array) -> float:
    return bound.gain - gain_units(problem, taken) / DOLLAR


def least_by_every_set(problem: AllocationProblem, bound: Bound, j: int) -> float:
    """The least part of the gap over all sets of loans that fit on the trade, from the terms of the bound."""
    price, low = float(bound.room_price[j]), int(problem.lo[j])
    lacking = max(0, low - int(problem.locked_fill[j]))
    room = max(0, int(problem.hi[j] - problem.locked_fill[j]))
    worth = (problem.net - problem.fallback[problem.loan]) / 1e12 - bound.room_price[problem.trade] / 100
    mine = np.nonzero((problem.trade == j) & ~problem.locked[problem.loan])[0].tolist()
    cents = {c: int(problem.amount[problem.loan[c]]) for c in mine}
    regret = {}
    for c in mine:
        i = problem.loan[c]
        own = worth[problem.start[i] : problem.start[i + 1]]
        regret[c] = (max(0.0, float(own.max())) - float(worth[c])) * cents[c]
    of_room = price * (room if price >= 0 else lacking) / 100
    least = np.inf
    for count in range(len(mine) + 1):
        for chosen in combinations(mine, count):
            used = sum(cents[c] for c in chosen)
            if used <= room:
                short = max(0, lacking - used) * int(problem.pair_off[j]) / 1e12
                least = min(least, sum(regret[c] for c in chosen) + of_room - price * used / 100 + short)
    return least


def solved(problem: AllocationProblem, bound: Bound, taken: Int64Array) -> tuple[Split, list[OwnMinimum]]:
    split = split_gap(problem, bound, taken)
    return split, list(own_minima(problem, bound, split))


def test_the_parts_by_hand() -> None:
    problem = three_for_one()
    bound = prove_bound(problem, Stop())
    first = split_gap(problem, bound, np.array([0, -1, -1]))
    assert first.regret == pytest.approx([0, 0, 450])
    assert [*first.of_trade, first.left_out] == pytest.approx([200, 0])  # 40,000 of room unused
    second = split_gap(problem, bound, np.array([-1, 1, -1]))
    assert [*second.of_trade, second.left_out] == pytest.approx([200, 300])
    third = split_gap(problem, bound, np.array([-1, -1, 2]))
    assert [*third.of_trade, third.left_out] == pytest.approx([650, 300])
    assert (third.members.tolist(), third.fill.tolist()) == ([1], [60_000_00])


def test_an_own_minimum_by_hand() -> None:
    problem = three_for_one()
    bound = prove_bound(problem, Stop())
    # no two loans fit: one of the first two leaves 200; the third is near only where it is on the trade itself
    for taken, near in (([-1, 1, -1], 2), ([-1, -1, 2], 3)):
        split, (own,) = solved(problem, bound, np.array(taken))
        assert (own.trade, own.near, own.is_solved) == (0, near, True)
        assert 199.5 <= own.dollars <= 200.001
        assert own.dollars <= split.of_trade[0]


def test_whole_loans_that_fill_a_trade_leave_nothing() -> None:
    problem = dataclasses.replace(three_for_one(), hi=np.array([120_000_00]))
    bound = Bound(lagrangian(problem, np.array([0.004])), "LP", np.array([0.004]))
    assert bound.gain == pytest.approx(900)
    split, (own,) = solved(problem, bound, np.array([-1, 1, -1]))
    assert [*split.of_trade, split.left_out] == pytest.approx([240, 360])
    assert own.dollars == pytest.approx(0, abs=1e-6)


def test_a_trade_that_nobody_is_near_to_keeps_its_part() -> None:
    problem = dataclasses.replace(three_for_one(), hi=np.array([50_000_00]), lo=np.array([50_000_00]))
    problem.pair_off[0] = POINT // 10
    bound = Bound(lagrangian(problem, np.array([-0.001])), "LAGRANGIAN", np.array([-0.001]))
    split, minima = solved(problem, bound, nobody(problem))
    assert split.of_trade == pytest.approx([0])  # all of its shortfall is counted in the bound
    assert minima == []
    bound = Bound(lagrangian(problem, np.array([0.02])), "LAGRANGIAN", np.array([0.02]))
    problem.net[:] = -POINT
    split, (own,) = solved(problem, bound, nobody(problem))
    assert split.of_trade == pytest.approx([1_050])
    assert own == OwnMinimum(0, 0, float(split.of_trade[0]), True)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_parts_sum_up_to_the_gap_and_none_is_negative(seed: int) -> None:
    problem = some_problem(seed)
    bound = some_bound(problem, seed)
    for taken in (nobody(problem), some_allocation(problem, seed), exact_optimum(problem)[1]):
        split = split_gap(problem, bound, taken)
        assert split.of_trade.sum() + split.left_out == pytest.approx(gap_of(problem, bound, taken), abs=1e-5)
        assert (split.of_trade >= -1e-5).all()
        assert split.left_out >= 0


@pytest.mark.parametrize("seed", SEEDS)
def test_an_own_minimum_is_the_least_of_every_set_of_loans(seed: int) -> None:
    problem = some_problem(seed)
    bound = some_bound(problem, seed)
    split, minima = solved(problem, bound, some_allocation(problem, seed))
    assert [own.trade for own in minima] == [j for j in np.argsort(-split.of_trade, kind="stable") if split.of_trade[j] > 1]
    for own in minima:
        least = least_by_every_set(problem, bound, own.trade)
        assert own.is_solved
        assert least - 0.5 - 1e-4 <= own.dollars <= least + 1e-4


@pytest.mark.parametrize("seed", SEEDS)
def test_the_best_allocation_has_no_less_of_a_gap_than_the_minima_say(seed: int) -> None:
    problem = some_problem(seed)
    bound = some_bound(problem, seed)
    _, best = exact_optimum(problem)
    _, minima = solved(problem, bound, some_allocation(problem, seed))
    assert sum(own.dollars for own in minima) <= gap_of(problem, bound, best) + 1e-4


def test_the_random_problems_have_minima_and_none() -> None:
    # minima that are always nothing, or always the part itself, would leave the tests above without a point
    found = []
    for seed in SEEDS:
        problem = some_problem(seed)
        split, minima = solved(problem, some_bound(problem, seed), some_allocation(problem, seed))
        found += [(own.dollars, float(split.of_trade[own.trade])) for own in minima]
    assert sum(own < 0.01 for own, _ in found) >= 3
    assert sum(1 < own < part - 1 for own, part in found) >= 3


def test_a_solver_that_ends_early_proves_less_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    # loans of multiples of 2,000, each worth at the price what it earns; room for an odd number of thousands: 1,000 stays unused
    loans, price = 30, np.array([0.005])
    problem = of_matrix(
        np.full((loans, 1), POINT // 2),
        np.ones((loans, 1), dtype=np.bool_),
        amount=np.random.default_rng(0).integers(50, 150, loans) * 2_000_00,
        fallback=np.zeros(loans, dtype=np.int64),
        lo=np.array([0]),
        hi=np.array([3_001_000_00]),
        pair_off=np.array([0]),
    )
    bound = Bound(lagrangian(problem, price), "LP", price)
    (ended,) = solved(problem, bound, nobody(problem))[1]
    assert (ended.near, ended.is_solved) == (loans, True)
    assert ended.dollars == pytest.approx(5, abs=0.5)
    monkeypatch.setattr(gap_parts, "_NODES", 0)
    (early,) = solved(problem, bound, nobody(problem))[1]
    assert early == OwnMinimum(0, loans, 0.0, False)
