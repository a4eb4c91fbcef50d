"""How the input tables of two runs differ, row by row.

Rows that both runs read are set aside, as often as both have them. What is left is matched by the table's key: two rows of
one key are one row that changed, all others were added or removed.
"""

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import polars as pl

from services.run_service.engine.compare.comparison import CellChange, ColumnChange, TableChange
from services.run_service.engine.explain.values import shown
from services.run_service.engine.frames import INPUT_TABLES, RunInputs
from shared.money import divide_half_away, unscaled

KEYS: Mapping[str, tuple[str, ...]] = {
    "rmusr_payups": ("investor_instrument", "attribute", "low_value", "high_value"),
    "pfill_carry_cost": ("investor_instrument", "from_day", "to_day"),
    "pfill_lockdown": ("loan_id",),
}
"""What tells one row from another in the tables that have no key of their own."""

MOVE_PLACES = 8
"""Decimals of an average move."""

_SIDE, _NUMBER, _AFTER = "side of the comparison", "number within the key", " after"
"""Names that no input table has."""


def changed_tables(before: RunInputs, after: RunInputs, names: Collection[str], most_examples: int) -> tuple[TableChange, ...]:
    """The differences of the tables named, without those that have none; at most so many examples of each sort."""
    changes = [_changes(name, before.tables[name], after.tables[name], most_examples) for name in INPUT_TABLES if name in names]
    return tuple(change for change in changes if change.added or change.removed or change.changed)


def _changes(name: str, before: pl.DataFrame, after: pl.DataFrame, most_examples: int) -> TableChange:
    key = KEYS.get(name, INPUT_TABLES[name].key)
    only_before, only_after = (_numbered(rows, key) for rows in _apart(_with_need(name, before), _with_need(name, after)))
    match = [*key, _NUMBER]
    removed = only_before.join(only_after, on=match, how="anti", nulls_equal=True)
    added = only_after.join(only_before, on=match, how="anti", nulls_equal=True)
    pairs = only_before.join(only_after, on=match, how="inner", nulls_equal=True, suffix=_AFTER).sort(match, nulls_last=True)
    columns = [column for column in only_before.columns if column not in match]
    return TableChange(
        table=name,
        added=added.height,
        removed=removed.height,
        changed=pairs.height,
        columns=tuple(change for column in columns if (change := _column_change(pairs, column)).count),
        added_keys=_keys(added, key, most_examples),
        removed_keys=_keys(removed, key, most_examples),
        examples=_examples(pairs, key, columns, most_examples),
    )


def _with_need(name: str, frame: pl.DataFrame) -> pl.DataFrame:
    """Trades with what is open of them, which is what their amounts are about."""
    if name != "pscat_trades":
        return frame
    amounts = [pl.col(column).cast(pl.Decimal(20, 2)) for column in ("trade_amount", "pair_off_amount", "delivered_amount")]
    return frame.with_columns(need=amounts[0] - amounts[1] - amounts[2])


def _apart(before: pl.DataFrame, after: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The rows that one of the two has more often than the other."""
    sides = [before.with_columns(pl.lit(-1, pl.Int64).alias(_SIDE)), after.with_columns(pl.lit(1, pl.Int64).alias(_SIDE))]
    surplus = pl.concat(sides).group_by(before.columns).agg(pl.col(_SIDE).sum()).filter(pl.col(_SIDE) != 0)
    rows = surplus[np.repeat(np.arange(surplus.height), surplus[_SIDE].abs().to_numpy())]
    return rows.filter(pl.col(_SIDE) < 0).drop(_SIDE), rows.filter(pl.col(_SIDE) > 0).drop(_SIDE)


def _numbered(rows: pl.DataFrame, key: tuple[str, ...]) -> pl.DataFrame:
    """The rows in order, those of one key numbered."""
    ordered = rows.sort(rows.columns, nulls_last=True)
    return ordered.with_columns(pl.int_range(pl.len(), dtype=pl.Int64).over(key).alias(_NUMBER))


def _column_change(pairs: pl.DataFrame, column: str) -> ColumnChange:
    before, after = pairs[column], pairs[f"{column}{_AFTER}"]
    differs = before.ne_missing(after)
    count = int(differs.sum())
    both_known = differs & before.is_not_null() & after.is_not_null()
    if not before.dtype.is_numeric() or not both_known.any():
        return ColumnChange(column, count, None)
    places = before.dtype.scale if isinstance(before.dtype, pl.Decimal) else 0
    moved = _units(after.filter(both_known)) - _units(before.filter(both_known))
    mean = divide_half_away(moved * 10 ** (MOVE_PLACES - places), int(both_known.sum()))
    return ColumnChange(column, count, unscaled(mean, MOVE_PLACES))


def _units(values: pl.Series) -> int:
    """The exact sum in units of the last place."""
    physical = values.to_physical() if isinstance(values.dtype, pl.Decimal) else values
    return int(physical.cast(pl.Int128).sum())


def _keys(rows: pl.DataFrame, key: tuple[str, ...], most: int) -> tuple[str, ...]:
    return tuple(_joined(values) for values in rows.sort(key, nulls_last=True).select(key).head(most).iter_rows())


def _examples(pairs: pl.DataFrame, key: tuple[str, ...], columns: list[str], most: int) -> tuple[CellChange, ...]:
    """The first cells that differ, in the order of key and columns."""
    cells = [
        CellChange(_joined(row[part] for part in key), column, _text(row[column]), _text(row[f"{column}{_AFTER}"]))
        for row in pairs.head(most).iter_rows(named=True)
        for column in columns
        if row[column] != row[f"{column}{_AFTER}"]
    ]
    return tuple(cells[:most])


def _joined(values: Any) -> str:
    return "/".join(_text(value) or "" for value in values)


def _text(value: Any) -> str | None:
    return None if value is None else shown(value)
