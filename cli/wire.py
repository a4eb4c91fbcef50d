"""Messages as JSON values, by the names and words of the specification rather than those of protobuf.

Decimals are text, dates and times ISO, durations seconds, enum words without their prefix; what is not set is null.
"""

import datetime as dt
from collections.abc import Callable, Mapping
from typing import Any

from google.protobuf.descriptor import EnumDescriptor
from google.protobuf.message import Message
from powerfill.common.v1.run_options_pb2 import RunOptions
from powerfill.report.v1.report_pb2 import ReportHeader
from powerfill.run.v1.event_pb2 import RunEvent
from powerfill.run.v1.run_pb2 import Run, RunSummary, Step

from services.run_service.domain.options import OPTION_NAMES
from services.run_service.rpc.mapping.summaries import SUMMARY_NAMES, summary_from_proto
from shared.rpc.options import options_from_proto
from shared.rpc.values import date_text, duration_from_proto, enum_words, timestamp_from_proto


def options_json(options: RunOptions) -> dict[str, Any]:
    """All options of a stored run, in the specification's order; null for those that stand for "none"."""
    given = options_from_proto(options)
    return {name: given.get(name) for name in OPTION_NAMES}


def summary_json(summary: RunSummary) -> dict[str, Any]:
    """All figures of a run; null for those it does not have."""
    figures = summary_from_proto(summary)
    return {name: figures.get(name) for name in SUMMARY_NAMES}


def run_json(run: Run) -> dict[str, Any]:
    """A run, as `run.json` of an export holds it."""
    return message_json(run)


def header_json(header: ReportHeader) -> dict[str, Any]:
    """The header of a report."""
    return message_json(header)


def event_json(event: RunEvent) -> dict[str, Any]:
    """One event on one level: what all events have, `kind`, and the fields of that kind."""
    kind = event.WhichOneof("kind")
    common = {
        "sequence": event.sequence,
        "run_id": event.run_id,
        "recorded_at": time_text(event.recorded_at),
        "attempt": event.attempt,
        "kind": kind,
    }
    return common | (message_json(getattr(event, kind)) if kind else {})


def message_json(message: Message) -> dict[str, Any]:
    """Any other message, field by field."""
    return {field.name: _field_json(message, field) for field in message.DESCRIPTOR.fields}


def time_text(timestamp: Any) -> str:
    """A timestamp in UTC, to the microsecond where it has any."""
    return moment_text(timestamp_from_proto(timestamp, "time"))


def moment_text(moment: dt.datetime) -> str:
    """A moment in UTC in ISO form."""
    return moment.isoformat().replace("+00:00", "Z")


def local_time(timestamp: Any) -> str:
    """A timestamp as this machine's clock shows it."""
    return timestamp_from_proto(timestamp, "time").astimezone().strftime("%Y-%m-%d %H:%M:%S")


def word(enum: EnumDescriptor, number: int) -> str:
    """The word of an enum's number, empty for UNSPECIFIED; a step's is its name."""
    if not number:
        return ""
    text = enum_words(enum).get(number, str(number))
    return text.lower() if enum is Step.DESCRIPTOR else text


def as_date(message: Any) -> dt.date | None:
    """A date, None where it is not set."""
    return dt.date(message.year, message.month, message.day) if message.year else None


def _field_json(message: Any, field: Any) -> Any:
    value = getattr(message, field.name)
    if field.is_repeated:
        if isinstance(value, Mapping):
            return {key: _value_json(field.message_type.fields_by_name["value"], value[key]) for key in sorted(value)}
        return [_value_json(field, item) for item in value]
    if field.has_presence and not message.HasField(field.name):
        return None
    return _value_json(field, value)


def _value_json(field: Any, value: Any) -> Any:
    if field.message_type is not None:
        to_json: Callable[[Any], Any] = _MESSAGES.get(field.message_type.full_name, message_json)
        return to_json(value)
    if field.enum_type is not None:
        return word(field.enum_type, value) or None
    return None if value == "" else value


def _digits(number: Any) -> str:
    return str(number.value)


_MESSAGES: Mapping[str, Callable[[Any], Any]] = {
    "google.type.Decimal": _digits,
    "google.type.Date": date_text,
    "google.protobuf.Timestamp": time_text,
    "google.protobuf.Duration": duration_from_proto,
    RunOptions.DESCRIPTOR.full_name: options_json,
    RunSummary.DESCRIPTOR.full_name: summary_json,
}
