"""Step 4, allocation: which loan goes to which trade, by the strategy of the options."""

from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal

import numpy as np
import polars as pl

from services.run_service.domain.errors import NotYet
from services.run_service.domain.options import PriorityMode, RunOptions, Strategy
from services.run_service.engine.book import Book
from services.run_service.engine.optimise.bound import Bound
from services.run_service.engine.optimise.optimal import Effort, Optimised, optimise
from services.run_service.engine.optimise.passes import PASS_NAMES, run_passes
from services.run_service.engine.optimise.problem import AllocationProblem, Locks
from services.run_service.engine.optimise.tiers import optimise_tiers
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


def refuse_limits(limits: pl.DataFrame) -> None:
    """Raise NotYet if a limit is enabled: this version cannot decide under limits yet."""
    if limits.filter(pl.col("enabled")).height:
        raise NotYet("allocation under limits", "disable the rows of pfill_limits")


def allocate(book: Book, problem: AllocationProblem, locks: Locks, progress: Progress, stop: Stop) -> Decision:
    """Decide by the options' strategy."""
    refuse_limits(book.tables["pfill_limits"])
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
        """Strategy OPTIMAL, all priorities together or tier by tier; together never under PASSES."""
        baseline = self.baseline_passes()
        limit = self.options.time_limit
        effort = Effort(self.options.seed, self.options.work_limit, None if limit is None else float(limit))
        strict = self.options.priority_mode is PriorityMode.STRICT
        solve = optimise_tiers if strict else optimise
        found: Optimised = solve(self.problem, effort, self.stop, self.tell_taken)
        allocation = self.named(found.taken)
        value = value_units(self.problem, self.locks, allocation)
        if not strict and baseline is not None and value < value_units(self.problem, self.locks, baseline):
            allocation, value = self.named(baseline.taken), value_units(self.problem, self.locks, baseline)
        return Decision(
            allocation=allocation,
            pass_names=(OPTIMAL_NAME,),
            value=dollars(value),
            baseline_value=dollars(self.baseline_units),
            passes_value=None if baseline is None else value_dollars(self.problem, self.locks, baseline),
            upper_bound=self.upper(found.bound),
            bound=found.bound,
            ended_by=found.ended_by,
            work_done=found.work_done,
        )

    def upper(self, bound: Bound) -> Decimal:
        """The upper bound on the value, dollars."""
        return dollars(self.baseline_units) + Decimal(bound.gain).quantize(Decimal("0.01"), rounding=ROUND_CEILING)

    def baseline_passes(self) -> Allocation | None:
        """What PASSES reaches, where that is quick to know."""
        if len(self.problem.loan) > PASSES_CANDIDATES:
            return None
        allocation = run_passes(self.problem, self.stop, lambda name, so_far: None)
        self.tell("passes", allocation, None)
        return allocation

    def named(self, taken: Int64Array) -> Allocation:
        """An allocation of OPTIMAL."""
        return Allocation(taken, np.where(taken >= 0, 0, -1))

    def tell_taken(self, name: str, taken: Int64Array, bound: Bound | None) -> None:
        """Report the candidates that loans take."""
        self.tell(name, self.named(taken), None if bound is None else self.upper(bound))

    def tell(self, name: str, allocation: Allocation, upper: Decimal | None) -> None:
        """Report the allocation as it stands."""
        count = len(allocation.placed) + len(self.locks.loan)
        self.progress.pass_completed(name, value_dollars(self.problem, self.locks, allocation), upper, count)
