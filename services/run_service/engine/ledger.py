"""The ledger: what steps 1 to 4 found and decided, in the order of the loans, from which the output tables are written."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from services.run_service.engine.book import Book, BoolArray, Int32Array
from services.run_service.engine.optimise.problem import AllocationProblem, Locks
from services.run_service.engine.optimise.value import filled
from services.run_service.engine.pairs import Candidates, SyntheticCandidates
from services.run_service.engine.pricing import Pricer
from services.run_service.engine.reach import Reach
from services.run_service.engine.rows import best_of_rows, ranks_in_rows
from services.run_service.engine.steps.allocation import Decision
from shared.money import Int64Array


@dataclass(frozen=True)
class Ledger:
    """Steps 1 to 4 of a run. Arrays have one element a loan unless they say otherwise; prices and scores 1e-8 points."""

    book: Book
    pricer: Pricer
    candidates: Candidates
    synthetic: SyntheticCandidates
    reach: Reach
    problem: AllocationProblem
    locks: Locks
    decision: Decision

    @cached_property
    def placed(self) -> Int64Array:
        """Loans that took a candidate."""
        return self.decision.allocation.placed

    @cached_property
    def taken(self) -> Int64Array:
        """The candidate that each of the `placed` took."""
        return self.decision.allocation.taken[self.placed]

    @cached_property
    def trade(self) -> Int32Array:
        """The trade each loan got, or -1."""
        trade = np.full(len(self.book.loans), -1, dtype=np.int32)
        trade[self.placed] = self.candidates.trade[self.taken]
        trade[self.locks.loan] = self.locks.trade
        return trade

    @cached_property
    def priced(self) -> BoolArray:
        """Allocated loans with a price (all but locked ones that cannot be priced)."""
        priced = np.zeros(len(self.book.loans), dtype=np.bool_)
        priced[self.placed] = True
        priced[self.locks.loan] = self.locks.priced
        return priced

    @cached_property
    def price(self) -> Int64Array:
        """Price of each allocated loan."""
        return self._by_loan(self._behind[0], self.locks.price)

    @cached_property
    def carry(self) -> Int64Array:
        """Carry of each allocated loan."""
        return self._by_loan(self._behind[1], self.locks.carry)

    @cached_property
    def score(self) -> Int64Array:
        """Score of each allocated loan."""
        return self._by_loan(self.candidates.score[self.taken], self.locks.score)

    @cached_property
    def net(self) -> Int64Array:
        """Score less switch cost of each allocated loan: its points in the first sum of the value."""
        return self._by_loan(self.problem.net[self.taken], self.locks.score)

    @cached_property
    def rank(self) -> Int64Array:
        """Rank of the candidate each of the `placed` took among those of its loan, 1 for the best; 0 for the other loans."""
        candidates = self.candidates
        rank = ranks_in_rows(candidates.start, candidates.score, self.placed, self.taken)
        return self._by_loan(rank, np.zeros(len(self.locks.loan), dtype=np.int64))

    @cached_property
    def fill(self) -> Int64Array:
        """Cents on each trade."""
        return filled(self.problem, self.decision.allocation)

    @cached_property
    def best(self) -> Int64Array:
        """Index of each loan's best candidate, or -1."""
        return best_of_rows(self.candidates.start, self.candidates.score)

    @cached_property
    def best_synthetic(self) -> Int64Array:
        """Index of each loan's best synthetic candidate, or -1."""
        return self.synthetic.best()

    @cached_property
    def _behind(self) -> tuple[Int64Array, Int64Array]:
        """Price and carry of each of the `placed`."""
        trade, score = self.candidates.trade[self.taken], self.candidates.score[self.taken]
        return self.pricer.behind(self.book.trades, self.placed, trade, score)

    def _by_loan(self, of_placed: Int64Array, of_locks: Int64Array) -> Int64Array:
        values = np.zeros(len(self.book.loans), dtype=np.int64)
        values[self.placed] = of_placed
        values[self.locks.loan] = of_locks
        return values
