"""The file of another system's allocation: which loan it has on which trade, and at what price if it tells."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import sqlalchemy as sa
from google.type.decimal_pb2 import Decimal as DecimalMessage
from powerfill.run.v1 import run_service_pb2 as pb

from cli.console import count
from cli.exit_codes import UsageError
from shared.database.files import SUFFIXES, read_file
from shared.database.types import Exact
from shared.money import PRICE, PRICE_PLACES

PLACEMENTS_A_MESSAGE = 5_000

_ALLOCATION = sa.Table(
    "allocation",
    sa.MetaData(),
    sa.Column("loan_id", sa.Unicode(100)),
    sa.Column("trade_id", sa.Unicode(100)),
    sa.Column("price", Exact(PRICE.precision or 38, PRICE_PLACES), info={"optional": True}),
)
"""The columns a file must have, price apart; others are not read."""


@dataclass(frozen=True)
class AllocationFile:
    """The rows with a trade, in the file's order: loan_id, trade_id, and price (points) where the file has it."""

    placements: pl.DataFrame
    left_out_count: int
    """Rows without a trade."""
    rows: pl.Series
    """The file's row of each placement, counted from 1, the first below the header."""

    def messages(self, run_id: str, max_differences: int) -> AsyncIterator[pb.ValidateAllocationRequest]:
        """The allocation as the service takes it."""
        return _messages(self.placements, run_id, max_differences)


def read_allocation(path: Path) -> AllocationFile:
    """The allocation in a CSV or Parquet file. Raises UsageError with the file and, as far as it is about one, column and row."""
    if path.suffix not in SUFFIXES:
        raise UsageError(f"--allocation {path}: the name of the file must end in {' or '.join(SUFFIXES)}")
    if not path.is_file():
        raise UsageError(f"--allocation {path}: there is no such file")
    frame, problems = read_file(path, _ALLOCATION, others_allowed=True)
    if problems:
        first, *others = (problem.place_and_message() for problem in problems)
        raise UsageError(f"{path}: {first}", lines=tuple(others))
    numbered = frame.with_columns(_given("loan_id"), _given("trade_id")).with_row_index("row", offset=1)
    nameless = numbered.filter(pl.col("loan_id").is_null())
    if nameless.height:
        more = f" (and {count(nameless.height - 1)} more)" if nameless.height > 1 else ""
        raise UsageError(f"{path}: column loan_id, row {nameless['row'][0]}: is empty{more}")
    placed = numbered.filter(pl.col("trade_id").is_not_null())
    if not placed.height:
        raise UsageError(f"{path}: no row has a trade_id, so there is nothing to validate")
    return AllocationFile(placed.drop("row"), numbered.height - placed.height, placed["row"])


def _given(column: str) -> pl.Expr:
    """Text that is more than blanks; null for other."""
    return pl.when(pl.col(column).str.strip_chars() != "").then(pl.col(column))


async def _messages(placements: pl.DataFrame, run_id: str, max_differences: int) -> AsyncIterator[pb.ValidateAllocationRequest]:
    for number, part in enumerate(placements.iter_slices(PLACEMENTS_A_MESSAGE)):
        rows = [_placement(**row) for row in part.iter_rows(named=True)]
        if number:
            yield pb.ValidateAllocationRequest(placements=rows)
        else:
            yield pb.ValidateAllocationRequest(run_id=run_id, max_differences=max_differences, placements=rows)


def _placement(loan_id: str, trade_id: str, price: object = None) -> pb.Placement:
    told = None if price is None else DecimalMessage(value=f"{price:f}")
    return pb.Placement(loan_id=loan_id, trade_id=trade_id, price=told)
