"""Strategy OPTIMAL: never under PASSES, never over the best, never over the bound it proves (specification 01 section 8)."""

from collections.abc import Callable, Iterator
from decimal import Decimal

import numpy as np
import polars as pl
import pytest

from services.run_service.domain.errors import NotYet
from services.run_service.engine.frames import RunInputs
from services.run_service.engine.optimise import bound, relaxation
from services.run_service.engine.optimise.improvement import improve
from services.run_service.engine.steps import allocation
from services.run_service.engine.stop import Stop
from tests.instances.execute import Ran, posed, run
from tests.instances.named import BEST_VALUES, knapsack_of_six, two_trades_one_specialist
from tests.instances.rows import (
    constraint,
    desk,
    grid,
    inputs,
    instrument,
    limit,
    loan,
    lock,
    pool,
    posting,
    relation,
    rule,
    today,
    trade,
)  # fmt: skip

Instance = Callable[[], RunInputs]


def optimal(tables: RunInputs, **options: object) -> Ran:
    return run(tables, **{"strategy": "OPTIMAL", **options})


def by_every_assignment(ran: Ran, tables: RunInputs) -> Decimal:
    """The best value of all assignments of loans to their candidate trades, tried one by one over the output tables."""
    recaps = {row["trade_id"]: row for row in ran.rows("trade_base")}
    locked = {row["loan_id"] for row in ran.rows("powerfill_guide", locked=True)}
    amounts = dict(tables.tables["loan"].select("loan_id", "loan_amount").iter_rows())
    fallbacks = {row["loan_id"]: row["fallback"] for row in ran.rows("powerfill_guide")}
    fallbacks |= {
        row["loan_id"]: _fallback(row["syn_score"], row["best_score"])
        for row in ran.rows("kickout_guide_01")
        if row["reason"] in ("NO_CAPACITY", "NOT_WORTH_IT")
    }
    pools = dict(tables.tables["pscat_pool_loans"].select("loan_id", "pool_name").iter_rows())
    related = set(tables.tables["pscat_trades_pools_relation"].select("pool_name", "trade_id").iter_rows())
    pairs: dict[str, list[tuple[str, Decimal]]] = {name: [] for name in fallbacks if name not in locked}
    for row in ran.rows("loan2trade_candy_level_01"):
        if row["loan_id"] in pairs:
            pool = pools.get(row["loan_id"])
            leaves = pool is not None and (pool, row["trade_id"]) not in related
            pairs[row["loan_id"]].append((row["trade_id"], row["score"] - (Decimal("0.03125") if leaves else 0)))
    fixed = sum((row["value"] for row in ran.rows("powerfill_guide", locked=True)), Decimal(0))
    start = {name: recap["locked_amount"] for name, recap in recaps.items()}

    def assignments(names: list[str], fill: dict[str, Decimal]) -> Iterator[Decimal]:
        if not names:
            yield -sum(
                (max(Decimal(0), recaps[t]["lo"] - fill[t]) * recaps[t]["pair_off_points"] / 100 for t in recaps), Decimal(0)
            )
            return
        name, rest = names[0], names[1:]
        for value in assignments(rest, fill):
            yield value + amounts[name] * fallbacks[name] / 100
        for trade_id, points in pairs[name]:
            after = fill[trade_id] + amounts[name]
            if after <= recaps[trade_id]["hi"]:
                for value in assignments(rest, fill | {trade_id: after}):
                    yield value + amounts[name] * points / 100

    return fixed + max(assignments(list(pairs), start))


def _fallback(syn_score: Decimal | None, best_score: Decimal) -> Decimal:
    return best_score - 1 if syn_score is None else syn_score - Decimal("0.125")


@pytest.mark.parametrize("instance", BEST_VALUES, ids=lambda instance: instance.__name__)
def test_passes_optimal_best_and_bound_stand_in_this_order(instance: Instance) -> None:
    tables, best = instance(), Decimal(BEST_VALUES[instance])
    ran = optimal(tables)
    assert by_every_assignment(ran, tables) == best
    summary = ran.summary
    assert Decimal(summary["passes_value"]) == run(tables).value
    assert Decimal(summary["passes_value"]) <= ran.value <= best <= Decimal(summary["upper_bound"])
    assert ran.value == best
    assert summary["ended_by"] == "CONVERGED"


