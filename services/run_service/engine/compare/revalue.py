"""What an allocation is worth under other inputs and options than those it was made under.

The value is that of specification 01 section 8, by the code that every run uses; only where the loans are comes from elsewhere:

- a loan that the new inputs lock to a participating trade is on that trade;
- any other loan is where the allocation put it, if that is a candidate under the new inputs and options;
- where it is none, and where the allocation has no place for an in-scope loan, the loan is left out;
- a loan that is not in scope any more counts nothing.

Room is not enforced: a trade may be filled beyond its band, which neither earns nor costs anything. Under its own inputs and
options an allocation has its own value.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl

from services.run_service.domain.options import RunOptions
from services.run_service.engine.book import Book, at
from services.run_service.engine.frames import RunInputs
from services.run_service.engine.opening import open_book
from services.run_service.engine.optimise.problem import AllocationProblem, Locks, pose, price_locks
from services.run_service.engine.optimise.value import Allocation, value_units
from services.run_service.engine.pricing import Pricer
from services.run_service.engine.progress import Progress
from services.run_service.engine.steps.candidates import build_candidates
from services.run_service.engine.stop import Stop
from shared.money import Int64Array


@dataclass(frozen=True)
class Terms:
    """What every place is worth under some inputs and options."""

    book: Book
    problem: AllocationProblem
    locks: Locks

    def candidates(self, placement: pl.DataFrame) -> Int64Array:
        """The candidate that each in-scope loan's trade in a placement (loan_id, trade_id) is; -1: it has none, or is none."""
        places = self.book.trades.ids.alias("trade_id").to_frame().with_row_index("place")
        ours = self.book.loans.frame.select("loan_id")
        chosen = ours.join(placement.select("loan_id", "trade_id"), on="loan_id", how="left", maintain_order="left")
        trade = chosen.join(places, on="trade_id", how="left", maintain_order="left")["place"].cast(pl.Int64).fill_null(-1)
        return _candidate_on(self.problem, trade.to_numpy())

    def value_units(self, placement: pl.DataFrame) -> int:
        """The value of a placement, 1e-12 dollars."""
        taken = np.where(self.problem.locked, -1, self.candidates(placement))
        return value_units(self.problem, self.locks, Allocation(taken, taken))

    def points(self, candidates: Int64Array) -> Int64Array:
        """What each in-scope loan counts in the value of a placement with these `candidates`, 1e-8 points of its amount."""
        points = np.where(candidates >= 0, at(self.problem.net, candidates), self.problem.fallback)
        points[self.locks.loan] = self.locks.score
        return points


def terms_of(inputs: RunInputs, options: RunOptions) -> Terms:
    """The terms of a run with these inputs and options. Raises InputError where no run is possible."""
    book = open_book(inputs, options, lambda finding: None, Stop())
    pricer = Pricer(book)
    candidates, synthetic, _ = build_candidates(book, pricer, Progress(), Stop())
    locks = price_locks(book, pricer)
    return Terms(book, pose(book, candidates, synthetic, locks, Stop()), locks)


def _candidate_on(problem: AllocationProblem, trade: Int64Array) -> Int64Array:
    """Index of each loan's candidate on the trade beside it, or -1: a binary search in all rows at once."""
    low, end = problem.start[:-1].copy(), problem.start[1:]
    high = end.copy()
    while (searching := low < high).any():
        middle = (low + high) // 2
        below = searching.copy()
        below[searching] = problem.trade[middle[searching]] < trade[searching]
        low = np.where(below, middle + 1, low)
        high = np.where(searching & ~below, middle, high)
    found = (low < end) & (trade >= 0)
    found[found] = problem.trade[low[found]] == trade[found]
    return np.where(found, low, -1)
