"""Searches on problems for the optimiser's tests, and what must hold of a search's state at any time."""

import numpy as np

from services.run_service.engine.optimise.bands import Bands, FloatArray, bands_of, slack_cost
from services.run_service.engine.optimise.bound import lagrangian
from services.run_service.engine.optimise.holdings import Holdings, taken_of
from services.run_service.engine.optimise.local_search import Searcher
from services.run_service.engine.optimise.places import Places, keep_places
from services.run_service.engine.optimise.problem import AllocationProblem
from services.run_service.engine.optimise.value import gain_units
from services.run_service.engine.stop import Stop
from shared.money import Int64Array
from tests.unit.run_service.engine.optimise.problems import DOLLAR, assert_feasible


def searcher_of(problem: AllocationProblem, taken: Int64Array, room_price: FloatArray, seed: int = 0) -> Searcher:
    """A search that begins at an allocation."""
    places = keep_places(problem, [taken], room_price, Stop())
    return Searcher(problem, places, bands_of(problem, room_price), taken, seed=seed)


def random_allocation(problem: AllocationProblem, seed: int) -> Int64Array:
    """The candidate of each loan (-1: none) after loans in random order tried some of theirs."""
    rng = np.random.default_rng(seed)
    taken = np.full(problem.loan_count, -1, dtype=np.int64)
    fill = problem.locked_fill.copy()
    for i in rng.permutation(np.nonzero(~problem.locked)[0]).tolist():
        own = np.arange(problem.start[i], problem.start[i + 1])
        for c in rng.permutation(own)[: rng.integers(0, 3)].tolist():
            if fill[problem.trade[c]] + problem.amount[i] <= problem.hi[problem.trade[c]]:
                taken[i] = c
                fill[problem.trade[c]] += problem.amount[i]
                break
    return taken


def near(one: float, other: float) -> bool:
    """Whether two sums of dollars are equal but for rounding."""
    return abs(one - other) <= 1e-6 * max(1.0, abs(one), abs(other))


def assert_consistent(problem: AllocationProblem, places: Places, bands: Bands, holdings: Holdings) -> None:
    """Members, slots, sizes, fills and excesses are those of the places that loans are in, and the bands hold."""
    outside = problem.trade_count
    placed = np.nonzero(holdings.choice >= 0)[0]
    assert placed.tolist() == np.nonzero(np.diff(places.start) > 0)[0].tolist()
    assert (places.loan[holdings.choice[placed]] == placed).all()
    trade = places.trade[holdings.choice[placed]]
    regret = places.regret[holdings.choice[placed]].astype(np.float64)
    for j in range(outside + 1):
        first, size = int(holdings.row[j]), int(holdings.size[j])
        members = holdings.member[first : first + size]
        assert sorted(members.tolist()) == placed[trade == j].tolist()
        assert holdings.slot[members].tolist() == list(range(size))
        by_locks = 0 if j == outside else int(problem.locked_fill[j])
        assert int(holdings.fill[j]) == by_locks + int(problem.amount[placed[trade == j]].sum())
        if j < outside:
            slack = slack_cost(int(holdings.fill[j]), int(bands.lo[j]), int(bands.hi[j]), bands.pair_off[j], bands.price[j])
            assert near(float(holdings.excess[j]), slack + float(regret[trade == j].sum()))
    assert_feasible(problem, taken_of(problem, places, holdings))


def assert_gain_is_exact(search: Searcher) -> None:
    """The dollars that a search counts are those of the allocation it holds."""
    assert near(search.gain, gain_units(search.problem, search.taken) / DOLLAR)


def shortfall_of_the_bound(search: Searcher, room_price: FloatArray) -> tuple[float, float]:
    """The bound at these prices less the gain, and the regrets of the places taken with what the trades' fills cost.

    Lockdowns over a band's end are outside both the bound and what a search can change.
    """
    problem, places, bands, holdings = search.problem, search.places, search.bands, search.holdings
    parts = float(places.regret[holdings.choice[holdings.choice >= 0]].astype(np.float64).sum())
    for j in range(problem.trade_count):
        lo, hi, fill = int(bands.lo[j]), int(bands.hi[j]), int(holdings.fill[j])
        parts += slack_cost(fill, lo, hi, bands.pair_off[j], bands.price[j])
        parts += max(0.0, bands.price[j]) * max(0, int(problem.locked_fill[j]) - hi)
        parts -= max(0.0, -bands.price[j]) * max(0, int(problem.locked_fill[j]) - lo)
    return lagrangian(problem, room_price) - search.gain, parts
