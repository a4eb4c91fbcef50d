import datetime as dt
from decimal import Decimal

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.dialects import mssql, postgresql, sqlite
from sqlalchemy.schema import CreateIndex, CreateTable

from shared.database.tables import AUDIT_TABLES, metadata
from shared.database.types import Exact, UtcDateTime, sqlite_number

SQLITE, POSTGRESQL, MSSQL = sqlite.dialect(), postgresql.dialect(), mssql.dialect()  # type: ignore[no-untyped-call]
TOTAL = Exact(20, 2)


@given(st.decimals(min_value=-(10**18) + 1, max_value=10**18 - 1, places=2))
def test_what_sqlite_stores_is_what_comes_back(value: Decimal) -> None:
    assert TOTAL.process_result_value(TOTAL.process_bind_param(value, SQLITE), SQLITE) == value


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        ("0.10", 0.1),
        ("9999999999999.99", 9999999999999.99),
        ("10000000000000.00", b"10000000000000.00"),
        ("-123456789012345678.90", b"-123456789012345678.90"),
    ],
)
def test_sqlite_stores_a_float_up_to_15_digits_and_the_digits_beyond(text: str, stored: float | bytes) -> None:
    assert sqlite_number(Decimal(text), 2) == stored


@pytest.mark.parametrize(
    ("stored", "read"),
    [
        (0.1, "0.10"),
        (5, "5.00"),
        ("7.005", "7.01"),
        (2.675, "2.68"),
        (-2.675, "-2.68"),
        (b"99.99", "99.99"),
        (1e-9, "0.00"),
    ],
)
def test_what_others_stored_rounds_half_away_from_zero(stored: object, read: str) -> None:
    value = TOTAL.process_result_value(stored, SQLITE)
    assert str(value) == read


@pytest.mark.parametrize("value", [Decimal("NaN"), Decimal("Infinity"), float("nan"), float("-inf")])
def test_only_finite_numbers_are_stored(value: Decimal) -> None:
    with pytest.raises(ValueError, match="is not a finite number"):
        TOTAL.process_bind_param(value, SQLITE)


@pytest.mark.parametrize("stored", ["abc", "nan", float("inf")])
def test_what_is_no_number_is_not_read_as_one(stored: object) -> None:
    with pytest.raises(ArithmeticError):
        TOTAL.process_result_value(stored, SQLITE)


def test_other_databases_get_the_decimal_itself() -> None:
    value = Decimal("123456789012345678.90")
    assert TOTAL.process_bind_param(value, POSTGRESQL) is value


def test_a_moment_is_stored_in_utc_and_comes_back_with_its_zone() -> None:
    moment = dt.datetime(2026, 4, 17, 8, 30, 0, 123456, tzinfo=dt.timezone(dt.timedelta(hours=-4)))
    stored = UtcDateTime().process_bind_param(moment, SQLITE)
    assert stored == dt.datetime(2026, 4, 17, 12, 30, 0, 123456)
    assert UtcDateTime().process_result_value(stored, SQLITE) == moment


def test_a_moment_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="has no time zone"):
        UtcDateTime().process_bind_param(dt.datetime(2026, 4, 17), SQLITE)


@pytest.mark.parametrize(("dialect", "moment"), [(SQLITE, "DATETIME"), (POSTGRESQL, "TIMESTAMP"), (MSSQL, "DATETIME2(6)")])
def test_every_table_compiles_for_every_database(dialect: sa.Dialect, moment: str) -> None:
    statements = {table.name: str(CreateTable(table).compile(dialect=dialect)) for table in metadata.sorted_tables}
    assert f"submitted_at_utc {moment}" in statements["pfill_run_history"]
    assert "loan_amount NUMERIC(14, 2)" in statements["loan"]


@pytest.mark.parametrize("dialect", [SQLITE, POSTGRESQL, MSSQL], ids=lambda d: d.name)
def test_one_active_run_a_tenant_by_a_filtered_unique_index(dialect: sa.Dialect) -> None:
    indexes = AUDIT_TABLES["pfill_run_history"].indexes
    statements = [str(CreateIndex(index).compile(dialect=dialect)) for index in indexes if index.unique]
    assert len(statements) == 2
    assert all(statement.startswith("CREATE UNIQUE INDEX") and " WHERE " in statement for statement in statements)
