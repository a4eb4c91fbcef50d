"""The shapes of inputs and outputs, and how a lender's values become columns of them (specification 01 section 2)."""

import datetime as dt
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from services.run_service.engine.frames import INPUT_TABLES, OUTPUT_KEYS, OUTPUT_TABLES, conform, empty_inputs


def conformed(table: str, column: str, values: list[Any], dtype: Any = None) -> tuple[list[Any], dict[str, int]]:
    """The values as the column of a table, and what was unreadable."""
    frame, unreadable = conform(table, pl.DataFrame({column: pl.Series(values, dtype=dtype)}))
    return frame[column].to_list(), unreadable


def test_keys_and_needed_columns_are_columns() -> None:
    for spec in INPUT_TABLES.values():
        assert set(spec.key) | set(spec.needed) | set(spec.optional) <= set(spec.columns)
        assert not set(spec.needed) & set(spec.optional)
    assert set(OUTPUT_KEYS) == set(OUTPUT_TABLES)
    for name, key in OUTPUT_KEYS.items():
        assert set(key) <= set(OUTPUT_TABLES[name])


def test_empty_inputs_have_every_table() -> None:
    assert {name: dict(frame.schema) for name, frame in empty_inputs().items()} == {
        name: dict(spec.columns) for name, spec in INPUT_TABLES.items()
    }


@pytest.mark.parametrize("name", INPUT_TABLES)
def test_a_frame_gets_exactly_the_columns_of_its_table(name: str) -> None:
    spec = INPUT_TABLES[name]
    first = next(iter(spec.columns))
    frame, unreadable = conform(name, pl.DataFrame({"extra": [1, 2], first: [None, None]}))
    assert dict(frame.schema) == dict(spec.columns)
    assert (frame.height, unreadable) == (2, {})
    again, _ = conform(name, frame)
    assert again.equals(frame)


@pytest.mark.parametrize(
    ("values", "dtype", "wanted", "lost"),
    [
        ([250_000.555, 2.675], pl.Float64, [Decimal("250000.56"), Decimal("2.68")], 0),
        ([float("nan"), float("inf"), 1.5], pl.Float64, [None, None, Decimal("1.50")], 2),
        (["1e5", "x", None], pl.String, [Decimal("100000.00"), None, None], 1),
        ([10**12, 7], pl.Int64, [None, Decimal("7.00")], 1),
        ([Decimal("1.005")], pl.Decimal(10, 3), [Decimal("1.01")], 0),
    ],
)
def test_amounts(values: list[Any], dtype: Any, wanted: list[Any], lost: int) -> None:
    found, unreadable = conformed("loan", "loan_amount", values, dtype)
    assert found == wanted
    assert unreadable == ({"loan_amount": lost} if lost else {})


@pytest.mark.parametrize(
    ("column", "values", "dtype", "wanted", "lost"),
    [
        ("fico", [700.0, 700.5, None], pl.Float64, [700, None, None], 1),
        ("fico", ["700", "7x"], pl.String, [700, None], 1),
        ("fico", [Decimal("680.00")], pl.Decimal(10, 2), [680], 0),
        ("units", [1, 2], pl.Int8, [1, 2], 0),
        ("close_date", ["2026-04-17", "2026-04-17 00:00:00", "17.4.2026"], pl.String, [dt.date(2026, 4, 17)] * 2 + [None], 1),
        ("close_date", [dt.datetime(2026, 4, 17, 23, 59)], pl.Datetime, [dt.date(2026, 4, 17)], 0),
        ("high_balance", [1, 0, None], pl.Int64, [True, False, None], 0),
        ("high_balance", ["true", "F", " 1 ", "maybe"], pl.String, [True, False, True, None], 1),
        ("loan_id", [17, None], pl.Int64, ["17", None], 0),
        ("state", [None, None], pl.Null, [None, None], 0),
        ("loan_amount", [None, None], pl.Null, [None, None], 0),
    ],
)
def test_other_columns(column: str, values: list[Any], dtype: Any, wanted: list[Any], lost: int) -> None:
    found, unreadable = conformed("loan", column, values, dtype)
    assert found == wanted
    assert unreadable == ({column: lost} if lost else {})
