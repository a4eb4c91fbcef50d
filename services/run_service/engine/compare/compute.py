"""The whole comparison of two runs: inputs, moves, trades, and the split of the value's difference."""

from collections.abc import Collection
from decimal import Decimal

import polars as pl

from services.run_service.engine.compare.comparison import MOVES, Comparison, MoveTotal, Side, ValueSplit
from services.run_service.engine.compare.inputs import changed_tables
from services.run_service.engine.compare.moves import find_moves, moved_loans
from services.run_service.engine.compare.split import Revaluation
from services.run_service.engine.compare.trades import filled_otherwise
from services.run_service.engine.frames import RunInputs


def compared(
    inputs_a: RunInputs, inputs_b: RunInputs, a: Side, b: Side, changed: Collection[str], max_moves: int, most_examples: int
) -> Comparison:
    """See `question.compare_runs`; of each change of an input table at most so many examples."""
    revaluation = Revaluation(a, b, inputs_a, inputs_b, changed)
    step = revaluation.values()
    moved = moved_loans(a, b)
    moves, totals, earned = pl.DataFrame(schema=dict(MOVES)), tuple[MoveTotal, ...](), Decimal(0)
    if moved.height:
        moves, totals, earned = find_moves(moved, a, b, revaluation.later)
    split = ValueSplit(
        by_market=step.with_market - a.value,
        by_data=step.with_inputs - step.with_market,
        by_options=step.with_options - step.with_inputs,
        by_moves=earned,
        by_pair_off=b.value - step.with_options - earned,
    )
    return Comparison(
        split=split,
        inputs=changed_tables(inputs_a, inputs_b, changed, most_examples),
        moved_count=moved.height,
        moved_amount=sum((total.amount for total in totals), Decimal(0)),
        totals=totals,
        moves=moves.head(max_moves),
        trades=filled_otherwise(a.trades, b.trades),
    )
