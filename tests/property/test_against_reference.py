"""The engine against the specification written a second time in plain loops (`reference.py`), on small random tenants."""

from decimal import Decimal
from fractions import Fraction
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from services.run_service.domain.options import parse_options
from tests.instances.execute import Ran, run
from tests.instances.rows import AS_OF, inputs
from tests.property.plain_facts import half_away
from tests.property.reference import Reference
from tests.property.tenants import Tenant, options, tenants

Options = dict[str, Any]


def both(tenant: Tenant, chosen: Options) -> tuple[Reference, Ran]:
    """The specification's answer and the engine's."""
    tables = inputs(*tenant)
    return Reference(tables, parse_options(chosen, AS_OF)), run(tables, **chosen)


def exact(value: Decimal | None) -> Fraction | None:
    return None if value is None else Fraction(value)


@settings(max_examples=settings().max_examples * 2)
@given(tenant=tenants(), chosen=options(strategy="PASSES"))
def test_a_passes_run_is_that_of_the_specification(tenant: Tenant, chosen: Options) -> None:
    reference, ran = both(tenant, chosen)
    placement, passes = reference.run_passes()
    assert ran.placement == placement
    assert ran.passes == passes
    assert_value(reference, ran)
    assert_recap(reference, ran)
    assert_candidates(reference, ran, chosen)
    assert_synthetic(reference, ran, chosen)
    assert_reasons(reference, ran)
    assert_pools(reference, ran)


@settings(max_examples=settings().max_examples * 2)
@given(
    tenant=tenants(most_loans=7, most_trades=3), chosen=options(strategy="OPTIMAL"), work=st.sampled_from([10**9, 10**9, 0, 9])
)
def test_optimal_obeys_the_rules_and_lies_between_passes_and_optimum_and_bound(
    tenant: Tenant, chosen: Options, work: int
) -> None:
    reference, ran = both(tenant, {**chosen, "work_limit": work})
    placement = ran.placement
    assert {name: placement.get(name) for name in reference.locked} == reference.locked
    assert all(pair in reference.candidates for pair in placement.items() if pair[0] not in reference.locked)
    by_locks = reference.filled(reference.locked)
    for trade_id, dollars in reference.filled(placement).items():
        assert dollars <= max(reference.trades[trade_id]["hi"], by_locks[trade_id])
    assert_value(reference, ran)
    assert_reasons(reference, ran)
    assert_pools(reference, ran)
    summary = ran.summary
    optimum = half_away(reference.optimum(), 2)
    assert Fraction(summary["passes_value"]) == half_away(reference.value(reference.run_passes()[0]), 2)
    assert Fraction(summary["passes_value"]) <= Fraction(summary["value"]) <= optimum <= Fraction(summary["upper_bound"])
    assert summary["ended_by"] == "CONVERGED" or work < 10**9


def assert_value(reference: Reference, ran: Ran) -> None:
    """Value and baseline by the formula, from where the loans went."""
    assert Fraction(ran.summary["value"]) == half_away(reference.value(ran.placement), 2)
    assert Fraction(ran.summary["baseline_value"]) == half_away(reference.value(dict(reference.locked)), 2)
    for row in ran.rows("powerfill_guide"):
        name = row["loan_id"]
        points = reference.points(name, row["trade_id"])
        assert exact(row["value"]) == half_away(reference.amount[name] * points / 100, 2)
        assert exact(row["fallback"]) == reference.fallback(name)


def assert_recap(reference: Reference, ran: Ran) -> None:
    """Band, fill and pair-off of every trade in the window and of no other."""
    filled = reference.filled(ran.placement)
    recaps = {row["trade_id"]: row for row in ran.rows("trade_base")}
    assert set(recaps) == {trade_id for trade_id, trade in reference.trades.items() if trade["counts"]}
    for trade_id, row in recaps.items():
        trade = reference.trades[trade_id]
        assert (exact(row["need"]), exact(row["lo"]), exact(row["hi"])) == (trade["need"], trade["lo"], trade["hi"])
        assert exact(row["allocated_amount"]) == filled[trade_id]
        assert exact(row["pair_off_points"]) == reference.pair_off(trade_id)
        shortfall = max(Fraction(0), trade["lo"] - filled[trade_id])
        assert exact(row["shortfall"]) == shortfall
        assert exact(row["pair_off_dollars"]) == half_away(shortfall * reference.pair_off(trade_id) / 100, 2)