def test_the_passes_of_an_optimal_run_have_one_name() -> None:
    assert set(optimal(two_trades_one_specialist()).passes.values()) == {"OPTIMAL"}


def test_it_beats_passes_where_these_take_the_wrong_loan() -> None:
    assert run(two_trades_one_specialist()).placement == {"P": "W1"}
    assert optimal(two_trades_one_specialist()).placement == {"P": "W2", "Q": "W1"}


def test_the_bound_is_the_relaxation_to_the_cent() -> None:
    # The relaxation fills T1 whole (105,000) like the best does, so nothing but the rounding up of a cent is left.
    summary = optimal(knapsack_of_six()).summary
    assert Decimal("238650.00") <= Decimal(summary["upper_bound"]) <= Decimal("238650.01")


@pytest.mark.parametrize(
    "tables",
    [
        inputs(),
        desk(loan("L1")),
        desk(trade("T1")),
        desk(loan("L1"), today(99)),
        desk(loan("L1", status="Started"), trade("T1")),
        desk(loan("L1"), trade("T1", settles=90)),
        inputs(loan("L1"), trade("T1"), instrument("X")),
    ],
    ids=["nothing", "no trade", "no loan", "no trade but a market", "no loan in scope", "no candidate", "no constraint"],
)
def test_where_nothing_can_be_placed_the_bound_is_the_value(tables: RunInputs) -> None:
    # a cent may be added when the bound is rounded up
    ran = optimal(tables)
    assert ran.placement == {}
    assert ran.summary["value"] == ran.summary["baseline_value"] == ran.summary["passes_value"]
    assert Decimal(0) <= Decimal(ran.summary["gap_amount"]) <= Decimal("0.01")
    assert ran.summary["ended_by"] == "CONVERGED"


def test_a_trade_without_a_candidate_keeps_the_bound_tight() -> None:
    # nobody can deliver T2; its pair-off is paid in every allocation
    tables = desk(loan("A"), trade("T1"), trade("T2", settles=30, price=None))
    summary = optimal(tables).summary
    assert summary["value"] == "99968.75"
    assert Decimal(summary["gap_amount"]) <= Decimal("0.01")


def test_priorities_break_ties() -> None:
    # A earns 100 on TX and on TY. TY's constraint has priority 1. P and Q are there so that PASSES, which asks priorities, is not
    # the best allocation already.
    tables = desk(
        instrument("X"), instrument("Y"), instrument("W1"), instrument("W2"), constraint("CX", 2, on="X", rule_name="small"),
        constraint("CY", 1, on="Y", rule_name="small"), constraint("C1", 3, on="W1", rule_name="big"),
        constraint("C2", 3, on="W2", rule_name="new_york"), rule("small", '{"field":"loan_amount","op":"le","value":100}'),
        rule("big", '{"field":"loan_amount","op":"gt","value":100}'),
        rule("new_york", '{"field":"state","op":"eq","value":"NY"}'),
        loan("A", 100), loan("P", state="NY"), loan("Q", state="CA"), trade("TX", 100, on="X", tolerance=1),
        trade("TY", 100, on="Y", tolerance=1), trade("W1", on="W1", price=103), trade("W2", on="W2", price="102.9"),
    )  # fmt: skip
    placement = optimal(tables).placement
    assert (placement["P"], placement["Q"]) == ("W2", "W1")
    assert placement["A"] == "TY"


def test_a_work_limit_ends_the_search_and_says_so() -> None:
    tables = knapsack_of_six()
    ended = optimal(tables, work_limit=0).summary
    assert (ended["ended_by"], ended["work_done"]) == ("WORK_LIMIT", 0)
    assert Decimal(ended["value"]) >= Decimal(ended["passes_value"])


@pytest.mark.parametrize("instance", BEST_VALUES, ids=lambda instance: instance.__name__)
def test_a_replay_with_the_work_that_was_done_gives_the_same_answer(instance: Instance) -> None:
    first = optimal(instance())
    again = optimal(instance(), work_limit=first.summary["work_done"], time_limit=None)
    assert again.placement == first.placement
    assert again.summary | {"ended_by": ""} == first.summary | {"ended_by": ""}  # the limit may end it one look before rest


