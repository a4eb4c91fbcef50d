"""What happens to a run, as values: each is recorded in `pfill_run_event` before it is sent."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from services.run_service.domain.run import Failure, RunStatus, Step


@dataclass(frozen=True)
class Accepted:
    """The run is recorded and waits for a worker."""

    requested_by: str


@dataclass(frozen=True)
class StatusChanged:
    """The run moved on in its life."""

    before: RunStatus
    after: RunStatus


@dataclass(frozen=True)
class StepStarted:
    """A step began."""

    step: Step


@dataclass(frozen=True)
class StepProgress:
    """How far a step is: `fraction` between 0 and 1, and figures so far by name."""

    step: Step
    fraction: float
    message: str
    counters: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class StepCompleted:
    """A step ended well with `row_count` rows after `duration_s` seconds."""

    step: Step
    row_count: int
    duration_s: float


@dataclass(frozen=True)
class StepSkipped:
    """A step was not needed."""

    step: Step
    reason: str


@dataclass(frozen=True)
class StepFailed:
    """A step ended with an error."""

    step: Step
    message: str


@dataclass(frozen=True)
class PassCompleted:
    """The allocation as it stands after a pass or during improvement; value and bound in dollars."""

    name: str
    value: Decimal
    upper_bound: Decimal | None
    allocated_count: int


@dataclass(frozen=True)
class Warned:
    """Something the desk should know; `count` rows, the keys of some in `examples`."""

    code: str
    message: str
    count: int = 0
    examples: tuple[str, ...] = ()


@dataclass(frozen=True)
class Finished:
    """The run ended. The last event of every run; it agrees with the run's row and its stored summary."""

    status: RunStatus
    failure: Failure | None
    summary: Mapping[str, Any]


EventKind = (
    Accepted
    | StatusChanged
    | StepStarted
    | StepProgress
    | StepCompleted
    | StepSkipped
    | StepFailed
    | PassCompleted
    | Warned
    | Finished
)


@dataclass(frozen=True)
class RunEvent:
    """One event: `sequence` counts 1, 2, 3 ... within the run without gaps."""

    run_id: str
    sequence: int
    recorded_at: dt.datetime
    attempt: int
    kind: EventKind
