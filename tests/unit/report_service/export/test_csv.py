"""CSV: what a reader of the standard gets back, and that a spreadsheet finds no formula in it."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.report_service.export.csv import FORMULA_STARTS, CsvEncoder, harmless
from services.report_service.reports.columns import Column
from shared.database.types import Exact
from tests.unit.report_service.export.rows import COLUMNS, ROWS, chunk_of, text_columns, whole


def test_every_type_of_cell() -> None:
    text = whole(CsvEncoder(COLUMNS), chunk_of(ROWS[:1]), chunk_of(ROWS[1:])).decode()
    heading, first, second, third, end = text.split("\r\n")
    assert heading == ",".join(COLUMNS)
    assert first == (
        "L1,-250000.00,100.71147260,2026-05-14,0,true,2026-04-17T12:30:15.250000Z,61.500000,"
        '"[""A"", ""B \\""b\\""""]",'
        '"[{""rank"": 1, ""syn_trade_id"": ""SYN-A"", ""settlement_date"": ""2026-05-14"", ""score"": ""101.00000001""}, '
        '{""rank"": 2, ""syn_trade_id"": ""SYN-B"", ""settlement_date"": ""2026-06-11"", ""score"": null}]"'
    )
    assert second == "L2,999999999999999999.99,,,1000000000000000,false,,,,"
    assert third == "," * (len(COLUMNS) - 1)
    assert end == ""


def test_a_report_without_rows_is_its_heading() -> None:
    columns = text_columns("a", "b")
    assert whole(CsvEncoder(columns), {"a": (), "b": ()}) == b"a,b\r\n"


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("=1+1", "'=1+1"),
        ("+1", "'+1"),
        ("-1", "'-1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "'\t=1"),
        ("\r=1", "'\r=1"),
        ("\n=1", "'\n=1"),
        ("a=1", "a=1"),
        ("'=1", "'=1"),
        ("", ""),
        (None, None),
    ],
)
def test_a_text_is_no_formula(text: str | None, written: str | None) -> None:
    assert harmless(text) == written


def test_a_negative_number_stays_a_number() -> None:
    columns = {"amount": Column(Exact(20, 2)), **text_columns("text")}
    assert whole(CsvEncoder(columns), {"amount": ["-1.50"], "text": ["-1.50"]}) == b"amount,text\r\n-1.50,'-1.50\r\n"


@given(st.lists(st.tuples(st.text(st.characters(exclude_categories=["Cs"])), st.text(st.characters(exclude_categories=["Cs"])))))
def test_any_text_comes_back_and_none_begins_like_a_formula(rows: list[tuple[str, str]]) -> None:
    columns = text_columns("a", "b")
    chunk = {"a": [a for a, _ in rows], "b": [b for _, b in rows]}
    data = whole(CsvEncoder(columns), chunk)
    heading, *read = csv.reader(io.StringIO(data.decode(), newline=""), strict=True)
    assert heading == ["a", "b"]
    assert [tuple(cell.removeprefix("'") for cell in row) for row in read] == [
        tuple(cell.removeprefix("'") for cell in row) for row in rows
    ]
    assert not any(cell[:1] in FORMULA_STARTS for row in read for cell in row)
