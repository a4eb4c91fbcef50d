"""priority_mode STRICT: tier by tier, the lowest priority number first (specification 01 section 8).

1. A tier has the candidates of one priority number whose loans no earlier tier placed, and the room that is left. A trade's
   pair-off counts in the last tier that can reach it.
2. Each tier is optimised as if it were all there is (`optimal`); what it places does not move later.
3. The bound is the sum of every tier's bound given the tiers before, and what earlier tiers saved of a later tier's pair-off.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from services.run_service.engine.optimise.bound import Bound
from services.run_service.engine.optimise.optimal import Effort, Optimised, Told, optimise
from services.run_service.engine.optimise.problem import AllocationProblem
from services.run_service.engine.optimise.value import UNIT_PLACES, Allocation, filled, gain_units
from services.run_service.engine.stop import Stop
from shared.money import Int64Array

_ENDINGS = ("TIME_LIMIT", "WORK_LIMIT", "CONVERGED")
"""The phase ended by the first of these that ended a tier."""


@dataclass(frozen=True)
class Tier:
    """The problem of one priority number, and where its candidates are among all."""

    priority: int
    problem: AllocationProblem
    index: Int64Array


def pose_tier(problem: AllocationProblem, priority: int, taken: Int64Array) -> Tier:
    """1. The problem of a tier, given the candidates that loans took in the tiers before."""
    index = np.nonzero((problem.priority == priority) & (taken[problem.loan] < 0))[0]
    last = np.full(problem.trade_count, -1, dtype=np.int64)
    np.maximum.at(last, problem.trade, problem.priority)
    part = replace(
        problem,
        locked=problem.locked | (taken >= 0),
        locked_fill=filled(problem, Allocation(taken, taken)),
        pair_off=np.where(last == priority, problem.pair_off, 0),
        loan=problem.loan[index],
        trade=problem.trade[index],
        score=problem.score[index],
        net=problem.net[index],
        priority=problem.priority[index],
        start=np.concatenate([[0], np.cumsum(np.bincount(problem.loan[index], minlength=problem.loan_count))]).astype(np.int64),
    )
    return Tier(priority, part, index)


def optimise_tiers(problem: AllocationProblem, effort: Effort, stop: Stop, tell: Told) -> Optimised:
    """The tiers' allocations together. Each has the time and the work that those before left.

    Once the clock ended a tier, the later ones are not improved, so that the work done tells a replay where each of them ended.
    """
    taken = np.full(problem.loan_count, -1, dtype=np.int64)
    parts: list[tuple[Tier, Optimised]] = []
    for priority in np.unique(problem.priority):
        tier = pose_tier(problem, int(priority), taken)
        timed_out = any(part.ended_by == "TIME_LIMIT" for _, part in parts)
        left = 0 if timed_out else effort.work_limit - sum(part.work_done for _, part in parts)

        def tell_all(name: str, so_far: Int64Array, bound: Bound | None, tier: Tier = tier, before: Int64Array = taken) -> None:
            tell(name, _merged(before, tier, so_far), None)  # the sum of the bounds is not known yet

        part = optimise(tier.problem, replace(effort, work_limit=left), stop, tell_all)
        taken = _merged(taken, tier, part.taken)
        parts.append((tier, part))
    endings = [part.ended_by for _, part in parts]
    return Optimised(
        taken=taken,
        bound=_sum_of_bounds(problem, taken, parts),
        ended_by=next((ending for ending in _ENDINGS if ending in endings), "CONVERGED"),
        work_done=sum(part.work_done for _, part in parts),
    )


def _sum_of_bounds(problem: AllocationProblem, taken: Int64Array, parts: Sequence[tuple[Tier, Optimised]]) -> Bound:
    """3. A trade's room is worth the most it is worth to any tier; where that is nothing, what it is worth to the last."""
    between = gain_units(problem, taken) - sum(gain_units(tier.problem, part.taken) for tier, part in parts)
    price = np.where(problem.lo > problem.locked_fill, -problem.pair_off / 1e10, 0.0)  # nothing is owed at lo
    for tier, part in parts:
        reached = np.unique(tier.problem.trade)
        price[reached] = np.maximum(np.maximum(price[reached], 0), part.bound.room_price[reached])
    for tier, part in parts:
        last = (tier.problem.pair_off > 0) & (price <= 0)
        price[last] = part.bound.room_price[last]
    kinds = {part.bound.kind for _, part in parts}
    gain = sum(part.bound.gain for _, part in parts) + between / 10**UNIT_PLACES
    return Bound(gain, "LP" if kinds <= {"LP"} else "LAGRANGIAN", price)


def _merged(before: Int64Array, tier: Tier, taken: Int64Array) -> Int64Array:
    """The allocation with what a tier adds to it, in the whole problem's numbering."""
    after = before.copy()
    placed = np.nonzero(taken >= 0)[0]
    after[placed] = tier.index[taken[placed]]
    return after
