"""Cases from the field (specification 01 section 12) that the engine must get through, and tables with nothing in them."""

from decimal import Decimal

import pytest

from services.run_service.engine.frames import OUTPUT_KEYS, OUTPUT_TABLES, RunInputs
from tests.instances.execute import run
from tests.instances.rows import (
    Row,
    constraint,
    curve,
    desk,
    grid,
    inputs,
    instrument,
    loan,
    lock,
    pool,
    posting,
    relation,
    today,
    trade,
)

EMPTY: dict[str, RunInputs] = {
    "nothing at all": inputs(),
    "no loans": desk(trade("T1"), today(99), pool("P"), relation("T1", "P"), posting("P", "A"), lock("A", "T1")),
    "no trades": desk(loan("A"), today(99), pool("P"), relation("T1", "P"), posting("P", "A"), lock("A", "T1")),
    "no instruments": inputs(loan("A"), trade("T1"), today(99), constraint()),
    "no constraints": inputs(loan("A"), trade("T1"), today(99), instrument()),
    "no prices": desk(loan("A"), trade("T1", price=None)),
    "no loan passes": desk(loan("A", note=9), instrument("X", coupon=6, window=("0.25", "1.125")), trade("T1"), today(99)),
    "no trade has room": desk(loan("A", 200_000), trade("T1"), today(99)),
    "no loan in scope": desk(loan("A", status="Started"), trade("T1"), today(99)),
    "only locked loans": desk(loan("A"), trade("T1"), lock("A", "T1")),
    "only data errors": desk(loan("A", 0), loan("B", note=None), trade("T1"), today(99)),
}


@pytest.mark.parametrize("strategy", ["PASSES", "OPTIMAL"])
@pytest.mark.parametrize("tables", EMPTY.values(), ids=EMPTY)
def test_a_tenant_that_lacks_something_gets_a_whole_result(tables: RunInputs, strategy: str) -> None:
    ran = run(tables, strategy=strategy, bx_price_floor=1)
    assert set(ran.result.tables) == set(OUTPUT_TABLES)
    for name, frame in ran.result.tables.items():
        assert dict(frame.schema) == OUTPUT_TABLES[name]
        assert frame.select(OUTPUT_KEYS[name]).is_duplicated().sum() == 0
    in_scope = ran.result.in_scope_loan_ids.to_list()
    assert sorted([*ran.placement, *ran.reasons]) == in_scope
    assert (ran.summary["allocated_count"], ran.summary["kicked_out_count"]) == (len(ran.placement), len(ran.reasons))


def test_a_zero_amount_loan_disturbs_nobody() -> None:
    # B of 0 dollars is posted to a pool and locked to the trade; A fills the trade all the same
    ran = run(desk(loan("A"), loan("B", 0), trade("T1"), pool("P"), relation("T1", "P"), posting("P", "B"), lock("B", "T1")))
    assert ran.placement == {"A": "T1"}
    assert ran.reasons == {"B": "DATA_ERROR"}
    assert (ran.recap("T1")["locked_amount"], ran.recap("T1")["pre_session_amount"]) == (0, 0)
    assert ran.value == 100_000


def test_an_amount_under_half_a_cent_is_none() -> None:
    # the column has cents: 0.004 arrives as 0.00
    assert run(desk(loan("A", "0.00"), trade("T1"))).reasons == {"A": "DATA_ERROR"}
    assert run(desk(loan("A", "0.01"), trade("T1", "0.01"))).placement == {"A": "T1"}


class TestMissingColumns:
    """Optional columns a lender's tables lack are unset fields and a warning, never a failed run."""

    def test_each_is_told(self) -> None:
        missing = ["rmusr_payups.div_by", "loan.fico", "pscat_trades.price"]
        ran = run(inputs(loan("A"), trade("T1"), instrument(), constraint(), missing_columns=missing))
        assert sorted(found.subject for found in ran.told("UPSTREAM_SCHEMA")) == sorted(missing)

    def test_without_any_optional_column_the_run_is_whole(self) -> None:
        # no closing date, score, LTV or DTI; no own price; no rule on a grid row; no coupon or size; a lock without trade and
        # end; a constraint without rule: A counts from its lock's end, the trade takes today's price, L is held.
        rows: list[Row] = [
            loan("A", closed=None, lock_expires=5), loan("L", closed=None, lock_expires=5), instrument(), constraint(),
            trade("T1", price=None), today(99), lock("L"), curve("3.65"),
        ]  # fmt: skip
        ran = run(inputs(*rows))
        assert ran.reasons == {"L": "LOCKED_OUT"}
        row = ran.allocated("A")
        assert (row["price"], row["carry"]) == (99, Decimal("0.15"))  # days 15


def test_a_grid_of_a_trade_that_takes_no_part_prices_nothing() -> None:
    ran = run(desk(loan("A"), instrument("X", "CASH"), trade("T1"), trade("T2", status="CANCELLED"), grid("T2", 1, 6, 500)))
    assert ran.allocated("A")["price"] == 100


def test_dates_far_away_are_only_out_of_the_window() -> None:
    # years 1 and 9999 on either side
    early, late = -739_000, 2_912_000
    rows = [trade("T1", settles=early), trade("T2", settles=late), trade("T3"), today(98, early), today(97, late)]
    ran = run(desk(loan("A", closed=early), loan("B", closed=late), loan("C", 50_000), *rows), strategy="OPTIMAL")
    assert ran.reasons["B"] == "SETTLEMENT_WINDOW"
    assert [row["trade_id"] for row in ran.rows("trade_base")] == ["T3"]
    assert "A" in ran.placement


def test_ids_of_any_text_are_kept_apart() -> None:
    names = ["a", "A", "A ", "é", "名", "'; drop", "SYN-X"]
    ran = run(desk(*(loan(name, 10_000) for name in names), trade("T/1", 70_000)))
    assert sorted(ran.placement) == sorted(names)
