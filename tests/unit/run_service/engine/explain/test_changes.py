"""A change applied: one value is otherwise and nothing else."""

import datetime as dt
from decimal import Decimal

import pytest

from services.run_service.engine.explain.changes import Action, Change, ChangeKind, apply_change
from services.run_service.engine.explain.values import Value, days_later, relative_change, shown
from tests.instances.explained import chosen_options
from tests.instances.rows import AS_OF, desk, loan, lock, today, trade


def test_a_field_of_one_loan() -> None:
    data = desk(loan("L1", fico=640), loan("L2", fico=640))
    change = Change(ChangeKind.LOAN, "L1", "fico", 640, 680, None, "loan", key={"loan_id": "L1"})
    after, options = apply_change(change, data, chosen_options())
    assert after.tables["loan"].select("loan_id", "fico").rows() == [("L1", 680), ("L2", 640)]
    assert after.tables["loan"].drop("fico").equals(data.tables["loan"].drop("fico"))
    assert options == chosen_options()
    assert all(after.tables[name] is data.tables[name] for name in data.tables if name != "loan")


@pytest.mark.parametrize(
    ("field", "value"), [("note_rate", Decimal("6.250001")), ("close_date", AS_OF), ("state", None), ("high_balance", True)]
)
def test_values_keep_the_type_of_their_column(field: str, value: Value | None) -> None:
    change = Change(ChangeKind.LOAN, "L1", field, None, value, None, "loan", key={"loan_id": "L1"})
    data = desk(loan("L1", state="NY"))
    after = apply_change(change, data, chosen_options())[0].tables["loan"]
    assert after[field].to_list() == [value]
    assert after.schema == data.tables["loan"].schema


def test_a_row_more_and_rows_less() -> None:
    data = desk(loan("L1"), today(99), lock("L1", "T1"), lock("L1"), lock("L2"))
    row: dict[str, Value] = {"investor_instrument": "Y", "settlement_date": AS_OF, "price": Decimal(100)}
    price = Change(ChangeKind.PRICE, "Y", "price", None, Decimal(100), None, "rmcat_todays_prices", Action.ADD, row)
    added = apply_change(price, data, chosen_options())[0].tables["rmcat_todays_prices"]
    assert added["price"].to_list() == [Decimal(99), Decimal(100)]
    release = Change(ChangeKind.LOCKDOWN, "L1", "lockdown", None, None, None, "pfill_lockdown", Action.REMOVE, {"loan_id": "L1"})
    assert apply_change(release, data, chosen_options())[0].tables["pfill_lockdown"]["loan_id"].to_list() == ["L2"]


def test_an_option() -> None:
    data = desk(loan("L1"), trade("T1"))
    change = Change(ChangeKind.OPTION, "", "max_trade_settle_days", 60, 75, None)
    after, options = apply_change(change, data, chosen_options())
    assert (after, options.max_trade_settle_days) == (data, 75)


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (640, 680, "0.0625"), (Decimal("6.5"), Decimal(6), "0.07692308"), (-4, 4, "2"), (0, 4, None), (None, 4, None),
        (4, None, None), ("NY", "CA", None), (False, True, None), (AS_OF, AS_OF + dt.timedelta(3), "0.05"),
        (AS_OF, None, None), (AS_OF, 3, None),
    ],
)  # fmt: skip
def test_how_large_a_change_is(before: Value | None, after: Value | None, expected: str | None) -> None:
    change = Change(ChangeKind.LOAN, "L1", "x", before, after, relative_change(before, after, 60))
    assert change.relative_to_8_places == (None if expected is None else Decimal(expected))


def test_values_as_a_person_writes_them() -> None:
    values = [None, True, False, 640, Decimal("6.500000"), Decimal("100000"), Decimal("1E+5"), AS_OF, "NY"]
    assert [shown(value) for value in values] == [
        "nothing", "true", "false", "640", "6.5", "100000", "100000", "2026-04-17", "NY",
    ]  # fmt: skip


def test_days_end_with_the_calendar() -> None:
    assert days_later(dt.date(9999, 12, 30), 3650) == dt.date.max
    assert days_later(dt.date(1, 1, 2), -3650) == dt.date.min
    assert days_later(AS_OF, -1) == dt.date(2026, 4, 16)
