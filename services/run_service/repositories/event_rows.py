"""Events as rows of `pfill_run_event`: the kind's name and its fields as JSON."""

import json
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from services.run_service.domain.events import (
    Accepted,
    EventKind,
    Finished,
    PassCompleted,
    RunEvent,
    StatusChanged,
    StepCompleted,
    StepFailed,
    StepProgress,
    StepSkipped,
    StepStarted,
    Warned,
)
from services.run_service.domain.run import Failure, RunStatus, Step

_NAMES: Mapping[type, str] = {
    Accepted: "accepted",
    StatusChanged: "status_changed",
    StepStarted: "step_started",
    StepProgress: "step_progress",
    StepCompleted: "step_completed",
    StepSkipped: "step_skipped",
    StepFailed: "step_failed",
    PassCompleted: "pass_completed",
    Warned: "warning",
    Finished: "finished",
}
_KINDS: Mapping[str, type[Any]] = {name: kind for kind, name in _NAMES.items()}

_READERS: Mapping[str, Callable[[Any], Any]] = {
    "before": RunStatus,
    "after": RunStatus,
    "status": RunStatus,
    "step": Step,
    "value": Decimal,
    "upper_bound": lambda text: None if text is None else Decimal(text),
    "examples": tuple,
    "failure": lambda failure: None if failure is None else Failure(**failure),
}
"""Fields whose JSON is not already their value, by name: no two kinds use one name for different things."""


def event_row(event: RunEvent) -> dict[str, Any]:
    """The row of an event."""
    return {
        "run_id": event.run_id,
        "sequence": event.sequence,
        "recorded_at_utc": event.recorded_at,
        "attempt": event.attempt,
        "kind": _NAMES[type(event.kind)],
        "payload": json.dumps(event.kind.__dict__, default=_plain),
    }


def event_of(row: Mapping[str, Any]) -> RunEvent:
    """The event of a row."""
    given = json.loads(row["payload"])
    kind: EventKind = _KINDS[row["kind"]](**{name: _READERS.get(name, _same)(value) for name, value in given.items()})
    return RunEvent(row["run_id"], row["sequence"], row["recorded_at_utc"], row["attempt"], kind)


def _plain(value: object) -> Any:
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, Failure):
        return value.__dict__
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")


def _same(value: Any) -> Any:
    return value
