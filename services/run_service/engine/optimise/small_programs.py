"""Exact small programs: a trade that falls short of the bound and stays so is solved together with the trades it competes with.

Some trades hold a few loans that hardly any other loan could replace; what fits them is a puzzle that exchanges of two for two
rarely solve. HiGHS solves it as a mixed integer program:

1. The trade, and the trades whose loans of little regret would also like it, are free to change; all others stay as they are.
2. So are the loans on these trades, and those left out, that have a place of little regret on one of them.
3. Maximise the gain less pair-off under the bands, starting from what there is, within a number of branch-and-bound nodes.
4. Take what it found if it earns more.

(A large neighbourhood search: Shaw 1998.)
"""

from typing import Any

import highspy
import numpy as np

from services.run_service.engine.optimise.bands import Bands
from services.run_service.engine.optimise.holdings import Holdings, move, weigh
from services.run_service.engine.optimise.places import Places
from services.run_service.engine.optimise.relaxation import AMOUNT_UNIT, fill_matrix, new_highs, run_highs
from services.run_service.engine.stop import Stop
from shared.money import Int64Array

_COMPETITORS = 5
_REGRET = 10.0
"""Dollars of regret up to which a place takes part; on the trade itself, up to what it falls short of the bound."""
_NODES = 50
_COLUMNS = 600
"""Places of a program at most: larger ones take seconds and find little."""
_NEIGHBOURS = 500
"""Loans that are asked which other trades they are near to."""
_WORTH_FINDING = 0.5
"""Dollars the solver may leave unfound."""
_STEPS_A_LOOK = 300
"""Things a search looks at in the time of one step of the simplex algorithm."""


def reoptimise(j: int, places: Places, bands: Bands, holdings: Holdings, stop: Stop) -> tuple[float, int]:
    """Solve trade j and its competitors; dollars earned, and the work done in things looked at."""
    trades = _competitors(j, places, holdings)
    columns = _columns(trades, places, holdings)
    if not 0 < len(columns) <= _COLUMNS:
        return 0.0, len(columns)
    loans, row = np.unique(places.loan[columns], return_inverse=True)
    now = holdings.choice[loans]
    amount = holdings.amount[loans]
    inside = np.isin(places.trade[now], trades)
    fixed = holdings.fill[trades].copy()
    np.subtract.at(fixed, np.searchsorted(trades, places.trade[now[inside]]), amount[inside])
    solver = _program(trades, columns, row, fixed, places, bands, holdings)
    start = np.zeros(len(columns) + len(trades))
    start[: len(columns)] = columns == now[row]
    start[len(columns) :] = np.maximum(0, bands.lo[trades] - holdings.fill[trades]) / AMOUNT_UNIT
    solution = highspy.HighsSolution()
    solution.col_value = start.tolist()
    solver.setSolution(solution)
    run_highs(solver, lambda: stop.cancelled() or stop.time_is_up())
    values = np.array(solver.getSolution().col_value)
    work = len(columns) + _STEPS_A_LOOK * int(solver.getInfo().simplex_iteration_count)
    if len(values) != len(start):
        return 0.0, work
    taken = values[: len(columns)] > 0.5
    after = np.full(len(loans), -1, dtype=np.int64)
    after[row[taken]] = columns[taken]
    return _adopt(trades, loans.astype(np.int64), after, fixed, places, bands, holdings), work


def _competitors(j: int, places: Places, holdings: Holdings) -> Int64Array:
    """1. Trade j and those that loans which could come to it are on or near to, small trades first."""
    outside = len(places.first) - 2
    shared = np.zeros(outside + 1)
    for loan in places.loan[_arriving(j, holdings.excess[j], places)][:_NEIGHBOURS]:
        own = slice(places.start[loan], places.start[loan + 1])
        shared[places.trade[own][places.regret[own] <= _REGRET]] += 1
        shared[places.trade[holdings.choice[loan]]] += 1
    shared /= 1 + holdings.size
    shared[[j, outside]] = 0
    most = np.argsort(-shared, kind="stable")[:_COMPETITORS]
    return np.sort(np.append(most[shared[most] > 0], j)).astype(np.int64)


