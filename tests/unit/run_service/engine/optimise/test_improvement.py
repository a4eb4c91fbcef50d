"""The improvement phase: what it tells, what ends it, and that neither cores nor the clock change what it finds."""

import time
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from services.run_service.engine.optimise import bound, improvement, optimal
from services.run_service.engine.optimise.bound import Bound, prove_bound
from services.run_service.engine.optimise.improvement import SearchResult, improve
from services.run_service.engine.optimise.local_search import Searcher
from services.run_service.engine.optimise.optimal import Effort, Optimised, optimise
from services.run_service.engine.optimise.problem import AllocationProblem
from services.run_service.engine.optimise.value import gain_units
from services.run_service.engine.stop import RunCancelledError, Stop
from tests.unit.run_service.engine.optimise.problems import (
    DOLLAR,
    ENDLESS,
    POINT,
    assert_feasible,
    nobody,
    of_matrix,
    passes_of,
    problem_of,
    tenant_problem,
)


def improved(problem: AllocationProblem, stop: Stop | None = None, **given: Any) -> tuple[SearchResult, list[int]]:
    """Where the phase ends from nobody and from PASSES, and the gains it told of, 1e-12 dollars."""
    proven = prove_bound(problem, Stop())
    told: list[int] = []
    result = improve(
        problem,
        [nobody(problem), passes_of(problem)],
        proven.room_price,
        proven.gain,
        **{"seed": 0, "work_limit": ENDLESS, **given},
        stop=stop or Stop(),
        on_progress=lambda taken: told.append(gain_units(problem, taken)),
    )
    return result, told


@pytest.fixture
def rounds(monkeypatch: pytest.MonkeyPatch) -> list[Searcher]:
    """The searches that were told to go on, once for each time."""
    advanced: list[Searcher] = []
    advance = Searcher.advance

    def recorded(search: Searcher, work: int, iterations: int) -> tuple[int, int]:
        advanced.append(search)
        return advance(search, work, iterations)

    monkeypatch.setattr(Searcher, "advance", recorded)
    return advanced


