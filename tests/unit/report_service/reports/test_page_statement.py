"""The SQL of a page: what it selects, in which order, and where it starts."""

import sqlalchemy as sa
from sqlalchemy.dialects import mssql, postgresql, sqlite

from services.report_service.reports import allocation_guide, base, kickouts, trade_recap
from shared.database.tables import OUTPUT_TABLES

DIALECTS: tuple[sa.Dialect, ...] = tuple(module.dialect() for module in (sqlite, postgresql, mssql))
REPORTS = (allocation_guide, kickouts, trade_recap)


def sql(statement: sa.Select[object], dialect: sa.Dialect | None = None) -> str:
    compiled = statement.compile(dialect=dialect or DIALECTS[0], compile_kwargs={"literal_binds": True})
    return " ".join(str(compiled).split())


def a_report(table: str, key: tuple[str, ...], columns: tuple[str, ...]) -> base.Report:
    return base.Report(OUTPUT_TABLES[table], key, columns, frozenset(), lambda _run: "")


def test_a_page_is_one_row_more_than_asked_for_from_the_start_of_the_run() -> None:
    report = a_report("pfill_kickout_guide_01", ("loan_id",), ("loan_id", "reason"))
    assert sql(base.page_statement(report, "R1", base.Params(page_size=2))) == (
        "SELECT powerfill.pfill_kickout_guide_01.loan_id, powerfill.pfill_kickout_guide_01.reason, "
        "powerfill.pfill_kickout_guide_01.loan_id AS key_loan_id FROM powerfill.pfill_kickout_guide_01 "
        "WHERE powerfill.pfill_kickout_guide_01.run_id = 'R1' ORDER BY powerfill.pfill_kickout_guide_01.loan_id LIMIT 3 OFFSET 0"
    )


def test_a_later_page_starts_after_the_last_key() -> None:
    report = a_report("pfill_kickout_guide_01", ("loan_id",), ("loan_id",))
    assert "AND powerfill.pfill_kickout_guide_01.loan_id > 'L2' ORDER BY" in sql(
        base.page_statement(report, "R1", base.Params(after=("L2",)))
    )


def test_a_key_of_several_columns_bounds_the_first_alone_so_that_an_index_is_entered_there() -> None:
    report = a_report("pfill_pool_guide", ("loan_id", "trade_id", "pool_name"), ("gain",))
    where = sql(base.page_statement(report, "R1", base.Params(after=("L2", "T1", "P9")))).replace(
        "powerfill.pfill_pool_guide.", ""
    )
    assert (
        "WHERE run_id = 'R1' AND loan_id >= 'L2' AND (loan_id > 'L2' OR trade_id >= 'T1' AND "
        "(trade_id > 'T1' OR pool_name > 'P9')) ORDER BY loan_id, trade_id, pool_name"
    ) in where


def test_only_the_columns_asked_for_are_read_in_the_order_of_the_report() -> None:
    statement = kickouts.statement("R1", base.Params(columns=("syn_score", "reason")))
    assert [column.name for column in statement.selected_columns] == ["reason", "syn_score", "key_loan_id"]


def test_every_report_compiles_for_every_database() -> None:
    for report in REPORTS:
        for dialect in DIALECTS:
            assert "run_id" in sql(report.statement("R1", base.Params(after=("X",))), dialect)
