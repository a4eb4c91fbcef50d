"""A run as its events tell it: which step is where, the figures so far, the warnings."""

from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal

from powerfill.common.v1.run_status_pb2 import RunStatus
from powerfill.run.v1.event_pb2 import Finished, RunEvent
from powerfill.run.v1.run_pb2 import Step

from cli.wire import word
from shared.rpc.values import duration_from_proto, timestamp_from_proto

STEPS = (
    Step.STEP_READ_INPUTS,
    Step.STEP_BX_CASH_GRIDS,
    Step.STEP_BX_SETTLE_AND_PRICE,
    Step.STEP_CANDIDATE_BUILDER,
    Step.STEP_ALLOCATION,
    Step.STEP_POOL_GUIDE,
    Step.STEP_UE,
    Step.STEP_WRITE_OUTPUTS,
)
"""In the order in which they work."""

WAITING, WORKING, DONE, SKIPPED, FAILED = "waiting", "working", "done", "skipped", "failed"


@dataclass
class StepProgress:
    """One step: its state, the part done (0 to 1), what it does or why it was skipped or failed, rows and seconds."""

    state: str = WAITING
    fraction: float = 0.0
    message: str = ""
    row_count: int = 0
    duration_s: float = 0.0
    started_s: float = 0.0


@dataclass
class RunProgress:
    """What the events so far say. Seconds count from the first event seen."""

    run_id: str = ""
    status: str = "PENDING"
    attempt: int = 1
    steps: dict[str, StepProgress] = field(default_factory=lambda: {step_name(step): StepProgress() for step in STEPS})
    phase: str = ""
    value: Decimal | None = None
    upper_bound: Decimal | None = None
    allocated_count: int = 0
    warnings: Counter[str] = field(default_factory=Counter)
    last_sequence: int = 0
    elapsed_s: float = 0.0
    finished: Finished | None = None
    _first_s: float | None = None

    def apply(self, event: RunEvent) -> None:
        """Take one more event, in order."""
        self.run_id, self.last_sequence = event.run_id, event.sequence
        recorded_s = timestamp_from_proto(event.recorded_at, "recorded_at").timestamp()
        if self._first_s is None:
            self._first_s = recorded_s
        self.elapsed_s = recorded_s - self._first_s
        if event.attempt > self.attempt:
            self._begin_again(event.attempt)
        match event.WhichOneof("kind"):
            case "status_changed":
                self.status = word(RunStatus.DESCRIPTOR, event.status_changed.to)
            case "step_started":
                self.steps[step_name(event.step_started.step)] = StepProgress(WORKING, started_s=self.elapsed_s)
            case "step_progress":
                step = self.steps.setdefault(step_name(event.step_progress.step), StepProgress(WORKING))
                step.fraction, step.message = event.step_progress.fraction, event.step_progress.message
            case "step_completed":
                told = event.step_completed
                done = StepProgress(DONE, 1.0, row_count=told.row_count, duration_s=duration_from_proto(told.duration))
                self.steps[step_name(told.step)] = done
            case "step_skipped":
                self.steps[step_name(event.step_skipped.step)] = StepProgress(SKIPPED, message=event.step_skipped.reason)
            case "step_failed":
                self.steps[step_name(event.step_failed.step)] = StepProgress(FAILED, message=event.step_failed.message)
            case "pass_completed":
                passed = event.pass_completed
                self.phase, self.value = getattr(passed, "pass"), Decimal(passed.value.value)
                self.upper_bound = Decimal(passed.upper_bound.value) if passed.HasField("upper_bound") else None
                self.allocated_count = passed.allocated_count
            case "warning":
                self.warnings[event.warning.code] += 1
            case "finished":
                self.finished = event.finished
                self.status = word(RunStatus.DESCRIPTOR, event.finished.status)

    @property
    def gap(self) -> Decimal | None:
        """How far the value is from the bound, dollars."""
        return None if self.value is None or self.upper_bound is None else self.upper_bound - self.value

    def _begin_again(self, attempt: int) -> None:
        self.attempt, self.value, self.upper_bound, self.allocated_count = attempt, None, None, 0
        self.steps = {step_name(step): StepProgress() for step in STEPS}
        self.phase = ""


def step_name(step: Step.ValueType) -> str:
    """A step's name in the specification."""
    return word(Step.DESCRIPTOR, step)
