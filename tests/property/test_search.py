"""The improvement on random problems: it climbs, stays feasible and under the bound, and rests where no loan alone can gain."""

import dataclasses
from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from services.run_service.engine.optimise.auction import hold_auction
from services.run_service.engine.optimise.bound import prove_bound
from services.run_service.engine.optimise.improvement import SearchResult, improve
from services.run_service.engine.optimise.optimal import Effort, optimise
from services.run_service.engine.optimise.problem import AllocationProblem
from services.run_service.engine.optimise.ties import prefer_low_priorities
from services.run_service.engine.optimise.value import gain_units
from services.run_service.engine.stop import Stop
from shared.money import Int64Array
from tests.unit.run_service.engine.optimise.problems import (
    DOLLAR,
    ENDLESS,
    POINT,
    assert_feasible,
    filled_by,
    nobody,
    passes_of,
    problem_of,
    problems,
)
from tests.unit.run_service.engine.optimise.programs import exact_optimum

MORE = settings(max_examples=settings().max_examples * 3 // 2)
SEEDS = st.integers(0, 2**32 - 1)


def search(
    problem: AllocationProblem, starts: Sequence[Int64Array], *, seed: int = 0, work_limit: int = ENDLESS
) -> tuple[SearchResult, list[int]]:
    """Where the improvement ends from these allocations, and the gains that it told of."""
    told: list[int] = []
    bound = prove_bound(problem, Stop())
    result = improve(
        problem, starts, bound.room_price, bound.gain, seed=seed, work_limit=work_limit, stop=Stop(),
        on_progress=lambda taken: told.append(gain_units(problem, taken)),
    )  # fmt: skip
    return result, told


@MORE
@given(problem=problems(), seed=st.integers(0, 9))
def test_the_search_climbs_stays_feasible_and_stays_under_the_bound(problem: AllocationProblem, seed: int) -> None:
    bound = prove_bound(problem, Stop())
    starts = [nobody(problem), passes_of(problem), hold_auction(problem, bound.room_price, Stop())]
    for some in ([starts[0]], [starts[1]], starts):
        result, told = search(problem, some, seed=seed)
        assert result.ended_by == "CONVERGED"
        assert_feasible(problem, result.taken)
        gains = [max(gain_units(problem, start) for start in some), *told, gain_units(problem, result.taken)]
        assert all(later >= earlier - DOLLAR // 10**6 for earlier, later in pairwise(gains))
        assert Fraction(gains[-1], DOLLAR) <= Fraction(bound.gain)


@MORE
@given(problem=problems(), seed=st.integers(0, 9))
def test_where_it_rests_no_single_loan_can_be_moved_for_more(problem: AllocationProblem, seed: int) -> None:
    taken = optimise(problem, Effort(seed, ENDLESS, None), Stop(), lambda *told: None).taken
    assert_feasible(problem, taken)
    best = gain_units(problem, taken)
    fill = filled_by(problem, taken)
    for loan in np.nonzero(~problem.locked)[0].tolist():
        for choice in [-1, *range(problem.start[loan], problem.start[loan + 1])]:
            if choice >= 0 and choice != taken[loan]:
                there = problem.trade[choice]
                if fill[there] + problem.amount[loan] > problem.hi[there]:
                    continue
            moved = taken.copy()
            moved[loan] = choice
            assert gain_units(problem, moved) - best <= DOLLAR // 1_000


def test_small_problems_are_solved_to_the_optimum_or_nearly() -> None:
    missed = []
    for seed in range(80):
        problem = problem_of(seed, 2 + seed % 9, 1 + seed % 4, locked=seed % 2 == 1)
        found = optimise(problem, Effort(0, ENDLESS, None), Stop(), lambda *told: None)
        best, _ = exact_optimum(problem)
        reached = Fraction(gain_units(problem, found.taken), DOLLAR)
        assert reached <= best <= Fraction(found.bound.gain)
        missed.append(float(best - reached) / max(1.0, float(best)))
    assert sum(share > 1e-6 for share in missed) <= 2
    assert max(missed) < 0.1


@MORE
@given(problem=problems(priorities=3), seed=SEEDS)
def test_priorities_break_ties_and_change_no_value(problem: AllocationProblem, seed: int) -> None:
    # whole points and one pair-off for all, so that candidates of one net score are common
    rng = np.random.default_rng(seed)
    whole = problem.net // (2 * POINT) * (2 * POINT)
    tied = dataclasses.replace(
        problem,
        score=whole,
        net=whole,
        priority=rng.integers(0, 3, len(whole)).astype(np.int16),
        pair_off=np.full(problem.trade_count, POINT),
        lo=rng.integers(0, 2, problem.trade_count) * problem.lo,
    )
    before = passes_of(tied)
    after = prefer_low_priorities(tied, before)
    assert_feasible(tied, after)
    assert gain_units(tied, after) == gain_units(tied, before)
    assert ((after >= 0) == (before >= 0)).all()
    placed = before >= 0
    assert (tied.priority[after[placed]] <= tied.priority[before[placed]]).all()
