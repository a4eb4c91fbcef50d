"""One search: exchanges until none pays, then iterated local search on the trades that fall short of the bound the most.

Iterated local search: Lourenco, Martin and Stuetzle 2003.

1. Descend: every trade in turn makes its best exchange (`exchange`) as long as one pays; trades that an exchange changed are
   looked at again.
2. Pick a trade, by tournament on how much it falls short of the bound (`Holdings.excess`).
3. Kick: either pull loans that would like it into its room, or throw some of its loans, and of trades related to it, out or
   elsewhere.
4. Repair: descend from the trades touched.
5. Keep the result unless it is worth less, else take every move back. Go to 2.
6. Now and then solve a trade that stays short exactly, with those it competes with (`small_programs`).

The value never falls from one iteration to the next, and every allocation on the way keeps to the bands.
"""

from typing import NamedTuple

import numba
import numpy as np
import numpy.typing as npt

from services.run_service.engine.optimise.bands import Bands, may_change, shortfall_saved
from services.run_service.engine.optimise.exchange import Desk, exchange_best, new_desk
from services.run_service.engine.optimise.holdings import Holdings, holdings_of, move, taken_of, weigh
from services.run_service.engine.optimise.places import Places
from services.run_service.engine.optimise.problem import AllocationProblem
from services.run_service.engine.optimise.rng import RandomState, below, seeded, unit
from services.run_service.engine.optimise.small_programs import reoptimise
from services.run_service.engine.stop import Stop
from shared.money import Int64Array

_LEAST_GAIN = 1e-3
"""Dollars; a smaller improvement is not worth an exchange and might be rounding."""
_ROUNDING = 1e-7
"""Dollars by which sums of the same numbers in another order may differ."""
_TURNS = 40
"""Turns of trades one repair may take."""
_TOURNAMENT = 8
_RELATED = 3
"""Trades one kick touches at most."""
_PULLS = 0.3
"""Share of kicks that pull loans in."""
_THROWN = 0.1
"""Mean share of a trade's loans that a kick throws out."""
_NEAR = 20.0
"""Dollars of regret up to which a loan would like a trade."""
_ELSEWHERE = 100.0
"""Dollars of regret up to which a loan is thrown to another trade."""
_STUBBORN = 20
"""Trades among which one to solve exactly is looked for."""
_WORTH_SOLVING = 3.0
"""Dollars a trade must fall short of the bound by to be worth solving."""
_MOVES = 20_000
"""Moves that can be taken back. A kick makes half as many at most, a repair four a turn."""


class Agenda(NamedTuple):
    """Trades that wait for their turn, and the moves to take back if an iteration does not pay."""

    line: Int64Array
    waiting: npt.NDArray[np.bool_]
    place: Int64Array
    """Where the line begins, how many stand in it, how many moves were made."""
    moved: npt.NDArray[np.int32]
    """The place each moved loan was in before."""


class Searcher:
    """One search over the allocations of a problem; every chunk of work is the same for the same seed."""

    def __init__(self, problem: AllocationProblem, places: Places, bands: Bands, taken: Int64Array, *, seed: int) -> None:
        self.problem, self.places, self.bands = problem, places, bands
        self.random = seeded(seed)
        self.desk = new_desk(len(bands.lo))
        self.adopt(taken)
        trades = len(bands.lo)
        self.agenda = Agenda(
            np.zeros(trades, np.int64), np.zeros(trades, np.bool_), np.zeros(3, np.int64), np.zeros(_MOVES, np.int32)
        )
        self.descending = False
        self.solved: dict[int, float] = {}
        """By how much each trade fell short of the bound when it was last solved."""
        self.begin_descent()

    @property
    def taken(self) -> Int64Array:
        """The candidate each loan takes (-1: none)."""
        return taken_of(self.problem, self.places, self.holdings)

    def adopt(self, taken: Int64Array) -> None:
        """Go on from another allocation of the same places."""
        self.holdings = holdings_of(self.problem, self.places, self.bands, taken)
        placed = self.holdings.choice[self.holdings.choice >= 0]
        locked = np.append(self.problem.locked_fill, 0)
        saved = np.maximum(0, self.bands.lo - locked) - np.maximum(0, self.bands.lo - self.holdings.fill)
        self.gain = float(self.places.gain[placed].sum() + (self.bands.pair_off * saved).sum())
        """Dollars over leaving every loan out."""

    def begin_descent(self) -> None:
        """Put every trade on the agenda."""
        trades = len(self.bands.lo) - 1
        self.agenda.line[:trades] = np.arange(trades)
        self.agenda.waiting[:trades] = True
        self.agenda.place[:2] = 0, trades
        self.descending = True

    def solve_stubborn(self, stop: Stop) -> int:
        """Solve the trade that falls short of the bound the most, of those not solved as they are now; the work it was."""
        if self.descending:
            return 0
        excess = self.holdings.excess[:-1]
        for j in np.argsort(-excess, kind="stable")[:_STUBBORN].tolist():
            if excess[j] < _WORTH_SOLVING:
                break
            if excess[j] != self.solved.get(j):
                self.solved[j] = float(excess[j])
                earned, work = reoptimise(j, self.places, self.bands, self.holdings, stop)
                self.gain += earned
                return work
        return 0

    def advance(self, work: int, iterations: int) -> tuple[int, int]:
        """Search until about `work` things were looked at or `iterations` were made; how many of either were."""
        state = (self.places, self.bands, self.holdings, self.desk, self.agenda)
        made = 0
        if self.descending:
            earned, looked = _descend(*state, np.zeros_like(self.random), _LEAST_GAIN, work, 1 << 60)
            self.descending = bool(self.agenda.place[1])
        else:
            earned, looked, made = _iterate(*state, self.random, work, iterations)
        self.gain += earned
        return looked, made


