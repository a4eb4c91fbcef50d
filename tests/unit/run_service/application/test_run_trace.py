"""The spans of a run, in an exporter in memory."""

import datetime as dt
from collections.abc import Iterator
from decimal import Decimal

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from services.run_service.application.ports import Happened
from services.run_service.application.run_trace import RunTrace
from services.run_service.domain.events import (
    EventKind,
    PassCompleted,
    StepCompleted,
    StepProgress,
    StepSkipped,
    StepStarted,
)
from services.run_service.domain.life import conclude
from services.run_service.domain.options import RunOptions
from services.run_service.domain.outcome import Broke, Computed, Outcome
from services.run_service.domain.run import Run, RunStatus, Step

AT = dt.datetime(2026, 4, 17, 12, tzinfo=dt.UTC)
RUN = Run("r1", "acme", RunStatus.POST_PROCESSING, "desk", RunOptions(as_of_date=AT.date()), AT)
START_NS = 1_000_000_000


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> Iterator[InMemorySpanExporter]:
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(trace, "get_tracer", provider.get_tracer)
    yield exporter
    provider.shutdown()


def traced(spans: InMemorySpanExporter, outcome: Outcome, *kinds: EventKind) -> dict[str, ReadableSpan]:
    with RunTrace(RUN) as run_trace:
        for second, kind in enumerate(kinds):
            run_trace.happened(Happened(kind, START_NS * (second + 1)))
        run_trace.ended(conclude(RUN, outcome, AT).run)
    return {span.name: span for span in spans.get_finished_spans()}


def test_a_run_is_one_span_and_each_step_a_child_at_the_workers_times(spans: InMemorySpanExporter) -> None:
    found = traced(
        spans,
        Computed({"in_scope_count": 6, "candidate_count": 12, "value": "10.00", "gap_amount": "0.50"}),
        StepStarted(Step.CANDIDATE_BUILDER),
        StepProgress(Step.CANDIDATE_BUILDER, 1.0, ""),
        StepCompleted(Step.CANDIDATE_BUILDER, 12, 2.0),
        StepStarted(Step.ALLOCATION),
        PassCompleted("improve", Decimal("10.00"), Decimal("10.50"), 4),
        StepCompleted(Step.ALLOCATION, 4, 2.0),
    )
    assert set(found) == {"run", "candidate_builder", "allocation"}
    run, candidates, allocation = found["run"], found["candidate_builder"], found["allocation"]
    assert run.context is not None
    assert candidates.parent is not None
    assert allocation.parent is not None
    assert candidates.parent.span_id == allocation.parent.span_id == run.context.span_id
    assert (candidates.start_time, candidates.end_time) == (START_NS, 3 * START_NS)
    assert dict(candidates.attributes or {}) == {"tenant": "acme", "run_id": "r1", "candidates": 12, "rows": 12}
    assert dict(allocation.attributes or {}) == {
        "tenant": "acme", "run_id": "r1", "value": "10.00", "gap": "0.50", "rows": 4,
    }  # fmt: skip
    assert dict(run.attributes or {}) == {
        "tenant": "acme", "run_id": "r1", "attempt": 1, "status": "COMPLETE", "rows": 6, "candidates": 12, "value": "10.00",
        "gap": "0.50",
    }  # fmt: skip


def test_a_step_at_work_when_the_run_fails_ends_with_it_as_an_error(spans: InMemorySpanExporter) -> None:
    found = traced(spans, Broke("ue", "the reason"), StepSkipped(Step.BX_CASH_GRIDS, "no floor"), StepStarted(Step.UE))
    assert (found["bx_cash_grids"].attributes or {})["skipped"] == "no floor"
    for name in ("run", "ue"):
        assert (found[name].status.status_code, found[name].status.description) == (StatusCode.ERROR, "the reason")
        assert found[name].end_time is not None


def test_no_span_stays_open_when_the_run_is_lost(spans: InMemorySpanExporter) -> None:
    def lose() -> None:
        with RunTrace(RUN) as run_trace:
            run_trace.happened(Happened(StepStarted(Step.UE), START_NS))
            raise RuntimeError("lost")

    with pytest.raises(RuntimeError, match="lost"):
        lose()
    assert [span.name for span in spans.get_finished_spans()] == ["ue", "run"]
