"""The SQL of a page: what it selects, in which order, and where it starts."""

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite

from services.report_service.reports import base, kickouts
from services.report_service.reports.columns import stored
from services.report_service.reports.order import Ordering
from shared.database.tables import OUTPUT_TABLES

SQLITE: sa.Dialect = sqlite.dialect()


def sql(statement: sa.Select[object]) -> str:
    compiled = statement.compile(dialect=SQLITE, compile_kwargs={"literal_binds": True})
    return " ".join(str(compiled).split())


def a_report(name: str, key: tuple[str, ...], columns: tuple[str, ...], **stored_as: str) -> base.RunReport:
    table = OUTPUT_TABLES[name]
    return base.RunReport(table, base.key(*key), stored(table, columns, **stored_as), frozenset(), lambda _run: "")


def test_a_page_is_one_row_more_than_asked_for_from_the_start_of_the_run() -> None:
    report = a_report("pfill_kickout_guide_01", ("loan_id",), ("loan_id", "why"), why="reason")
    assert sql(base.run_statement(report, "R1", base.Params(page_size=2))) == (
        "SELECT powerfill.pfill_kickout_guide_01.loan_id AS loan_id, powerfill.pfill_kickout_guide_01.reason AS why, "
        "powerfill.pfill_kickout_guide_01.loan_id AS key_loan_id FROM powerfill.pfill_kickout_guide_01 "
        "WHERE powerfill.pfill_kickout_guide_01.run_id = 'R1' ORDER BY powerfill.pfill_kickout_guide_01.loan_id LIMIT 3 OFFSET 0"
    )


def test_a_later_page_starts_after_the_last_key() -> None:
    report = a_report("pfill_kickout_guide_01", ("loan_id",), ("loan_id",))
    assert "AND powerfill.pfill_kickout_guide_01.loan_id > 'L2' ORDER BY" in sql(
        base.run_statement(report, "R1", base.Params(after=("L2",)))
    )


def test_a_key_of_several_columns_bounds_the_first_alone_so_that_an_index_is_entered_there() -> None:
    report = a_report("pfill_pool_guide", ("loan_id", "trade_id", "pool_name"), ("loan_id", "trade_id", "pool_name", "gain"))
    statement = base.run_statement(report, "R1", base.Params(after=("L2", "T1", "P9")))
    where = sql(statement).replace("powerfill.pfill_pool_guide.", "")
    assert (
        "WHERE run_id = 'R1' AND loan_id >= 'L2' AND (loan_id > 'L2' OR trade_id >= 'T1' AND "
        "(trade_id > 'T1' OR pool_name > 'P9')) ORDER BY loan_id, trade_id, pool_name"
    ) in where


def test_an_order_goes_before_the_rest_of_the_key() -> None:
    report = a_report("pfill_pool_guide", ("loan_id", "trade_id"), ("loan_id", "trade_id"))
    params = base.Params(orderings=(Ordering("trade_id", descending=True),))
    assert report.ordered(params) == (Ordering("trade_id", descending=True), Ordering("loan_id"))
    assert report.ordered(base.Params(orderings=(Ordering("loan_id"), Ordering("trade_id")))) == base.key("loan_id", "trade_id")


def test_only_the_columns_asked_for_are_read_in_the_order_of_the_report() -> None:
    statement = kickouts.statement("R1", base.Params(columns=("syn_score", "reason")))
    assert [column.name for column in statement.selected_columns] == ["reason", "syn_score", "key_loan_id"]


def test_a_filter_and_the_rows_of_the_report_go_with_the_run() -> None:
    report = a_report("pfill_kickout_guide_01", ("loan_id",), ("loan_id", "reason"))
    of = report.table.c
    some = base.RunReport(report.table, report.key, report.columns, frozenset(), lambda _run: "", rows=of.loan_id != "L0")
    params = base.Params(filter=some.queryable["reason"] == "LIMIT")
    counted = sql(base.count_statement(some, params, of.run_id == "R1")).replace("powerfill.pfill_kickout_guide_01.", "")
    assert counted.endswith("WHERE run_id = 'R1' AND loan_id != 'L0' AND reason = 'LIMIT'")