@numba.njit(cache=True, nogil=True)
def _call(agenda: Agenda, j: int) -> None:
    """Put a trade in line, once."""
    if not agenda.waiting[j]:
        agenda.waiting[j] = True
        agenda.line[(agenda.place[0] + agenda.place[1]) % len(agenda.line)] = j
        agenda.place[1] += 1


@numba.njit(cache=True, nogil=True)
def _next_in_line(agenda: Agenda) -> int:
    j = agenda.line[agenda.place[0]]
    agenda.place[0] = (agenda.place[0] + 1) % len(agenda.line)
    agenda.place[1] -= 1
    agenda.waiting[j] = False
    return int(j)


@numba.njit(cache=True, nogil=True)
def _remember(agenda: Agenda, place: int) -> None:
    if agenda.place[2] < len(agenda.moved):
        agenda.moved[agenda.place[2]] = place
    agenda.place[2] += 1


@numba.njit(cache=True, nogil=True)
def _descend(
    places: Places, bands: Bands, holdings: Holdings, desk: Desk, agenda: Agenda, random: RandomState, least: float, work: int,
    turns: int,
) -> tuple[float, int]:  # fmt: skip
    """1. and 4. Trades in line take turns until none waits, the turns are used up or `work` things were looked at."""
    earned, looked = 0.0, 0
    while agenda.place[1] > 0 and turns > 0 and looked < work:
        j = _next_in_line(agenda)
        while turns > 0:
            turns -= 1
            gain, other, seen = exchange_best(j, places, bands, holdings, desk, random, least)
            looked += seen
            if other < 0:
                break
            earned += gain
            for m in range(4):
                if desk.made[m] >= 0:
                    _remember(agenda, desk.made[m])
            if other + 1 < len(bands.lo):
                _call(agenda, other)
            if looked >= work:  # it may have more to exchange
                _call(agenda, j)
                break
    return earned, looked


@numba.njit(cache=True, nogil=True)
def _iterate(
    places: Places, bands: Bands, holdings: Holdings, desk: Desk, agenda: Agenda, random: RandomState, work: int,
    iterations: int,
) -> tuple[float, int, int]:  # fmt: skip
    """So many iterations of steps 2 to 5, fewer if `work` things were looked at; dollars earned, things looked at, iterations."""
    total, looked, made = 0.0, 0, 0
    while looked < work and made < iterations:
        made += 1
        agenda.place[2] = 0
        j = _worst_of_some(places, bands, holdings, random)
        looked += _TOURNAMENT
        if j < 0:
            continue
        earned = _kick(j, places, bands, holdings, agenda, random)  # 3.
        touched = agenda.place[1]
        for t in range(touched):
            weigh(holdings, places, bands, agenda.line[(agenda.place[0] + t) % len(agenda.line)])
        gain, seen = _descend(places, bands, holdings, desk, agenda, random, _LEAST_GAIN / 10, work, _TURNS)  # 4.
        earned += gain
        looked += seen + 100
        while agenda.place[1] > 0:
            _next_in_line(agenda)
        if earned >= -_ROUNDING:  # 5.
            total += earned
        else:
            _take_back(places, bands, holdings, agenda)
    return total, looked, made


@numba.njit(cache=True, nogil=True)
def _worst_of_some(places: Places, bands: Bands, holdings: Holdings, random: RandomState) -> int:
    """2. Of some trades drawn, one that falls short of the bound by much; -1 where none has candidates."""
    worst, most = np.int64(-1), -1.0
    trades = len(bands.lo) - 1
    for _ in range(_TOURNAMENT if trades else 0):
        j = below(random, trades)
        weight = holdings.excess[j] * unit(random)
        if weight > most and places.first[j + 1] > places.first[j]:
            worst, most = j, weight
    return int(worst)


