"""The bound: by hand, by samples on a generated tenant, and where there is nothing to solve."""

import dataclasses

import numpy as np
import pytest

from services.run_service.engine.optimise import bound, relaxation
from services.run_service.engine.optimise.bound import lagrangian, prove_bound
from services.run_service.engine.optimise.optimal import Effort, optimise
from services.run_service.engine.optimise.problem import AllocationProblem
from services.run_service.engine.optimise.relaxation import can_pay, gains, room_worth
from services.run_service.engine.optimise.value import gain_units
from services.run_service.engine.stop import RunCancelledError, Stop
from tests.unit.run_service.engine.optimise.problems import DOLLAR, POINT, of_matrix, problem_of, tenant_problem
from tests.unit.run_service.engine.optimise.programs import relaxed_optimum

LOANS = 1_200
TRADES = 24


def three_for_one(pair_off: float = 0.0) -> AllocationProblem:
    """One trade owes 80,000 and has room for 100,000; loans of 60,000 gain 1, 0.5 and -0.25 points there."""
    return of_matrix(
        np.array([[POINT], [POINT // 2], [-POINT // 4]]),
        np.ones((3, 1), dtype=np.bool_),
        amount=np.full(3, 60_000_00),
        fallback=np.zeros(3, dtype=np.int64),
        lo=np.array([80_000_00]),
        hi=np.array([100_000_00]),
        pair_off=np.array([round(pair_off * POINT)]),
    )


def test_by_hand() -> None:
    # the first whole, 600, and two thirds of the second, 200: a dollar of room more would earn half a point
    proven = prove_bound(three_for_one(), Stop())
    assert proven.kind == "LP"
    assert proven.gain == pytest.approx(800)
    assert proven.room_price == pytest.approx([0.005])


def test_pair_off_saved_is_part_of_the_gain() -> None:
    # 80,000 owed at 2 points: 1,600 saved
    proven = prove_bound(three_for_one(2), Stop())
    assert proven.gain == pytest.approx(2_400)
    assert proven.room_price == pytest.approx([0.005])


def test_a_dollar_towards_the_band_is_worth_what_filling_it_costs_less_than_its_pair_off() -> None:
    # without the first two a whole loan is placed at a loss of 150 and saves 1,200; 20,000 are owed still, at 2 points
    problem = three_for_one(2)
    problem.locked[:2] = True
    proven = prove_bound(problem, Stop())
    assert proven.gain == pytest.approx(1_050)
    assert proven.room_price == pytest.approx([-0.02])
    # and with 30,000 by lockdowns it is placed in part up to the band: 50,000 at 1.75 points. A dollar more towards the band
    # would save the loss of a quarter.
    problem.locked_fill[0] = 30_000_00
    proven = prove_bound(problem, Stop())
    assert proven.gain == pytest.approx(875)
    assert proven.room_price == pytest.approx([-0.0025])


def test_lockdowns_beyond_the_band_leave_nothing_to_gain() -> None:
    problem = three_for_one(2)
    problem.locked_fill[0] = 120_000_00
    assert prove_bound(problem, Stop()).gain == pytest.approx(0)


def test_gains_are_dollars_over_leaving_the_loan_out() -> None:
    problem = three_for_one(0.2)
    problem.fallback[1] = POINT // 10
    assert gains(problem, np.array([0, 1, 2])).tolist() == [600, 240, -150]
    assert can_pay(problem, np.arange(3)).tolist() == [0, 1]  # 0.2 points saved do not make up for 0.25 lost
    problem.pair_off[0] = POINT // 2
    assert can_pay(problem, np.arange(3)).tolist() == [0, 1, 2]
    problem.locked[1] = True
    assert can_pay(problem, np.arange(3)).tolist() == [0, 2]


@pytest.fixture
def sampled(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the tenant of some hundred loans had too many candidates for one program: samples of a fifth of it."""
    monkeypatch.setattr(bound, "LP_CANDIDATES", 1_000)
    monkeypatch.setattr(bound, "_SAMPLE_CANDIDATES", 800)
    monkeypatch.setattr(bound, "_LEAST_SAMPLE", 50)


@pytest.mark.usefixtures("sampled")
def test_prices_of_samples_of_a_tenant_prove_nearly_as_much_as_the_whole() -> None:
    problem = tenant_problem(LOANS, TRADES)
    optimum, proven = relaxed_optimum(problem), prove_bound(problem, Stop())
    assert proven.kind == "LAGRANGIAN"
    assert optimum <= proven.gain <= 1.03 * optimum
    # prices of nothing prove little
    assert lagrangian(problem, np.zeros(problem.trade_count)) > 1.5 * optimum


@pytest.mark.usefixtures("sampled")
def test_what_the_search_finds_is_under_the_bound_of_samples() -> None:
    problem = tenant_problem(LOANS, TRADES)
    found = optimise(problem, Effort(0, 500_000, None), Stop(), lambda *told: None)
    assert found.bound.kind == "LAGRANGIAN"
    assert 0.9 * found.bound.gain < gain_units(problem, found.taken) / DOLLAR <= found.bound.gain


@pytest.mark.usefixtures("sampled")
def test_where_all_loans_are_locked_there_is_nobody_to_draw() -> None:
    problem = tenant_problem(LOANS, TRADES)
    problem = dataclasses.replace(problem, locked=np.ones(problem.loan_count, dtype=np.bool_))
    proven = prove_bound(problem, Stop())
    assert proven.kind == "LAGRANGIAN"
    assert proven.gain >= 0


def test_a_sample_has_its_share_of_the_room() -> None:
    # half of the loans for half of the room: a dollar of it is worth as much as for all
    loans = 40
    net = np.sort(np.random.default_rng(0).integers(0, 2 * POINT, loans))[:, None]
    problem = of_matrix(
        net, np.ones((loans, 1), dtype=np.bool_), amount=np.full(loans, 10_000_00), fallback=np.zeros(loans, dtype=np.int64),
        lo=np.array([0]), hi=np.array([200_000_00]), pair_off=np.array([0]),
    )  # fmt: skip
    whole = room_worth(problem, np.arange(loans), 1.0, Stop())
    half = room_worth(problem, np.arange(0, loans, 2), 0.5, Stop())
    assert whole is not None
    assert half is not None
    dollars = net[:, 0] / 1e10
    assert dollars[19] - 1e-9 <= whole[0] <= dollars[20] + 1e-9
    assert dollars[18] - 1e-9 <= half[0] <= dollars[21] + 1e-9


@pytest.mark.parametrize("candidates", [-1, 2_000_000])
def test_without_loans_trades_or_candidates_the_bound_is_nothing(candidates: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bound, "LP_CANDIDATES", candidates)
    for loans, trades in ((0, 0), (3, 0), (0, 3), (3, 3)):
        problem = of_matrix(
            np.zeros((loans, trades), dtype=np.int64), np.zeros((loans, trades), dtype=np.bool_),
            amount=np.full(loans, 100), fallback=np.zeros(loans, dtype=np.int64), lo=np.full(trades, 50), hi=np.full(trades, 100),
            pair_off=np.full(trades, POINT),
        )  # fmt: skip
        proven = prove_bound(problem, Stop())
        assert 0 <= proven.gain < 0.02
        assert proven.room_price.shape == (trades,)


def test_where_the_solver_finds_no_optimum_a_bound_is_proven_without_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relaxation, "run_highs", lambda solver, interrupted: None)
    problem = problem_of(3, 20, 4)
    proven = prove_bound(problem, Stop())
    assert proven.kind == "LAGRANGIAN"
    assert proven.gain >= relaxed_optimum(problem)


@pytest.mark.usefixtures("sampled")
def test_a_cancel_is_seen_while_samples_are_solved() -> None:
    class Cancelled(Stop):
        def cancelled(self) -> bool:
            return True

    with pytest.raises(RunCancelledError):
        prove_bound(tenant_problem(LOANS, TRADES), Cancelled())


def test_a_problem_is_the_same_afterwards() -> None:
    problem = tenant_problem()
    before = {field.name: getattr(problem, field.name).copy() for field in dataclasses.fields(problem)}
    optimise(problem, Effort(0, 100_000, None), Stop(), lambda *told: None)
    assert all((getattr(problem, name) == values).all() for name, values in before.items())
