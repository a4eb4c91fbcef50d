"""What all reports have in common: names, columns and keys as the contract has them, and SQL for every database."""

import datetime as dt
import importlib
from collections.abc import Mapping
from typing import Any

import pytest
import sqlalchemy as sa
from google.protobuf.descriptor import FieldDescriptor
from powerfill.report.v1 import report_service_pb2
from powerfill.report.v1.report_service_pb2 import ReportName
from sqlalchemy.dialects import mssql, postgresql, sqlite

from services.report_service.reports import base, run_overview, synthetic_opportunities
from services.report_service.reports.catalogue import REPORTS
from services.report_service.reports.columns import Records
from services.report_service.reports.order import Ordering
from shared.database.types import Exact, UtcDateTime
from shared.rpc.values import enum_numbers

DIALECTS: Mapping[str, sa.Dialect] = {module.__name__.split(".")[2]: module.dialect() for module in (sqlite, postgresql, mssql)}
METHODS = report_service_pb2.DESCRIPTOR.services_by_name["ReportService"].methods


def row_fields(name: str) -> dict[str, FieldDescriptor]:
    module = importlib.import_module(f"powerfill.report.v1.{name.lower()}_pb2")
    response = getattr(module, f"Get{name.title().replace('_', '')}Response")
    return dict(response.DESCRIPTOR.fields_by_name["rows"].message_type.fields_by_name)


def sql(statement: sa.Select[Any], dialect: str) -> str:
    compiled = statement.compile(dialect=DIALECTS[dialect], compile_kwargs={"render_postcompile": True})
    return " ".join(str(compiled).split())


def a_value(kind: sa.types.TypeEngine[Any]) -> Any:
    if isinstance(kind, UtcDateTime):
        return dt.datetime(2026, 4, 17, tzinfo=dt.UTC)
    return 3 if isinstance(kind, sa.Integer) else "M"


def test_the_reports_are_those_of_the_contract() -> None:
    assert dict.fromkeys(REPORTS) == dict.fromkeys(enum_numbers(ReportName.DESCRIPTOR))
    pages = [method.name for method in METHODS if not method.server_streaming]
    assert sorted(f"Get{name.title().replace('_', '')}" for name in REPORTS) == sorted(pages)


@pytest.mark.parametrize("name", REPORTS)
def test_columns_are_those_of_the_contract_in_its_order(name: str) -> None:
    report, fields = REPORTS[name].REPORT, row_fields(name)
    assert list(report.columns) == list(fields)
    assert list(vars(REPORTS[name])["Row"].__annotations__) == list(fields)
    assert {ordering.name for ordering in report.key} <= set(report.queryable)


@pytest.mark.parametrize("name", REPORTS)
def test_the_cells_of_a_column_are_what_its_field_takes(name: str) -> None:
    kinds = {
        "google.type.Decimal": Exact, "google.type.Date": sa.Date, "google.protobuf.Timestamp": UtcDateTime,
        "google.protobuf.Duration": sa.Interval, "powerfill.report.v1.SyntheticRank": Records,
    }  # fmt: skip
    scalars = {
        FieldDescriptor.TYPE_STRING: sa.String, FieldDescriptor.TYPE_ENUM: sa.String, FieldDescriptor.TYPE_BOOL: sa.Boolean,
        FieldDescriptor.TYPE_INT32: sa.Integer, FieldDescriptor.TYPE_INT64: sa.Integer,
    }  # fmt: skip
    for column, field in row_fields(name).items():
        if field.message_type is not None:
            wanted: Any = kinds[field.message_type.full_name]
        else:
            wanted = sa.ARRAY if field.is_repeated else scalars[field.type]
        assert isinstance(REPORTS[name].REPORT.columns[column].type, wanted), column


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("name", REPORTS)
def test_every_report_compiles_for_every_database_in_the_order_of_every_column(name: str, dialect: str) -> None:
    report = REPORTS[name].REPORT
    for params in (base.Params(), base.Params(after=tuple(a_value(report.queryable[one.name].type) for one in report.key))):
        text = sql(REPORTS[name].statement("R1", params), dialect)
        assert report.table.name in text
        assert ("TOP" if dialect == "mssql" else "LIMIT") in text
    for column in report.queryable:
        if column != "examples":
            assert "ORDER BY" in sql(REPORTS[name].statement("R1", base.Params(orderings=(Ordering(column, True),))), dialect)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_what_stands_beside_rows_compiles_for_every_database(dialect: str) -> None:
    params = base.Params(filter=run_overview.REPORT.queryable["status"] == "FAILED", run_id="R1")
    for statement in (
        synthetic_opportunities.rank_statement("R1", ["L1", "L2"]),
        synthetic_opportunities.trade_statement("R1"),
        run_overview.status_statement("acme", params),
        run_overview.trend_statement("acme", params),
        base.count_statement(REPORTS["POOL_SWITCHING"].REPORT, base.Params()),
    ):
        assert sql(statement, dialect).startswith("SELECT")


@pytest.mark.parametrize(
    ("dialect", "literals"), [("sqlite", "('SWAPPED_IN', 'SWAPPED_OUT')"), ("mssql", "(N'SWAPPED_IN', N'SWAPPED_OUT')")]
)
def test_the_sides_of_a_switch_are_written_out_so_that_their_index_serves(dialect: str, literals: str) -> None:
    text = sql(REPORTS["POOL_SWITCHING"].statement("R1", base.Params()), dialect)
    assert f"pool_action IN {literals}" in text


def test_a_statement_is_compiled_once_for_all_pages() -> None:
    """Statements of one shape have one key in the cache of compiled statements, whatever run, page and values."""
    report = REPORTS["ALLOCATION_GUIDE"]
    keys = [
        report.statement(run_id, base.Params(page_size=size, after=(loan_id,)))._generate_cache_key()
        for run_id, size, loan_id in (("R1", 100, "L1"), ("R2", 500, "L2"))
    ]
    assert keys[0] is not None
    assert keys[0] == keys[1]