@pytest.mark.parametrize("seed", [0, 1, 2**63 - 1])
def test_a_seed_changes_no_proof(seed: int) -> None:
    ran = optimal(knapsack_of_six(), seed=seed)
    assert ran.value <= Decimal("238650.00") <= Decimal(ran.summary["upper_bound"])


BY_STATE = [rule(state, f'{{"field":"state","op":"eq","value":"{state}"}}') for state in ("NY", "CA")]


def improved(tables: RunInputs, start: list[int], **options: object) -> list[int]:
    """Where the search ends from a start: the candidate of each loan, numbered in order of loan and trade; -1 is out."""
    problem = posed(tables, **options)
    proven = bound.prove_bound(problem, Stop())
    result = improve(
        problem, [np.array(start)], proven.room_price, proven.gain, seed=0, work_limit=10**9, stop=Stop(),
        on_progress=lambda taken: None,
    )  # fmt: skip
    assert result.ended_by == "CONVERGED"
    return [int(candidate) for candidate in result.taken]


def test_two_loans_on_full_trades_change_places() -> None:
    # T1 pays 101 for New York and 100 for California, T2 the other way round; A (NY) starts on T2, B (CA) on T1. A trade left
    # empty on the way would cost 2 points, more than the point that a single move gains.
    prices = [("T1", "NY", 101), ("T1", "CA", 100), ("T2", "NY", 100), ("T2", "CA", 101)]
    grids = [grid(trade_id, number, 6, price, state) for number, (trade_id, state, price) in enumerate(prices)]
    tables = desk(loan("A", state="NY"), loan("B", state="CA"), trade("T1"), trade("T2"), *grids, *BY_STATE)
    assert improved(tables, [1, 2], pair_off_cost={"TBA": 2}) == [0, 3]


def test_a_loan_makes_room_by_going_to_a_third_trade() -> None:
    # T1 is full of B, A (NY) may go nowhere else; T2 takes Californians at the same price
    rows = [
        instrument("X"), instrument("Y"), constraint("CX", on="X"), constraint("CY", on="Y", rule_name="CA"),
        trade("T1"), trade("T2", on="Y", settles=30),
    ]  # fmt: skip
    tables = desk(loan("A", state="NY"), loan("B", state="CA"), *rows, *BY_STATE)
    assert improved(tables, [-1, 1]) == [0, 2]


def test_a_loan_that_loses_money_leaves() -> None:
    # 95 on a trade that owes nothing against 99.875 outside
    assert improved(desk(loan("A"), trade("T1", price=95, tolerance=1), today(100)), [0]) == [-1]


def test_enabled_limits_say_not_yet_and_what_to_do_instead() -> None:
    for strategy in ("OPTIMAL", "PASSES"):
        for mode in ("VALUE", "STRICT"):
            with pytest.raises(NotYet, match=r"limits.*disable the rows"):
                run(desk(loan("A"), trade("T1"), limit("share")), strategy=strategy, priority_mode=mode)
    assert run(desk(loan("A"), trade("T1"), limit("share", enabled=False))).placement == {"A": "T1"}


@pytest.mark.parametrize("strategy", ["OPTIMAL", "PASSES"])
def test_strict_is_not_refused(strategy: str) -> None:
    assert run(desk(loan("A"), trade("T1")), priority_mode="STRICT", strategy=strategy).placement == {"A": "T1"}


