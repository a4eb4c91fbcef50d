"""Row by row differences of input tables."""

from decimal import Decimal
from typing import Any

from services.run_service.engine.compare.comparison import CellChange, ColumnChange, TableChange
from services.run_service.engine.compare.inputs import changed_tables
from services.run_service.engine.frames import INPUT_TABLES
from tests.instances.rows import Row, constraint, curve, inputs, loan, lock, payup, rule, shipped, today, trade


def changes(before: list[Row], after: list[Row], most: int = 10, names: Any = tuple(INPUT_TABLES)) -> dict[str, TableChange]:
    found = changed_tables(inputs(*before), inputs(*after), names, most)
    return {change.table: change for change in found}


def test_equal_tables_are_not_told_whatever_the_order_of_their_rows() -> None:
    rows = [loan("A"), loan("B"), lock("A", "T1"), lock("A", "T1"), curve(1)]
    assert changes(rows, rows[::-1]) == {}


def test_only_the_tables_named_are_looked_at() -> None:
    assert set(changes([], [loan("A"), shipped("B")], names=("loan_shipped",))) == {"loan_shipped"}


def test_rows_that_came_and_went() -> None:
    change = changes([loan("A"), loan("B")], [loan("B"), loan("C"), loan("D")])["loan"]
    assert (change.added, change.removed, change.changed) == (2, 1, 0)
    assert (change.added_keys, change.removed_keys) == (("C", "D"), ("A",))
    assert (change.columns, change.examples) == ((), ())


def test_prices_that_moved_with_their_average() -> None:
    before = [today(99, 10), today(100, 20), today(98, 30), today(97, 40)]
    after = [today("99.5", 10), today("100.25", 20), today(98, 30), today(97, 50)]
    change = changes(before, after)["rmcat_todays_prices"]
    assert (change.added, change.removed, change.changed) == (1, 1, 2)
    assert change.columns == (ColumnChange("price", 2, Decimal("0.375")),)
    assert change.added_keys == ("X/2026-06-06",)
    assert change.examples == (
        CellChange("X/2026-04-27", "price", "99", "99.5"),
        CellChange("X/2026-05-07", "price", "100", "100.25"),
    )


def test_an_average_move_is_of_numbers_that_both_have_and_rounds_half_away() -> None:
    before = [trade("T1", price=100), trade("T2", price=None), trade("T3", price=1), trade("T4", price="2.00000001")]
    after = [trade("T1", price="99.99999999"), trade("T2", price=5), trade("T3", price=None), trade("T4", price="2")]
    change = changes(before, after)["pscat_trades"]
    assert change.columns == (ColumnChange("price", 4, Decimal("-0.00000001")),)
    assert CellChange("T2", "price", None, "5") in change.examples
    odd = changes([trade("T1", price=100), trade("T2")], [trade("T1", price="99.99999999"), trade("T2", price="99.99999998")])
    assert odd["pscat_trades"].columns[0].average_move == Decimal("-0.00000002")  # the mean is -0.000000015


def test_a_trade_that_changed_says_what_is_open_of_it() -> None:
    change = changes([trade("T1", 100_000)], [trade("T1", 100_000, delivered="30000.5", settles=25)])["pscat_trades"]
    assert [(one.column, one.count, one.average_move) for one in change.columns] == [
        ("settlement_date", 1, None),
        ("delivered_amount", 1, Decimal("30000.5")),
        ("need", 1, Decimal("-30000.5")),
    ]
    assert change.examples[-1] == CellChange("T1", "need", "100000", "69999.5")


def test_texts_truth_and_nulls() -> None:
    before = [constraint("C1", 1, rule_name=None), rule("r", "{}")]
    after = [constraint("C1", 2, rule_name="r", enabled=False), rule("r", '{"all":[]}')]
    found = changes(before, after)
    assert found["pfill_constraints"].examples == (
        CellChange("C1", "priority", "1", "2"),
        CellChange("C1", "rule_name", None, "r"),
        CellChange("C1", "enabled", "true", "false"),
    )
    assert found["pfill_sec_rules"].examples == (CellChange("r", "expression", "{}", '{"all":[]}'),)


def test_tables_without_a_key_are_matched_by_what_their_rows_are_about() -> None:
    found = changes(
        [payup("fico", 700, 850, 1), curve(1, 0, 30), lock("A", "T1")],
        [payup("fico", 700, 850, 2), curve(2, 0, 30), curve(2, 31, 60), lock("A", "T2")],
    )
    assert found["rmusr_payups"].columns == (ColumnChange("payup", 1, Decimal(1)),)
    assert (found["pfill_carry_cost"].added, found["pfill_carry_cost"].changed) == (1, 1)
    assert found["pfill_carry_cost"].added_keys == ("X/31/60",)
    assert found["pfill_lockdown"].examples == (CellChange("A", "trade_id", "T1", "T2"),)


def test_repeated_rows_are_counted_and_what_stays_is_no_change() -> None:
    twice = [lock("A", "T1"), lock("A", "T1"), lock("A", "T2")]
    change = changes(twice, [lock("A", "T2"), lock("A", "T1")])["pfill_lockdown"]
    assert (change.added, change.removed, change.changed, change.removed_keys) == (0, 1, 0, ("A",))
    change = changes([lock("A", "T1"), lock("A", "T3")], [lock("A", "T2"), lock("A", "T3"), lock("A", "T4")])["pfill_lockdown"]
    assert (change.added, change.removed, change.changed) == (1, 0, 1)
    assert change.examples == (CellChange("A", "trade_id", "T1", "T2"),)


def test_keys_that_are_missing_match_each_other() -> None:
    change = changes([today(1, on=None)], [today(2, on=None)])["rmcat_todays_prices"]
    assert (change.changed, change.examples) == (1, (CellChange("/2026-05-07", "price", "1", "2"),))


def test_no_more_examples_than_asked_for() -> None:
    before = [loan(f"L{number:02}", fico=700, state="NY") for number in range(20)]
    after = [loan(f"L{number:02}", 5, fico=number, state="CA") for number in range(10)]
    change = changes(before, after, most=3)["loan"]
    assert (change.removed, change.changed, len(change.removed_keys)) == (10, 10, 3)
    assert [cell.column for cell in change.examples] == ["loan_amount", "fico", "state"]
    assert {one.column: one.count for one in change.columns} == {"loan_amount": 10, "fico": 10, "state": 10}


def test_numbers_of_any_size_have_an_exact_average() -> None:
    most = 2**63 - 1
    change = changes([loan("A", fico=-most), loan("B", fico=-most)], [loan("A", fico=most), loan("B", fico=most)])["loan"]
    assert change.columns == (ColumnChange("fico", 2, Decimal(2 * most)),)
