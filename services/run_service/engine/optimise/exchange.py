"""The best exchange between one trade and any other place: up to two loans come, up to two go.

Whether loans may swap trades depends on nothing but the sum of their amounts, and what it earns is a sum over loans too, so the
best of all such exchanges is found by sorting (Horowitz and Sahni 1974 for subset sums):

1. Of trade k's members those that could come to trade j, and of j's members those that could go to k (the outside is a trade like
   any other); a few of each: the first met (those that come in order of regret), or drawn at random.
2. All sets of at most two that could come, and of those that could go, each sorted by amount.
3. j's fill may grow by its room and shrink by k's room, so for each set that goes, the sets that may come have amounts in a
   window. As the sets that go grow, the window moves up: a queue that keeps only sets better than all behind them has the best
   in front.
4. The pair-off of both trades bends where a fill crosses its `lo`; each of the three stretches between the bends is one sweep,
   with the slope of the pair-off added to the worth of a cent.
5. The best over all k is made, if it pays.

Two bounds keep this short. An exchange between j and k cannot earn more than both fall short of the bound (`Holdings.excess`), so
pairs of trades that cannot beat the best found are passed over, and so are loans whose regret would rise by more.
"""

from typing import NamedTuple

import numba
import numpy as np

from services.run_service.engine.optimise.bands import Bands, FloatArray
from services.run_service.engine.optimise.holdings import Holdings, move, weigh
from services.run_service.engine.optimise.places import Places
from services.run_service.engine.optimise.rng import RandomState, below
from shared.money import Int64Array

SIDE = 12
"""Loans of either trade that one exchange considers."""
_SETS = 1 + SIDE + SIDE * (SIDE - 1) // 2
_OUTSIDE_SPARE = 100.0
"""Dollars of regret that loans outside may have beside the trade's own excess: theirs is not summed up."""


class Side(NamedTuple):
    """Loans that could cross from one trade to another, by the other trade, and the sets of one pair of trades."""

    kept: Int64Array
    seen: Int64Array
    place: Int64Array
    """Places they would take: row k for trade k."""
    amount: Int64Array
    """Of a set: cents."""
    gain: FloatArray
    """Of a set: dollars its loans earn by crossing."""
    one: Int64Array
    two: Int64Array
    """Places a set takes, or -1."""
    order: Int64Array


class Desk(NamedTuple):
    """What an exchange is worked out on."""

    coming: Side
    going: Side
    trades: Int64Array
    """Trades met while looking at one."""
    queue: Int64Array
    made: Int64Array
    """Of the last exchange: the places its loans were in before, or -1."""


def new_desk(trades: int) -> Desk:
    """A desk for this many trades, the outside included."""
    return Desk(_new_side(trades), _new_side(trades), _ints(trades), _ints(_SETS), _ints(4))


def _new_side(trades: int) -> Side:
    place = np.zeros((trades, SIDE), dtype=np.int64)
    return Side(_ints(trades), _ints(trades), place, _ints(_SETS), np.zeros(_SETS), _ints(_SETS), _ints(_SETS), _ints(_SETS))


def _ints(size: int) -> Int64Array:
    return np.zeros(size, dtype=np.int64)


@numba.njit(cache=True, nogil=True)
def exchange_best(
    j: int, places: Places, bands: Bands, holdings: Holdings, desk: Desk, random: RandomState, least: float
) -> tuple[float, int, int]:
    """Make the best exchange of trade j that earns more than `least` dollars, of loans drawn or of the first met.

    A `random` state of 0 draws none.

    Returns what it earned, the other trade (-1: none was made) and how many things were looked at.
    """
    met, looked = _meet(j, places, holdings, desk, random)
    best, other = least, -1
    for m in range(met):
        k = desk.trades[m]
        spare = holdings.excess[j] + (holdings.excess[k] if k + 1 < len(bands.lo) else _OUTSIDE_SPARE)
        if spare <= best:
            continue
        coming = _sets(desk.coming, k, spare, places, holdings)
        going = _sets(desk.going, k, spare, places, holdings)
        looked += 6 * (coming + going)
        earned, come, go = _best_pair(j, k, coming, going, desk, bands, holdings, best)
        if come >= 0:
            best, other = earned, k
            desk.made[0], desk.made[1] = desk.coming.one[come], desk.coming.two[come]
            desk.made[2], desk.made[3] = desk.going.one[go], desk.going.two[go]
    for m in range(met):
        desk.coming.kept[desk.trades[m]] = desk.going.kept[desk.trades[m]] = 0
        desk.coming.seen[desk.trades[m]] = desk.going.seen[desk.trades[m]] = 0
    if other < 0:
        return 0.0, -1, looked
    for m in range(4):
        if desk.made[m] >= 0:
            before = holdings.choice[places.loan[desk.made[m]]]
            move(holdings, places, desk.made[m])
            desk.made[m] = before
    weigh(holdings, places, bands, j)
    if other + 1 < len(bands.lo):
        weigh(holdings, places, bands, other)
    return best, other, looked


