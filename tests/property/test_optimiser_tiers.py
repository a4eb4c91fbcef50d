"""priority_mode STRICT on random problems, against the specification's reading of tiers written a second time."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from services.run_service.engine.optimise.optimal import Effort, Optimised, optimise
from services.run_service.engine.optimise.problem import AllocationProblem
from services.run_service.engine.optimise.tiers import optimise_tiers
from services.run_service.engine.optimise.value import gain_units
from services.run_service.engine.stop import Stop
from shared.money import Int64Array
from tests.property.plain_facts import half_away
from tests.property.tenants import Tenant, options, tenants
from tests.property.test_against_reference import Options, assert_pools, assert_reasons, assert_recap, assert_value, both
from tests.unit.run_service.engine.optimise.problems import DOLLAR, ENDLESS, assert_feasible, problem_of, problems
from tests.unit.run_service.engine.optimise.programs import exact_optimum, relaxed_optimum

TOLERANCE = 1e-6


def strict(problem: AllocationProblem, seed: int = 0) -> Optimised:
    return optimise_tiers(problem, Effort(seed, ENDLESS, None), Stop(), lambda *told: None)


def last_tier(problem: AllocationProblem) -> dict[int, int]:
    """The greatest priority among the candidates of each trade."""
    last: dict[int, int] = {}
    for j, priority in zip(problem.trade.tolist(), problem.priority.tolist(), strict=True):
        last[j] = max(last.get(j, -1), priority)
    return last


def tier_by_tier(problem: AllocationProblem, taken: Int64Array) -> list[tuple[AllocationProblem, Int64Array]]:
    """Each tier as a problem of its own with all loans and candidates of others struck out, and what the tier placed."""
    last = last_tier(problem)
    placed_at = np.array([problem.priority[c] if c >= 0 else 99 for c in taken.tolist()])
    tiers = []
    for priority in sorted(set(problem.priority.tolist())):
        earlier, now = placed_at < priority, placed_at == priority
        fill = problem.locked_fill.copy()
        for i in np.nonzero(earlier)[0].tolist():
            fill[problem.trade[taken[i]]] += problem.amount[i]
        pays = np.array([last.get(j) == priority for j in range(problem.trade_count)], dtype=np.bool_)
        worthless = np.where(problem.priority == priority, problem.net, problem.fallback[problem.loan] - 10**12)
        tier = replace(
            problem,
            locked=problem.locked | earlier,
            locked_fill=fill,
            pair_off=np.where(pays, problem.pair_off, 0),
            net=worthless,
        )
        tiers.append((tier, np.where(now, taken, -1)))
    return tiers


@given(problem=problems(priorities=3), seed=st.integers(0, 9))
def test_bands_hold_and_the_sum_of_the_tiers_bounds_is_never_under_the_gain(problem: AllocationProblem, seed: int) -> None:
    found = strict(problem, seed)
    assert_feasible(problem, found.taken)
    assert Fraction(gain_units(problem, found.taken), DOLLAR) <= Fraction(found.bound.gain)
    assert found.bound.kind == "LP"
    assert (found.bound.room_price >= -problem.pair_off / 1e10).all()


@given(problem=problems(priorities=3), seed=st.integers(0, 9))
def test_every_tier_stays_within_its_own_optimum_and_their_sum_is_the_bound(problem: AllocationProblem, seed: int) -> None:
    found = strict(problem, seed)
    reached, optima = 0, 0.0
    for tier, placed in tier_by_tier(problem, found.taken):
        gain, optimum = gain_units(tier, placed), relaxed_optimum(tier)
        assert gain / DOLLAR <= optimum + TOLERANCE * max(1.0, optimum)
        reached, optima = reached + gain, optima + optimum
    # what earlier tiers saved of the pair-off that counts in a later one is in the gain and in the bound alike
    between = gain_units(problem, found.taken) - reached
    assert abs(found.bound.gain - (optima + between / DOLLAR)) <= TOLERANCE * max(1.0, abs(found.bound.gain))


@given(problem=problems(8, 3, priorities=3), seed=st.integers(0, 9))
def test_small_tiers_are_solved_nearly_to_their_optima(problem: AllocationProblem, seed: int) -> None:
    for tier, placed in tier_by_tier(problem, strict(problem, seed).taken):
        best, _ = exact_optimum(tier)
        assert Fraction(gain_units(tier, placed), DOLLAR) >= best * Fraction(99, 100) - Fraction(1, 100)


@given(problem=problems(priorities=3), seed=st.integers(0, 9))
def test_the_first_tier_takes_no_notice_of_the_others(problem: AllocationProblem, seed: int) -> None:
    # other candidates of the same loans and trades, worth ten points more: nobody of the first tier goes elsewhere for them
    others = problem.priority > 0
    dear = replace(problem, net=np.where(others, problem.net + 10**9, problem.net))
    first = strict(problem, seed).taken
    again = strict(dear, seed).taken
    in_first = [c if c >= 0 and problem.priority[c] == 0 else -1 for c in first.tolist()]
    assert in_first == [c if c >= 0 and problem.priority[c] == 0 else -1 for c in again.tolist()]


@settings(max_examples=settings().max_examples // 2)
@given(problem=problems(), seed=st.integers(0, 9))
def test_one_priority_is_value(problem: AllocationProblem, seed: int) -> None:
    found = strict(problem, seed)
    value = optimise(problem, Effort(seed, ENDLESS, None), Stop(), lambda *told: None)
    assert found.taken.tolist() == value.taken.tolist()
    assert abs(found.bound.gain - value.bound.gain) <= TOLERANCE * max(1.0, value.bound.gain)
    assert (found.ended_by, found.work_done) == (value.ended_by, value.work_done)


@given(tenant=tenants(7, 3), chosen=options(strategy="OPTIMAL", priority_mode="STRICT"), work=st.sampled_from([10**9, 0]))
def test_a_strict_run_obeys_every_rule_and_stays_under_its_bound(tenant: Tenant, chosen: Options, work: int) -> None:
    reference, ran = both(tenant, {**chosen, "work_limit": work})
    placement = ran.placement
    assert {name: placement.get(name) for name in reference.locked} == reference.locked
    assert all(pair in reference.candidates for pair in placement.items() if pair[0] not in reference.locked)
    by_locks = reference.filled(reference.locked)
    for trade_id, dollars in reference.filled(placement).items():
        assert dollars <= max(reference.trades[trade_id]["hi"], by_locks[trade_id])
    assert_value(reference, ran)
    assert_recap(reference, ran)
    assert_reasons(reference, ran)
    assert_pools(reference, ran)
    assert Fraction(ran.summary["value"]) <= Fraction(ran.summary["upper_bound"])
    assert Fraction(ran.summary["passes_value"]) == half_away(reference.value(reference.run_passes()[0]), 2)


def test_the_random_problems_place_loans_in_every_tier() -> None:
    placed = np.zeros(3, dtype=np.int64)
    for seed in range(10):
        problem = problem_of(seed, 20, 5, priorities=3)
        taken = strict(problem).taken
        placed += np.bincount(problem.priority[taken[taken >= 0]], minlength=3)
    assert (placed > 10).all()
