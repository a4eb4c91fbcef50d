"""Validates allocations against runs of an instance, and answers what tests ask about the verdict."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import polars as pl

from services.run_service.domain.options import RunOptions, parse_options
from services.run_service.engine.frames import RunInputs
from services.run_service.engine.validate.question import validate
from services.run_service.engine.validate.validation import RunSide, Validation, placements_frame
from tests.instances.execute import Ran, run
from tests.instances.rows import AS_OF

Placement = tuple[str, ...]
"""A loan, a trade, and the price if one is given."""
Fields = dict[str, Any]
ALL = 1_000_000


@dataclass(frozen=True)
class Judged:
    """The verdict on an allocation beside a run."""

    found: Validation

    @property
    def broken(self) -> list[tuple[str, str | None, str | None]]:
        """Rule, loan and trade of every violation."""
        return [row[:3] for row in self.found.violations.iter_rows()]

    def violation(self, rule: str) -> Fields:
        """The only violation of a rule."""
        (only,) = self.found.violations.filter(pl.col("rule") == rule).iter_rows(named=True)
        return only

    def difference(self, loan_id: str) -> Fields:
        """The difference of a loan."""
        (only,) = self.found.differences.filter(pl.col("loan_id") == loan_id).iter_rows(named=True)
        return only

    @property
    def reasons(self) -> dict[str, str]:
        """The reason of each loan that differs."""
        return dict(self.found.differences.select("loan_id", "reason").iter_rows())


def side_of(ran: Ran, options: RunOptions) -> RunSide:
    """What a run decided."""
    bound = ran.summary["upper_bound"]
    return RunSide(
        options,
        ran.table("powerfill_guide").select("loan_id", "trade_id"),
        ran.table("kickout_guide_01").select("loan_id", "reason"),
        None if bound is None else Decimal(bound),
    )


def frame(placements: Sequence[Placement] | Mapping[str, str]) -> pl.DataFrame:
    """Placements as (loan, trade) or (loan, trade, price)."""
    rows = [*placements.items()] if isinstance(placements, Mapping) else placements
    prices = [Decimal(row[2]) if len(row) > 2 else None for row in rows]
    return placements_frame([row[0] for row in rows], [row[1] for row in rows], prices)


def judge(
    inputs: RunInputs,
    placements: Sequence[Placement] | Mapping[str, str],
    *,
    ran: Ran | None = None,
    listed: int = ALL,
    **options: object,
) -> Judged:
    """Placements validated on a run with these options, PASSES unless they say otherwise; `ran` is that run, if there is one."""
    given = {"strategy": "PASSES", "time_limit": None, **options}
    side = side_of(ran or run(inputs, **given), parse_options(given, AS_OF))
    return Judged(validate(inputs, side, frame(placements), listed))
