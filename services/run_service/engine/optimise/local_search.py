"""Improvement: moves and exchanges of loans under the bands until none pays.

Room prices u from the bound turn the search local: at those prices a candidate's regret is how much less it earns than its
loan's best choice, and a good allocation uses candidates of small regret only. Per loan the few of least regret are kept.

1. Loans take turns, in an order drawn from the seed.
2. Move: to another kept trade with room, or out.
3. Exchange: into a full trade in place of one of its loans, which goes where the first came from, to another kept trade with
   room, or out. The best pair for the loan is taken if it pays.
4. Stop after a round without a move (CONVERGED), after a fixed number of pairs looked at (WORK_LIMIT), or by the clock.

Only improving steps are taken, so the value never falls. (Exchange neighbourhoods for assignment under capacities: Yagiura,
Ibaraki and Glover 2004.)
"""

from collections.abc import Callable
from dataclasses import dataclass

import numba
import numpy as np

from services.run_service.engine.optimise.bound import FloatArray, gains
from services.run_service.engine.optimise.problem import AllocationProblem
from services.run_service.engine.stop import Stop
from shared.money import Int64Array

KEPT_PER_LOAN = 16
_CHUNK = 20_000_000
"""Pairs looked at between two looks at the stop criterion: a few hundredths of a second."""
_LEAST_GAIN = 1e-4
"""Dollars; smaller improvements are not worth a move and might be rounding."""


@dataclass(frozen=True)
class SearchResult:
    """Where the search ended, why, and how many pairs it looked at."""

    taken: Int64Array
    ended_by: str
    work_done: int


def improve(
    problem: AllocationProblem,
    taken: Int64Array,
    room_price: FloatArray,
    *,
    seed: int,
    work_limit: int,
    stop: Stop,
    on_progress: Callable[[Int64Array], None],
) -> SearchResult:
    """Improve an allocation; `taken` is the candidate of each loan (-1: none). `on_progress` sees it between chunks."""
    state = _State(problem, taken, room_price, seed)
    work = position = quiet = 0
    count = len(state.order)
    while quiet < count:
        if work >= work_limit:
            return SearchResult(state.taken, "WORK_LIMIT", work)
        if stop.time_is_up():
            return SearchResult(state.taken, "TIME_LIMIT", work)
        stop.checkpoint()
        position, quiet, done = state.advance(position, quiet, min(_CHUNK, work_limit - work))
        work += done
        on_progress(state.taken)
    return SearchResult(state.taken, "CONVERGED", work)


class _State:
    """The search's arrays: kept candidates by loan, members by trade, fill by trade."""

    def __init__(self, problem: AllocationProblem, taken: Int64Array, room_price: FloatArray, seed: int) -> None:
        gain, amount = gains(problem), problem.amount
        regret_free = gain - room_price[problem.trade] * amount[problem.loan] / 100
        usable = np.nonzero(problem.usable)[0]
        by_worth = usable[np.lexsort((usable, -regret_free[usable], problem.loan[usable]))]
        loan = problem.loan[by_worth].astype(np.int64)
        first = np.concatenate([[0], np.cumsum(np.bincount(loan, minlength=problem.loan_count))])
        place = np.arange(len(by_worth)) - first[loan]
        present = np.zeros(len(gain), dtype=np.bool_)
        present[taken[taken >= 0]] = True
        kept = by_worth[(place < KEPT_PER_LOAN) | present[by_worth]]
        kept_loan = problem.loan[kept].astype(np.int64)
        self.candidate = kept
        self.start = np.concatenate([[0], np.cumsum(np.bincount(kept_loan, minlength=problem.loan_count))]).astype(np.int64)
        self.trade = problem.trade[kept].astype(np.int64)
        self.gain = gain[kept]
        self.cost = problem.pair_off / 1e12  # dollars a cent of shortfall
        self.problem = problem
        number = np.full(max(1, len(gain)), -1, dtype=np.int64)  # one for loans without any candidate to point at
        number[kept] = np.arange(len(kept))
        self.choice = np.where(taken >= 0, number[np.maximum(taken, 0)], -1)
        placed = np.nonzero(self.choice >= 0)[0]
        self.fill = problem.locked_fill.copy()
        np.add.at(self.fill, self.trade[self.choice[placed]], amount[placed])
        # members of trade j are the first size[j] entries of row j, which has room for every loan that could ever be there
        rows = np.bincount(self.trade, minlength=problem.trade_count)
        self.row = np.concatenate([[0], np.cumsum(rows)]).astype(np.int64)
        self.size = np.zeros(problem.trade_count, dtype=np.int64)
        self.member = np.zeros(max(1, int(self.row[-1])), dtype=np.int64)
        self.slot = np.full(problem.loan_count, -1, dtype=np.int64)
        for_trade = self.trade[self.choice[placed]]
        order = placed[np.lexsort((placed, for_trade))]
        sorted_trade = self.trade[self.choice[order]]
        self.size[:] = np.bincount(sorted_trade, minlength=problem.trade_count)
        begin = np.concatenate([[0], np.cumsum(self.size)])
        self.slot[order] = np.arange(len(order)) - begin[sorted_trade]
        self.member[self.row[sorted_trade] + self.slot[order]] = order
        movable = np.nonzero(self.start[1:] > self.start[:-1])[0]
        self.order = np.random.default_rng(seed).permutation(movable).astype(np.int64)

    @property
    def taken(self) -> Int64Array:
        """The candidate of each loan in the problem's numbering."""
        if not len(self.candidate):
            return self.choice
        return np.where(self.choice >= 0, self.candidate[np.maximum(self.choice, 0)], -1)

    def advance(self, position: int, quiet: int, work: int) -> tuple[int, int, int]:
        """Give loans turns until about `work` pairs were looked at; where it stopped, turns without a move, pairs looked at."""
        problem = self.problem
        return _turns(
            self.order, self.start, self.trade, self.gain, problem.amount, problem.lo, problem.hi, self.cost,
            self.choice, self.fill, self.row, self.size, self.member, self.slot, position, quiet, work,
        )  # fmt: skip


