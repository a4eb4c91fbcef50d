"""The one form of a decimal: the places of its column, plain digits."""

from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from services.report_service.reports.cells import by_column, decimal_texts, shown
from shared.database.types import Exact, sqlite_number


@pytest.mark.parametrize(
    ("stored", "places", "text"),
    [
        (325000, 2, "325000.00"),  # SQLite keeps a whole number as an integer
        (325000.1, 2, "325000.10"),
        (Decimal("325000.10"), 2, "325000.10"),
        (b"9007199254740993.01", 2, "9007199254740993.01"),  # digits beyond a double
        (b"9007199254740993.1", 2, "9007199254740993.10"),
        (100.6375, 8, "100.63750000"),
        (1e-08, 8, "0.00000001"),
        (Decimal("1E+2"), 6, "100.000000"),
        (-0.3375, 8, "-0.33750000"),
        (0, 2, "0.00"),
        (None, 2, None),
    ],
)
def test_a_decimal_has_the_places_of_its_column_and_no_exponent(stored: object, places: int, text: str | None) -> None:
    assert decimal_texts([stored], places) == [text]


@given(units=st.integers(-(10**18), 10**18), places=st.sampled_from([2, 6, 8]))
def test_what_sqlite_stores_is_printed_as_the_value_that_was_stored(units: int, places: int) -> None:
    value = Decimal(units).scaleb(-places)
    [text] = decimal_texts([sqlite_number(value, places)], places)
    assert text is not None
    assert text == f"{value:.{places}f}"
    assert Decimal(text) == value


def test_only_decimal_columns_become_text() -> None:
    assert shown(Exact(12, 8), (101, None)) == ["101.00000000", None]
    assert shown(sa.BigInteger(), (1, None)) == (1, None)


def test_rows_become_columns_and_what_no_name_is_given_for_is_left_out() -> None:
    kinds: dict[str, sa.types.TypeEngine[Any]] = {"score": Exact(12, 8), "rank": sa.BigInteger()}
    rows: Any = [(101, 1, "key"), (None, None, "key")]
    assert by_column(rows, kinds) == {"score": ["101.00000000", None], "rank": (1, None)}
    assert by_column([], kinds) == {"score": (), "rank": ()}
