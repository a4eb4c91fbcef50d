"""The values of a field that are worth trying."""

import datetime as dt
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from services.run_service.engine.explain.checks import check_filters
from services.run_service.engine.explain.one_loan import build, rows_of_one
from services.run_service.engine.explain.thresholds import USUAL_VALUES, alternatives, changeable_fields
from services.run_service.engine.explain.values import Value
from tests.instances.explained import chosen_options
from tests.instances.rows import AS_OF, Row, constraint, desk, grid, instrument, loan, payup, rule, trade

NOBODY = pl.Series([], dtype=pl.String)


def thresholds(*rows: Row, **options: Any) -> dict[str, list[Value]]:
    built = build(rows_of_one(desk(*rows), "L1"), chosen_options(**options))
    return changeable_fields(built.book, check_filters(built.book, built.pricer))


def test_conditions_windows_sizes_grids_dates_and_payups() -> None:
    both = rule("both", '{"any":[{"field":"fico","op":"between","value":[600,700]},{"field":"loan_id","op":"eq","value":"L2"}]}')
    of_grid = rule("of_grid", '{"not":{"field":"units","op":"is_null"}}')
    found = thresholds(
        loan("L1", fico=500), both, of_grid, constraint("C1", rule_name="both"), payup("ltv", 0, 80, 1),
        instrument("X", coupon=6, window=("0.25", None), max_loan=200_000),
        trade("T1"), trade("T2", settles=40), grid("T2", 1, "6.5", 101, "of_grid"),
        max_eligible_days=10, eligible_settle_buffer_days=2, bx_price_floor=99,
    )  # fmt: skip
    days = [AS_OF + dt.timedelta(days) for days in (18, 38)]
    assert found == {
        "fico": [600, 700],
        "units": [],
        "note_rate": [Decimal("6.25"), Decimal("6.5")],
        "loan_amount": [Decimal(200_000)],
        "close_date": days,
        "lock_expiration_date": [*days, AS_OF + dt.timedelta(10)],
        "ltv": [0, 80],
    }


def test_policy_without_a_trade_gives_nothing_to_try() -> None:
    size = rule("size", '{"field":"fico","op":"ge","value":600}')
    found = thresholds(loan("L1", fico=500), trade("T1"), size, constraint("C1", on="Y", rule_name="size"), instrument("Y"))
    assert found == {}


def test_of_a_loan_that_lacks_something_only_that() -> None:
    assert list(thresholds(loan("L1", closed=None), trade("T1"))) == ["close_date", "lock_expiration_date"]
    assert thresholds(loan("L1", product=None), trade("T1")) == {"loan_instrument": []}


@pytest.mark.parametrize(
    ("field", "current", "threshold", "expected"),
    [
        ("fico", 640, Decimal(680), [680, 679, 681, None]),
        ("fico", 640, Decimal("679.5"), [679, 680, 678, 681, None]),
        ("note_rate", Decimal(6), Decimal("6.25"), [Decimal("6.25"), Decimal("6.249999"), Decimal("6.250001"), None]),
        ("loan_amount", Decimal(1), Decimal(10) ** 12, [Decimal("999999999999.99"), None]),
        ("close_date", AS_OF, dt.date.max, [dt.date.max, dt.date(9999, 12, 30), None]),
        ("close_date", dt.date.max, dt.date.max, [dt.date(9999, 12, 30), None]),
        ("state", "NY", "CA", ["CA", None]),
        ("high_balance", True, True, [False, None]),
        ("high_balance", None, True, [True, False]),
    ],
)
def test_values_on_either_side_of_a_threshold(field: str, current: Any, threshold: Any, expected: list[Any]) -> None:
    assert alternatives(field, current, [threshold], NOBODY, usual_first=False) == expected


def test_what_is_usual_in_the_pipeline() -> None:
    states = pl.Series(["FL", None, "CA", "FL", "NY", "CA", "AZ"])
    assert alternatives("state", "NY", ["TX"], states, usual_first=False) == ["TX", "CA", "FL", "AZ", None]
    assert alternatives("state", None, ["TX"], states, usual_first=True) == ["CA", "FL", "AZ", "NY", "TX"]
    many = pl.Series([*range(100)])
    assert alternatives("fico", None, [], many, usual_first=True) == [*range(1, USUAL_VALUES + 1)]
    assert alternatives("fico", 5, [], many, usual_first=False) == [None]