@numba.njit(cache=True, inline="always")
def _shortfall_change(fill: int, change: int, lo: int) -> int:
    """Cents by which a trade's shortfall shrinks when its fill changes."""
    return max(0, lo - fill) - max(0, lo - fill - change)


@numba.njit(cache=True)
def _leave(
    i: int, choice: Int64Array, trade: Int64Array, amount: Int64Array, fill: Int64Array, row: Int64Array, size: Int64Array,
    member: Int64Array, slot: Int64Array,
) -> None:  # fmt: skip
    """Take loan i off its trade; the trade's last member fills its slot."""
    j = trade[choice[i]]
    last = member[row[j] + size[j] - 1]
    member[row[j] + slot[i]] = last
    slot[last] = slot[i]
    size[j] -= 1
    fill[j] -= amount[i]
    choice[i] = -1


@numba.njit(cache=True)
def _join(
    i: int, c: int, choice: Int64Array, trade: Int64Array, amount: Int64Array, fill: Int64Array, row: Int64Array,
    size: Int64Array, member: Int64Array, slot: Int64Array,
) -> None:  # fmt: skip
    """Put loan i on the trade of its candidate c."""
    j = trade[c]
    member[row[j] + size[j]] = i
    slot[i] = size[j]
    size[j] += 1
    fill[j] += amount[i]
    choice[i] = c


@numba.njit(cache=True)
def _turns(
    order: Int64Array, start: Int64Array, trade: Int64Array, gain: FloatArray, amount: Int64Array, lo: Int64Array, hi: Int64Array,
    cost: FloatArray, choice: Int64Array, fill: Int64Array, row: Int64Array, size: Int64Array, member: Int64Array,
    slot: Int64Array, position: int, quiet: int, work: int,
) -> tuple[int, int, int]:  # fmt: skip
    looked = 0
    while quiet < len(order) and looked < work:
        i = order[position]
        position = (position + 1) % len(order)
        quiet += 1
        now = choice[i]
        here = trade[now] if now >= 0 else -1
        leave = 0.0  # what taking i off its trade changes
        if now >= 0:
            leave = -gain[now] + cost[here] * _shortfall_change(fill[here], -amount[i], lo[here])
        best, best_to, best_other, best_other_to = _LEAST_GAIN, -2, -1, -1
        if leave > best:
            best, best_to = leave, -1
        for c in range(start[i], start[i + 1]):
            j = trade[c]
            if c == now:
                continue
            looked += 1
            if fill[j] + amount[i] <= hi[j]:  # 2. move
                change = leave + gain[c] + cost[j] * _shortfall_change(fill[j], amount[i], lo[j])
                if change > best:
                    best, best_to, best_other = change, c, -1
            for m in range(row[j], row[j] + size[j]):  # 3. exchange with loan k of that trade
                k = member[m]
                room = fill[j] + amount[i] - amount[k]
                if room > hi[j]:
                    continue
                looked += 1
                base = leave + gain[c] - gain[choice[k]] + cost[j] * _shortfall_change(fill[j], amount[i] - amount[k], lo[j])
                if base > best:
                    best, best_to, best_other, best_other_to = base, c, k, -1
                for d in range(start[k], start[k + 1]):
                    to = trade[d]
                    if to == j:
                        continue
                    looked += 1
                    if base + gain[d] + cost[to] * amount[k] <= best:
                        continue
                    before = fill[to] - amount[i] if to == here else fill[to]
                    if before + amount[k] > hi[to]:
                        continue
                    change = base + gain[d] + cost[to] * _shortfall_change(before, amount[k], lo[to])
                    if change > best:
                        best, best_to, best_other, best_other_to = change, c, k, d
        if best_to == -2:
            continue
        quiet = 0
        if now >= 0:
            _leave(i, choice, trade, amount, fill, row, size, member, slot)
        if best_other >= 0:
            _leave(best_other, choice, trade, amount, fill, row, size, member, slot)
        if best_to >= 0:
            _join(i, best_to, choice, trade, amount, fill, row, size, member, slot)
        if best_other >= 0 and best_other_to >= 0:
            _join(best_other, best_other_to, choice, trade, amount, fill, row, size, member, slot)
    return position, quiet, looked
