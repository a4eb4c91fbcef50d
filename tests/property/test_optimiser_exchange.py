"""The best exchange of one trade against all exchanges of up to two loans for up to two, tried one by one."""

from itertools import combinations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from services.run_service.engine.optimise.bands import may_change
from services.run_service.engine.optimise.bound import prove_bound
from services.run_service.engine.optimise.exchange import exchange_best, new_desk
from services.run_service.engine.optimise.local_search import Searcher
from services.run_service.engine.optimise.problem import AllocationProblem
from services.run_service.engine.optimise.rng import RandomState, seeded
from services.run_service.engine.optimise.value import gain_units
from services.run_service.engine.stop import Stop
from shared.money import Int64Array
from tests.unit.run_service.engine.optimise.problems import DOLLAR, POINT, filled_by, of_matrix
from tests.unit.run_service.engine.optimise.searches import assert_consistent, near, random_allocation, searcher_of

LEAST = 1e-3
MOST = settings(max_examples=settings().max_examples * 8)


def small_change(seed: int, loans: int, trades: int) -> AllocationProblem:
    """Loans of 50 to 300 dollars in steps of 50, so that every regret is small, and bands whose ends they meet exactly."""
    rng = np.random.default_rng(seed)
    lo = rng.integers(0, 8, trades) * 5_000
    return of_matrix(
        rng.integers(0, 30, (loans, trades)) * (POINT // 10),
        rng.random((loans, trades)) < 0.8,
        amount=rng.integers(1, 7, loans) * 5_000,
        fallback=rng.integers(0, 30, loans) * (POINT // 10),
        lo=lo,
        hi=lo + rng.integers(0, 5, trades) * 5_000 + rng.choice([0, 0, 0, 2_500], trades),
        pair_off=rng.choice([0, POINT // 2, 3 * POINT], trades),
        locked_fill=rng.choice([0, 0, 5_000, 120_000], trades),
    )


SMALL = st.builds(small_change, st.integers(0, 2**32 - 1), st.integers(2, 9), st.integers(1, 4))


def best_by_trying(problem: AllocationProblem, taken: Int64Array, j: int) -> int:
    """The most that an exchange of up to two loans for up to two between trade j and any other place earns, 1e-12 dollars."""
    fill = filled_by(problem, taken).tolist()
    to = [{int(problem.trade[c]): c for c in range(problem.start[i], problem.start[i + 1])} for i in range(problem.loan_count)]
    at = [None if taken[i] < 0 else int(problem.trade[taken[i]]) for i in range(problem.loan_count)]

    def points(i: int, place: int | None) -> int:
        return 0 if place is None else int(problem.amount[i]) * int(problem.net[to[i][place]] - problem.fallback[i])

    def earned(coming: tuple[int, ...], going: tuple[int, ...], k: int | None) -> int | None:
        change = sum(int(problem.amount[i]) for i in coming) - sum(int(problem.amount[i]) for i in going)
        total = sum(points(i, j) - points(i, k) for i in coming) + sum(points(i, k) - points(i, j) for i in going)
        for place, by in ((j, change), (k, -change)):
            if place is None:
                continue
            if not may_change(fill[place], by, int(problem.hi[place])):
                return None
            before, after = (max(0, int(problem.lo[place]) - cents) for cents in (fill[place], fill[place] + by))
            total += int(problem.pair_off[place]) * (before - after)
        return total

    best = 0
    for k in [None, *(k for k in range(problem.trade_count) if k != j)]:
        come = [i for i in range(problem.loan_count) if at[i] == k and j in to[i]]
        go = [i for i in range(problem.loan_count) if at[i] == j and (k is None or k in to[i])]
        for coming in (some for size in range(3) for some in combinations(come, size)):
            for going in (some for size in range(3) for some in combinations(go, size)):
                best = max(best, earned(coming, going, k) or 0)
    return best


def exchange(search: Searcher, j: int, random: RandomState) -> float:
    """Let trade j make its best exchange; check what it says it earned, and the state after it."""
    before = gain_units(search.problem, search.taken)
    gain, other, looked = exchange_best(j, search.places, search.bands, search.holdings, search.desk, random, LEAST)
    assert near(gain, (gain_units(search.problem, search.taken) - before) / DOLLAR)
    assert (other < 0) == (gain == 0)
    assert looked >= 0
    assert_consistent(search.problem, search.places, search.bands, search.holdings)
    return gain


@MOST
@given(problem=SMALL, seed=st.integers(0, 2**32 - 1), drawn=st.booleans())
def test_no_exchange_of_two_for_two_earns_more(problem: AllocationProblem, seed: int, drawn: bool) -> None:
    price = prove_bound(problem, Stop()).room_price
    start = random_allocation(problem, seed)
    for j in range(problem.trade_count):
        search = searcher_of(problem, start, price)
        gain = exchange(search, j, seeded(seed) if drawn else np.zeros(1, dtype=np.uint64))
        best = best_by_trying(problem, start, j) / DOLLAR
        assert near(gain, best if best > LEAST else 0.0)


@MOST
@given(problem=SMALL, seed=st.integers(0, 2**32 - 1))
def test_where_a_descent_earns_nothing_no_exchange_of_two_for_two_pays(problem: AllocationProblem, seed: int) -> None:
    search = searcher_of(problem, random_allocation(problem, seed), prove_bound(problem, Stop()).room_price)
    gain = -np.inf
    while search.gain > gain:
        gain = search.gain
        search.begin_descent()
        while search.descending:
            search.advance(50, 1)
    for j in range(problem.trade_count):
        assert best_by_trying(problem, search.taken, j) / DOLLAR <= LEAST


def test_the_places_an_exchange_made_free_are_told() -> None:
    made = 0
    for seed in range(30):
        problem = small_change(seed, 8, 3)
        search = searcher_of(problem, random_allocation(problem, seed), prove_bound(problem, Stop()).room_price)
        before = search.holdings.choice.copy()
        if exchange(search, 0, np.zeros(1, dtype=np.uint64)) > 0:
            left = {int(place) for place in search.desk.made if place >= 0}
            assert left == {int(place) for place in before[before != search.holdings.choice]}
            made += 1
    assert made > 10


def test_a_desk_is_empty_after_every_exchange() -> None:
    problem = small_change(1, 9, 4)
    search = searcher_of(problem, random_allocation(problem, 1), prove_bound(problem, Stop()).room_price)
    search.desk = new_desk(5)
    for j in range(4):
        exchange(search, j, seeded(j))
        for side in (search.desk.coming, search.desk.going):
            assert not side.kept.any()
            assert not side.seen.any()


def test_the_small_problems_reach_bends_edges_the_outside_and_overfilled_trades() -> None:
    # what the comparison is to meet: fills at lo and hi exactly, under lo, loans left out, trades that lockdowns overfill
    seen = dict.fromkeys(("at lo", "at hi", "under lo", "over hi", "outside"), 0)
    for seed in range(60):
        problem = small_change(seed, 7, 3)
        taken = random_allocation(problem, seed)
        fill = filled_by(problem, taken)
        seen["at lo"] += int((fill == problem.lo).any())
        seen["at hi"] += int((fill == problem.hi).any())
        seen["under lo"] += int((fill < problem.lo).any())
        seen["over hi"] += int((fill > problem.hi).any())
        seen["outside"] += int((taken < 0).any())
    assert min(seen.values()) >= 15, seen
