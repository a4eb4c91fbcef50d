"""A replay takes the work a run did as its work_limit and no clock, and gives the same answer (specification 01 section 5)."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.run_service.engine.optimise import improvement
from services.run_service.engine.optimise.local_search import Searcher
from services.run_service.engine.optimise.optimal import Effort, Optimised, optimise
from services.run_service.engine.optimise.problem import AllocationProblem
from services.run_service.engine.optimise.tiers import optimise_tiers
from services.run_service.engine.stop import Stop
from tests.unit.run_service.engine.optimise.problems import ENDLESS, problems

Solve = Callable[[AllocationProblem, Effort, Stop, Callable[..., None]], Optimised]


class AfterRounds(Stop):
    """The clock runs out in some round of the search, also inside of it."""

    def __init__(self, rounds: int) -> None:
        self.left = 2 * rounds

    def time_is_up(self) -> bool:
        return self.left <= 0


def assert_replayed(solve: Solve, problem: AllocationProblem, seed: int, rounds: int, round_work: int) -> None:
    stop, advance = AfterRounds(rounds), Searcher.advance

    def counted(search: Searcher, work: int, iterations: int) -> tuple[int, int]:
        done = advance(search, work, iterations)
        stop.left -= 1
        return done

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(improvement, "_ROUND_WORK", round_work)
        patch.setattr(Searcher, "advance", counted)
        run = solve(problem, Effort(seed, ENDLESS, 1.0), stop, lambda *told: None)
        replay = solve(problem, Effort(seed, run.work_done, None), Stop(), lambda *told: None)
    assert replay.taken.tolist() == run.taken.tolist()
    assert replay.work_done == run.work_done


ROUNDS = st.integers(0, 7)
ROUND_WORK = st.sampled_from([3_000, 30_000, 8_000_000])


@given(problem=problems(40, 8), seed=st.integers(0, 9), rounds=ROUNDS, round_work=ROUND_WORK)
def test_a_run_ended_by_the_clock_or_by_itself_is_repeated(
    problem: AllocationProblem, seed: int, rounds: int, round_work: int
) -> None:
    assert_replayed(optimise, problem, seed, rounds, round_work)


@given(problem=problems(40, 8, priorities=3), seed=st.integers(0, 9), limit=st.sampled_from([0, 500, 50_000, ENDLESS]))
def test_a_strict_run_ended_by_work_or_by_itself_is_repeated(problem: AllocationProblem, seed: int, limit: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(improvement, "_ROUND_WORK", 3_000)
        run = optimise_tiers(problem, Effort(seed, limit, None), Stop(), lambda *told: None)
        replay = optimise_tiers(problem, Effort(seed, run.work_done, None), Stop(), lambda *told: None)
    assert replay.taken.tolist() == run.taken.tolist()
    assert replay.work_done == run.work_done


@given(problem=problems(), share=st.integers(0, 10), round_work=ROUND_WORK)
def test_a_work_limit_ends_it_at_the_same_place_every_time(problem: AllocationProblem, share: int, round_work: int) -> None:
    def answer(work_limit: int) -> Optimised:
        return optimise(problem, Effort(0, work_limit, None), Stop(), lambda *told: None)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(improvement, "_ROUND_WORK", round_work)
        whole = answer(ENDLESS)
        limited = answer(whole.work_done * share // 10)
        again = answer(limited.work_done)
    assert again.taken.tolist() == limited.taken.tolist()
    assert again.work_done == limited.work_done
    if share == 10:
        assert limited.taken.tolist() == whole.taken.tolist()


@given(problem=problems(40, 8, priorities=3), seed=st.integers(0, 9), rounds=ROUNDS, round_work=ROUND_WORK)
def test_a_strict_run_ended_by_the_clock_is_repeated(problem: AllocationProblem, seed: int, rounds: int, round_work: int) -> None:
    assert_replayed(optimise_tiers, problem, seed, rounds, round_work)
