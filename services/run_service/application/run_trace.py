"""The OpenTelemetry spans of a run: `run`, and one child a step under the step's name, at the worker's times."""

from types import TracebackType
from typing import Self

from opentelemetry import trace
from opentelemetry.trace import Span, Status, StatusCode

from services.run_service.application.ports import Happened
from services.run_service.domain.events import PassCompleted, StepCompleted, StepSkipped, StepStarted
from services.run_service.domain.run import Run, RunStatus, Step


class RunTrace:
    """Spans of one run in this process, from its claim to its end; a context manager, so that no span stays open."""

    def __init__(self, run: Run) -> None:
        self._tracer = trace.get_tracer("powerfill.run")
        self._attributes = {"tenant": run.tenant_id, "run_id": run.run_id}
        self._run = self._tracer.start_span("run", attributes={**self._attributes, "attempt": run.attempt})
        self._step: Span | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self._end_step(None)
        if error is not None:
            self._run.set_status(Status(StatusCode.ERROR, type(error).__name__))
        self._run.end()

    def happened(self, message: Happened) -> None:
        """Begin, describe or end the span of a step."""
        kind, at_ns = message.kind, message.at_ns
        match kind:
            case StepStarted() | StepSkipped():
                self._end_step(at_ns)  # one of an attempt that was cut short
                parent = trace.set_span_in_context(self._run)
                self._step = self._tracer.start_span(str(kind.step), parent, attributes=self._attributes, start_time=at_ns)
                if isinstance(kind, StepSkipped):
                    self._step.set_attribute("skipped", kind.reason)
                    self._end_step(at_ns)
            case PassCompleted() if self._step is not None:
                self._step.set_attribute("value", str(kind.value))
                if kind.upper_bound is not None:
                    self._step.set_attribute("gap", str(kind.upper_bound - kind.value))
            case StepCompleted() if self._step is not None:
                self._step.set_attribute("rows", kind.row_count)
                if kind.step == Step.CANDIDATE_BUILDER:
                    self._step.set_attribute("candidates", kind.row_count)
                self._end_step(at_ns)
            case _:
                pass

    def ended(self, run: Run) -> None:
        """Describe the run by its final figures."""
        self._run.set_attribute("status", run.status.value)
        figures = {"rows": "in_scope_count", "candidates": "candidate_count", "value": "value", "gap": "gap_amount"}
        for attribute, name in figures.items():
            if run.summary.get(name) is not None:
                self._run.set_attribute(attribute, run.summary[name])
        if run.status == RunStatus.FAILED and run.failure is not None:
            self._run.set_status(Status(StatusCode.ERROR, run.failure.message))
            if self._step is not None:
                self._step.set_status(Status(StatusCode.ERROR, run.failure.message))

    def _end_step(self, at_ns: int | None) -> None:
        if self._step is not None:
            self._step.end(at_ns)
            self._step = None
