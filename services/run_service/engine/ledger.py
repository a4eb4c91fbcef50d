"""The ledger: what steps 1 to 4 found and decided, in the order of the loans, from which the output tables are written."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from services.run_service.engine.book import Book, BoolArray, Int32Array
from services.run_service.engine.optimise.problem import AllocationProblem, Locks
from services.run_service.engine.optimise.value import filled
from services.run_service.engine.pricing import Pricer
from services.run_service.engine.reach import Reach
from services.run_service.engine.steps.allocation import Decision
from services.run_service.engine.steps.candidates import Candidates, SyntheticCandidates
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
    def trade(self) -> Int32Array:
        """The trade each loan got, or -1."""
        trade = np.full(len(self.book.loans), -1, dtype=np.int32)
        trade[self.placed] = self.candidates.trade[self.decision.allocation.taken[self.placed]]
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
        return self._by_loan(self.candidates.price, self.locks.price)

    @cached_property
    def carry(self) -> Int64Array:
        """Carry of each allocated loan."""
        return self._by_loan(self.candidates.carry, self.locks.carry)

    @cached_property
    def score(self) -> Int64Array:
        """Score of each allocated loan."""
        return self._by_loan(self.candidates.score, self.locks.score)

    @cached_property
    def net(self) -> Int64Array:
        """Score less switch cost of each allocated loan: its points in the first sum of the value."""
        return self._by_loan(self.problem.net, self.locks.score)

    @cached_property
    def fill(self) -> Int64Array:
        """Cents on each trade."""
        return filled(self.problem, self.decision.allocation)

    @cached_property
    def by_rank(self) -> Int64Array:
        """Candidates in order of (loan, score descending, trade order)."""
        return np.lexsort((self.candidates.trade, -self.candidates.score, self.candidates.loan))

    @cached_property
    def rank(self) -> Int64Array:
        """1 for a loan's best candidate, and so on; one element a candidate."""
        rank = np.empty(len(self.candidates), dtype=np.int64)
        rank[self.by_rank] = np.arange(len(self.candidates)) - self.candidates.start[self.candidates.loan[self.by_rank]] + 1
        return rank

    @cached_property
    def best(self) -> tuple[Int64Array, BoolArray]:
        """Each loan's best candidate and whether it has one."""
        start = self.candidates.start
        has = start[1:] > start[:-1]
        best = np.zeros(len(self.book.loans), dtype=np.int64)
        best[has] = self.by_rank[start[:-1][has]]
        return best, has

    @cached_property
    def best_synthetic(self) -> tuple[Int64Array, BoolArray]:
        """Each loan's best synthetic candidate and whether it has one."""
        return self.synthetic.best(len(self.book.loans))

    def _by_loan(self, of_candidates: Int64Array, of_locks: Int64Array) -> Int64Array:
        values = np.zeros(len(self.book.loans), dtype=np.int64)
        values[self.placed] = of_candidates[self.decision.allocation.taken[self.placed]]
        values[self.locks.loan] = of_locks
        return values
