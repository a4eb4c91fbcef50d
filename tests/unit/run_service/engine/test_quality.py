"""Rows that point nowhere (specification 01 section 2): ignored, each kind counted in a finding with some of its keys."""

import json

import pytest

from services.run_service.engine.frames import INPUT_TABLES, RunInputs
from tests.instances.execute import Ran, run
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
    payup,
    pool,
    posting,
    relation,
    rule,
    shipped,
    today,
    trade,
)

GOOD = [loan("A"), trade("T1"), instrument(), constraint(), pool("P"), relation("T1", "P"), posting("P", "A")]


def untouched(ran: Ran) -> bool:
    """Whether the loan of GOOD stands as it does without the bad row."""
    row = ran.allocated("A")
    return (row["trade_id"], row["price"], row["carry"], row["recommended_pool"]) == ("T1", 100, 0, "P")


@pytest.mark.parametrize(
    ("bad", "code", "subject", "example"),
    [
        (trade("T2", 999, on="GONE"), "OPEN_TRADES", "pscat_trades", "T2"),
        (trade("T2", phantom=True), "OPEN_TRADES", "pscat_trades", "T2"),
        (trade("T2", delivered=100_001), "OPEN_TRADES", "pscat_trades", "T2"),
        (trade("T2", tolerance="-0.01"), "DATA_QUALITY", "pscat_trades", "T2"),
        (trade("T2", None), "DATA_QUALITY", "pscat_trades", "T2"),
        (trade("T2", on=None), "DATA_QUALITY", "pscat_trades", "T2"),
        (trade("T2", settles=None), "DATA_QUALITY", "pscat_trades", "T2"),
        (trade("T2", tolerance=None), "DATA_QUALITY", "pscat_trades", "T2"),
        (grid("T1", 1, 6, 105, "gone"), "DATA_QUALITY", "pscat_trade_cash_grid", "T1/1"),
        (grid("T1", 1, 6, None), "DATA_QUALITY", "pscat_trade_cash_grid", "T1/1"),
        (grid("T1", 1, None, 105), "DATA_QUALITY", "pscat_trade_cash_grid", "T1/1"),
        (grid("GONE", 1, 6, 105), "DATA_QUALITY", "pscat_trade_cash_grid", "GONE/1"),
        (payup("loan_amount", 0, 900_000, 5, 0), "DATA_QUALITY", "rmusr_payups", "X/loan_amount"),
        (payup("score", 0, 900_000, 5), "DATA_QUALITY", "rmusr_payups", "X/score"),
        (payup("state", 0, 900_000, 5), "DATA_QUALITY", "rmusr_payups", "X/state"),
        (payup("loan_amount", 900_000, 0, 5), "DATA_QUALITY", "rmusr_payups", "X/loan_amount"),
        (payup("loan_amount", None, 900_000, 5), "DATA_QUALITY", "rmusr_payups", "X"),
        (payup("loan_amount", 0, 900_000, None), "DATA_QUALITY", "rmusr_payups", "X"),
        (payup("loan_amount", 0, 900_000, 5, on="GONE"), "DATA_QUALITY", "rmusr_payups", "GONE/loan_amount"),
        (today(150, on="GONE"), "DATA_QUALITY", "rmcat_todays_prices", "GONE/2026-05-07"),
        (today(None), "DATA_QUALITY", "rmcat_todays_prices", "X/2026-05-07"),
        (today(99, None), "DATA_QUALITY", "rmcat_todays_prices", "X/?"),
        (curve(50, 99, 0), "DATA_QUALITY", "pfill_carry_cost", "X/99"),
        (curve(None), "DATA_QUALITY", "pfill_carry_cost", "X"),
        (posting("P", "GONE"), "DATA_QUALITY", "pscat_pool_loans", "P/GONE"),
        (posting("GONE", "A", 0), "DATA_QUALITY", "pscat_pool_loans", "GONE/A"),
        (posting("P", "A", None), "DATA_QUALITY", "pscat_pool_loans", "P/A"),
        (relation("T1", "GONE", 999_999), "DATA_QUALITY", "pscat_trades_pools_relation", "T1/GONE"),
        (relation("GONE", "P", 999_999), "DATA_QUALITY", "pscat_trades_pools_relation", "GONE/P"),
        (relation("T1", "Q", None), "DATA_QUALITY", "pscat_trades_pools_relation", "T1/Q"),
        (pool("Q", None), "DATA_QUALITY", "pscat_pools", "Q"),
        (lock("GONE", "T1"), "LOCKDOWN", "pfill_lockdown", "GONE"),
        (instrument("Y", "SWAP"), "DATA_QUALITY", "pscat_instruments", "Y"),
        (instrument("Y", None), "DATA_QUALITY", "pscat_instruments", "Y"),
        (instrument("Y", guaranty=None), "DATA_QUALITY", "pscat_instruments", "Y"),
        (constraint("C0", None), "DATA_QUALITY", "pfill_constraints", "C0"),
        (constraint("C0", on=None), "DATA_QUALITY", "pfill_constraints", "C0"),
        (loan("B", status="Gone"), "DATA_QUALITY", "loan", "B"),
    ],
    ids=lambda value: f"{value.table}" if isinstance(value, Row) else None,
)
def test_a_row_that_points_nowhere_is_ignored_and_counted(bad: Row, code: str, subject: str, example: str) -> None:
    ran = run(inputs(*GOOD, bad))
    assert untouched(ran)
    assert [(found.code, found.count, found.examples) for found in ran.findings if found.code != "NO_SYNTHETIC_PRICES"] == [
        (code, 1, (example,))
    ]
    assert [found.subject for found in ran.told(code)] == [subject]
    logged = ran.row("powerfill_log", code=code)
    assert (logged["severity"], logged["row_count"], json.loads(logged["examples"])) == ("WARNING", 1, [example])


