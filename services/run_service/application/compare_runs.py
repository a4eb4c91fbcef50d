"""What changed between two runs, and what each change was worth."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from services.run_service.application.complete_run import complete_run
from services.run_service.application.ports import Answers, Decisions, InputStore, RunRepository
from services.run_service.domain.options import RunOptions
from services.run_service.domain.run import Run
from services.run_service.engine.compare.comparison import Comparison, MoveTotal, Side, TableChange
from services.run_service.engine.compare.question import compare_runs
from shared.auth.caller import Caller

__all__ = ["CompareRuns", "MoveTotal", "OptionChange", "RunComparison", "TableChange", "changed_options"]


@dataclass(frozen=True)
class OptionChange:
    """An option, or a part of one (`pair_off_cost.TBA`), with its values as the specification spells them; None: none."""

    name: str
    before: str | None
    after: str | None


@dataclass(frozen=True)
class RunComparison:
    """Two complete runs, their options that differ, and what else changed from `a` to `b`."""

    a: Run
    b: Run
    options: tuple[OptionChange, ...]
    found: Comparison


class CompareRuns:
    """Compares two complete runs from what is stored of them: inputs, options and decisions."""

    def __init__(self, runs: RunRepository, inputs: InputStore, decisions: Decisions, answers: Answers) -> None:
        self._runs, self._inputs, self._decisions, self._answers = runs, inputs, decisions, answers

    async def __call__(self, caller: Caller, run_id_a: str, run_id_b: str, max_moves: int) -> RunComparison:
        """What changed from a to b, with at most `max_moves` of the loans that moved. Both may be the same run.

        Raises RUN_NOT_FOUND, RUN_NOT_COMPLETE, RUN_EXPIRED.
        """
        a, b = [await complete_run(self._runs, caller.tenant_id, run_id) for run_id in (run_id_a, run_id_b)]
        before, after = await self._inputs.digests(a.ref), await self._inputs.digests(b.ref)
        changed = tuple(name for name in before if before[name] != after.get(name))
        inputs = [await self._inputs.packed(a.ref), await self._inputs.packed(b.ref)]
        sides = await self._side(a), await self._side(b)
        found = await self._answers.compute(compare_runs, inputs, *sides, changed, max_moves)
        return RunComparison(a, b, changed_options(a.options, b.options), found)

    async def _side(self, run: Run) -> Side:
        return Side(
            options=run.options,
            value=Decimal(run.summary["value"]),
            allocation=await self._decisions.allocation(run.ref),
            kickouts=await self._decisions.kickouts(run.ref),
            trades=await self._decisions.trades(run.ref),
        )


def changed_options(before: RunOptions, after: RunOptions) -> tuple[OptionChange, ...]:
    """The options that differ, in the specification's order; those that are objects part by part."""
    old, new = _parts(before.to_json()), _parts(after.to_json())
    return tuple(OptionChange(name, old.get(name), new.get(name)) for name in old | new if old.get(name) != new.get(name))


def _parts(options: Mapping[str, Any]) -> dict[str, str | None]:
    parts: dict[str, str | None] = {}
    for name, value in options.items():
        if isinstance(value, Mapping):
            parts |= {f"{name}.{part}": str(figure) for part, figure in value.items()}
        else:
            parts[name] = None if value is None else str(value)
    return parts
