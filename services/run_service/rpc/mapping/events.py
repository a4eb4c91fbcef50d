"""What happened to a run, to powerfill.run.v1.RunEvent and the messages that carry it."""

from collections.abc import Callable, Mapping
from typing import Any

from google.protobuf.message import Message
from powerfill.run.v1 import event_pb2, run_service_pb2

from services.run_service.application.watch_run import Heartbeat
from services.run_service.domain import events
from services.run_service.rpc.mapping.runs import failure_to_proto, status_to_proto, step_to_proto
from services.run_service.rpc.mapping.summaries import summary_to_proto
from shared.rpc.values import decimal_to_proto, duration_to_proto, timestamp_to_proto


def event_to_proto(event: events.RunEvent) -> event_pb2.RunEvent:
    """One event."""
    field, convert = _KINDS[type(event.kind)]
    kind: Mapping[str, Any] = {field: convert(event.kind)}
    return event_pb2.RunEvent(
        sequence=event.sequence,
        run_id=event.run_id,
        recorded_at=timestamp_to_proto(event.recorded_at),
        attempt=event.attempt,
        **kind,
    )


def heartbeat_to_proto(heartbeat: Heartbeat) -> run_service_pb2.Heartbeat:
    """The filler of silence."""
    return run_service_pb2.Heartbeat(last_sequence=heartbeat.last_sequence)


def _accepted(kind: events.Accepted) -> event_pb2.Accepted:
    return event_pb2.Accepted(requested_by=kind.requested_by)


def _status_changed(kind: events.StatusChanged) -> event_pb2.StatusChanged:
    change: Mapping[str, Any] = {"from": status_to_proto(kind.before), "to": status_to_proto(kind.after)}
    return event_pb2.StatusChanged(**change)


def _step_started(kind: events.StepStarted) -> event_pb2.StepStarted:
    return event_pb2.StepStarted(step=step_to_proto(kind.step))


def _step_progress(kind: events.StepProgress) -> event_pb2.StepProgress:
    return event_pb2.StepProgress(
        step=step_to_proto(kind.step), fraction=kind.fraction, message=kind.message, counters=kind.counters
    )


def _step_completed(kind: events.StepCompleted) -> event_pb2.StepCompleted:
    return event_pb2.StepCompleted(
        step=step_to_proto(kind.step), row_count=kind.row_count, duration=duration_to_proto(kind.duration_s)
    )


def _step_skipped(kind: events.StepSkipped) -> event_pb2.StepSkipped:
    return event_pb2.StepSkipped(step=step_to_proto(kind.step), reason=kind.reason)


def _step_failed(kind: events.StepFailed) -> event_pb2.StepFailed:
    return event_pb2.StepFailed(step=step_to_proto(kind.step), message=kind.message)


def _pass_completed(kind: events.PassCompleted) -> event_pb2.PassCompleted:
    figures: Mapping[str, Any] = {"pass": kind.name, "value": decimal_to_proto(kind.value)}
    return event_pb2.PassCompleted(
        upper_bound=None if kind.upper_bound is None else decimal_to_proto(kind.upper_bound),
        allocated_count=kind.allocated_count,
        **figures,
    )


def _warned(kind: events.Warned) -> event_pb2.Warning:
    return event_pb2.Warning(code=kind.code, message=kind.message, count=kind.count, examples=kind.examples)


def _finished(kind: events.Finished) -> event_pb2.Finished:
    return event_pb2.Finished(
        status=status_to_proto(kind.status), failure=failure_to_proto(kind.failure), summary=summary_to_proto(kind.summary)
    )


_KINDS: Mapping[type, tuple[str, Callable[[Any], Message]]] = {
    events.Accepted: ("accepted", _accepted),
    events.StatusChanged: ("status_changed", _status_changed),
    events.StepStarted: ("step_started", _step_started),
    events.StepProgress: ("step_progress", _step_progress),
    events.StepCompleted: ("step_completed", _step_completed),
    events.StepSkipped: ("step_skipped", _step_skipped),
    events.StepFailed: ("step_failed", _step_failed),
    events.PassCompleted: ("pass_completed", _pass_completed),
    events.Warned: ("warning", _warned),
    events.Finished: ("finished", _finished),
}
"""Each kind of event: its field of RunEvent and its message."""
