"""PASSES on random crowded problems against the passes written in plain loops: here replacements and orphans are common."""

from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.run_service.engine.optimise.passes import PASS_NAMES, run_passes
from services.run_service.engine.optimise.problem import AllocationProblem
from services.run_service.engine.stop import Stop
from tests.property.plain_facts import Candidate
from tests.property.plain_passes import Passes


@dataclass
class View:
    """An allocation problem under the names that the plain passes read; ids are numbers as text, in order."""

    problem: AllocationProblem
    locked: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        problem = self.problem
        self.amount = {f"{i:03}": Fraction(int(cents)) for i, cents in enumerate(problem.amount)}
        self.trades = {f"{j:03}": {"lo": int(problem.lo[j]), "hi": int(problem.hi[j])} for j in range(problem.trade_count)}
        self.candidates = {
            (f"{problem.loan[c]:03}", f"{problem.trade[c]:03}"): Candidate(
                Fraction(0), Fraction(0), Fraction(int(problem.score[c])), {"priority": int(problem.priority[c])}, matched=False
            )
            for c in range(len(problem.loan))
        }

    def filled(self, placement: dict[str, str]) -> dict[str, Fraction]:
        """What the locks placed."""
        return {f"{j:03}": Fraction(int(self.problem.locked_fill[j])) for j in range(self.problem.trade_count)}


def crowded_problem(seed: int, loans: int, trades: int, scores: int, tolerance: int, *, mixed: bool = False) -> AllocationProblem:
    """Small whole amounts and few scores, so that ties, exact fits and near misses abound; a few loans are locked elsewhere.

    A trade's candidates have one priority, or `mixed` ones.
    """
    rng = np.random.default_rng(seed)
    chosen = rng.random((loans, trades)) < 0.7
    loan, trade = (part.astype(np.int32) for part in np.nonzero(chosen))
    need = rng.integers(1, 60, trades)
    slack = rng.integers(0, tolerance + 1, trades)
    score = rng.integers(0, scores, len(loan)) + rng.integers(0, 2 * scores, trades)[trade]
    locked = rng.random(loans) < 0.05
    return AllocationProblem(
        amount=rng.integers(1, 30, loans),
        fallback=np.zeros(loans, dtype=np.int64),
        locked=locked,
        lo=np.maximum(0, need - slack),
        hi=need + slack,
        locked_fill=rng.integers(0, 2, trades) * rng.integers(0, 70, trades) * (rng.random(trades) < 0.2),
        pair_off=np.zeros(trades, dtype=np.int64),
        loan=loan,
        trade=trade,
        score=score,
        net=score,
        priority=rng.integers(1, 4, len(loan)) if mixed else rng.integers(1, 3, trades)[trade],
        start=np.concatenate([[0], np.cumsum(chosen.sum(axis=1))]).astype(np.int64),
    )


def by_loops(problem: AllocationProblem) -> tuple[dict[int, int], dict[int, str]]:
    """Trade and pass of each loan, by the plain passes over the candidates of loans that are not locked."""
    view = View(problem)
    usable = {(f"{problem.loan[c]:03}", f"{problem.trade[c]:03}") for c in np.nonzero(~problem.locked[problem.loan])[0]}
    view.candidates = {pair: one for pair, one in view.candidates.items() if pair in usable}
    placed, by = Passes(view).execute()
    return {int(name): int(trade) for name, trade in placed.items()}, {int(name): what for name, what in by.items()}


@settings(max_examples=settings().max_examples * 8)
@given(
    seed=st.integers(0, 2**32 - 1),
    loans=st.integers(1, 30),
    trades=st.integers(1, 6),
    scores=st.sampled_from([1, 3, 50]),
    tolerance=st.sampled_from([0, 2, 20]),
    mixed=st.booleans(),
)
def test_every_loan_goes_where_the_sentences_of_the_specification_put_it(
    seed: int, loans: int, trades: int, scores: int, tolerance: int, mixed: bool
) -> None:
    problem = crowded_problem(seed, loans, trades, scores, tolerance, mixed=mixed)
    placed, by = by_loops(problem)
    allocation = run_passes(problem, Stop(), lambda name, so_far: None)
    assert {int(i): int(problem.trade[allocation.taken[i]]) for i in allocation.placed} == placed
    assert {int(i): PASS_NAMES[allocation.placed_by[i]] for i in allocation.placed} == by


def test_scores_too_far_apart_for_one_integer_are_refused() -> None:
    # two loans take two bits: scores may differ by 61
    problem = crowded_problem(0, 2, 2, 1, 0)
    problem.score[0] = 2**61 - 1 + int(problem.score[1:].min())
    run_passes(problem, Stop(), lambda name, so_far: None)
    problem.score[0] += 1
    with pytest.raises(OverflowError, match="do not fit"):
        run_passes(problem, Stop(), lambda name, so_far: None)


def test_the_random_problems_reach_every_pass() -> None:
    reached = set()
    for seed in range(60):
        reached |= set(by_loops(crowded_problem(seed, 30, 6, 50, 2))[1].values())
    assert reached == set(PASS_NAMES)
