"""Rows on the wire into typed columns: exact, null where unset, nothing lost."""

import datetime as dt
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from google.type.date_pb2 import Date
from google.type.decimal_pb2 import Decimal as DecimalMessage
from powerfill.report.v1.allocation_guide_pb2 import AllocationGuideRow
from powerfill.report.v1.kickouts_pb2 import KickoutRow
from powerfill.report.v1.report_service_pb2 import ReportName
from powerfill.report.v1.report_service_pb2_grpc import ReportServiceServicer
from powerfill.report.v1.trade_recap_pb2 import TradeRecapRow

from cli.exit_codes import CommandError
from cli.report import harmless
from cli.report_pages import EXPORTED, REPORTS, frame_of, json_rows
from shared.rpc.values import enum_words

ROWS: dict[str, Any] = {"allocation_guide": AllocationGuideRow, "kickouts": KickoutRow, "trade_recap": TradeRecapRow}


def test_every_report_of_the_contract_is_there() -> None:
    names = [word.lower() for word in enum_words(ReportName.DESCRIPTOR).values()]
    assert list(REPORTS) == names
    for report in REPORTS.values():
        assert hasattr(ReportServiceServicer, report.rpc)
        assert report.request.DESCRIPTOR.name == f"{report.rpc}Request"


def test_columns_are_those_of_the_contract() -> None:
    assert list(EXPORTED) == list(ROWS)
    for name, row in ROWS.items():
        assert list(REPORTS[name].columns) == [field.name for field in row.DESCRIPTOR.fields]
        assert set(REPORTS[name].key) <= set(REPORTS[name].columns)


def test_a_row_with_everything_and_one_with_nothing() -> None:
    whole = AllocationGuideRow(
        loan_id="L1", loan_amount=DecimalMessage(value="250000.00"), note_rate=DecimalMessage(value="6.625000"),
        settlement_date=Date(year=2026, month=5, day=14), priority=0, rank=1, score=DecimalMessage(value="100.71147260"),
        constraint_id="C1", locked=True,
    )  # fmt: skip
    columns = REPORTS["allocation_guide"].columns
    frame = frame_of([whole, AllocationGuideRow(loan_id="L2")], columns)
    assert frame.schema == pl.Schema(columns)
    first, second = frame.to_dicts()
    assert (first["loan_amount"], first["note_rate"]) == (Decimal("250000.00"), Decimal("6.625"))
    assert (first["score"], first["settlement_date"]) == (Decimal("100.71147260"), dt.date(2026, 5, 14))
    assert (first["priority"], first["rank"], first["constraint_id"], first["locked"]) == (0, 1, "C1", True)
    assert {name for name, value in second.items() if value is not None} == {"loan_id", "locked"}


def test_counts_are_never_unset() -> None:
    frame = frame_of([TradeRecapRow(trade_id="T1")], REPORTS["trade_recap"].columns)
    assert frame["allocated_count"].to_list() == [0]


def test_no_rows_keep_their_types() -> None:
    columns = REPORTS["kickouts"].columns
    assert frame_of([], columns).schema == pl.Schema(columns)


@pytest.mark.parametrize("text", ["1.005", "x", "NaN", "1e5", "", " 1", "12345678901234.00"])
def test_a_decimal_that_does_not_fit_is_refused_rather_than_cut(text: str) -> None:
    rows = [KickoutRow(loan_id="L1", loan_amount=DecimalMessage(value=text))]
    columns = {"loan_amount": REPORTS["kickouts"].columns["loan_amount"]}
    if not text:
        assert frame_of(rows, columns)["loan_amount"].to_list() == [None]
        return
    with pytest.raises(CommandError, match="loan_amount"):
        frame_of(rows, columns)


def test_json_rows_are_exact() -> None:
    frame = frame_of(
        [KickoutRow(loan_id="L1", best_score=DecimalMessage(value="100.00000001"))],
        {name: REPORTS["kickouts"].columns[name] for name in ("loan_id", "best_score", "loan_amount")},
    )
    assert json_rows(frame) == [{"loan_id": "L1", "best_score": "100.00000001", "loan_amount": None}]


def test_a_csv_holds_no_formulas() -> None:
    rows = pl.DataFrame({"text": ["=1+1", "+1", "-1", "@x", "\tx", "a=1", "", None], "figure": [-1] * 8})
    assert harmless(rows)["text"].to_list() == ["'=1+1", "'+1", "'-1", "'@x", "'\tx", "a=1", "", None]
    assert harmless(rows)["figure"].to_list() == [-1] * 8
