"""A workbook in an office program: LibreOffice opens it and shows the numbers, dates and texts that the report has."""

import csv
import io
import shutil
import subprocess
from pathlib import Path

import pytest

from services.report_service.export.xlsx import XlsxEncoder
from shared.database.types import Exact
from tests.integration.report_service.desk import Client, Desk
from tests.integration.report_service.exporting import columns_of, exported, rows_of
from tests.integration.report_service.said import Plain
from tests.integration.report_service.whole import whole_run
from tests.unit.report_service.export.rows import text_columns, whole

SOFFICE = shutil.which("soffice")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(SOFFICE is None, reason="soffice is not installed (Debian package libreoffice-calc-nogui)"),
]


def converted(workbook: bytes, directory: Path) -> list[list[str]]:
    """The cells of the sheet as LibreOffice shows them."""
    (directory / "report.xlsx").write_bytes(workbook)
    profile = f"-env:UserInstallation={(directory / 'profile').as_uri()}"
    text_filter = "csv:Text - txt - csv (StarCalc):44,34,76"  # comma, double quotes, UTF-8
    subprocess.run(
        [SOFFICE or "", profile, "--headless", "--convert-to", text_filter, "--outdir", directory, directory / "report.xlsx"],
        check=True, capture_output=True, timeout=50,
    )  # fmt: skip
    text = (directory / "report.csv").read_text(encoding="utf-8")
    return list(csv.reader(io.StringIO(text, newline=""), strict=True))


def shown(report: str, row: Plain) -> list[str]:
    """A row of a report as a spreadsheet with its number formats shows it."""
    return [_shown(columns_of(report)[name].type, cell) for name, cell in row.items()]


def _shown(kind: object, cell: object) -> str:
    match cell:
        case None:
            return ""
        case bool():
            return str(cell).upper()
        case int():
            return f"{cell:,}"
        case str() if isinstance(kind, Exact):
            whole_part, _, places = cell.partition(".")
            return f"{'-' if cell.startswith('-') else ''}{abs(int(whole_part)):,}.{places}"
        case _:
            return str(cell)


@pytest.mark.parametrize("report", ["allocation_guide", "trade_recap"])
async def test_an_office_program_shows_the_report(desk: Desk, client: Client, tmp_path: Path, report: str) -> None:
    await desk.ran("R1", whole_run(), minute=1)
    _, workbook = await exported(client, report, "XLSX")
    _, text = await exported(client, report, "CSV")
    heading, *rows = converted(workbook, tmp_path)
    assert heading == list(columns_of(report))
    assert rows == [shown(report, row) for row in rows_of(report, "CSV", text)]
    assert len(rows) > 3


def test_an_office_program_takes_no_text_for_anything_else(tmp_path: Path) -> None:
    texts = [
        "=1+1", "+1", "-1", "@SUM(A1)", "<r>x</r>", "007", "1e5", "TRUE", "https://example.com", "_x0041_", "tab\tx", "a\x01b",
        "株",
    ]  # fmt: skip
    [_, *rows] = converted(whole(XlsxEncoder("kickouts", text_columns("text")), {"text": texts}), tmp_path)
    assert [text for [text] in rows] == texts
