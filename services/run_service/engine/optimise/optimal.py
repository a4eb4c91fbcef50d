"""Strategy OPTIMAL: the allocation of most value, as far as it can be found, and how far from the best it can be at most.

1. Prove a bound, and with it what room on every trade is worth (`bound`).
2. Hold two auctions at these prices, one that counts more closely than the other: two first allocations (`auction`).
3. Improve them (`improvement`).
4. Between allocations of one value, prefer low priority numbers (`ties`).
5. Leave nobody out who pays somewhere with room (`leftovers`).
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from services.run_service.engine.optimise.auction import EPSILON, hold_auction
from services.run_service.engine.optimise.bound import Bound, prove_bound
from services.run_service.engine.optimise.improvement import improve
from services.run_service.engine.optimise.leftovers import place_leftovers
from services.run_service.engine.optimise.problem import AllocationProblem
from services.run_service.engine.optimise.ties import prefer_low_priorities
from services.run_service.engine.progress import IMPROVE
from services.run_service.engine.stop import Stop
from shared.money import Int64Array


@dataclass(frozen=True)
class Effort:
    """How long to improve."""

    seed: int
    work_limit: int
    time_limit_s: float | None


@dataclass(frozen=True)
class Optimised:
    """An allocation, the bound on all others, and how the improvement ended."""

    taken: Int64Array
    """The candidate each loan takes (-1: none)."""
    bound: Bound
    ended_by: str
    work_done: int


Told = Callable[[str, Int64Array, Bound | None], None]
"""Hears the name of a stage, the allocation as it stands (the candidate each loan takes) and the bound, where one is known."""


def optimise(problem: AllocationProblem, effort: Effort, stop: Stop, tell: Told) -> Optimised:
    """The best allocation found. Raises RunCancelledError."""
    bound = prove_bound(problem, stop)
    with ThreadPoolExecutor(2, thread_name_prefix="auction") as pool:
        starts = list(pool.map(lambda epsilon: hold_auction(problem, bound.room_price, stop, epsilon), (EPSILON, EPSILON / 3)))
    tell("construct", starts[0], bound)
    stop.start_improvement(effort.time_limit_s)
    result = improve(
        problem,
        starts,
        bound.room_price,
        bound.gain,
        seed=effort.seed,
        work_limit=effort.work_limit,
        stop=stop,
        on_progress=lambda taken: tell(IMPROVE, taken, bound),
    )
    stop.pause_improvement()
    taken = place_leftovers(problem, prefer_low_priorities(problem, result.taken))
    return Optimised(taken, bound, result.ended_by, result.work_done)
