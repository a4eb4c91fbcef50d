"""The auction: hand-solved ones, and the distance from the optimum that its epsilon promises."""

from fractions import Fraction

import numpy as np
import pytest

from services.run_service.engine.optimise import auction
from services.run_service.engine.optimise.auction import EPSILON, hold_auction
from services.run_service.engine.optimise.problem import AllocationProblem
from services.run_service.engine.optimise.value import gain_units
from services.run_service.engine.stop import RunCancelledError, Stop
from tests.unit.run_service.engine.optimise.problems import DOLLAR, POINT, assert_feasible, of_matrix, problem_of
from tests.unit.run_service.engine.optimise.programs import exact_optimum

CENTS = 10_000_000
"""100,000 dollars: every loan of `assignment`."""


def assignment(points: list[list[float]], pair_off: float = 0) -> AllocationProblem:
    """Loans of one amount for trades with room for one each; `points` they gain by loan and trade."""
    net = np.array([[round(one * POINT) for one in row] for row in points])
    loans, trades = net.shape
    return of_matrix(
        net,
        np.ones((loans, trades), dtype=np.bool_),
        amount=np.full(loans, CENTS),
        fallback=np.zeros(loans, dtype=np.int64),
        lo=np.full(trades, CENTS),
        hi=np.full(trades, CENTS),
        pair_off=np.full(trades, round(pair_off * POINT)),
    )


def places(problem: AllocationProblem, price: float = 0.0, epsilon: float = EPSILON) -> list[int]:
    """The trade each loan gets; -1: none."""
    taken = hold_auction(problem, np.full(problem.trade_count, price), Stop(), epsilon)
    assert_feasible(problem, taken)
    return [int(problem.trade[c]) if c >= 0 else -1 for c in taken]


def test_a_loan_that_loses_little_by_going_elsewhere_makes_way() -> None:
    # both want T0: the first gains 2 there and 1.9 on T1, the second 1.5 and nothing
    assert places(assignment([[2, 1.9], [1.5, 0]])) == [1, 0]


def test_a_chain_of_three_makes_way() -> None:
    assert places(assignment([[2, 1.9, 0], [2, 1.2, 0], [0, 2, 1.95]])) == [1, 0, 2]


def test_nobody_bids_for_a_loss() -> None:
    assert places(assignment([[-0.5], [-1]])) == [-1] * 2


def test_a_loss_that_saves_more_pair_off_is_bid_for_where_the_bound_counts_it() -> None:
    # half a point lost, three quarters of a point saved; the bound's price of a dollar towards the band is -0.75 points
    assert places(assignment([[-0.5]], pair_off=0.75), price=-0.0075) == [0]
    assert places(assignment([[-0.8]], pair_off=0.75), price=-0.0075) == [-1]


def test_a_loan_larger_than_any_room_stays_out() -> None:
    problem = assignment([[2], [1]])
    problem.amount[0] += 1
    assert places(problem) == [-1, 0]


def test_a_large_loan_displaces_several_small_ones_if_it_bids_more_than_each() -> None:
    # T0 has room for 100,000: two loans of 50,000 that gain 1 point, or one of 100,000 that gains 2
    problem = assignment([[1], [1], [2]])
    problem.amount[:2] //= 2
    assert places(problem) == [-1, -1, 0]


def test_what_lockdowns_use_is_not_for_sale() -> None:
    problem = assignment([[2], [1]])
    problem.locked_fill[0] = 1
    assert places(problem) == [-1, -1]
    problem.hi[0] += 1
    assert places(problem) == [0, -1]


def test_locked_loans_do_not_bid() -> None:
    problem = assignment([[2], [1]])
    problem.locked[0] = True
    assert places(problem) == [-1, 0]


@pytest.mark.parametrize("seed", range(12))
def test_an_assignment_is_within_epsilon_of_the_optimum_for_every_loan(seed: int) -> None:
    # Bertsekas 1988: of n objects sold one to one, the sum is within n * epsilon of the best
    rng = np.random.default_rng(seed)
    problem = assignment((rng.integers(-100, 400, (14, 10)) / 100).tolist())
    for epsilon in (3e-3, EPSILON):
        taken = hold_auction(problem, np.zeros(10), Stop(), epsilon)
        lost = exact_optimum(problem)[0] - Fraction(gain_units(problem, taken), DOLLAR)
        assert 0 <= lost <= Fraction(14 * epsilon * CENTS / 100)


def test_a_cancel_is_seen_between_bids(monkeypatch: pytest.MonkeyPatch) -> None:
    class AfterFive(Stop):
        looks = 0

        def cancelled(self) -> bool:
            self.looks += 1
            return self.looks > 5

    monkeypatch.setattr(auction, "_BIDS", 3)
    problem, stop = problem_of(1, 60, 5), AfterFive()
    with pytest.raises(RunCancelledError):
        hold_auction(problem, np.zeros(5), stop)
    assert stop.looks == 6


def test_where_it_pauses_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = problem_of(2, 60, 5)
    whole = hold_auction(problem, np.zeros(5), Stop())
    monkeypatch.setattr(auction, "_BIDS", 1)
    assert hold_auction(problem, np.zeros(5), Stop()).tolist() == whole.tolist()


def test_without_trades_or_loans_nobody_takes_anything() -> None:
    empty = np.zeros(0, dtype=np.int64)
    nowhere = of_matrix(
        np.zeros((2, 0), dtype=np.int64), np.zeros((2, 0), dtype=np.bool_), amount=np.array([5, 6]), fallback=np.array([0, 0]),
        lo=empty, hi=empty, pair_off=empty,
    )  # fmt: skip
    assert hold_auction(nowhere, np.zeros(0), Stop()).tolist() == [-1, -1]
    nobody = of_matrix(
        np.zeros((0, 1), dtype=np.int64), np.zeros((0, 1), dtype=np.bool_), amount=empty, fallback=empty,
        lo=np.array([1]), hi=np.array([2]), pair_off=np.array([0]),
    )  # fmt: skip
    assert hold_auction(nobody, np.zeros(1), Stop()).tolist() == []


def test_it_ends_even_where_bidding_never_would(monkeypatch: pytest.MonkeyPatch) -> None:
    rounds = 0

    def nobody_gets_anywhere(*_: object) -> None:
        nonlocal rounds
        rounds += 1

    monkeypatch.setattr(auction, "_bid", nobody_gets_anywhere)
    monkeypatch.setattr(auction, "_BIDS", 50)
    assert (hold_auction(problem_of(2, 10, 3), np.zeros(3), Stop()) == -1).all()
    assert 1 < rounds <= 10 * 1_000 / 50