@numba.njit(cache=True, nogil=True)
def _meet(j: int, places: Places, holdings: Holdings, desk: Desk, random: RandomState) -> tuple[int, int]:
    """1. Who could come to trade j and who could go from it, by the other trade; how many trades that makes."""
    # attributes are taken out of the loops: each use counts references, which two searches on two cores would wait for
    trade, regret, loan, start, arriving = places.trade, places.regret, places.loan, places.start, places.arriving
    choice, member = holdings.choice, holdings.member
    trades = desk.trades
    come_kept, come_seen, come_place = desk.coming.kept, desk.coming.seen, desk.coming.place
    go_kept, go_seen, go_place = desk.going.kept, desk.going.seen, desk.going.place
    met, looked = 0, 0
    reach = 2.0 * holdings.excess[j] + 50.0  # beyond, a regret is too large to be made up for
    for a in range(places.first[j], places.first[j + 1]):
        place = arriving[a]
        looked += 1
        if regret[place] > reach:
            break
        k = trade[choice[loan[place]]]
        if k == j:
            continue
        if come_seen[k] == 0 and go_seen[k] == 0:
            trades[met] = k
            met += 1
        _note(come_kept, come_seen, come_place, k, place, random)
    for m in range(holdings.row[j], holdings.row[j] + holdings.size[j]):
        i = member[m]
        for place in range(start[i], start[i + 1]):
            looked += 1
            if regret[place] > reach:
                break
            k = trade[place]
            if k == j:
                continue
            if come_seen[k] == 0 and go_seen[k] == 0:
                trades[met] = k
                met += 1
            _note(go_kept, go_seen, go_place, k, place, random)
    return met, looked


@numba.njit(cache=True, nogil=True, inline="always")
def _note(kept: Int64Array, seen: Int64Array, places: Int64Array, k: int, place: int, random: RandomState) -> None:
    """Remember a place on the way from or to trade k: the first few, or each with the same chance (reservoir sampling)."""
    seen[k] += 1
    at = kept[k]
    if at < SIDE:
        kept[k] = at + 1
    elif random[0] != 0:
        at = below(random, seen[k])
    if at < SIDE:
        places[k, at] = place


@numba.njit(cache=True, nogil=True)
def _sets(side: Side, k: int, spare: float, places: Places, holdings: Holdings) -> int:
    """2. The sets of at most two loans whose regrets rise by no more than `spare`, sorted by amount; how many."""
    amount, gain, one, two, place_of = side.amount, side.gain, side.one, side.two, side.place
    size = 1
    amount[0], gain[0], one[0], two[0] = 0, 0.0, -1, -1
    for m in range(side.kept[k]):
        place = place_of[k, m]
        i = places.loan[place]
        now = holdings.choice[i]
        if places.regret[place] - places.regret[now] <= spare:
            amount[size], gain[size] = holdings.amount[i], places.gain[place] - places.gain[now]
            one[size], two[size] = place, -1
            size += 1
    singles = size
    for x in range(1, singles):
        for y in range(x + 1, singles):
            amount[size], gain[size] = amount[x] + amount[y], gain[x] + gain[y]
            one[size], two[size] = one[x], one[y]
            size += 1
    side.order[:size] = np.argsort(amount[:size])
    return size


@numba.njit(cache=True, nogil=True)
def _best_pair(
    j: int, k: int, coming: int, going: int, desk: Desk, bands: Bands, holdings: Holdings, least: float
) -> tuple[float, int, int]:
    """3. and 4. The sets to exchange between trades j and k that earn the most, if more than `least`; -1: none do."""
    grows = bands.hi[j] - holdings.fill[j]
    shrinks = holdings.fill[k] - bands.hi[k]
    bend_j, bend_k = bands.lo[j] - holdings.fill[j], holdings.fill[k] - bands.lo[k]
    save_j, save_k = bands.pair_off[j], bands.pair_off[k]
    fixed = save_j * max(0, bend_j) + save_k * max(0, -bend_k)
    middle_low, middle_high = min(bend_j, bend_k), max(bend_j, bend_k)
    best, best_come, best_go = least, -1, -1
    for stretch in range(3):
        if stretch == 0:
            low, high = shrinks, min(grows, middle_low)
        elif stretch == 1:
            low, high = max(shrinks, middle_low), min(grows, middle_high)
        else:
            low, high = max(shrinks, middle_high), grows
        if low > high:
            continue
        slope, earned = 0.0, fixed
        if high <= bend_j:  # j stays under its band: every cent that comes saves pair-off
            slope += save_j
            earned -= save_j * bend_j
        if low >= bend_k:  # k is under its band: every cent that leaves it costs pair-off
            slope -= save_k
            earned += save_k * bend_k
        best, best_come, best_go = _sweep(
            coming, going, desk.coming, desk.going, desk.queue, low, high, slope, earned, best, best_come, best_go
        )
    return best, best_come, best_go


@numba.njit(cache=True, nogil=True)
def _sweep(
    coming: int, going: int, come: Side, go: Side, queue: Int64Array, low: int, high: int, slope: float, fixed: float,
    best: float, best_come: int, best_go: int,
) -> tuple[float, int, int]:  # fmt: skip
    """3. The best pair of sets whose amounts differ by `low` to `high` cents, if it earns more than `best`."""
    come_amount, come_gain, come_order = come.amount, come.gain, come.order
    go_amount, go_gain, go_order = go.amount, go.gain, go.order
    front, back, upto = 0, 0, 0
    for g in range(going):
        leaves = go_order[g]
        most, least = go_amount[leaves] + high, go_amount[leaves] + low
        while upto < coming and come_amount[come_order[upto]] <= most:
            enters = come_order[upto]
            worth = come_gain[enters] + slope * come_amount[enters]
            while back > front and come_gain[queue[back - 1]] + slope * come_amount[queue[back - 1]] <= worth:
                back -= 1
            queue[back] = enters
            back += 1
            upto += 1
        while front < back and come_amount[queue[front]] < least:
            front += 1
        if front < back:
            enters = queue[front]
            earned = come_gain[enters] + go_gain[leaves] + slope * (come_amount[enters] - go_amount[leaves]) + fixed
            if earned > best:
                best, best_come, best_go = earned, enters, leaves
    return best, best_come, best_go
