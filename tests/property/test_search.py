"""Bound and search on random problems: the bound holds, the search only climbs, stays feasible, and rests where no move pays."""

import dataclasses
from fractions import Fraction

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from services.run_service.engine.optimise.bound import prove_bound
from services.run_service.engine.optimise.construct import round_relaxation
from services.run_service.engine.optimise.local_search import SearchResult, improve
from services.run_service.engine.optimise.passes import run_passes
from services.run_service.engine.optimise.problem import AllocationProblem, Locks
from services.run_service.engine.optimise.ties import prefer_low_priorities
from services.run_service.engine.optimise.value import Allocation, nothing, value_units
from services.run_service.engine.stop import Stop
from shared.money import Int64Array

NOBODY = np.zeros(0, dtype=np.int64)
NO_LOCKS = Locks(NOBODY, NOBODY, NOBODY, NOBODY, NOBODY, NOBODY > 0)
POINT, DOLLAR = 10**8, 10**12
"""A point and a dollar in the units of scores and values."""


def problem_of(seed: int, loans: int, trades: int) -> AllocationProblem:
    """Loans of 10,000 to 300,000 dollars; scores, fallbacks and pair-offs of a few points around each other."""
    rng = np.random.default_rng(seed)
    chosen = rng.random((loans, trades)) < 0.6
    loan, trade = (part.astype(np.int32) for part in np.nonzero(chosen))
    amount = rng.integers(1_000_000, 30_000_000, loans)
    need = rng.integers(1_000_000, 60_000_000, trades)
    band = (need * rng.choice([0, 0.01, 0.3], trades)).astype(np.int64)
    score = rng.integers(99 * POINT, 102 * POINT, len(loan))
    return AllocationProblem(
        amount=amount,
        fallback=rng.integers(99 * POINT, 102 * POINT, loans),
        locked=np.zeros(loans, dtype=np.bool_),
        lo=need - band,
        hi=need + band,
        locked_fill=rng.choice([0, 0, 0, 40_000_000], trades),
        pair_off=rng.integers(0, 3 * POINT, trades),
        loan=loan,
        trade=trade,
        score=score,
        net=score - rng.choice([0, 0, 3_125_000], len(loan)),
        priority=np.ones(len(loan), dtype=np.int64),
        start=np.concatenate([[0], np.cumsum(chosen.sum(axis=1))]).astype(np.int64),
        usable=np.ones(len(loan), dtype=np.bool_),
    )


PROBLEMS = st.builds(problem_of, st.integers(0, 2**32 - 1), st.integers(1, 25), st.integers(1, 6))
MORE = settings(max_examples=settings().max_examples * 3 // 2)


def value(problem: AllocationProblem, taken: Int64Array) -> int:
    """Value in 1e-12 dollars."""
    return value_units(problem, NO_LOCKS, Allocation(taken, np.zeros_like(taken)))


def search(problem: AllocationProblem, start: Int64Array, *, seed: int = 0, work_limit: int = 10**12) -> SearchResult:
    price = prove_bound(problem, Stop()).room_price
    return improve(
        problem, start, price, seed=seed, work_limit=work_limit, stop=Stop(), on_progress=lambda taken: None
    )  # fmt: skip


def assert_feasible(problem: AllocationProblem, taken: Int64Array) -> None:
    """Every loan takes a candidate of its own, and no trade is filled beyond its band but by locks."""
    placed = np.nonzero(taken >= 0)[0]
    assert (problem.loan[taken[placed]] == placed).all()
    fill = problem.locked_fill.copy()
    np.add.at(fill, problem.trade[taken[placed]], problem.amount[placed])
    assert (fill <= np.maximum(problem.hi, problem.locked_fill)).all()


@MORE
@given(problem=PROBLEMS, seed=st.integers(0, 9))
def test_the_search_climbs_stays_feasible_and_stays_under_the_bound(problem: AllocationProblem, seed: int) -> None:
    baseline = value(problem, nothing(problem).taken)
    bound = prove_bound(problem, Stop())
    assert bound.fractions is not None
    starts = [
        nothing(problem).taken,
        run_passes(problem, Stop(), lambda name, so_far: None).taken,
        round_relaxation(problem, bound.fractions),
    ]
    for start in starts:
        assert_feasible(problem, start)
        result = search(problem, start, seed=seed)
        assert result.ended_by == "CONVERGED"
        assert_feasible(problem, result.taken)
        assert value(problem, start) <= value(problem, result.taken)
        assert Fraction(value(problem, result.taken) - baseline, DOLLAR) <= Fraction(bound.gain)


@MORE
@given(problem=PROBLEMS)
def test_where_it_rests_no_single_loan_can_be_moved_for_more(problem: AllocationProblem) -> None:
    taken = search(problem, nothing(problem).taken).taken
    best = value(problem, taken)
    fill = problem.locked_fill.copy()
    placed = np.nonzero(taken >= 0)[0]
    np.add.at(fill, problem.trade[taken[placed]], problem.amount[placed])
    for loan in range(problem.loan_count):
        for choice in [-1, *range(problem.start[loan], problem.start[loan + 1])]:
            is_here = taken[loan] >= 0 and choice >= 0 and problem.trade[taken[loan]] == problem.trade[choice]
            if (
                choice >= 0
                and not is_here
                and fill[problem.trade[choice]] + problem.amount[loan] > problem.hi[problem.trade[choice]]
            ):
                continue
            moved = taken.copy()
            moved[loan] = choice
            assert value(problem, moved) - best <= DOLLAR // 1_000


@MORE
@given(problem=PROBLEMS, seed=st.integers(0, 99))
def test_priorities_break_ties_and_change_no_value(problem: AllocationProblem, seed: int) -> None:
    # whole points and one pair-off for all, so that candidates of one net score are common
    rng = np.random.default_rng(seed)
    whole = problem.net // (2 * POINT) * (2 * POINT)
    tied = dataclasses.replace(
        problem,
        score=whole,
        net=whole,
        priority=rng.integers(1, 4, len(whole)),
        pair_off=np.full(problem.trade_count, POINT),
        lo=rng.integers(0, 2, problem.trade_count) * problem.lo,
    )
    before = run_passes(tied, Stop(), lambda name, so_far: None).taken
    after = prefer_low_priorities(tied, before)
    assert_feasible(tied, after)
    assert value(tied, after) == value(tied, before)
    assert ((after >= 0) == (before >= 0)).all()
    placed = before >= 0
    assert (tied.priority[after[placed]] <= tied.priority[before[placed]]).all()


@given(problem=PROBLEMS, share=st.integers(0, 10))
def test_a_work_limit_ends_it_at_the_same_place_every_time(problem: AllocationProblem, share: int) -> None:
    start = nothing(problem).taken
    whole = search(problem, start)
    limited = search(problem, start, work_limit=whole.work_done * share // 10)
    again = search(problem, start, work_limit=limited.work_done)
    assert limited.taken.tolist() == again.taken.tolist()
    assert value(problem, limited.taken) <= value(problem, whole.taken)
    if share == 10:
        assert limited.taken.tolist() == whole.taken.tolist()
