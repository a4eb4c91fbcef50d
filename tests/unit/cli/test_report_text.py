"""A report on a terminal: its run and how fresh it is above the table, what is hidden below it."""

import polars as pl
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from google.type.date_pb2 import Date
from powerfill.common.v1.run_status_pb2 import RunStatus
from powerfill.report.v1.report_pb2 import Freshness, Note, NoteCode, OtherRun, ReportHeader
from rich.console import Console

from cli.report_pages import REPORTS, ReportRows
from cli.report_text import IMPORTANCE, VERDICTS, header_lines, print_report

HEADER = ReportHeader(
    run_id="r1", as_of_date=Date(year=2026, month=4, day=17), completed_at=Timestamp(seconds=1_776_400_000), row_count=2,
    freshness=Freshness.FRESHNESS_CURRENT, status=RunStatus.RUN_STATUS_COMPLETE,
)  # fmt: skip
ROWS = pl.DataFrame(
    {
        "loan_id": ["L1", "L2"],
        "loan_amount": ["250000.00", None],
        "note_rate": ["6.625", "6.5"],
        "reason": ["NO_CAPACITY", "DATA_ERROR"],
    }
).with_columns(pl.col("loan_amount").cast(pl.Decimal(14, 2)), pl.col("note_rate").cast(pl.Decimal(10, 6)))


def test_every_verdict_has_words_and_every_column_named_is_one() -> None:
    assert set(VERDICTS) == set(Freshness.values()) - {Freshness.FRESHNESS_UNSPECIFIED}
    for name, columns in IMPORTANCE.items():
        assert set(columns) <= set(REPORTS[name].columns)
        assert columns[0] in REPORTS[name].key


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
        "TERMINAL_EMPTY: the run did not complete: no rows",
        "CANCELLED in allocation: cancelled by request",
    ]


def test_no_run_yet() -> None:
    header = ReportHeader(freshness=Freshness.FRESHNESS_NO_RUN_YET)
    assert list(header_lines("kickouts", "acme", header)) == ["kickouts of acme", "NO_RUN_YET: no complete run yet: no rows"]


def test_a_narrow_terminal_hides_columns_and_names_them(capsys: pytest.CaptureFixture[str]) -> None:
    print_report(Console(width=36, highlight=False), "kickouts", "acme", ReportRows(HEADER, ROWS), all_columns=False)
    lines = capsys.readouterr().out.splitlines()
    assert lines[3:7] == [
        "loan_id  loan_amount  reason",
        "-------  -----------  -----------",
        "L1        250,000.00  NO_CAPACITY",
        "L2                    DATA_ERROR",
    ]
    assert lines[-1] == "hidden for want of room (1): note_rate; --columns a,b chooses"


def test_chosen_columns_are_shown_however_narrow(capsys: pytest.CaptureFixture[str]) -> None:
    print_report(Console(width=20, highlight=False), "kickouts", "acme", ReportRows(HEADER, ROWS.head(1)), all_columns=True)
    text = capsys.readouterr().out
    assert "6.625" in text
    assert "1 of 2 rows; without --limit all are shown" in text
    assert "hidden" not in text


def test_an_empty_report_is_its_header(capsys: pytest.CaptureFixture[str]) -> None:
    print_report(Console(width=80), "kickouts", "acme", ReportRows(HEADER, ROWS.clear()), all_columns=False)
    assert len(capsys.readouterr().out.splitlines()) == 2
