"""How each step of a run went: the JSON objects in the row's `steps`, made from the run's events alone."""

import datetime as dt
import enum
from collections.abc import Mapping
from typing import Any

from services.run_service.domain.events import EventKind, StepCompleted, StepFailed, StepSkipped, StepStarted

StepObject = Mapping[str, Any]
"""`step`, `outcome`, `row_count`, `duration_s`, `message`, and `started_at` (ISO, UTC)."""


class StepOutcome(enum.StrEnum):
    """How a step ended; powerfill.run.v1.StepOutcome without its prefix."""

    STARTED = "STARTED"
    COMPLETED = "COMPLETED"
    SKIPPED = "SKIPPED"
    FAILED = "FAILED"


def after_event(steps: tuple[StepObject, ...], kind: EventKind, at: dt.datetime) -> tuple[StepObject, ...]:
    """The steps after one more event, recorded at `at`."""
    match kind:
        case StepStarted():
            return (*steps, _step(str(kind.step), StepOutcome.STARTED, at))
        case StepSkipped():
            return (*steps, _step(str(kind.step), StepOutcome.SKIPPED, at) | {"message": kind.reason})
        case StepCompleted():
            change = {"outcome": StepOutcome.COMPLETED.value, "row_count": kind.row_count, "duration_s": kind.duration_s}
            return _replace(steps, str(kind.step), change)
        case StepFailed():
            return _replace(steps, str(kind.step), {"outcome": StepOutcome.FAILED.value, "message": kind.message})
        case _:
            return steps


def cut_short(steps: tuple[StepObject, ...], at: dt.datetime) -> tuple[StepObject, ...]:
    """The steps of a run that ends at `at`: the one at work, or the one that failed, lasted until then."""
    if not steps or steps[-1]["outcome"] not in (StepOutcome.STARTED, StepOutcome.FAILED):
        return steps
    lasted_s = (at - dt.datetime.fromisoformat(steps[-1]["started_at"])).total_seconds()
    return (*steps[:-1], {**steps[-1], "duration_s": max(0.0, round(lasted_s, 6))})


def current_step(steps: tuple[StepObject, ...]) -> str:
    """The step a run is in: the last one it came to, empty before the first."""
    return str(steps[-1]["step"]) if steps else ""


def durations(steps: tuple[StepObject, ...]) -> dict[str, float]:
    """Seconds by step, of those that took any."""
    return {str(step["step"]): float(step["duration_s"]) for step in steps if step["outcome"] != StepOutcome.SKIPPED}


def _step(name: str, outcome: StepOutcome, at: dt.datetime) -> dict[str, Any]:
    return {
        "step": name, "outcome": outcome.value, "row_count": 0, "duration_s": 0.0, "message": "", "started_at": at.isoformat(),
    }  # fmt: skip


def _replace(steps: tuple[StepObject, ...], name: str, change: Mapping[str, Any]) -> tuple[StepObject, ...]:
    return tuple({**step, **change} if step["step"] == name else step for step in steps)
