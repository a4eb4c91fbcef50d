"""Input files of a tenant: Parquet and CSV, one a table, read and judged before anything is written.

A row is counted from 1, the first below the header. In CSV an empty field is null; the first line names the columns.
"""

import csv
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import polars as pl
import sqlalchemy as sa

from shared.database.bulk import frame_type
from shared.database.tables import CONFIG_TABLES, LENDER_TABLES, optional_columns
from shared.database.values import convert, describe_misfit

LOADABLE: dict[str, sa.Table] = {
    **LENDER_TABLES,
    **{name: CONFIG_TABLES[name] for name in CONFIG_TABLES if name != "pfill_preflight_settings"},
}
"""The tables a file can fill, by name."""

GENERATED_KEYS = {
    "pfill_constraints": ("constraint_id", "CONSTRAINT-"),
    "pfill_carry_cost": ("curve_id", "CURVE-"),
    "pfill_lockdown": ("lock_id", "LOCK-"),
}
"""Keys that rows need not have: the column, and what a generated one begins with."""

SUFFIXES = (".parquet", ".csv")
_NOT_IN_FILES = "row_version"


@dataclass(frozen=True)
class Problem:
    """What is wrong in a file, and where."""

    file: str
    message: str
    column: str | None = None
    row: int | None = None

    def place_and_message(self) -> str:
        """The column and row, as far as it is about one, and what is wrong."""
        place = [f"column {self.column}"] * (self.column is not None) + [f"row {self.row}"] * (self.row is not None)
        return f"{', '.join(place)}: {self.message}" if place else self.message


class UnreadableFileError(Exception):
    """A file that is not what its name says."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


def read_file(path: Path, table: sa.Table, *, others_allowed: bool = False) -> tuple[pl.DataFrame, list[Problem]]:
    """The file's rows with the table's columns, types and keys, and everything that is wrong with them.

    A column that the table does not have is wrong, or with `others_allowed` left out.
    """
    try:
        raw = _read_csv(path) if path.suffix == ".csv" else _read_parquet(path)
    except UnreadableFileError as error:
        return pl.DataFrame(), [error.problem]
    problems = _column_problems(path.name, raw, table, others_allowed=others_allowed)
    columns = []
    for column in table.columns:
        if column.name in raw.columns and column.name != _NOT_IN_FILES:
            series, problem = _column(path.name, raw[column.name], column)
            columns.append(series)
            problems += [problem] if problem else []
    if problems:
        return pl.DataFrame(), problems
    frame = _with_keys(pl.DataFrame(columns), table)
    return frame, _key_problems(path.name, frame, table)


def _column_problems(file: str, raw: pl.DataFrame, table: sa.Table, *, others_allowed: bool) -> list[Problem]:
    known = [column.name for column in table.columns if column.name != _NOT_IN_FILES]
    may_lack = {*optional_columns(table), GENERATED_KEYS.get(table.name, ("",))[0]}
    unknown = [
        Problem(file, f"is no column of {table.name}; those are {', '.join(known)}", name)
        for name in raw.columns
        if name not in known and not others_allowed
    ]
    return unknown + [Problem(file, "is missing", name) for name in known if name not in raw.columns and name not in may_lack]


def _column(file: str, raw: pl.Series, column: sa.Column[Any]) -> tuple[pl.Series, Problem | None]:
    dtype = frame_type(column)
    series = convert(raw, dtype)
    misfits = series.is_null() & raw.is_not_null()
    if misfits.any():
        row = int(misfits.arg_true()[0])
        return series, Problem(file, describe_misfit(raw[row], dtype) + _others(misfits), column.name, row + 1)
    length = getattr(column.type, "length", None)
    if length is not None:
        longer = (series.str.len_chars() > length).fill_null(value=False)
        if longer.any():
            row = int(longer.arg_true()[0])
            return series, Problem(file, f"text longer than {length} characters{_others(longer)}", column.name, row + 1)
    return series, None


def _others(rows: pl.Series) -> str:
    count = int(rows.sum()) - 1
    return f" (and {count:,} more)" if count else ""


def _with_keys(frame: pl.DataFrame, table: sa.Table) -> pl.DataFrame:
    """The frame with keys for the rows that have none, numbered in the order of the file and unlike any given."""
    if table.name not in GENERATED_KEYS:
        return frame
    column, prefix = GENERATED_KEYS[table.name]
    given = frame[column] if column in frame.columns else pl.Series(column, [None] * frame.height, dtype=pl.String)
    taken = set(given.drop_nulls())
    fresh = (key for key in (f"{prefix}{number:06d}" for number in range(1, 2 * frame.height + 1)) if key not in taken)
    missing = given.is_null().arg_true()
    return frame.with_columns(given.scatter(missing, list(islice(fresh, len(missing)))).alias(column))


def _key_problems(file: str, frame: pl.DataFrame, table: sa.Table) -> list[Problem]:
    key = [column.name for column in table.primary_key]
    problems = []
    for name in key:
        empty = frame[name].is_null() | (frame[name] == "" if frame[name].dtype == pl.String else False)
        if empty.any():
            problems.append(Problem(file, f"a key must not be empty{_others(empty)}", name, int(empty.arg_true()[0]) + 1))
    if not key or problems:
        return problems
    again = ~frame.select(pl.struct(key).is_first_distinct()).to_series()
    if again.any():
        row = int(again.arg_true()[0])
        values = frame.select(key).row(row)
        same = frame.select(pl.all_horizontal(pl.col(name) == value for name, value in zip(key, values, strict=True)))
        first = int(same.to_series().arg_true()[0]) + 1
        text = f"{', '.join(map(str, values))} is there already, in row {first}{_others(again)}"
        problems.append(Problem(file, f"duplicate key: {text}", ", ".join(key), row + 1))
    return problems


def _read_parquet(path: Path) -> pl.DataFrame:
    try:
        return pl.read_parquet(path)
    except (pl.exceptions.PolarsError, OSError):
        raise UnreadableFileError(Problem(path.name, "is not a readable Parquet file")) from None


def _read_csv(path: Path) -> pl.DataFrame:
    """Every column as text. Polars fills up a row with too few fields, so the rows' shape is looked at first."""
    row_count = _check_shape(path)
    try:
        return pl.read_csv(path, infer_schema=False).head(row_count)
    except (pl.exceptions.PolarsError, OSError):
        raise UnreadableFileError(Problem(path.name, "is not a readable CSV file")) from None


def _check_shape(path: Path) -> int:
    """The number of rows, without blank lines at the end."""
    row = row_count = 0
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            header = next(reader, None)
            if not header:
                raise UnreadableFileError(Problem(path.name, "has no header line"))
            repeated = sorted({name for name in header if header.count(name) > 1})
            if repeated:
                raise UnreadableFileError(Problem(path.name, "is there twice", repeated[0]))
            for row, fields in enumerate(reader, 1):
                if len(fields) == len(header):
                    if row_count != row - 1:
                        raise UnreadableFileError(Problem(path.name, "is a blank line", row=row_count + 1))
                    row_count = row
                elif fields:
                    text = f"has {len(fields)} fields, the header has {len(header)}"
                    raise UnreadableFileError(Problem(path.name, text, row=row))
    except UnicodeDecodeError:
        raise UnreadableFileError(Problem(path.name, "is not in UTF-8", row=row + 1)) from None
    except csv.Error as error:
        raise UnreadableFileError(Problem(path.name, f"is not valid CSV: {error}", row=row + 1)) from None
    except OSError as error:
        raise UnreadableFileError(Problem(path.name, f"cannot be read: {error.strerror}")) from None
    return row_count
