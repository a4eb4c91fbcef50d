"""One change of a run's inputs or options, and what they are after it."""

import dataclasses
import enum
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any

import polars as pl

from services.run_service.domain.options import RunOptions
from services.run_service.engine.explain.values import Value
from services.run_service.engine.frames import INPUT_TABLES, RunInputs
from shared.money import round_half_away


class ChangeKind(enum.StrEnum):
    """What a change is made to; of changes that are not of a number the earlier kind comes first."""

    LOCKDOWN = "LOCKDOWN"
    """The loan's lockdowns are released."""
    OPTION = "OPTION"
    """An option of the run."""
    PRICE = "PRICE"
    """A price: of a trade, of its grid, or today's."""
    TRADE = "TRADE"
    """Another trade, or the settlement date of one."""
    LOAN = "LOAN"
    """A field of the loan."""


class Action(enum.StrEnum):
    """What is done to the rows of a table that have the change's key."""

    SET = "SET"
    ADD = "ADD"
    REMOVE = "REMOVE"


@dataclass(frozen=True)
class Change:
    """One value of a run's inputs or options from `before` to `after`, which makes a loan a candidate."""

    kind: ChangeKind
    subject: str
    """The loan, the trade or the instrument; empty for an option."""
    field: str
    before: Value | None
    after: Value | None
    relative: Fraction | None
    """See `values.relative_change`; None: the change is not of a number, or from nothing."""
    table: str = ""
    """Of the inputs; empty for an option."""
    action: Action = Action.SET
    key: Mapping[str, Value] = dataclasses.field(default_factory=dict)
    """The rows of the table it is about; of a row that is added all of its values."""
    trade_id: str = ""
    """Where the loan becomes a candidate: of several trades the one with the greatest score, then the first in trade order."""
    constraint_id: str = ""
    score: Decimal = Decimal(0)
    """Points."""

    @property
    def relative_to_8_places(self) -> Decimal | None:
        """`relative` as a decimal."""
        if self.relative is None:
            return None
        return round_half_away(Decimal(self.relative.numerator) / Decimal(self.relative.denominator), 8)


def apply_change(change: Change, inputs: RunInputs, options: RunOptions) -> tuple[RunInputs, RunOptions]:
    """The inputs and options of a run in which only this is otherwise."""
    if change.kind is ChangeKind.OPTION:
        new: dict[str, Any] = {change.field: change.after}
        return inputs, dataclasses.replace(options, **new)
    frame = inputs.tables[change.table]
    changed = _ACTIONS[change.action](change, frame)
    return dataclasses.replace(inputs, tables={**inputs.tables, change.table: changed}), options


def _set(change: Change, frame: pl.DataFrame) -> pl.DataFrame:
    dtype = INPUT_TABLES[change.table].columns[change.field]
    after = pl.lit(pl.Series([change.after], dtype=dtype)).first()
    return frame.with_columns(pl.when(_has_key(change)).then(after).otherwise(pl.col(change.field)).alias(change.field))


def _add(change: Change, frame: pl.DataFrame) -> pl.DataFrame:
    columns = INPUT_TABLES[change.table].columns
    row = pl.DataFrame([pl.Series(name, [change.key.get(name)], dtype=dtype) for name, dtype in columns.items()])
    return pl.concat([frame, row])


def _remove(change: Change, frame: pl.DataFrame) -> pl.DataFrame:
    return frame.filter(~_has_key(change))


_ACTIONS = {Action.SET: _set, Action.ADD: _add, Action.REMOVE: _remove}


def _has_key(change: Change) -> pl.Expr:
    return pl.all_horizontal([pl.col(name) == value for name, value in change.key.items()]).fill_null(value=False)
