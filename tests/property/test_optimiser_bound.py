"""The bound on random problems: never under the exact optimum, at any prices; at the relaxation's duals its optimum."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.run_service.engine.optimise import bound
from services.run_service.engine.optimise.bands import FloatArray
from services.run_service.engine.optimise.bound import lagrangian, prove_bound
from services.run_service.engine.optimise.problem import AllocationProblem
from services.run_service.engine.stop import Stop
from tests.unit.run_service.engine.optimise.problems import problem_of, problems
from tests.unit.run_service.engine.optimise.programs import exact_optimum, relaxed_optimum

TOLERANCE = 1e-6
"""Relative: what the tests' own solver may be off by."""


def close(one: float, other: float) -> bool:
    return abs(one - other) <= TOLERANCE * max(1.0, abs(one), abs(other))


def some_prices(problem: AllocationProblem, seed: int) -> FloatArray:
    """Any prices of at least -pair_off, some of them nothing."""
    rng = np.random.default_rng(seed)
    price = rng.uniform(-0.03, 0.03, problem.trade_count) * rng.choice([0, 1, 1], problem.trade_count)
    return np.asarray(np.maximum(price, -problem.pair_off / 1e10))


def lagrangian_exactly(problem: AllocationProblem, price: FloatArray) -> Fraction:
    """The formula of the bound in fractions, dollars."""
    total = Fraction(0)
    for j, exact in enumerate(map(Fraction, price.tolist())):
        lo, hi = (Fraction(max(0, int(end[j] - problem.locked_fill[j])), 100) for end in (problem.lo, problem.hi))
        total += Fraction(int(problem.pair_off[j]), 10**10) * lo + exact * (hi if exact >= 0 else lo)
    for i in np.nonzero(~problem.locked)[0].tolist():
        points = [
            Fraction(int(problem.net[c] - problem.fallback[i]), 10**10) - Fraction(float(price[problem.trade[c]]))
            for c in range(problem.start[i], problem.start[i + 1])
        ]
        total += max([Fraction(0), *points]) * Fraction(int(problem.amount[i]), 100)
    return total


@given(problem=problems(14, 5))
def test_it_is_never_under_the_exact_optimum(problem: AllocationProblem) -> None:
    best, _ = exact_optimum(problem)
    assert best <= Fraction(prove_bound(problem, Stop()).gain)


@given(problem=problems())
def test_up_to_its_limit_it_is_the_optimum_of_the_relaxation(problem: AllocationProblem) -> None:
    proven = prove_bound(problem, Stop())
    assert proven.kind == "LP"
    assert close(proven.gain, relaxed_optimum(problem))


@given(problem=problems(12, 4), seed=st.integers(0, 2**32 - 1))
def test_any_prices_prove_a_bound(problem: AllocationProblem, seed: int) -> None:
    gain = lagrangian(problem, some_prices(problem, seed))
    assert exact_optimum(problem)[0] <= Fraction(gain)
    assert relaxed_optimum(problem) <= gain + TOLERANCE * max(1.0, gain)


@given(problem=problems(), seed=st.integers(0, 2**32 - 1))
def test_its_rounding_errs_upwards_and_by_little(problem: AllocationProblem, seed: int) -> None:
    price = some_prices(problem, seed)
    exactly, rounded = lagrangian_exactly(problem, price), lagrangian(problem, price)
    assert exactly <= Fraction(rounded)
    assert rounded <= float(exactly) * (1 + 1e-12) + 1e-6


@given(problem=problems())
def test_its_prices_are_never_under_what_a_dollar_of_shortfall_costs(problem: AllocationProblem) -> None:
    price = prove_bound(problem, Stop()).room_price
    assert price.shape == (problem.trade_count,)
    assert (price >= -problem.pair_off / 1e10).all()


@given(problem=problems(20, 5), candidates=st.sampled_from([1, 20, 60]), least=st.sampled_from([1, 5]))
def test_prices_of_samples_prove_a_bound_too(problem: AllocationProblem, candidates: int, least: int) -> None:
    best, _ = exact_optimum(problem)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bound, "LP_CANDIDATES", -1)
        patch.setattr(bound, "_SAMPLE_CANDIDATES", candidates)
        patch.setattr(bound, "_LEAST_SAMPLE", least)
        sampled = prove_bound(problem, Stop())
    assert sampled.kind == "LAGRANGIAN"
    assert best <= Fraction(sampled.gain)
    assert relaxed_optimum(problem) <= sampled.gain + TOLERANCE * max(1.0, sampled.gain)
    assert (sampled.room_price >= -problem.pair_off / 1e10).all()


def test_the_random_problems_have_gaps_and_none() -> None:
    # a bound that is always reached, or never, would leave the tests above without a point
    gaps = []
    for seed in range(20):
        problem = problem_of(seed, 2 + seed % 12, 1 + seed % 4)
        gaps.append(prove_bound(problem, Stop()).gain - float(exact_optimum(problem)[0]))
    assert sum(gap < 0.01 for gap in gaps) >= 2
    assert sum(gap > 100 for gap in gaps) >= 5
