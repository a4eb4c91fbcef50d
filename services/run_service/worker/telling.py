"""What the engine tells, on its way out of the worker: with durations, at a bounded rate, and as a log for runs that break."""

import time
from collections.abc import Callable, Mapping
from decimal import Decimal

from services.run_service.application.ports import Happened, InputsRead, TableWritten
from services.run_service.domain.events import (
    EventKind,
    PassCompleted,
    StepCompleted,
    StepProgress,
    StepSkipped,
    StepStarted,
    Warned,
)
from services.run_service.domain.findings import Finding
from services.run_service.domain.run import Step
from services.run_service.engine.progress import IMPROVE, Progress
from services.run_service.engine.tables.log import RunLog

PROGRESS_INTERVAL_S = 0.1
"""At most so often a step's progress is told; the rest is left out."""

IMPROVEMENT_INTERVAL_S = 0.25

Tell = Callable[[Happened | InputsRead | TableWritten], None]


class TellingProgress(Progress):
    """Tells each event with its time, and keeps what a run that does not end well leaves as its log."""

    def __init__(self, tell: Tell) -> None:
        self.tell = tell
        self.step = Step.READ_INPUTS
        self.log = RunLog()
        self._began_s = time.monotonic()
        self._next_progress_s = self._next_improvement_s = 0.0

    def step_started(self, step: Step) -> None:
        """A step began."""
        self.step, self._began_s, self._next_progress_s = step, time.monotonic(), 0.0
        self._happened(StepStarted(step))

    def step_progress(self, step: Step, fraction: float, message: str, counters: Mapping[str, int] | None = None) -> None:
        """A step goes on; told at most ten times a second."""
        now_s = time.monotonic()
        if now_s >= self._next_progress_s:
            self._next_progress_s = now_s + PROGRESS_INTERVAL_S
            self._happened(StepProgress(step, fraction, message, dict(counters or {})))

    def step_completed(self, step: Step, row_count: int) -> None:
        """A step ended well."""
        self._happened(StepCompleted(step, row_count, round(time.monotonic() - self._began_s, 6)))

    def step_skipped(self, step: Step, reason: str) -> None:
        """A step was not needed."""
        self._happened(StepSkipped(step, reason))

    def pass_completed(self, name: str, value: Decimal, upper_bound: Decimal | None, allocated_count: int) -> None:
        """A pass ended, or the improvement phase reports: told at most four times a second."""
        if name == IMPROVE:
            now_s = time.monotonic()
            if now_s < self._next_improvement_s:
                return
            self._next_improvement_s = now_s + IMPROVEMENT_INTERVAL_S
        self.log.passed(name, value, allocated_count)
        self._happened(PassCompleted(name, value, upper_bound, allocated_count))

    def warning(self, finding: Finding) -> None:
        """Something the desk should know."""
        self.log.warned(self.step, finding)
        self._happened(Warned(finding.code.value, finding.message, finding.count, finding.examples))

    def _happened(self, kind: EventKind) -> None:
        self.tell(Happened(kind, time.time_ns()))