@pytest.mark.parametrize(
    "harmless", [shipped("GONE"), today(99, on="X"), lock("GONE", "T1", expires=-1), trade("T2", delivered=100_000)]
)
def test_rows_that_say_nothing_about_this_run_are_not_told(harmless: Row) -> None:
    assert [found for found in run(inputs(*GOOD, harmless)).findings if found.code != "NO_SYNTHETIC_PRICES"] == []


def test_a_lock_to_an_unknown_trade_holds_and_is_told() -> None:
    ran = run(desk(loan("A"), trade("T1"), lock("A", "GONE")))
    assert ran.reasons == {"A": "LOCKED_OUT"}
    (found,) = ran.told("LOCKDOWN")
    assert (found.count, found.examples) == (1, ("A",))


def test_a_kind_of_bad_row_is_one_finding_however_many_there_are() -> None:
    ran = run(desk(loan("A"), trade("T1"), *(posting("P", f"GONE{number:02}") for number in range(12)), pool("P")))
    (found,) = ran.told("DATA_QUALITY")
    assert (found.count, found.examples) == (12, tuple(f"P/GONE{number:02}" for number in range(5)))


class TestRepeatedKeys:
    """Of rows with one key one counts, the same whatever the order of the rows, and the key is told."""

    @pytest.mark.parametrize("swapped", [False, True])
    def test_a_repeated_loan_is_one_loan(self, swapped: bool) -> None:
        twice = [loan("A", 60_000), loan("A", 50_000)]
        ran = run(desk(*(twice[::-1] if swapped else twice), trade("T1", 50_000)))
        assert ran.placement == {"A": "T1"}
        assert ran.summary["in_scope_amount"] == "50000.00"
        (found,) = ran.told("DATA_QUALITY", "loan")
        assert found.examples == ("A",)

    @pytest.mark.parametrize("swapped", [False, True])
    def test_a_repeated_price_is_one_synthetic_trade(self, swapped: bool) -> None:
        twice = [today(99), today(98)]
        ran = run(desk(loan("A"), *(twice[::-1] if swapped else twice)))
        assert [row["price"] for row in ran.rows("syn_trade_base")] == [98]
        assert len(ran.told("DATA_QUALITY", "rmcat_todays_prices")) == 1

    def test_a_repeated_trade_is_one_trade(self) -> None:
        ran = run(desk(loan("A"), loan("B"), trade("T1"), trade("T1", 90_000)))
        assert [row["trade_id"] for row in ran.rows("trade_base")] == ["T1"]

    def test_a_payup_has_no_key_and_counts_each_time(self) -> None:
        ran = run(desk(loan("A"), trade("T1"), payup("loan_amount", 0, 900_000, 1), payup("loan_amount", 0, 900_000, 1)))
        assert ran.allocated("A")["price"] == 102
        assert ran.told("DATA_QUALITY") == []


def test_unreadable_values_are_told_by_column() -> None:
    tables = RunInputs(inputs(*GOOD).tables, unreadable={"loan.fico": 3})
    (found,) = run(tables).told("DATA_QUALITY", "loan.fico")
    assert found.count == 3


def test_an_unknown_rule_in_an_ignored_grid_row_needs_no_rule() -> None:
    ran = run(desk(loan("A"), trade("T1"), grid("T1", 1, 6, 105, "gone"), rule("here", '{"field":"fico","op":"not_null"}')))
    assert ran.allocated("A")["price"] == 100


def test_a_key_is_the_first_columns_of_its_table() -> None:
    # so that rows in the order of a key that does not repeat are in the order of all columns
    assert all(tuple(spec.columns)[: len(spec.key)] == spec.key for spec in INPUT_TABLES.values())
