"""A first allocation at any size: an auction in which loans bid for room on trades.

1. Every trade asks for its room the bound's price less a margin, but never less than filling it saves.
2. A loan without a place looks at all its candidates: what it earns there less what the room costs now. It bids for the best of
   them what makes the second best as good, and epsilon more.
3. A trade takes a bid that fits under its band; else it lets go of the lowest bids it holds, if they are lower, until it fits.
   Whoever was let go bids again. A full trade asks for more than its lowest bid.
4. A loan that could not push out enough a few times stays out; the exchanges that follow look after it.

A bid raises the price it meets by epsilon at least, and so loans end within epsilon of their best choice at the prices asked
(Bertsekas 1988; with heaps of bids, Bertsekas and Castanon 1989 for transportation). But a large loan that is let go leaves room
for small ones at a lower price, so that this alone does not make an end: after so many bids a loan whoever still waits stays out.
Prices are dollars a dollar.
"""

import numba
import numpy as np
import numpy.typing as npt

from services.run_service.engine.optimise.bands import FloatArray, may_change
from services.run_service.engine.optimise.problem import AllocationProblem
from services.run_service.engine.stop import Stop
from shared.money import Int64Array

MARGIN = 3e-4
"""Dollars a dollar that the first asking prices are under the bound's. More repairs worse prices, and takes longer."""
EPSILON = 3e-5
_ATTEMPTS = 4
_BIDS_A_LOAN = 1_000
"""Bids of all loans together, by loan: some ten times what long auctions take."""
_BIDS = 2_000_000
"""Bids between two looks at the stop criterion: a few tenths of a second at a hundred candidates a loan."""


def hold_auction(problem: AllocationProblem, room_price: FloatArray, stop: Stop, epsilon: float = EPSILON) -> Int64Array:
    """The candidate each loan takes (-1: none)."""
    floor = np.maximum(room_price - MARGIN, -problem.pair_off / 1e10)
    lot = float(np.median(problem.amount[problem.amount > 0])) if (problem.amount > 0).any() else 1.0
    rows = np.bincount(problem.trade, minlength=problem.trade_count)
    rows = np.minimum(rows, (4 * problem.hi / lot).astype(np.int64) + 64)  # more bids than that a trade does not hold
    row = np.concatenate([[0], np.cumsum(rows)]).astype(np.int64)
    taken = np.full(problem.loan_count, -1, dtype=np.int64)
    fill = problem.locked_fill.copy()
    held = np.zeros(problem.trade_count, dtype=np.int64)
    bid, bidder = np.zeros(int(row[-1]) + 1), np.zeros(int(row[-1]) + 1, dtype=np.int32)
    waiting = np.nonzero((np.diff(problem.start) > 0) & ~problem.locked & (problem.amount > 0))[0].astype(np.int64)
    line = np.zeros(len(waiting) + 1, dtype=np.int64)
    line[: len(waiting)] = waiting
    place = np.array([0, len(waiting)], dtype=np.int64)
    attempts = np.zeros(problem.loan_count, dtype=np.int8)
    left = _BIDS_A_LOAN * len(waiting)
    while place[1] and left > 0:
        stop.checkpoint()
        left -= _BIDS
        _bid(
            problem.start, problem.trade, problem.net, problem.fallback, problem.amount, problem.lo, problem.hi,
            problem.pair_off / 1e10, floor, epsilon, taken, fill, row, held, bid, bidder, line, place, attempts, _BIDS,
        )  # fmt: skip
    return taken


@numba.njit(cache=True, nogil=True)
def _bid(
    start: Int64Array, trade: npt.NDArray[np.int32], net: Int64Array, fallback: Int64Array, amount: Int64Array, lo: Int64Array,
    hi: Int64Array, pair_off: FloatArray, floor: FloatArray, epsilon: float, taken: Int64Array, fill: Int64Array,
    row: Int64Array, held: Int64Array, bid: FloatArray, bidder: npt.NDArray[np.int32], line: Int64Array, place: Int64Array,
    attempts: npt.NDArray[np.int8], bids: int,
) -> None:  # fmt: skip
    """Loans in line bid in turn; `place` holds where the line begins and how many stand in it."""
    head, count = place[0], place[1]
    while count > 0 and bids > 0:
        bids -= 1
        i = line[head]
        head = head + 1 if head + 1 < len(line) else 0
        count -= 1
        cents = amount[i]
        best, second, choice, asked = 0.0, 0.0, -1, 0.0  # staying out earns nothing
        for c in range(start[i], start[i + 1]):  # 2. the best place and the second best
            j = trade[c]
            worth = (net[c] - fallback[i]) * 1e-10
            if worth + pair_off[j] <= second or cents > hi[j]:
                continue
            if may_change(fill[j], cents, hi[j]) and held[j] < row[j + 1] - row[j]:
                price = floor[j] if fill[j] + cents <= lo[j] else max(0.0, floor[j])
            elif held[j] > 0:
                price = bid[row[j]]
            else:
                continue
            if worth - price > best:
                best, second, choice, asked = worth - price, best, c, price
            elif worth - price > second:
                second = worth - price
        if choice < 0:
            continue
        offer = asked + best - second + epsilon
        j = trade[choice]
        first = row[j]
        while held[j] > 0 and bid[first] < offer and (not may_change(fill[j], cents, hi[j]) or held[j] == row[j + 1] - first):
            loser = _pop(bid, bidder, first, held[j])  # 3. let go of the lowest
            held[j] -= 1
            taken[loser] = -1
            fill[j] -= amount[loser]
            line[(head + count) % len(line)] = loser
            count += 1
        if may_change(fill[j], cents, hi[j]) and held[j] < row[j + 1] - first:
            _push(bid, bidder, first, held[j], offer, i)
            held[j] += 1
            taken[i] = choice
            fill[j] += cents
        elif attempts[i] < _ATTEMPTS:  # 4. those let go come first now
            attempts[i] += 1
            line[(head + count) % len(line)] = i
            count += 1
    place[0], place[1] = head, count


@numba.njit(cache=True, nogil=True)
def _push(bid: FloatArray, bidder: npt.NDArray[np.int32], first: int, size: int, offer: float, loan: int) -> None:
    """Add to the heap of `size` entries at `first`, lowest bid on top."""
    at = size
    while at > 0 and bid[first + (at - 1) // 2] > offer:
        above = (at - 1) // 2
        bid[first + at], bidder[first + at] = bid[first + above], bidder[first + above]
        at = above
    bid[first + at], bidder[first + at] = offer, loan


@numba.njit(cache=True, nogil=True)
def _pop(bid: FloatArray, bidder: npt.NDArray[np.int32], first: int, size: int) -> int:
    """Take the lowest bid off the heap of `size` entries at `first`; the loan that made it."""
    lowest = bidder[first]
    size -= 1
    offer, loan = bid[first + size], bidder[first + size]
    at = 0
    while True:
        below = 2 * at + 1
        if below >= size:
            break
        if below + 1 < size and bid[first + below + 1] < bid[first + below]:
            below += 1
        if bid[first + below] >= offer:
            break
        bid[first + at], bidder[first + at] = bid[first + below], bidder[first + below]
        at = below
    bid[first + at], bidder[first + at] = offer, loan
    return int(lowest)
