"""Step 4, allocation: which loan goes to which trade, by the strategy of the options."""

from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal

import numpy as np
import polars as pl

from services.run_service.domain.errors import NotYet
from services.run_service.domain.options import PriorityMode, RunOptions, Strategy
from services.run_service.engine.book import Book
from services.run_service.engine.optimise.bound import Bound, prove_bound
from services.run_service.engine.optimise.construct import round_relaxation
from services.run_service.engine.optimise.leftovers import place_leftovers
from services.run_service.engine.optimise.local_search import SearchResult, improve
from services.run_service.engine.optimise.passes import PASS_NAMES, run_passes
from services.run_service.engine.optimise.problem import AllocationProblem, Locks
from services.run_service.engine.optimise.ties import prefer_low_priorities
from services.run_service.engine.optimise.value import Allocation, dollars, nothing, value_dollars, value_units
from services.run_service.engine.progress import Progress
from services.run_service.engine.stop import Stop
from shared.money import Int64Array

PASSES_CANDIDATES = 20_000_000
"""Above this many candidates the baseline is not computed beside OPTIMAL (specification 01 section 8)."""
OPTIMAL_NAME = "OPTIMAL"


@dataclass(frozen=True)
class Decision:
    """What step 4 decided, and what it proved about it. Dollars."""

    allocation: Allocation
    pass_names: tuple[str, ...]
    """Names by the numbers in `allocation.placed_by`."""
    value: Decimal
    baseline_value: Decimal
    passes_value: Decimal | None
    upper_bound: Decimal | None
    bound: Bound | None
    ended_by: str | None
    work_done: int


def refuse_what_is_missing(options: RunOptions, limits: pl.DataFrame) -> None:
    """Raise NotYet for what the specification names and this version cannot decide yet."""
    if options.strategy is Strategy.OPTIMAL and options.priority_mode is PriorityMode.STRICT:
        raise NotYet("priority_mode STRICT", "use priority_mode VALUE, or strategy PASSES")
    if limits.filter(pl.col("enabled")).height:
        raise NotYet("allocation under limits", "disable the rows of pfill_limits")


def allocate(book: Book, problem: AllocationProblem, locks: Locks, progress: Progress, stop: Stop) -> Decision:
    """Decide by the options' strategy."""
    refuse_what_is_missing(book.options, book.tables["pfill_limits"])
    allocator = _Allocator(book.options, problem, locks, progress, stop)
    return allocator.passes() if book.options.strategy is Strategy.PASSES else allocator.optimal()


class _Allocator:
    def __init__(self, options: RunOptions, problem: AllocationProblem, locks: Locks, progress: Progress, stop: Stop) -> None:
        self.options, self.problem, self.locks, self.progress, self.stop = options, problem, locks, progress, stop
        self.baseline_units = value_units(problem, locks, nothing(problem))

    def passes(self) -> Decision:
        """Strategy PASSES."""
        allocation = run_passes(self.problem, self.stop, lambda name, so_far: self.tell(name, so_far, None))
        value = value_dollars(self.problem, self.locks, allocation)
        return Decision(allocation, PASS_NAMES, value, dollars(self.baseline_units), value, None, None, None, 0)

    def optimal(self) -> Decision:
        """Strategy OPTIMAL: bound, first allocation from the relaxation, improvement; never under PASSES."""
        baseline = self.baseline_passes()
        bound = prove_bound(self.problem, self.stop)
        upper = dollars(self.baseline_units) + Decimal(bound.gain).quantize(Decimal("0.01"), rounding=ROUND_CEILING)
        start = self.best_start(baseline, bound)
        self.tell("construct", self.named(start), upper)
        limit = self.options.time_limit
        self.stop.start_improvement(None if limit is None else float(limit))
        result = self.search(start, bound, upper)
        allocation = self.named(place_leftovers(self.problem, prefer_low_priorities(self.problem, result.taken)))
        value = value_units(self.problem, self.locks, allocation)
        if baseline is not None and value < value_units(self.problem, self.locks, baseline):
            allocation, value = self.named(baseline.taken), value_units(self.problem, self.locks, baseline)
        return Decision(
            allocation=allocation,
            pass_names=(OPTIMAL_NAME,),
            value=dollars(value),
            baseline_value=dollars(self.baseline_units),
            passes_value=None if baseline is None else value_dollars(self.problem, self.locks, baseline),
            upper_bound=upper,
            bound=bound,
            ended_by=result.ended_by,
            work_done=result.work_done,
        )

    def baseline_passes(self) -> Allocation | None:
        """What PASSES reaches, where that is quick to know."""
        if len(self.problem.loan) > PASSES_CANDIDATES:
            return None
        allocation = run_passes(self.problem, self.stop, lambda name, so_far: None)
        self.tell("passes", allocation, None)
        return allocation

    def best_start(self, baseline: Allocation | None, bound: Bound) -> Int64Array:
        """The better of the rounded relaxation and PASSES."""
        starts = [] if baseline is None else [baseline.taken]
        if bound.fractions is not None:
            starts.append(round_relaxation(self.problem, bound.fractions))
        if not starts:
            return nothing(self.problem).taken
        return max(starts, key=lambda taken: value_units(self.problem, self.locks, self.named(taken)))

    def search(self, start: Int64Array, bound: Bound, upper: Decimal) -> SearchResult:
        """The improvement phase."""
        return improve(
            self.problem,
            start,
            bound.room_price,
            seed=self.options.seed,
            work_limit=self.options.work_limit,
            stop=self.stop,
            on_progress=lambda taken: self.tell("improve", self.named(taken), upper),
        )

    def named(self, taken: Int64Array) -> Allocation:
        """An allocation of OPTIMAL."""
        return Allocation(taken, np.where(taken >= 0, 0, -1))

    def tell(self, name: str, allocation: Allocation, upper: Decimal | None) -> None:
        """Report the allocation as it stands."""
        count = len(allocation.placed) + len(self.locks.loan)
        self.progress.pass_completed(name, value_dollars(self.problem, self.locks, allocation), upper, count)
