import datetime as dt
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from shared.database.values import convert, describe_misfit
from shared.money import AMOUNT, PRICE

INTEGER, DATE, BOOLEAN, TEXT = pl.Int64(), pl.Date(), pl.Boolean(), pl.String()
DAY = dt.date(2026, 4, 17)


@pytest.mark.parametrize(
    ("values", "dtype", "expected"),
    [
        ([0.1, 2.675, -2.675, None], AMOUNT, ["0.10", "2.68", "-2.68", None]),
        (["0.1", " 2.675 ", "1e3", ".5", "5."], AMOUNT, ["0.10", "2.68", "1000.00", "0.50", "5.00"]),
        ([7, -3], AMOUNT, ["7.00", "-3.00"]),
        ([Decimal("1.005"), Decimal("-1.005")], AMOUNT, ["1.01", "-1.01"]),
        ([99.03125, 100.1], PRICE, ["99.03125000", "100.10000000"]),
        ([999999999999.99, "x"][:1], AMOUNT, ["999999999999.99"]),
        ([360.0, -1.0], INTEGER, [360, -1]),
        (["360", "+360", "360.000", " 12 "], INTEGER, [360, 360, 360, 12]),
        ([Decimal("360.0")], INTEGER, [360]),
        (["2026-04-17", "2026-04-17 00:00:00", "2026-04-17T00:00"], DATE, [DAY] * 3),
        ([dt.datetime(2026, 4, 17)], DATE, [DAY]),
        (["TRUE", "f", " 1 ", "0"], BOOLEAN, [True, False, True, False]),
        ([1, 0], BOOLEAN, [True, False]),
        ([1001, 1002], TEXT, ["1001", "1002"]),
        ([None, None], AMOUNT, [None, None]),
    ],
)
def test_what_fits_is_converted(values: list[Any], dtype: pl.DataType, expected: list[Any]) -> None:
    result = convert(pl.Series(values), dtype)
    assert result.dtype == dtype
    assert [str(v) if isinstance(v, Decimal) else v for v in result] == expected


@pytest.mark.parametrize(
    ("value", "dtype", "message"),
    [
        ("abc", AMOUNT, "'abc' is not a number"),
        ("1_000", AMOUNT, "is not a number"),
        ("", AMOUNT, "'' is not a number"),
        (True, AMOUNT, "true is not a number"),
        (DAY, AMOUNT, "2026-04-17 is not a number"),
        (float("nan"), AMOUNT, "nan is not a finite number"),
        (float("-inf"), AMOUNT, "-inf is not a finite number"),
        ("NaN", AMOUNT, "'NaN' is not a finite number"),
        (1e12, AMOUNT, "is out of range; numbers here are under 10^12"),
        ("-1000000000000", AMOUNT, "is out of range; numbers here are under 10^12"),
        (10_000, PRICE, "10000 is out of range; numbers here are under 10^4"),
        (360.5, INTEGER, "360.5 is not an integer"),
        ("360.5", INTEGER, "'360.5' is not an integer"),
        (Decimal("0.1"), INTEGER, "0.1 is not an integer"),
        (float("nan"), INTEGER, "nan is not a finite number"),
        (1e19, INTEGER, "is out of range of integers"),
        ("2026-02-30", DATE, "'2026-02-30' is not a date (YYYY-MM-DD)"),
        ("04/17/2026", DATE, "is not a date"),
        ("2026-04-17 09:30", DATE, "is not a date"),
        (20260417, DATE, "20260417 is not a date"),
        (dt.datetime(2026, 4, 17, 9), DATE, "is not a date"),
        ("yes", BOOLEAN, "'yes' is not true or false"),
        (2, BOOLEAN, "2 is not true or false"),
        (1.5, TEXT, "1.5 is not text"),
        (DAY, TEXT, "2026-04-17 is not text"),
    ],
)
def test_what_does_not_fit_becomes_null_and_is_named(value: object, dtype: pl.DataType, message: str) -> None:
    raw = pl.Series([value])
    assert convert(raw, dtype).to_list() == [None]
    assert message in describe_misfit(raw[0], dtype)


def test_a_long_value_is_shown_short() -> None:
    assert len(describe_misfit("x" * 1000, AMOUNT)) < 80
