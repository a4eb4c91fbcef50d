"""The question of a comparison: what computes it is imported by the process that answers, as who asks needs no compiler."""

from services.run_service.engine.compare.comparison import Comparison, Side
from services.run_service.engine.frames import RunInputs

MOST_EXAMPLES = 10
"""Keys and cells that are shown of each change of an input table."""


def compare_runs(
    inputs_a: RunInputs, inputs_b: RunInputs, a: Side, b: Side, changed: tuple[str, ...], max_moves: int
) -> Comparison:
    """What changed from run a to run b; at most `max_moves` of the moves. `changed`: input tables whose digests differ."""
    from services.run_service.engine.compare.compute import compared  # noqa: PLC0415 - see the module's docstring

    return compared(inputs_a, inputs_b, a, b, changed, max_moves, MOST_EXAMPLES)
