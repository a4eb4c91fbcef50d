"""Rows on the wire into columns: exact, null where unset, nothing lost."""

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp
from google.type.date_pb2 import Date
from google.type.decimal_pb2 import Decimal as DecimalMessage
from powerfill.common.v1.run_status_pb2 import RunStatus
from powerfill.report.v1.allocation_guide_pb2 import AllocationGuideRow
from powerfill.report.v1.kickouts_pb2 import KickoutRow
from powerfill.report.v1.report_service_pb2 import ReportName
from powerfill.report.v1.report_service_pb2_grpc import ReportServiceServicer
from powerfill.report.v1.run_log_pb2 import RunLogRow
from powerfill.report.v1.run_overview_pb2 import RunOverviewRow
from powerfill.report.v1.synthetic_opportunities_pb2 import SyntheticOpportunityRow, SyntheticRank
from powerfill.report.v1.trade_recap_pb2 import TradeRecapRow

from cli.exit_codes import CommandError
from cli.report_pages import REPORTS, columns_of, is_figure, json_rows
from services.report_service.reports.catalogue import REPORTS as CATALOGUE


def columns(report: str, *rows: Any) -> dict[str, Any]:
    return dict(columns_of(rows, REPORTS[report].fields))


def test_every_report_of_the_contract_is_there() -> None:
    assert [(name.upper(), report.number) for name, report in REPORTS.items()] == [
        (name.removeprefix("REPORT_NAME_"), number) for name, number in ReportName.items() if number
    ]
    for report in REPORTS.values():
        assert hasattr(ReportServiceServicer, report.method.name)
        assert report.method.input_type.name == f"{report.method.name}Request"


def test_columns_are_those_of_the_service() -> None:
    for name, report in REPORTS.items():
        assert list(report.fields) == list(CATALOGUE[name.upper()].REPORT.columns)


def test_what_stands_beside_the_rows() -> None:
    assert {name: list(report.beside) for name, report in REPORTS.items() if report.beside} == {
        "synthetic_opportunities": ["synthetic_trades"],
        "run_overview": ["status_distribution", "latest_run", "trend"],
    }


def test_a_row_with_everything_and_one_with_nothing() -> None:
    whole = AllocationGuideRow(
        loan_id="L1", loan_amount=DecimalMessage(value="250000.00"), note_rate=DecimalMessage(value="6.625000"),
        settlement_date=Date(year=2026, month=5, day=14), priority=0, rank=1, score=DecimalMessage(value="100.71147260"),
        constraint_id="C1", locked=True,
    )  # fmt: skip
    read = columns("allocation_guide", whole, AllocationGuideRow(loan_id="L2"))
    first, second = (dict(zip(read, row, strict=True)) for row in zip(*read.values(), strict=True))
    assert (first["loan_amount"], first["note_rate"]) == (Decimal("250000.00"), Decimal("6.625"))
    assert (first["score"], first["settlement_date"]) == (Decimal("100.71147260"), dt.date(2026, 5, 14))
    assert (first["priority"], first["rank"], first["constraint_id"], first["locked"]) == (0, 1, "C1", True)
    assert {name: value for name, value in second.items() if value is not None} == {"loan_id": "L2", "locked": False}


def test_counts_are_never_unset() -> None:
    assert columns("trade_recap", TradeRecapRow(trade_id="T1"))["allocated_count"] == [0]


def test_no_rows_have_their_columns() -> None:
    assert columns("kickouts") == {name: [] for name in REPORTS["kickouts"].fields}


def test_moments_lengths_of_time_and_words() -> None:
    run = RunOverviewRow(
        status=RunStatus.RUN_STATUS_COMPLETE, submitted_at=Timestamp(seconds=1_776_400_000), duration=Duration(seconds=90),
        in_scope_count=0,
    )  # fmt: skip
    read = columns("run_overview", run, RunOverviewRow())
    moment = dt.datetime.fromtimestamp(1_776_400_000, dt.UTC)
    assert [read[name] for name in ("status", "submitted_at", "duration", "in_scope_count")] == [
        ["COMPLETE", None],
        [moment, None],
        [dt.timedelta(seconds=90), None],
        [0, None],
    ]
    assert json_rows({name: read[name] for name in ("submitted_at", "duration")}) == [
        {"submitted_at": moment.isoformat().replace("+00:00", "Z"), "duration": 90.0},
        {"submitted_at": None, "duration": None},
    ]


def test_lists_and_nested_rows() -> None:
    assert columns("run_log", RunLogRow(examples=["L1", "L2"]), RunLogRow())["examples"] == [["L1", "L2"], None]
    rank = SyntheticRank(rank=1, syn_trade_id="SYN-A", score=DecimalMessage(value="101.00000001"))
    ranks = columns("synthetic_opportunities", SyntheticOpportunityRow(ranks=[rank]))["ranks"]
    assert ranks == [[rank]]
    [row] = json_rows({"ranks": ranks})
    assert (row["ranks"][0]["rank"], row["ranks"][0]["score"], row["ranks"][0]["price"]) == (1, "101.00000001", None)


@pytest.mark.parametrize("text", ["x", "NaN", "1e5", " 1", "1.", "--1", "\N{FULLWIDTH DIGIT ONE}"])
def test_what_is_no_decimal_is_refused(text: str) -> None:
    with pytest.raises(CommandError, match="loan_amount"):
        columns("kickouts", KickoutRow(loan_id="L1", loan_amount=DecimalMessage(value=text)))


def test_json_rows_are_exact() -> None:
    read = columns("kickouts", KickoutRow(loan_id="L1", best_score=DecimalMessage(value="0.00000001")))
    chosen = {name: read[name] for name in ("loan_id", "best_score", "loan_amount")}
    assert json_rows(chosen) == [{"loan_id": "L1", "best_score": "0.00000001", "loan_amount": None}]


def test_figures_are_numbers_and_lengths_of_time() -> None:
    reports = ("run_overview", "run_log", "kickouts")
    figures = {name for report in reports for name, field in REPORTS[report].fields.items() if is_figure(field)}
    assert {"value", "duration", "in_scope_count", "sequence", "loan_amount"} <= figures
    assert figures.isdisjoint({"run_id", "status", "as_of_date", "submitted_at", "examples", "loan_id"})
