"""Marginal values: what a dollar of room, or a dollar towards the band, is worth; against the relaxation solved once more.

The relaxation's optimum is concave in every trade's `lo` and `hi`, so its price lies between what a little more changes and
what a little less changes; where it has no kink there, all three are equal.
"""

import dataclasses
from dataclasses import dataclass
from decimal import Decimal

import numpy as np
import pytest

from services.run_service.engine.optimise.bands import FloatArray
from services.run_service.engine.optimise.bound import prove_bound
from services.run_service.engine.optimise.problem import AllocationProblem
from services.run_service.engine.stop import Stop
from tests.instances.execute import ledger_of, run
from tests.instances.rows import constraint, desk, instrument, loan, lock, trade
from tests.unit.run_service.engine.optimise.problems import tenant_inputs, tenant_problem
from tests.unit.run_service.engine.optimise.programs import relaxed_optimum

DOLLARS = 0.002
"""What the solver's tolerances may make of an optimum of a few hundred thousand dollars."""


@dataclass(frozen=True)
class Slopes:
    """Of one trade, dollars a dollar: its price, and what the optimum changes by when its band gets wider and narrower."""

    price: float
    wider: float
    narrower: float
    slack: float
    """How far off the slopes may be for the solver's tolerances."""


def worth(problem: AllocationProblem) -> float:
    """The relaxation's optimum less the pair-off of leaving every unlocked loan out, dollars."""
    short = np.maximum(0, problem.lo - problem.locked_fill)
    return relaxed_optimum(problem) - float((short * problem.pair_off).sum()) / 1e12


def with_end(problem: AllocationProblem, name: str, j: int, cents: int) -> AllocationProblem:
    """The problem with another `lo` or `hi` of a trade."""
    ends = getattr(problem, name).copy()
    ends[j] = cents
    return dataclasses.replace(problem, **{name: ends})


def slopes(share: float) -> list[Slopes]:
    """Of every trade of the tenant whose room or band is worth something, with its `hi` or `lo` moved by a share of it."""
    problem = tenant_problem()
    price, now, found = prove_bound(problem, Stop()).room_price, worth(problem), []
    for j in np.nonzero(np.abs(price) > 1e-7)[0].tolist():
        name, outwards = ("hi", 1) if price[j] > 0 else ("lo", -1)  # room at hi, or what is owed at lo
        end = int(getattr(problem, name)[j])
        cents = max(100, round(end * share))
        wide, narrow = (worth(with_end(problem, name, j, end + sign * outwards * cents)) for sign in (1, -1))
        dollars = cents / 100
        found.append(Slopes(abs(float(price[j])), (wide - now) / dollars, (now - narrow) / dollars, DOLLARS / dollars))
    return found


def test_the_tenant_has_trades_of_both_kinds() -> None:
    price: FloatArray = prove_bound(tenant_problem(), Stop()).room_price
    assert (price > 1e-7).sum() >= 3
    assert (price < -1e-7).sum() >= 8


@pytest.mark.parametrize("share", [0.01, 0.1])
def test_one_percent_more_room_earns_no_more_than_its_price_and_one_percent_less_costs_no_less(share: float) -> None:
    for one in slopes(share):
        assert one.wider <= one.price + one.slack
        assert one.narrower >= one.price - one.slack


def test_of_a_hair_more_or_less_room_most_trades_earn_their_price() -> None:
    found = slopes(0.0001)
    for one in found:
        assert one.wider <= one.price + one.slack
        assert one.narrower >= one.price - one.slack
    exact = [
        one for one in found if max(abs(one.wider - one.price), abs(one.narrower - one.price)) <= one.slack + 0.01 * one.price
    ]
    assert len(exact) >= len(found) * 3 / 4
    assert all(one.slack < 0.2 * one.price for one in exact)


def test_the_trade_recap_shows_the_prices_of_the_bound_in_points() -> None:
    ledger = ledger_of(tenant_inputs(), strategy="OPTIMAL", work_limit=0)
    price = prove_bound(ledger.problem, Stop()).room_price
    ran = run(tenant_inputs(), strategy="OPTIMAL", work_limit=0)
    assert ran.summary["bound_kind"] == "LP"
    recaps = {row["trade_id"]: row for row in ran.rows("trade_base")}
    assert len(recaps) >= 10
    shown = 0
    for j, trade_id in enumerate(ledger.book.trades.ids.to_list()):
        if trade_id in recaps:
            points = round(Decimal(float(price[j])) * 100, 8)
            assert (recaps[trade_id]["room_value"], recaps[trade_id]["fill_value"]) == (max(0, points), max(0, -points))
            shown += points != 0
    assert shown >= 10


@pytest.mark.parametrize("mode", ["VALUE", "STRICT"])
def test_where_nothing_is_owed_a_dollar_towards_the_band_saves_nothing(mode: str) -> None:
    # T1 owes nothing for its tolerance, T2 is filled by a lockdown, T3 owes 40,000; nobody can be allocated.
    tables = desk(
        instrument("X"), instrument("Y"), constraint("CY", on="Y"), loan("A"), loan("B", 60_000), trade("T1", tolerance=1),
        trade("T2"), trade("T3"), lock("A", "T2"), lock("B", "T3"),
    )  # fmt: skip
    recaps = {
        row["trade_id"]: row["fill_value"] for row in run(tables, strategy="OPTIMAL", priority_mode=mode).rows("trade_base")
    }
    assert recaps == {"T1": 0, "T2": 0, "T3": Decimal("0.03125")}