@numba.njit(cache=True, nogil=True)
def _kick(j: int, places: Places, bands: Bands, holdings: Holdings, agenda: Agenda, random: RandomState) -> float:
    """3. Disturb trade j, or it and trades related to it; dollars earned, usually less than none."""
    _call(agenda, j)
    if unit(random) < _PULLS:
        pulled, earned = _pull(j, places, bands, holdings, agenda, random)
        if pulled:
            return earned
    earned = 0.0
    for _ in range(1 + below(random, _RELATED)):
        _call(agenda, j)
        earned += _throw(j, places, bands, holdings, agenda, random)
        j = _related(j, places, holdings, random)
        if j < 0:
            break
    return earned


@numba.njit(cache=True, nogil=True)
def _near(j: int, places: Places) -> int:
    """How many of the places arriving at a trade have little regret."""
    regret, arriving = places.regret, places.arriving
    low, high = places.first[j], places.first[j + 1]
    begin = low
    while low < high:
        middle = (low + high) // 2
        if regret[arriving[middle]] < _NEAR:
            low = middle + 1
        else:
            high = middle
    return int(low - begin)


@numba.njit(cache=True, nogil=True)
def _shift(place: int, places: Places, bands: Bands, holdings: Holdings, agenda: Agenda) -> float:
    """Move a loan to a place with room for it; dollars earned."""
    i = places.loan[place]
    now = holdings.choice[i]
    here, there, cents = places.trade[now], places.trade[place], holdings.amount[i]
    earned = places.gain[place] - places.gain[now]
    earned += bands.pair_off[here] * shortfall_saved(holdings.fill[here], -cents, bands.lo[here])
    earned += bands.pair_off[there] * shortfall_saved(holdings.fill[there], cents, bands.lo[there])
    _remember(agenda, now)
    move(holdings, places, place)
    if here + 1 < len(bands.lo):
        _call(agenda, here)
    if there + 1 < len(bands.lo):
        _call(agenda, there)
    return float(earned)


@numba.njit(cache=True, nogil=True)
def _pull(j: int, places: Places, bands: Bands, holdings: Holdings, agenda: Agenda, random: RandomState) -> tuple[int, float]:
    """Up to two loans of other trades that would like trade j come, where they fit; how many, dollars earned."""
    near, pulled, earned = _near(j, places), 0, 0.0
    for _ in range(12 if near else 0):
        place = places.arriving[places.first[j] + below(random, near)]
        i = places.loan[place]
        here = places.trade[holdings.choice[i]]
        if here == j or here + 1 == len(bands.lo) or not may_change(holdings.fill[j], holdings.amount[i], bands.hi[j]):
            continue
        earned += _shift(place, places, bands, holdings, agenda)
        pulled += 1
        if pulled == 2:
            break
    return pulled, earned


@numba.njit(cache=True, nogil=True)
def _throw(j: int, places: Places, bands: Bands, holdings: Holdings, agenda: Agenda, random: RandomState) -> float:
    """Some loans of trade j go: elsewhere with little regret where there is room, or out; dollars earned."""
    share = 2 * _THROWN * unit(random)
    earned: float = 0.0
    few = holdings.size[j] <= 3
    for m in range(holdings.size[j] - 1, -1, -1):
        if agenda.place[2] >= len(agenda.moved) // 2:
            break
        if unit(random) >= (0.5 if few else share):
            continue
        i = holdings.member[holdings.row[j] + m]
        to = -1
        if unit(random) < 0.5:
            place = places.start[i] + below(random, min(8, places.start[i + 1] - places.start[i]))
            there = places.trade[place]
            fits = may_change(holdings.fill[there], holdings.amount[i], bands.hi[there])
            if there != j and fits and places.regret[place] < _ELSEWHERE:
                to = place
        if to < 0:
            for place in range(places.start[i], places.start[i + 1]):
                if places.candidate[place] < 0:
                    to = place
        earned += _shift(to, places, bands, holdings, agenda)
    return earned


@numba.njit(cache=True, nogil=True)
def _related(j: int, places: Places, holdings: Holdings, random: RandomState) -> int:
    """A trade that has, or could have, a loan that would like trade j; -1: none was met."""
    near = _near(j, places)
    if near == 0:
        return -1
    i = places.loan[places.arriving[places.first[j] + below(random, near)]]
    k = places.trade[holdings.choice[i]]
    outside = len(places.first) - 2
    if k == outside:
        k = places.trade[places.start[i] + below(random, min(4, places.start[i + 1] - places.start[i]))]
    return -1 if k == outside else int(k)


@numba.njit(cache=True, nogil=True)
def _take_back(places: Places, bands: Bands, holdings: Holdings, agenda: Agenda) -> None:
    """5. Every move back, the last first; the line, empty now, collects the trades to weigh again."""
    for m in range(agenda.place[2] - 1, -1, -1):
        place = agenda.moved[m]
        here, there = places.trade[holdings.choice[places.loan[place]]], places.trade[place]
        move(holdings, places, place)
        if here + 1 < len(bands.lo):
            _call(agenda, here)
        if there + 1 < len(bands.lo):
            _call(agenda, there)
    while agenda.place[1] > 0:
        weigh(holdings, places, bands, _next_in_line(agenda))
