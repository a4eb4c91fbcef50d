"""Allocation problems for the optimiser's tests: small random ones and a generated tenant's; and what every answer obeys."""

import dataclasses
from functools import cache

import numpy as np
import numpy.typing as npt
from hypothesis import strategies as st

from cli.demo.generate import demo_tables
from services.run_service.engine.frames import INPUT_TABLES, RunInputs, conform, empty_inputs
from services.run_service.engine.optimise.passes import run_passes
from services.run_service.engine.optimise.problem import AllocationProblem
from services.run_service.engine.optimise.value import Allocation, filled
from services.run_service.engine.stop import Stop
from shared.money import Int64Array
from tests.instances.execute import posed
from tests.instances.rows import AS_OF

POINT, DOLLAR = 10**8, 10**12
"""A point and a dollar in the units of scores and values."""
ENDLESS = 10**12
"""A work limit that nothing here reaches."""


def of_matrix(
    net: Int64Array,
    chosen: npt.NDArray[np.bool_],
    *,
    amount: Int64Array,
    fallback: Int64Array,
    lo: Int64Array,
    hi: Int64Array,
    pair_off: Int64Array,
    locked_fill: Int64Array | None = None,
    locked: npt.NDArray[np.bool_] | None = None,
    switch_cost: Int64Array | None = None,
    priority: Int64Array | None = None,
) -> AllocationProblem:
    """The problem whose candidates are the `chosen` pairs of matrices of loans by trades; `net` is less the switch cost."""
    loan, trade = (part.astype(np.int32) for part in np.nonzero(chosen))
    worth = net[chosen]
    return AllocationProblem(
        amount=amount,
        fallback=fallback,
        locked=np.zeros(len(amount), dtype=np.bool_) if locked is None else locked,
        lo=lo,
        hi=hi,
        locked_fill=np.zeros(len(lo), dtype=np.int64) if locked_fill is None else locked_fill,
        pair_off=pair_off,
        loan=loan,
        trade=trade,
        score=worth if switch_cost is None else worth + switch_cost[chosen],
        net=worth,
        priority=np.zeros(len(loan), dtype=np.int16) if priority is None else priority[chosen].astype(np.int16),
        start=np.concatenate([[0], np.cumsum(chosen.sum(axis=1))]).astype(np.int64),
    )


def problem_of(seed: int, loans: int, trades: int, *, priorities: int = 1, locked: bool = False) -> AllocationProblem:
    """Loans of 10,000 to 300,000 dollars, now and then of a few sizes only; points around each other; some trades overfilled.

    Where `locked`, a fifth of the loans are on trades by lockdowns.
    """
    rng = np.random.default_rng(seed)
    few = rng.random() < 0.4
    amount = rng.choice([2_000_000, 5_000_000, 10_000_000], loans) if few else rng.integers(1_000_000, 30_000_000, loans)
    need = rng.integers(2, 60, trades) * 1_000_000
    band = (need * rng.choice([0, 0.01, 0.3, 1], trades)).astype(np.int64)
    is_locked = rng.random(loans) < (0.2 if locked else 0)
    locked_fill = rng.choice([0, 0, 0, 0, 40_000_000], trades)
    np.add.at(locked_fill, rng.integers(0, trades, loans)[is_locked], amount[is_locked])
    switch_cost = rng.choice([0, 0, 3_125_000], (loans, trades))
    return of_matrix(
        rng.integers(99 * POINT, 102 * POINT, (loans, trades)) - switch_cost,
        rng.random((loans, trades)) < 0.6,
        amount=amount,
        fallback=rng.integers(99 * POINT, 102 * POINT, loans),
        lo=need - band,
        hi=need + band,
        pair_off=rng.integers(0, 3 * POINT, trades) * rng.choice([0, 1, 1, 1], trades),
        locked_fill=locked_fill,
        locked=is_locked,
        switch_cost=switch_cost,
        priority=rng.integers(0, priorities, (loans, trades)),
    )


def problems(most_loans: int = 25, most_trades: int = 6, *, priorities: int = 1) -> st.SearchStrategy[AllocationProblem]:
    """Random problems of at most so many loans and trades."""
    return st.builds(
        problem_of,
        st.integers(0, 2**32 - 1),
        st.integers(1, most_loans),
        st.integers(1, most_trades),
        priorities=st.just(priorities) if priorities == 1 else st.integers(1, priorities),
        locked=st.booleans(),
    )


@cache
def tenant_inputs(loans: int = 600, open_trades: int = 20) -> RunInputs:
    """The tables of a generated tenant."""
    given = demo_tables(AS_OF, loans=loans, open_trades=open_trades, trades=4 * open_trades, pools=80)
    tables = {name: conform(name, given[name])[0] for name in INPUT_TABLES if name in given}
    return RunInputs({**empty_inputs(), **tables})


@cache
def tenant_problem(loans: int = 600, open_trades: int = 20) -> AllocationProblem:
    """The allocation problem of that tenant: room on some of its trades is worth much, others lack loans."""
    problem = posed(tenant_inputs(loans, open_trades))
    scarce = np.arange(problem.trade_count) % 2 == 0  # the generator gives trades room for more than all loans
    return dataclasses.replace(
        problem, lo=np.where(scarce, problem.lo // 4, problem.lo), hi=np.where(scarce, problem.hi // 4, problem.hi)
    )


def passes_of(problem: AllocationProblem) -> Int64Array:
    """The candidate each loan takes by PASSES."""
    return run_passes(problem, Stop(), lambda name, so_far: None).taken


def nobody(problem: AllocationProblem) -> Int64Array:
    """Every unlocked loan left out."""
    return np.full(problem.loan_count, -1, dtype=np.int64)


def filled_by(problem: AllocationProblem, taken: Int64Array) -> Int64Array:
    """Cents on every trade, lockdowns' included."""
    return filled(problem, Allocation(taken, taken))


def assert_feasible(problem: AllocationProblem, taken: Int64Array) -> None:
    """Every loan takes a candidate of its own, locked ones none, and no trade is filled beyond its band but by locks."""
    placed = np.nonzero(taken >= 0)[0]
    assert (problem.loan[taken[placed]] == placed).all()
    assert not problem.locked[placed].any()
    fill = problem.locked_fill.copy()
    for loan in placed.tolist():
        fill[problem.trade[taken[loan]]] += problem.amount[loan]
    assert (fill <= np.maximum(problem.hi, problem.locked_fill)).all()
