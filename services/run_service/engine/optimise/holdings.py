"""Holdings: which loan is in which place during a search, by trade, kept up to date move by move."""

from typing import NamedTuple

import numba
import numpy as np

from services.run_service.engine.optimise.bands import Bands, FloatArray, slack_cost
from services.run_service.engine.optimise.places import Int32Array, Places, chosen
from services.run_service.engine.optimise.problem import AllocationProblem
from shared.money import Int64Array


class Holdings(NamedTuple):
    """An allocation under change. Members of trade j are member[row[j]] to member[row[j] + size[j] - 1]."""

    amount: Int64Array
    choice: Int32Array
    """The place of each loan; -1 for loans without places."""
    fill: Int64Array
    row: Int64Array
    size: Int64Array
    member: Int32Array
    slot: Int32Array
    """Where each loan stands among the members of its trade."""
    excess: FloatArray
    """Dollars by which each trade's members and fill fall short of the bound: its part of the gap."""


def holdings_of(problem: AllocationProblem, places: Places, bands: Bands, taken: Int64Array) -> Holdings:
    """The holdings of an allocation."""
    choice = chosen(places, problem, taken)
    trades = len(bands.lo)
    fill = np.append(problem.locked_fill, 0)
    row = places.first  # room for every loan that could ever be there
    holdings = Holdings(
        amount=problem.amount,
        choice=np.full(problem.loan_count, -1, dtype=np.int32),
        fill=fill,
        row=row,
        size=np.zeros(trades, dtype=np.int64),
        member=np.zeros(max(1, int(row[-1])), dtype=np.int32),
        slot=np.zeros(problem.loan_count, dtype=np.int32),
        excess=np.zeros(trades),
    )
    _settle(holdings, places, bands, choice)
    return holdings


def taken_of(problem: AllocationProblem, places: Places, holdings: Holdings) -> Int64Array:
    """The candidate each loan takes (-1: none)."""
    placed = np.nonzero(holdings.choice >= 0)[0]
    offset = places.candidate[holdings.choice[placed]].astype(np.int64)
    taken = np.full(problem.loan_count, -1, dtype=np.int64)
    taken[placed] = np.where(offset >= 0, problem.start[placed] + offset, -1)
    return taken


@numba.njit(cache=True, nogil=True)
def _settle(holdings: Holdings, places: Places, bands: Bands, choice: Int32Array) -> None:
    for i in range(len(choice)):
        if choice[i] >= 0:
            join(holdings, places, i, choice[i])
    for j in range(len(bands.lo) - 1):
        weigh(holdings, places, bands, j)


@numba.njit(cache=True, nogil=True)
def join(holdings: Holdings, places: Places, i: int, place: int) -> None:
    """Put loan i, which is nowhere, into a place."""
    j = places.trade[place]
    holdings.member[holdings.row[j] + holdings.size[j]] = i
    holdings.slot[i] = holdings.size[j]
    holdings.size[j] += 1
    holdings.fill[j] += holdings.amount[i]
    holdings.choice[i] = place


@numba.njit(cache=True, nogil=True)
def move(holdings: Holdings, places: Places, place: int) -> None:
    """Move the loan of a place there from where it is; the last member of the trade it leaves takes its slot."""
    i = places.loan[place]
    j = places.trade[holdings.choice[i]]
    holdings.size[j] -= 1
    last = holdings.member[holdings.row[j] + holdings.size[j]]
    holdings.member[holdings.row[j] + holdings.slot[i]] = last
    holdings.slot[last] = holdings.slot[i]
    holdings.fill[j] -= holdings.amount[i]
    join(holdings, places, i, place)


@numba.njit(cache=True, nogil=True)
def weigh(holdings: Holdings, places: Places, bands: Bands, j: int) -> None:
    """Sum up a trade's part of the gap again."""
    regret, choice, member = places.regret, holdings.choice, holdings.member
    excess = slack_cost(holdings.fill[j], bands.lo[j], bands.hi[j], bands.pair_off[j], bands.price[j])
    for m in range(holdings.row[j], holdings.row[j] + holdings.size[j]):
        excess += regret[choice[member[m]]]
    holdings.excess[j] = excess