@pytest.mark.parametrize("instance", BEST_VALUES, ids=lambda instance: instance.__name__)
def test_beyond_the_reach_of_the_linear_program_a_lagrangian_bound_holds(
    instance: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    # as if there were more than two million candidates for the program and more than twenty million for the passes
    monkeypatch.setattr(bound, "LP_CANDIDATES", -1)
    monkeypatch.setattr(allocation, "PASSES_CANDIDATES", -1)
    ran = optimal(instance())
    assert (ran.summary["bound_kind"], ran.summary["passes_value"]) == ("LAGRANGIAN", None)
    best = Decimal(BEST_VALUES[instance])
    assert Decimal(ran.summary["baseline_value"]) <= ran.value <= best <= Decimal(ran.summary["upper_bound"])
    assert all(row["room_value"] >= 0 and row["fill_value"] >= 0 for row in ran.rows("trade_base"))


def test_a_relaxation_without_an_optimum_leaves_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    # the solver returns without having solved anything: what it holds is no solution, and the bound must not come from it
    solved = optimal(knapsack_of_six()).summary
    monkeypatch.setattr(relaxation, "run_highs", lambda solver, interrupted: None)
    unsolved = optimal(knapsack_of_six()).summary
    assert (solved["bound_kind"], unsolved["bound_kind"]) == ("LP", "LAGRANGIAN")
    assert Decimal(unsolved["upper_bound"]) >= Decimal(unsolved["value"]) >= Decimal(unsolved["passes_value"])


class TestLockedLoansAndPools:
    """Lockdowns and the cost of a switch hold in OPTIMAL as in PASSES."""

    @pytest.mark.parametrize(("more", "placed"), [("0.03", "T1"), ("0.03125", "T1"), ("0.04", "T2")])
    def test_a_loan_leaves_its_pool_only_for_more_than_the_switch_costs(self, more: str, placed: str) -> None:
        # A sits in a pool of T1 at 100; neither trade owes anything
        tables = desk(
            loan("A"), trade("T1", tolerance=1), trade("T2", price=100 + Decimal(more), tolerance=1), pool("P"),
            relation("T1", "P"), posting("P", "A"),
        )  # fmt: skip
        ran = optimal(tables)
        assert ran.placement == {"A": placed}
        assert ran.value == Decimal(100_000 if placed == "T1" else 1_000 * (100 + Decimal(more) - Decimal("0.03125")))

    def test_whoever_is_worth_less_after_a_switch_than_outside_stays_out(self) -> None:
        # 100 - 1.5 against 100 - 1: out, and T1 owes nothing
        tables = desk(loan("A"), trade("T1", tolerance=1), pool("P"), posting("P", "A"))
        ran = optimal(tables, switch_cost="1.5")
        assert (ran.placement, ran.reasons) == ({}, {"A": "NOT_WORTH_IT"})
        assert optimal(tables, switch_cost="0.5").placement == {"A": "T1"}

    def test_a_locked_loan_pays_no_switch_cost_and_uses_room(self) -> None:
        # A is locked to T2 at 90 and sits in a pool of T1; it fills T2. B goes to T1.
        tables = desk(
            loan("A"), loan("B"), trade("T1"), trade("T2", price=90), pool("P"), relation("T1", "P"), posting("P", "A"),
            lock("A", "T2"),
        )  # fmt: skip
        ran = optimal(tables, switch_cost=5)
        assert ran.placement == {"A": "T2", "B": "T1"}
        assert ran.value == 190_000
        assert (ran.passes["A"], ran.allocated("A")["locked"]) == ("LOCKED", True)

    def test_a_locked_loan_may_go_where_it_is_no_candidate(self) -> None:
        # no constraint lets it on T2; its price is computed all the same
        tables = desk(
            instrument("X"), instrument("Y"), constraint("C", on="X"), loan("A"), trade("T1"), trade("T2", on="Y", price=98),
            lock("A", "T2"),
        )  # fmt: skip
        ran = optimal(tables)
        assert ran.placement == {"A": "T2"}
        assert ran.value == Decimal("97968.75")


@pytest.mark.parametrize("instance", BEST_VALUES, ids=lambda instance: instance.__name__)
def test_both_strategies_value_one_placement_alike(instance: Instance) -> None:
    # every loan is locked to where OPTIMAL put it, and those left out are held back from all trades: nothing is left to decide
    tables, best = instance(), optimal(instance())
    locked = {row["loan_id"] for row in best.rows("powerfill_guide", locked=True)}
    pinned = [lock(name, trade_id) for name, trade_id in best.placement.items() if name not in locked]
    pinned += [lock(name) for name in best.reasons]
    rows = pl.concat([tables.tables["pfill_lockdown"], inputs(*pinned).tables["pfill_lockdown"]])
    fixed = RunInputs({**tables.tables, "pfill_lockdown": rows})
    by_passes, by_optimal = run(fixed), optimal(fixed)
    assert by_passes.placement == by_optimal.placement == best.placement
    for name in ("value", "baseline_value", "total_pair_off", "passes_value"):
        assert by_passes.summary[name] == by_optimal.summary[name]