def assert_candidates(reference: Reference, ran: Ran, chosen: Options) -> None:
    """Price, carry, score, constraint and rank of every candidate that is kept, and the counts of all."""
    wanted = []
    for name in reference.loans:
        own = [(pair[1], one) for pair, one in reference.candidates.items() if pair[0] == name]
        own.sort(key=lambda item: (-item[1].score, reference.rank[item[0]]))
        wanted += [
            (name, trade_id, one.price, one.carry, one.score, one.constraint["constraint_id"], rank)
            for rank, (trade_id, one) in enumerate(own, start=1)
            if rank <= chosen.get("candidate_top_k", 10)
        ]
    assert [
        (row["loan_id"], row["trade_id"], exact(row["price"]), exact(row["carry"]), exact(row["score"]), row["constraint_id"],
         row["rank"])
        for row in ran.rows("loan2trade_candy_level_01")
    ] == sorted(wanted, key=lambda row: row[:2])  # fmt: skip
    every = list(reference.candidates.values())
    assert ran.summary["candidate_count"] == len(every)
    assert ran.summary["carry_matched"] == sum(one.matched for one in every)
    assert ran.summary["carry_missed"] == sum(not one.matched for one in every)
    owners = [one.constraint["constraint_id"] for one in every]
    assert ran.summary["candidates_per_constraint"] == {name: owners.count(name) for name in owners}


def assert_synthetic(reference: Reference, ran: Ran, chosen: Options) -> None:
    """Ranks by (score, settlement, instrument), as many as are kept."""
    wanted = [
        (name, rank, syn_trade_id, score)
        for name in reference.loans
        for rank, (score, _, _, syn_trade_id) in enumerate(reference.synthetic.get(name, []), start=1)
        if rank <= chosen.get("candidate_top_k", 10)
    ]
    ranks = ran.rows("syn_powerfill_guide_all_rank")
    assert [(row["loan_id"], row["rank"], row["syn_trade_id"], exact(row["score"])) for row in ranks] == wanted


def assert_reasons(reference: Reference, ran: Ran) -> None:
    """The furthest stage of every loan left out; candidates by whether some trade pays, and those that pay are full."""
    placement = ran.placement
    filled = reference.filled(placement)
    wanted = {}
    for name in reference.loans:
        if name in placement:
            continue
        reason = reference.reason[name]
        if reason == "CANDIDATE":
            trades = [trade_id for loan, trade_id in reference.candidates if loan == name]
            pay = [trade_id for trade_id in trades if reference.points(name, trade_id) > reference.fallback(name)]
            reason = "NO_CAPACITY" if pay else "NOT_WORTH_IT"
            assert all(filled[trade_id] + reference.amount[name] > reference.trades[trade_id]["hi"] for trade_id in pay)
        wanted[name] = reason
    assert ran.reasons == wanted


def assert_pools(reference: Reference, ran: Ran) -> None:
    """Action, current and recommended pool of every loan that is allocated or has a current pool."""
    placement = ran.placement
    pools = reference.recommended(placement)
    assert {
        row["loan_id"]: (row["pool_action"], row["current_pool"], row["recommended_pool"]) for row in ran.rows("powerfill_guide")
    } == {
        name: (reference.action(name, trade_id), reference.current.get(name), pools[name]) for name, trade_id in placement.items()
    }
    concerned = {name for name in reference.loans if name in placement or name in reference.current}
    assert set(ran.table("pool_guide")["loan_id"]) == concerned
    leaving = {row["loan_id"]: row["pool_name"] for row in ran.rows("pool_guide", pool_action="LEAVING")}
    assert leaving == {name: reference.current[name] for name in concerned if name not in placement}
