"""Another system's allocation, checked against every hard rule and compared with a run."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

import polars as pl

from services.run_service.application.complete_run import complete_run
from services.run_service.application.ports import Answers, Decisions, InputStore, RunRepository
from services.run_service.domain.run import Run
from services.run_service.engine.validate.question import validate
from services.run_service.engine.validate.validation import HardRule, RunSide, Validation, placements_frame
from shared.auth.caller import Caller
from shared.errors import invalid_field

__all__ = ["MAX_PLACEMENTS", "AllocationVerdict", "HardRule", "Placements", "ValidateAllocation", "Validation"]

MAX_PLACEMENTS = 2_000_000


@dataclass(frozen=True)
class Placements:
    """Some loans on trades, three columns of one length. Prices are points of at most 9,999 either way; None: not given."""

    loan_ids: Sequence[str]
    trade_ids: Sequence[str]
    prices: Sequence[Decimal | None]


@dataclass(frozen=True)
class AllocationVerdict:
    """The run that an allocation is compared with, and what is found."""

    run: Run
    found: Validation


class ValidateAllocation:
    """All of it is about the inputs that the run stored, and its options: the lender's tables may have moved on."""

    def __init__(self, runs: RunRepository, inputs: InputStore, decisions: Decisions, answers: Answers) -> None:
        self._runs, self._inputs, self._decisions, self._answers = runs, inputs, decisions, answers

    async def __call__(
        self, caller: Caller, run_id: str, parts: AsyncIterator[Placements], most_listed: int
    ) -> AllocationVerdict:
        """Compare with the run, or with the latest complete one where `run_id` is empty.

        At most `most_listed` violations, differences and price differences each are listed. Raises INVALID_FIELD for no
        placements and for more than MAX_PLACEMENTS, RUN_NOT_FOUND, RUN_NOT_COMPLETE, RUN_EXPIRED.
        """
        run = await complete_run(self._runs, caller.tenant_id, run_id)
        placements = await _collected(parts)
        packed, allocation, kickouts = await asyncio.gather(
            self._inputs.packed(run.ref), self._decisions.allocation(run.ref), self._decisions.kickouts(run.ref)
        )
        bound = run.summary.get("upper_bound")
        side = RunSide(
            run.options,
            allocation.select("loan_id", "trade_id"),
            kickouts.select("loan_id", "reason"),
            None if bound is None else Decimal(bound),
        )
        return AllocationVerdict(run, await self._answers.compute(validate, [packed], side, placements, most_listed))


async def _collected(parts: AsyncIterator[Placements]) -> pl.DataFrame:
    """All placements, with the columns of the engine's PLACEMENTS."""
    frames, count = [placements_frame((), (), ())], 0
    async for part in parts:
        count += len(part.loan_ids)
        if count > MAX_PLACEMENTS:
            raise invalid_field("placements", f"more than {MAX_PLACEMENTS} are given")
        frames.append(placements_frame(part.loan_ids, part.trade_ids, part.prices))
    if not count:
        raise invalid_field("placements", "none are given; an allocation has at least one loan on a trade")
    return pl.concat(frames)
