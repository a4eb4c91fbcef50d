"""Every filter on its own: what a loan fails, with its value beside the limit, on the pair with which it came furthest."""

import datetime as dt
from decimal import Decimal
from typing import Any

from services.run_service.engine.explain.checks import check_filters, nearest_pair
from services.run_service.engine.explain.explanation import Failure, Nearest
from services.run_service.engine.explain.one_loan import build, rows_of_one
from tests.instances.explained import chosen_options, viewed
from tests.instances.rows import AS_OF, Row, constraint, desk, grid, instrument, loan, lock, rule, trade

GOOD = rule("good", '{"all":[{"field":"fico","op":"ge","value":680},{"not":{"field":"state","op":"in","value":["NY"]}}]}')
EITHER = rule("either", '{"any":[{"field":"ltv","op":"is_null"},{"field":"note_rate","op":"between","value":[6,"6.5"]}]}')


def nearest(*rows: Row, **options: Any) -> Nearest:
    found = viewed(desk(*rows), **options).nearest
    assert found is not None
    return found


def told(failure: Failure) -> tuple[object, ...]:
    return failure.field, failure.value, failure.op, failure.limits, failure.option


def test_the_parts_of_a_rule_that_do_not_hold() -> None:
    found = nearest(loan("L1", fico=640, state="NY"), trade("T1"), GOOD, constraint("C1", rule_name="good"))
    assert (found.stage, found.constraint_id, found.trade_id) == ("NO_RULE_MATCH", "C1", None)
    fico, state = found.failures
    assert told(fico) == ("fico", 640, "ge", (Decimal(680),), "")
    assert told(state) == ("state", "NY", "", (), "")
    assert (fico.text, state.text) == ("fico >= 680", "not (state in (NY))")


def test_a_part_that_speaks_of_several_fields_has_no_single_value() -> None:
    (failure,) = nearest(loan("L1", ltv="80", note="7"), trade("T1"), EITHER, constraint("C1", rule_name="either")).failures
    assert told(failure) == ("", None, "", (), "")
    assert failure.text == "ltv is null or note_rate between 6 and 6.5"


def test_missing_data() -> None:
    found = nearest(loan("L1", amount=0, note=None, closed=None), trade("T1"))
    assert (found.stage, found.constraint_id) == ("DATA_ERROR", None)
    assert [told(failure)[:4] for failure in found.failures] == [
        ("loan_amount", Decimal(0), "gt", (Decimal(0),)),
        ("note_rate", None, "not_null", ()),
        ("close_date and lock_expiration_date", None, "not_null", ()),
    ]


def test_a_lockdown() -> None:
    (failure,) = nearest(loan("L1"), trade("T1"), lock("L1", reason="fraud review")).failures
    assert (failure.stage, failure.value) == ("LOCKED_OUT", "fraud review")


def test_no_open_trade() -> None:
    found = nearest(loan("L1"), trade("T1", status="SETTLED"))
    assert (found.stage, found.constraint_id, found.trade_id) == ("NO_OPEN_TRADE", "C1", None)
    assert [failure.value for failure in found.failures] == ["X"]


def test_note_rate_window_and_loan_size_beside_each_other() -> None:
    limits = instrument("X", coupon=6, window=("0.25", "1.125"), max_loan=90_000)
    found = nearest(loan("L1", note="6.125"), trade("T1"), limits)
    assert (found.stage, found.trade_id) == ("NOTE_RATE_WINDOW", "T1")
    window, size = found.failures
    assert told(window) == ("note_rate", Decimal("6.125"), "between", (Decimal("6.25"), Decimal("7.125")), "")
    assert told(size) == ("loan_amount", Decimal(100_000), "le", (Decimal(90_000),), "")


def test_a_window_with_one_end() -> None:
    for note, window, op, limit in (("6", ("0.25", None), "ge", "6.25"), ("8", (None, "1"), "le", "7")):
        (failure,) = nearest(loan("L1", note=note), trade("T1"), instrument("X", coupon=6, window=window)).failures
        assert told(failure)[1:4] == (Decimal(note), op, (Decimal(limit),))


def test_each_part_of_the_settlement_window() -> None:
    def day(offset: int) -> dt.date:
        return AS_OF + dt.timedelta(offset)

    cases = [
        (loan("L1"), trade("T1", settles=-3), {}, ("settlement_date", day(-3), "ge", (day(0),), "")),
        (loan("L1", closed=-9), trade("T1", settles=-3), {}, ("settlement_date", day(-3), "ge", (day(0),), "")),
        (loan("L1"), trade("T1", settles=90), {}, ("settlement_date", day(90), "le", (day(60),), "max_trade_settle_days")),
        (
            loan("L1", closed=18), trade("T1"), {"eligible_settle_buffer_days": 5},
            ("close_date", day(18), "le", (day(15),), "eligible_settle_buffer_days"),
        ),
        (
            loan("L1", status="Locked", closed=None, lock_expires=15), trade("T1"), {"max_eligible_days": 10},
            ("lock_expiration_date", day(15), "le", (day(10),), "max_eligible_days"),
        ),
    ]  # fmt: skip
    for a_loan, a_trade, options, expected in cases:
        found = nearest(a_loan, a_trade, **options)
        assert (found.stage, found.constraint_id, found.trade_id) == ("SETTLEMENT_WINDOW", "C1", "T1")
        assert expected in [told(failure) for failure in found.failures]


def test_no_price_and_under_the_floor() -> None:
    missing = nearest(loan("L1"), trade("T1", price=None))
    low_grid = nearest(loan("L1", note="5.9"), trade("T1"), grid("T1", 1, 6, 101))
    floor = nearest(loan("L1"), trade("T1", price=98), instrument("X", "CASH"), bx_price_floor="99.5")
    assert [(found.stage, found.trade_id) for found in (missing, low_grid)] == [("NO_PRICE", "T1")] * 2
    assert told(floor.failures[0]) == ("price", Decimal(98), "ge", (Decimal("99.5"),), "bx_price_floor")


def test_the_nearest_is_the_furthest_then_the_first_constraint_then_the_first_trade() -> None:
    rows = [
        instrument("X", max_loan=1), instrument("Y"), instrument("Z"), trade("X1", on="X"),
        trade("Y2", on="Y", settles=90), trade("Y1", on="Y", settles=95), trade("Z1", on="Z", settles=99),
        constraint("CX", 1, on="X"), constraint("CZ", 3, on="Z"), constraint("CY", 2, on="Y"),
    ]  # fmt: skip
    found = nearest(loan("L1"), *rows)
    assert (found.stage, found.constraint_id, found.trade_id) == ("SETTLEMENT_WINDOW", "CY", "Y2")


def test_without_a_constraint_there_is_no_pair() -> None:
    data = desk(loan("L1"), trade("T1"), constraint(enabled=False))
    built = build(rows_of_one(data, "L1"), chosen_options())
    assert nearest_pair(built.book, check_filters(built.book, built.pricer)) is None
