"""A report on a terminal: its run and how fresh it is above the table, what is hidden below it."""

import datetime as dt
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from google.type.date_pb2 import Date
from google.type.decimal_pb2 import Decimal as DecimalMessage
from powerfill.common.v1.run_status_pb2 import RunStatus
from powerfill.report.v1.report_pb2 import Freshness, Note, NoteCode, OtherRun, ReportHeader
from powerfill.report.v1.synthetic_opportunities_pb2 import SyntheticRank
from rich.console import Console

from cli.report_cells import cell_text
from cli.report_pages import REPORTS, ReportRows
from cli.report_text import IMPORTANCE, VERDICTS, header_lines, print_report

HEADER = ReportHeader(
    run_id="r1", as_of_date=Date(year=2026, month=4, day=17), completed_at=Timestamp(seconds=1_776_400_000), row_count=2,
    freshness=Freshness.FRESHNESS_CURRENT, status=RunStatus.RUN_STATUS_COMPLETE,
)  # fmt: skip
ROWS: Mapping[str, list[Any]] = {
    "loan_id": ["L1", "L2"],
    "loan_amount": [Decimal("250000.00"), None],
    "note_rate": [Decimal("6.625000"), Decimal("6.500000")],
    "reason": ["NO_CAPACITY", "DATA_ERROR"],
}


def kickouts(rows: int = 2) -> ReportRows:
    return ReportRows(HEADER, {name: cells[:rows] for name, cells in ROWS.items()}, {})


def test_every_verdict_has_words_and_every_column_named_is_one() -> None:
    assert set(VERDICTS) == set(Freshness.values()) - {Freshness.FRESHNESS_UNSPECIFIED}
    assert list(IMPORTANCE) == list(REPORTS)
    for name, columns in IMPORTANCE.items():
        assert len(set(columns)) == len(columns)
        assert set(columns) <= set(REPORTS[name].fields)


def test_a_current_report() -> None:
    first, verdict = header_lines("kickouts", "acme", HEADER)
    assert first.startswith("kickouts of acme, run r1, as of 2026-04-17, completed 2026-04-1")
    assert first.endswith(": 2 rows")
    assert verdict == "CURRENT: the latest complete run, and nothing newer has been attempted"


def test_another_run_and_notes() -> None:
    header = ReportHeader()
    header.CopyFrom(HEADER)
    header.freshness = Freshness.FRESHNESS_SUPERSEDED_BY_FAILURE
    header.other_run.CopyFrom(OtherRun(run_id="r2", status=RunStatus.RUN_STATUS_FAILED, failure_step="ue"))
    header.notes.append(Note(code=NoteCode.NOTE_CODE_NO_SYNTHETIC_PRICES, text="none were loaded"))
    assert list(header_lines("kickouts", "acme", header))[1:] == [
        "SUPERSEDED_BY_FAILURE: the latest complete run, but a newer attempt did not complete (run r2, FAILED in ue)",
        "note NO_SYNTHETIC_PRICES: none were loaded",
    ]


def test_a_run_without_output_says_where_it_ended() -> None:
    header = ReportHeader(
        run_id="r1", freshness=Freshness.FRESHNESS_TERMINAL_EMPTY, status=RunStatus.RUN_STATUS_CANCELLED,
        failure_step="allocation", failure_message="cancelled by request",
    )  # fmt: skip
    assert list(header_lines("kickouts", "acme", header))[1:] == [
        "TERMINAL_EMPTY: the run did not complete",
        "CANCELLED in allocation: cancelled by request",
    ]


def test_no_run_yet() -> None:
    header = ReportHeader(freshness=Freshness.FRESHNESS_NO_RUN_YET)
    assert list(header_lines("kickouts", "acme", header)) == ["kickouts of acme", "NO_RUN_YET: no complete run yet"]