@pytest.fixture
def short_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rounds of a few exchanges, so that there are many."""
    monkeypatch.setattr(improvement, "_ROUND_WORK", 20_000)


def hopeless() -> AllocationProblem:
    """Three loans, of which no two fit the trade together: the relaxation gains half as much again as any whole loans."""
    return of_matrix(
        np.full((3, 1), POINT),
        np.ones((3, 1), dtype=np.bool_),
        amount=np.array([60_000_00] * 3),
        fallback=np.zeros(3, dtype=np.int64),
        lo=np.array([0]),
        hi=np.array([90_000_00]),
        pair_off=np.array([0]),
    )


class TestProgress:
    def test_every_round_tells_at_least_once_and_never_less_than_before(self, rounds: list[Searcher], short_rounds: None) -> None:
        result, told = improved(problem_of(3, 60, 6))
        assert len(rounds) > 10
        assert len(told) >= len(rounds) / 2
        assert all(later >= earlier - DOLLAR // 10**6 for earlier, later in pairwise(told))
        assert told[-1] == gain_units(problem_of(3, 60, 6), result.taken)

    def test_optimise_tells_the_construction_then_improvements_all_with_the_bound(self, short_rounds: None) -> None:
        problem = problem_of(3, 60, 6)
        told: list[tuple[str, int, Bound | None]] = []
        found = optimise(
            problem,
            Effort(0, ENDLESS, None),
            Stop(),
            lambda name, taken, so_far: told.append((name, gain_units(problem, taken), so_far)),
        )
        assert [name for name, _, _ in told] == ["construct"] + ["improve"] * (len(told) - 1)
        assert len(told) > 5
        gains = [gain for _, gain, _ in told]
        assert gains[0] < gains[-1]
        assert all(later >= earlier - DOLLAR // 10**6 for earlier, later in pairwise(gains))
        assert all(so_far == found.bound for _, _, so_far in told)
        assert gains[-1] <= gain_units(problem, found.taken)

    def test_a_long_round_tells_meanwhile(self, monkeypatch: pytest.MonkeyPatch) -> None:
        # a round of a third of a second, when something is to be told every tenth
        advance = Searcher.advance

        def slow(search: Searcher, work: int, iterations: int) -> tuple[int, int]:
            time.sleep(0.35)
            return advance(search, work, iterations)

        monkeypatch.setattr(Searcher, "advance", slow)
        monkeypatch.setattr(improvement, "_TELL_S", 0.1)
        _, told = improved(problem_of(3, 20, 3), work_limit=1)
        assert len(told) >= 4


class TestEnding:
    def test_a_closed_gap_ends_it_at_once(self) -> None:
        # one trade with room for all: nothing is left to gain
        problem = hopeless()
        problem.hi[0] = 180_000_00
        result, _ = improved(problem)
        assert (result.ended_by, result.taken.tolist()) == ("CONVERGED", [0, 1, 2])
        assert result.work_done < 1_000

    def test_patience_ends_it_where_the_gap_cannot_be_closed(self, rounds: list[Searcher]) -> None:
        result, _ = improved(hopeless())
        assert result.ended_by == "CONVERGED"
        assert gain_units(hopeless(), result.taken) == 600 * DOLLAR
        assert prove_bound(hopeless(), Stop()).gain == pytest.approx(900)
        assert len(rounds) < 60

    @pytest.mark.parametrize("seed", range(3))
    def test_without_work_it_ends_with_the_best_start(self, seed: int, rounds: list[Searcher]) -> None:
        problem = problem_of(seed, 30, 4)
        result, _ = improved(problem, work_limit=0)
        assert (result.ended_by, result.work_done, rounds) == ("WORK_LIMIT", 0, [])
        assert result.taken.tolist() == passes_of(problem).tolist()

    def test_the_clock_ends_it_between_rounds(self, rounds: list[Searcher], short_rounds: None) -> None:
        problem = problem_of(3, 60, 6)
        result, _ = improved(problem, TimeIsUpAfter(0))
        assert (result.ended_by, result.work_done, rounds) == ("TIME_LIMIT", 0, [])
        result, _ = improved(problem, TimeIsUpAfter(3))
        assert result.ended_by == "TIME_LIMIT"
        assert 0 < len(rounds) <= 6
        assert result.work_done > 0
        assert_feasible(problem, result.taken)

    def test_a_work_limit_ends_it_within_a_round(self, short_rounds: None) -> None:
        problem = problem_of(3, 60, 6)
        whole, _ = improved(problem)
        for limit in (1, 30_000, 200_000):
            result, _ = improved(problem, work_limit=limit)
            assert result.ended_by == "WORK_LIMIT"
            assert limit <= result.work_done < limit + 200_000 < whole.work_done

    def test_a_cancel_ends_it_after_the_round(self, rounds: list[Searcher]) -> None:
        class CancelledInTheFirstRound(Stop):
            def cancelled(self) -> bool:
                return bool(rounds)

        with pytest.raises(RunCancelledError):
            improved(problem_of(3, 60, 6), CancelledInTheFirstRound())
        assert len(rounds) == 2

    def test_without_loans_or_trades_it_converges_at_once(self) -> None:
        none = np.zeros(0, dtype=np.int64)
        for loans, trades in ((0, 0), (0, 2), (2, 0)):
            problem = of_matrix(
                np.zeros((loans, trades), dtype=np.int64),
                np.ones((loans, trades), dtype=np.bool_),
                amount=none if not loans else np.full(loans, 5),
                fallback=np.zeros(loans, dtype=np.int64),
                lo=np.zeros(trades, dtype=np.int64),
                hi=np.full(trades, 9),
                pair_off=np.zeros(trades, dtype=np.int64),
            )
            found = optimise(problem, Effort(0, ENDLESS, None), Stop(), lambda *told: None)
            assert (found.ended_by, found.taken.tolist()) == ("CONVERGED", [-1] * loans)
            assert found.bound.gain < 1e-6


class TimeIsUpAfter(Stop):
    """The clock says so after so many looks."""

    def __init__(self, looks: int) -> None:
        self.looks = looks

    def time_is_up(self) -> bool:
        self.looks -= 1
        return self.looks < 0


@pytest.fixture(params=["random", "tenant"])
def problem(request: pytest.FixtureRequest) -> AllocationProblem:
    return problem_of(5, 120, 9) if request.param == "random" else tenant_problem()


def answer(problem: AllocationProblem, seed: int = 0, work_limit: int = 2_000_000) -> Optimised:
    return optimise(problem, Effort(seed, work_limit, None), Stop(), lambda *told: None)


def assert_same(one: Optimised, other: Optimised) -> None:
    assert one.taken.tolist() == other.taken.tolist()
    assert (one.work_done, one.ended_by) == (other.work_done, other.ended_by)
    assert (one.bound.gain, one.bound.room_price.tolist()) == (other.bound.gain, other.bound.room_price.tolist())


@pytest.mark.usefixtures("short_rounds")
class TestDeterminism:
    """The same seed gives the same answer, whatever the cores; many short rounds, so that searches meet."""

    @pytest.fixture
    def one_worker(self, monkeypatch: pytest.MonkeyPatch) -> list[int]:
        """Every pool has a single thread; the sizes that were asked for."""
        asked: list[int] = []

        def single(workers: int, **given: Any) -> ThreadPoolExecutor:
            asked.append(workers)
            return ThreadPoolExecutor(1, **given)

        for module in (improvement, optimal, bound):
            monkeypatch.setattr(module, "ThreadPoolExecutor", single)
        return asked

    def test_one_worker_answers_as_two(self, problem: AllocationProblem, one_worker: list[int]) -> None:
        alone = answer(problem)
        assert one_worker == [2, 2]
        with pytest.MonkeyPatch.context() as patch:
            for module in (improvement, optimal, bound):
                patch.setattr(module, "ThreadPoolExecutor", ThreadPoolExecutor)
            assert_same(answer(problem), alone)

    def test_a_search_that_dawdles_changes_nothing(self, problem: AllocationProblem, monkeypatch: pytest.MonkeyPatch) -> None:
        swift = answer(problem, work_limit=400_000)
        advance, made = Searcher.advance, []

        def dawdling(search: Searcher, work: int, iterations: int) -> tuple[int, int]:
            made.append(1)
            time.sleep(0.01 if len(made) % 3 else 0)
            return advance(search, work, iterations)

        monkeypatch.setattr(Searcher, "advance", dawdling)
        assert_same(answer(problem, work_limit=400_000), swift)

    def test_prices_of_samples_are_the_same_too(
        self, problem: AllocationProblem, monkeypatch: pytest.MonkeyPatch, one_worker: list[int]
    ) -> None:
        monkeypatch.setattr(bound, "LP_CANDIDATES", 0)
        monkeypatch.setattr(bound, "_SAMPLE_CANDIDATES", 200)
        monkeypatch.setattr(bound, "_LEAST_SAMPLE", 20)
        alone = prove_bound(problem, Stop())
        assert one_worker == [2]
        monkeypatch.setattr(bound, "ThreadPoolExecutor", ThreadPoolExecutor)
        both = prove_bound(problem, Stop())
        assert (both.gain, both.room_price.tolist()) == (alone.gain, alone.room_price.tolist())

    def test_another_seed_searches_otherwise(self) -> None:
        problem = problem_of(5, 120, 9)
        answers = {tuple(answer(problem, seed, 50_000).taken.tolist()) for seed in range(4)}
        assert len(answers) > 1


def test_a_tiny_problem_takes_milliseconds() -> None:
    # suites run thousands of them
    answer(problem_of(0, 6, 2))  # kernels loaded
    begun = time.process_time()
    for seed in range(20):
        answer(problem_of(seed, 8, 3))
    assert time.process_time() - begun < 2
