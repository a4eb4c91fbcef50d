"""An Office Open XML workbook with one sheet: typed cells, number formats by column, a frozen heading row with filters.

A number in a workbook is a binary float, which holds 15 digits: a decimal with more is written as text, digit by digit. Texts
are written as texts, whatever they look like. The sheet grows in a temporary directory, a row at a time, and becomes a
workbook when it is finished, so nothing comes out before.
"""

import datetime as dt
import tempfile
from pathlib import Path
from typing import Any, BinaryIO

import sqlalchemy as sa
import xlsxwriter

from services.report_service.export.encoder import Chunk
from services.report_service.export.plain import SECOND_PLACES, plain
from services.report_service.reports.cells import Cells
from services.report_service.reports.columns import Columns
from shared.database.types import Exact, UtcDateTime

MAX_DIGITS = 15
"""Decimal digits that a binary float restores, whatever they are."""

MAX_TEXT = 16_383
"""Characters of a text; a cell has room for twice as many units, and a character is one or two of them."""

MAX_WIDTH, ROOM = 60, 3
"""Characters that a column is wide at most, and those beyond its texts: for a filter's button or thousands separators."""

_DAY_ZERO = dt.date(1899, 12, 30)
_FIRST_DAY = dt.date(1900, 3, 1)
"""Spreadsheets count days from here alike: they disagree on whether 1900 was a leap year."""
_DAY = dt.timedelta(days=1)


class XlsxEncoder:
    """A workbook whose sheet is named after the report."""

    def __init__(self, name: str, columns: Columns) -> None:
        self._columns = columns
        self._directory = tempfile.TemporaryDirectory(prefix="powerfill-export-")
        self._path = Path(self._directory.name) / "report.xlsx"
        options = {"constant_memory": True, "tmpdir": self._directory.name, "use_zip64": True}
        self._workbook = xlsxwriter.Workbook(self._path, options)
        self._sheet = self._workbook.add_worksheet(name)
        self._writers = {
            str: self._write_text,
            bool: self._sheet.write_boolean,
            int: self._sheet.write_number,
            float: self._sheet.write_number,
        }
        self._rows = 0
        self._file: BinaryIO | None = None
        self._begin()

    def add(self, chunk: Chunk) -> None:
        """Write a row each."""
        single = {name: plain(column.type, chunk[name]) for name, column in self._columns.items()}
        if not self._rows:
            self._set_widths(single)
        writers = self._writers
        written = (_written(column.type, single[name]) for name, column in self._columns.items())
        for row in zip(*written, strict=True):
            self._rows += 1
            for number, cell in enumerate(row):
                if cell is not None:
                    writers[cell.__class__](self._rows, number, cell)

    def finish(self) -> None:
        """Make the workbook."""
        self._sheet.autofilter(0, 0, self._rows, len(self._columns) - 1)
        self._workbook.close()
        self._file = self._path.open("rb")

    def read(self, size: int) -> bytes:
        """The workbook, once it is finished."""
        return b"" if self._file is None else self._file.read(size)

    def close(self) -> None:
        """Remove the temporary directory."""
        if self._file is not None:
            self._file.close()
        self._sheet._opt_close()  # the rows' file, which XlsxWriter closes only with a finished workbook
        self._directory.cleanup()

    def _begin(self) -> None:
        bold = self._workbook.add_format({"bold": True, "bottom": 1})
        self._formats = [
            self._workbook.add_format({"num_format": code}) if (code := _format_code(column.type)) else None
            for column in self._columns.values()
        ]
        self._sheet.freeze_panes(1, 0)
        for number, name in enumerate(self._columns):
            self._sheet.write_string(0, number, name, bold)
        self._set_widths(dict.fromkeys(self._columns, ()))

    def _set_widths(self, cells: Chunk) -> None:
        """Columns as wide as their headings and these cells need."""
        for number, (name, column) in enumerate(cells.items()):
            longest = max(len(name), max((len(str(cell)) for cell in column), default=0))
            self._sheet.set_column(number, number, min(MAX_WIDTH, longest + ROOM), self._formats[number])

    def _write_text(self, row: int, column: int, text: str) -> None:
        if len(text) > MAX_TEXT:
            text = f"{text[: MAX_TEXT - 3]}..."
        if text.startswith("<r>") and text.endswith("</r>"):  # XlsxWriter takes it for runs of formatted text, as it is
            self._sheet.write_rich_string(row, column, text[0], text[1], text[2:])
        else:
            self._sheet.write_string(row, column, text)


def _written(kind: sa.types.TypeEngine[Any], single: Cells) -> Cells:
    """The `plain` cells of a column as texts, numbers and truth values; None where unset."""
    match kind:
        case Exact() | sa.Interval() | sa.Integer():
            return [None if cell is None else number(str(cell)) for cell in single]
        case sa.Date():
            return [None if cell is None else day_number(cell) for cell in single]
        case UtcDateTime():
            return [None if cell is None else moment_number(cell) for cell in single]
        case _:
            return single


def number(digits: str) -> float | str:
    """The number where a float holds it, its digits where not."""
    if len(digits) > MAX_DIGITS:
        whole, _, places = digits.lstrip("-").partition(".")
        if len((whole + places.rstrip("0")).lstrip("0")) > MAX_DIGITS:
            return digits
    return float(digits)


def day_number(day: dt.date) -> int | str:
    """A day as spreadsheets count them; as text where they do not count."""
    return (day - _DAY_ZERO).days if day >= _FIRST_DAY else day.isoformat()


def moment_number(moment: dt.datetime) -> float | str:
    """A moment in UTC as a day number with its part of the day."""
    if moment.date() < _FIRST_DAY:
        return moment.isoformat()
    return (moment.replace(tzinfo=None) - dt.datetime.combine(_DAY_ZERO, dt.time())) / _DAY


def _format_code(kind: sa.types.TypeEngine[Any]) -> str:
    """How spreadsheets show the numbers of a column; empty for texts and truth values."""
    match kind:
        case Exact():
            return f"#,##0.{'0' * kind.scale}"
        case sa.Interval():
            return f"#,##0.{'0' * SECOND_PLACES}"
        case sa.Integer():
            return "#,##0"
        case sa.Date():
            return "yyyy-mm-dd"
        case UtcDateTime():
            return "yyyy-mm-dd hh:mm:ss"
        case _:
            return ""
