"""Compares runs of instances, as the application does with runs that are stored."""

import dataclasses
from typing import Any

from services.run_service.domain.options import parse_options
from services.run_service.engine.compare.comparison import Comparison, Side
from services.run_service.engine.compare.compute import compared
from services.run_service.engine.compare.revalue import Terms, terms_of
from services.run_service.engine.frames import INPUT_TABLES, RunInputs
from tests.instances.execute import Ran, run
from tests.instances.rows import AS_OF

Options = dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Done:
    """A run of an instance, with what it was made of."""

    inputs: RunInputs
    given: Options
    ran: Ran

    @property
    def side(self) -> Side:
        """What it decided."""
        table = self.ran.table
        return Side(self.options, self.ran.value, table("powerfill_guide"), table("kickout_guide_01"), table("trade_base"))

    @property
    def options(self) -> Any:
        """Its options, resolved; PASSES unless they say otherwise."""
        return parse_options({"strategy": "PASSES", "time_limit": None, **self.given}, AS_OF)

    @property
    def terms(self) -> Terms:
        """What every place is worth under its inputs and options."""
        return terms_of(self.inputs, self.options)


def done(inputs: RunInputs, **options: object) -> Done:
    """Execute a run."""
    return Done(inputs, options, run(inputs, **options))


def compare(a: Done, b: Done, max_moves: int = 1_000, most_examples: int = 10) -> Comparison:
    """What changed from a to b."""
    changed = [name for name in INPUT_TABLES if not a.inputs.tables[name].equals(b.inputs.tables[name])]
    return compared(a.inputs, b.inputs, a.side, b.side, changed, max_moves, most_examples)
