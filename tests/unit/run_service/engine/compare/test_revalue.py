"""What an allocation is worth under other inputs and options. A loan of 100,000 that no synthetic trade wants is worth its best
score less 1 outside; a TBA trade that stays empty costs 0.03125 points."""

from collections.abc import Callable
from decimal import Decimal

import polars as pl
import pytest

from services.run_service.engine.compare.revalue import Terms
from services.run_service.engine.frames import RunInputs
from services.run_service.engine.optimise.value import dollars
from tests.instances.compare import Options, done
from tests.instances.named import BEST_VALUES
from tests.instances.rows import (
    Row,
    constraint,
    desk,
    instrument,
    loan,
    lock,
    pool,
    posting,
    relation,
    rule,
    shipped,
    today,
    trade,
)

A_ON_T1 = {"A": "T1"}


def worth(terms: Terms, placement: dict[str, str]) -> Decimal:
    schema = {"loan_id": pl.String, "trade_id": pl.String}
    return dollars(terms.value_units(pl.DataFrame(list(placement.items()), schema=schema, orient="row")))


def worth_under(placement: dict[str, str], *rows: Row, **options: object) -> Decimal:
    return worth(done(desk(*rows), **options).terms, placement)


@pytest.mark.parametrize("strategy", ["PASSES", "OPTIMAL"])
@pytest.mark.parametrize("instance", BEST_VALUES, ids=lambda instance: instance.__name__)
def test_under_its_own_inputs_and_options_an_allocation_has_its_own_value(
    instance: Callable[[], RunInputs], strategy: str
) -> None:
    finished = done(instance(), strategy=strategy)
    assert worth(finished.terms, finished.ran.placement) == finished.ran.value


def test_another_price_counts_where_the_loan_is() -> None:
    assert worth_under(A_ON_T1, loan("A"), trade("T1", price=101)) == 101_000


def test_a_loan_that_is_locked_now_is_on_its_lock_s_trade() -> None:
    trades = trade("T1"), trade("T2", price=90)
    assert worth_under(A_ON_T1, loan("A"), *trades, lock("A", "T2")) == Decimal("89968.75")


def test_a_loan_that_was_placed_by_a_lock_stays_where_it_was_if_it_may() -> None:
    assert worth_under({"A": "T2"}, loan("A"), trade("T1"), trade("T2", price=90)) == Decimal("89968.75")


@pytest.mark.parametrize(
    "rows",
    [
        (trade("T2", price=101),),  # T1 is gone
        (trade("T2", price=101), trade("T1", settles=90)),  # it settles outside the window
        (trade("T2", price=101), trade("T1", on="Y"), instrument("X"), instrument("Y"), constraint()),  # no constraint on Y
    ],
    ids=["gone", "late", "no constraint"],
)  # fmt: skip
def test_a_loan_that_is_no_candidate_of_its_trade_any_more_counts_as_left_out(rows: tuple[Row, ...]) -> None:
    # fallback 101 - 1 = 100: 100,000; T2 is empty: 31.25; T1, where it is still owed: 31.25
    short = 1 + any(row.values.get("investor_instrument") == "Y" and row.table == "pscat_trades" for row in rows)
    assert worth_under(A_ON_T1, loan("A"), *rows) == 100_000 - short * Decimal("31.25")


def test_a_loan_that_is_held_counts_nothing_but_the_shortfall() -> None:
    assert worth_under(A_ON_T1, loan("A"), trade("T1"), lock("A")) == Decimal("-31.25")


def test_a_loan_that_has_left_the_scope_counts_nothing() -> None:
    assert worth_under({"A": "T1", "B": "T1"}, loan("A", 50_000), loan("B", 50_000), shipped("B"), trade("T1")) == Decimal(
        "49984.375"
    ).quantize(Decimal("0.01"))


def test_a_loan_that_has_come_into_scope_is_left_out() -> None:
    # B: fallback 101 - 1 = 100; T2 is empty
    rows = loan("A"), loan("B"), trade("T1"), trade("T2", price=101)
    assert worth_under(A_ON_T1, *rows) == Decimal("199968.75")


def test_room_is_not_enforced() -> None:
    assert worth_under({"A": "T1", "B": "T1"}, loan("A"), loan("B"), trade("T1", 50_000)) == 200_000


@pytest.mark.parametrize(
    ("options", "value"),
    [
        ({}, "99937.50"),  # A pays 0.03125 for leaving the pool of T2, which is empty
        ({"switch_cost": 0}, "99968.75"),
        ({"pair_off_cost": {"TBA": 1}}, "98968.75"),
        ({"strategy": "OPTIMAL", "seed": 3, "candidate_top_k": 1, "priority_mode": "STRICT", "work_limit": 0}, "99937.50"),
    ],
)
def test_options_count(options: Options, value: str) -> None:
    rows = loan("A"), trade("T1"), trade("T2"), pool("P"), relation("T2", "P"), posting("P", "A")
    assert worth_under(A_ON_T1, *rows, **options) == Decimal(value)


@pytest.mark.parametrize(
    ("options", "value"),
    [({}, "98.875"), ({"synthetic_spread": 1}, "98"), ({"scope": "CLOSED_ONLY"}, "0"), ({"min_status": "Purchased"}, "98.875")],
)
def test_options_of_what_is_left_out(options: Options, value: str) -> None:
    locked_in = loan("A", status="Locked", lock_expires=10, closed=None)
    assert worth_under({}, locked_in, today(99), **options) == Decimal(value) * 1_000


def test_a_price_floor_takes_candidates_away() -> None:
    rows = instrument("X", "CASH"), constraint(), loan("A"), trade("T1"), trade("T2", price=102)
    assert worth_under(A_ON_T1, *rows) == Decimal("99875.00")  # T2 is short 0.125 points
    assert worth_under(A_ON_T1, *rows, bx_price_floor=101) == 101_000 - 2 * 125


def test_whole_placements_of_tenants_without_loans_or_trades() -> None:
    assert worth_under(A_ON_T1) == 0
    assert worth_under(A_ON_T1, loan("A")) == 0
    assert worth_under(A_ON_T1, trade("T1")) == Decimal("-31.25")
    assert worth_under({}, loan("A"), trade("T1"), rule("r", '{"field":"state","op":"is_null"}')) == Decimal("98968.75")