def test_a_narrow_terminal_hides_columns_and_names_them(capsys: pytest.CaptureFixture[str]) -> None:
    print_report(Console(width=36, highlight=False), "kickouts", "acme", kickouts(), all_columns=False)
    lines = capsys.readouterr().out.splitlines()
    assert lines[3:7] == [
        "loan_id  loan_amount  reason",
        "-------  -----------  -----------",
        "L1        250,000.00  NO_CAPACITY",
        "L2                    DATA_ERROR",
    ]
    assert lines[-1] == "hidden for want of room (1): note_rate; --columns a,b chooses"


def test_chosen_columns_are_shown_however_narrow(capsys: pytest.CaptureFixture[str]) -> None:
    print_report(Console(width=20, highlight=False), "kickouts", "acme", kickouts(1), all_columns=True)
    text = capsys.readouterr().out
    assert "6.625" in text
    assert "1 of 2 rows; without --limit all are shown" in text
    assert "hidden" not in text


def test_an_empty_report_is_its_header(capsys: pytest.CaptureFixture[str]) -> None:
    print_report(Console(width=80), "kickouts", "acme", kickouts(0), all_columns=False)
    assert len(capsys.readouterr().out.splitlines()) == 2


def test_the_run_overview_says_how_the_runs_ended_and_what_the_latest_gave(capsys: pytest.CaptureFixture[str]) -> None:
    run: dict[str, Any] = dict.fromkeys(REPORTS["run_overview"].fields)
    run |= {
        "run_id": "r1", "status": "COMPLETE", "value": Decimal("1234567.80"), "gap_bp": Decimal("0.120000"),
        "kicked_out_count": 7, "allocated_pct": Decimal("98.500000"), "total_pair_off": Decimal("12.00"),
        "duration": dt.timedelta(seconds=6.26),
    }  # fmt: skip
    point = dict.fromkeys(REPORTS["run_overview"].beside["trend"]) | {"run_id": "r1", "value": run["value"]}
    beside: dict[str, Any] = {
        "status_distribution": {"status": ["COMPLETE", "FAILED"], "run_count": [1200, 1]},
        "latest_run": {name: [cell] for name, cell in run.items()},
        "trend": {name: [cell] for name, cell in point.items()},
    }
    report = ReportRows(HEADER, {name: [cell] for name, cell in run.items()}, beside)
    print_report(Console(width=100, highlight=False), "run_overview", "acme", report, all_columns=False)
    lines = capsys.readouterr().out.splitlines()
    assert lines[2:4] == [
        "runs: 1,200 COMPLETE, 1 FAILED",
        "latest complete run r1: value $1,234,567.80, gap 0.12 bp, 98.5 % of the in-scope amount allocated, pair-off $12.00, "
        "7 loans left out, took 6.3 s",
    ]
    assert lines[5].split()[:3] == ["run_id", "status", "as_of_date"]
    below = lines[lines.index("Value and fill over time") + 1 :]
    assert below[2].split() == ["r1", "1,234,567.80"]


def test_nested_rows_and_lists_are_brief(capsys: pytest.CaptureFixture[str]) -> None:
    ranks = [
        SyntheticRank(rank=rank, syn_trade_id=f"SYN-{rank}", score=DecimalMessage(value=f"10{rank}.50000000"))
        for rank in range(1, 10)
    ]
    columns: dict[str, Any] = {"loan_id": ["L1"], "ranks": [ranks]}
    trades: dict[str, Any] = {
        "syn_trade_id": [f"SYN-{number}" for number in range(12)], "amount": [Decimal(number) for number in range(12)],
    }  # fmt: skip
    report = ReportRows(HEADER, columns, {"synthetic_trades": trades})
    print_report(Console(width=80, highlight=False), "synthetic_opportunities", "acme", report, all_columns=False)
    text = capsys.readouterr().out
    assert "L1       SYN-1 101.50, SYN-2 102.50, SYN-3 103.50, SYN-..\n" in text
    title, _, _, first, *_, last = text.splitlines()[-13:]
    assert title.startswith("Synthetic trades: the kickouts")
    assert title.endswith("(10 of 12; --json has all)")
    assert (first.split(), last.split()) == (["SYN-11", "11.00"], ["SYN-2", "2.00"])
    assert cell_text(["L1", "L2"]) == "L1, L2"