def _arriving(j: int, regret: float, places: Places) -> Int64Array:
    """Places on trade j up to this regret."""
    arriving = places.arriving[places.first[j] : places.first[j + 1]]
    return arriving[: np.searchsorted(places.regret[arriving], max(regret, _REGRET), side="right")].astype(np.int64)


def _columns(trades: Int64Array, places: Places, holdings: Holdings) -> Int64Array:
    """2. The places of little regret on these trades of loans that are on them or left out, and those they are in."""
    outside = len(places.first) - 2
    near = np.concatenate([_arriving(int(j), holdings.excess[j], places) for j in trades])
    now = holdings.choice[places.loan[near]]
    near = near[np.isin(places.trade[now], np.append(trades, outside))]
    now = np.unique(holdings.choice[places.loan[near]])
    return np.union1d(near, now[places.trade[now] != outside])


def _program(
    trades: Int64Array, columns: Int64Array, row: Int64Array, fixed: Int64Array, places: Places, bands: Bands, holdings: Holdings
) -> Any:
    """3. The program: a column a place, then the shortfall of each trade; a row a loan, then a row a trade."""
    pairs, count, loans = len(columns), len(trades), int(row.max()) + 1
    model = highspy.HighsLp()
    model.num_col_, model.num_row_ = pairs + count, loans + count
    model.col_cost_ = np.concatenate([-places.gain[columns], bands.pair_off[trades] * AMOUNT_UNIT])
    model.col_lower_ = np.zeros(pairs + count)
    model.col_upper_ = np.concatenate([np.ones(pairs), np.full(count, np.inf)])
    model.row_lower_ = np.concatenate([np.full(loans, -np.inf), (bands.lo[trades] - fixed) / AMOUNT_UNIT])
    room = np.maximum(bands.hi[trades], holdings.fill[trades]) - fixed  # what lockdowns overfill stays as it is
    model.row_upper_ = np.concatenate([np.ones(loans), np.maximum(room, bands.lo[trades] - fixed) / AMOUNT_UNIT])
    trade_row = loans + np.searchsorted(trades, places.trade[columns])
    fill_matrix(model, row, trade_row, holdings.amount[places.loan[columns]], loans, count)
    model.integrality_ = [highspy.HighsVarType.kInteger] * pairs + [highspy.HighsVarType.kContinuous] * count
    solver = new_highs()
    solver.setOptionValue("mip_max_nodes", _NODES)
    solver.setOptionValue("mip_abs_gap", _WORTH_FINDING)
    solver.setOptionValue("mip_rel_gap", 0.0)
    solver.setOptionValue("mip_feasibility_tolerance", 1e-9)
    solver.passModel(model)
    return solver


def _adopt(
    trades: Int64Array, loans: Int64Array, after: Int64Array, fixed: Int64Array, places: Places, bands: Bands, holdings: Holdings
) -> float:
    """4. Move the loans to the places `after` (-1: out) if all bands hold, exactly, and it earns something; dollars earned."""
    outside = len(places.first) - 2
    now = holdings.choice[loans].astype(np.int64)
    fill = fixed.copy()
    placed = np.nonzero(after >= 0)[0]
    np.add.at(fill, np.searchsorted(trades, places.trade[after[placed]]), holdings.amount[loans[placed]])
    before = holdings.fill[trades]
    saved = np.maximum(0, bands.lo[trades] - before) - np.maximum(0, bands.lo[trades] - fill)
    gain_after, gain_now = places.gain[after[placed]].sum(), places.gain[now[places.trade[now] != outside]].sum()
    earned = float(gain_after - gain_now + (bands.pair_off[trades] * saved).sum())
    if earned <= 0 or (fill > np.maximum(bands.hi[trades], before)).any():
        return 0.0
    for k in np.nonzero(after != now)[0]:
        place = after[k] if after[k] >= 0 else _outside_place(int(loans[k]), places)
        if place != now[k]:
            move(holdings, places, place)
    for j in trades:
        weigh(holdings, places, bands, j)
    return earned


def _outside_place(loan: int, places: Places) -> int:
    own = slice(places.start[loan], places.start[loan + 1])
    return int(places.start[loan] + np.nonzero(places.candidate[own] < 0)[0][0])
