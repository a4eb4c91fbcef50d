"""The formats of files by the contract's words; a format's library is loaded with the first file that needs it."""

import os
from collections.abc import Callable, Mapping

from services.report_service.export.csv import CsvEncoder
from services.report_service.export.encoder import Encoder
from services.report_service.reports.columns import Columns
from shared.errors import invalid_field

MAX_ROWS: Mapping[str, int] = {"XLSX": 2**20 - 1}
"""Rows that a format has room for, where there is a limit: a sheet's rows but for the heading."""


def new_encoder(form: str, name: str, columns: Columns, row_count: int) -> Encoder:
    """An encoder for the report of this name with these columns. Raises INVALID_FIELD where the rows have no room."""
    most = MAX_ROWS.get(form, row_count)
    if row_count > most:
        raise invalid_field("format", f"{form} has room for {most} rows and the report has {row_count}; ask for PARQUET or CSV")
    return FORMATS[form](name, columns)


def _parquet(_name: str, columns: Columns) -> Encoder:
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")  # read when it is loaded; its own pool keeps 20 MB for itself
    from services.report_service.export.parquet import ParquetEncoder  # noqa: PLC0415 - pyarrow, 40 MB

    return ParquetEncoder(columns)


def _csv(_name: str, columns: Columns) -> Encoder:
    return CsvEncoder(columns)


def _xlsx(name: str, columns: Columns) -> Encoder:
    from services.report_service.export.xlsx import XlsxEncoder  # noqa: PLC0415 - XlsxWriter, 4 MB

    return XlsxEncoder(name, columns)


FORMATS: Mapping[str, Callable[[str, Columns], Encoder]] = {"PARQUET": _parquet, "CSV": _csv, "XLSX": _xlsx}
"""An encoder for a report of this name with these columns, by the words of powerfill.report.v1.ExportFormat."""
