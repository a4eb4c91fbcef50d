"""What the engine returns."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl


@dataclass(frozen=True)
class RunResult:
    """The outputs of a run.

    `tables` holds every table of `frames.OUTPUT_TABLES`, rows sorted by key. `summary` has the names of specification 01
    section 9 (decimals as strings, counts as integers) but for the step durations, which only somebody with a clock knows.
    """

    tables: Mapping[str, pl.DataFrame]
    summary: dict[str, Any]
    in_scope_loan_ids: pl.Series
