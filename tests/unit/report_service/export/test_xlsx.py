"""XLSX: read back with another library cell by cell, and what goes in as text comes back as text."""

import datetime as dt
import io
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from services.report_service.export.xlsx import MAX_TEXT, XlsxEncoder, number
from services.report_service.reports.columns import Column, Columns
from shared.database.types import Exact
from tests.unit.report_service.export.rows import COLUMNS, ROWS, chunk_of, text_columns, whole


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The directory for temporary files, of this test alone."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def sheet_of(columns: Columns, *chunks: Mapping[str, Sequence[Any]], name: str = "kickouts") -> Any:
    """The one sheet of the workbook."""
    book = openpyxl.load_workbook(io.BytesIO(whole(XlsxEncoder(name, columns), *chunks)))
    [sheet] = book.worksheets
    return sheet


def test_every_type_of_cell(temporary: Path) -> None:
    sheet = sheet_of(COLUMNS, chunk_of(ROWS[:1]), chunk_of(ROWS[1:]), name="synthetic_opportunities")
    heading, first, second = sheet.iter_rows()  # nothing is written of a row without anything
    assert sheet.title == "synthetic_opportunities"
    assert [cell.value for cell in heading] == list(COLUMNS)
    cells = dict(zip(COLUMNS, first, strict=True))
    assert {name: (cell.value, cell.data_type, cell.number_format) for name, cell in cells.items()} == {
        "loan_id": ("L1", "s", "General"),
        "amount": (-250000, "n", "#,##0.00"),
        "price": (100.7114726, "n", "#,##0.00000000"),
        "settlement_date": (dt.datetime(2026, 5, 14), "d", "yyyy-mm-dd"),
        "loan_count": (0, "n", "#,##0"),
        "locked": (True, "b", "General"),
        "submitted_at": (dt.datetime(2026, 4, 17, 12, 30, 15, 250_000), "d", "yyyy-mm-dd hh:mm:ss"),
        "duration": (61.5, "n", "#,##0.000000"),
        "examples": ('["A", "B \\"b\\""]', "s", "General"),
        "ranks": (cells["ranks"].value, "s", "General"),
    }
    assert cells["ranks"].value.startswith(
        '[{"rank": 1, "syn_trade_id": "SYN-A", "settlement_date": "2026-05-14", "score": "101.0'
    )
    assert [cell.value for cell in second][:6] == ["L2", "999999999999999999.99", None, None, "1000000000000000", False]
    assert list(temporary.iterdir()) == []


def test_the_heading_stays_in_sight_and_filters() -> None:
    sheet = sheet_of(COLUMNS, chunk_of(ROWS))
    assert sheet.freeze_panes == "A2"
    assert sheet.auto_filter.ref == "A1:J4"
    assert all(cell.font.bold for cell in sheet[1])
    widths = {column: sheet.column_dimensions[column].width for column in "AHJ"}
    assert 9 < widths["A"] < 12  # loan_id and the filter's button
    assert 10 < widths["H"] < 14
    assert 59 < widths["J"] < 62


def test_a_report_without_rows_has_its_heading() -> None:
    sheet = sheet_of(COLUMNS, chunk_of(()))
    assert (sheet.max_row, sheet.freeze_panes, sheet.auto_filter.ref) == (1, "A2", "A1:J1")


@pytest.mark.parametrize(
    "text",
    [
        "=1+1", "+1", "-1.5", "@SUM(A1)", "007", "1e5", "true", "2026-05-14", "https://example.com", "mailto:a@example.com",
        "internal:Sheet1!A1", "{=A1}", "<r>x</r>", "<r></r>", "<r><t>x</t></r>", "&lt;<>\"'", " spaced ", "two\nlines",
        "Ümläut 株", "x" * MAX_TEXT,
    ],
)  # fmt: skip
def test_a_text_is_a_text_whatever_it_looks_like(text: str) -> None:
    sheet = sheet_of(text_columns("text"), {"text": [text]})
    cell = sheet["A2"]
    assert (cell.value, cell.data_type, cell.hyperlink) == (text, "s", None)


def test_a_text_longer_than_a_cell_is_cut() -> None:
    sheet = sheet_of(text_columns("text"), {"text": ["x" * (MAX_TEXT + 1)]})
    assert sheet["A2"].value == "x" * (MAX_TEXT - 3) + "..."


@pytest.mark.parametrize(
    ("digits", "written"),
    [
        ("0.00", 0.0),
        ("-0.01", -0.01),
        ("8.95000000", 8.95),
        ("9999.99999999", 9999.99999999),
        ("9999999999999.99", 9999999999999.99),
        ("10000000000000.99", "10000000000000.99"),
        ("-10000000000000.99", "-10000000000000.99"),
        ("100000000000000.00", 1e14),
        ("1000000000000000.00", "1000000000000000.00"),
        ("999999999999999", 999999999999999.0),
        ("0.00000000000000012", 1.2e-16),
    ],
)
def test_a_number_of_more_than_15_digits_is_a_text(digits: str, written: float | str) -> None:
    assert number(digits) == written
    assert type(number(digits)) is type(written)


def test_numbers_come_back_exact() -> None:
    digits = [f"{cents // 100}.{cents % 100:02d}" for cents in range(89_490, 89_510)] + ["123456789012.34", "0.10", "-8.95"]
    sheet = sheet_of({"amount": Column(Exact(20, 2))}, {"amount": digits})
    assert [f"{cell.value:.2f}" for [cell] in sheet.iter_rows(min_row=2)] == digits


def test_days_before_spreadsheets_count_are_texts() -> None:
    days = [dt.date(1, 1, 1), dt.date(1900, 2, 28), dt.date(1900, 3, 1), dt.date(9999, 12, 31)]
    sheet = sheet_of({"settlement_date": COLUMNS["settlement_date"]}, {"settlement_date": days})
    assert [cell.value for [cell] in sheet.iter_rows(min_row=2)] == [
        "0001-01-01", "1900-02-28", dt.datetime(1900, 3, 1), dt.datetime(9999, 12, 31),
    ]  # fmt: skip


def test_a_workbook_given_up_leaves_nothing(temporary: Path) -> None:
    encoder = XlsxEncoder("kickouts", COLUMNS)
    encoder.add(chunk_of(ROWS))
    assert list(temporary.iterdir()) != []
    encoder.close()
    assert list(temporary.iterdir()) == []
