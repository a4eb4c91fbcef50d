"""Comma-separated text after RFC 4180: UTF-8, a heading line, lines ended by CR LF, an empty field where unset.

Numbers are written digit by digit as the report has them and never changed. A text that a spreadsheet would take for a
formula gets an apostrophe before it, which is the one way in which a cell can differ from the report's.
"""

import csv
import io
from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa

from services.report_service.export.encoder import Chunk, Outbox
from services.report_service.export.plain import plain
from services.report_service.reports.cells import Cells
from services.report_service.reports.columns import Columns
from shared.database.types import Exact, UtcDateTime

FORMULA_STARTS = frozenset("=+-@\t\r\n")
"""How a text begins that a spreadsheet would take for a formula, or might once it has skipped the first character."""


class CsvEncoder:
    """A CSV file."""

    def __init__(self, columns: Columns) -> None:
        self._columns = columns
        self._outbox = Outbox()
        self._write([tuple(columns)])

    def add(self, chunk: Chunk) -> None:
        """Write a line a row."""
        self._write(zip(*(_written(column.type, chunk[name]) for name, column in self._columns.items()), strict=True))

    def finish(self) -> None:
        """There is nothing after the last line."""

    def read(self, size: int) -> bytes:
        """The lines written so far."""
        return self._outbox.read(size)

    def close(self) -> None:
        """Nothing is held but memory."""

    def _write(self, rows: Iterable[Iterable[Any]]) -> None:
        text = io.StringIO(newline="")
        csv.writer(text, lineterminator="\r\n").writerows(rows)
        self._outbox.write(text.getvalue().encode())


def harmless(text: str | None) -> str | None:
    """The text, behind an apostrophe where a spreadsheet would take it for a formula."""
    return f"'{text}" if text and text[0] in FORMULA_STARTS else text


def _written(kind: sa.types.TypeEngine[Any], cells: Cells) -> Cells:
    single = plain(kind, cells)
    match kind:
        case Exact() | sa.Integer() | sa.Interval() | sa.Date():
            return single
        case sa.Boolean():
            return [None if cell is None else "true" if cell else "false" for cell in single]
        case UtcDateTime():
            return [None if cell is None else cell.isoformat().replace("+00:00", "Z") for cell in single]
        case _:
            return [harmless(cell) for cell in single]
