"""The summary of a run: the stored JSON object (specification 01 section 9) to powerfill.run.v1.RunSummary and back.

Both have the same names. Decimals are text, counts integers, step durations seconds by step name, enum words as in the proto
without its prefix.
"""

from collections.abc import Callable, Mapping
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from powerfill.run.v1.run_pb2 import RunSummary

from shared.rpc.values import decimal_to_proto, duration_from_proto, duration_to_proto, enum_numbers, enum_words

_FIELDS = RunSummary.DESCRIPTOR.fields_by_name
SUMMARY_NAMES = tuple(_FIELDS)
"""Every figure of a summary."""

_DURATIONS = "step_durations"


def summary_to_proto(summary: Mapping[str, Any]) -> RunSummary:
    """The figures that are there; what is missing or null stays unset."""
    return RunSummary(
        **{
            name: convert(value)
            for name, value in summary.items()
            if value is not None and (convert := _TO_PROTO.get(name)) is not None
        }
    )


def summary_from_proto(message: RunSummary) -> dict[str, Any]:
    """The JSON object: every count and object, and of the decimals and words those that are set."""
    told = {name for name, field in _FIELDS.items() if field.is_repeated or field.type == FieldDescriptor.TYPE_INT64}
    told.update(field.name for field, _ in message.ListFields())
    return {name: _FROM_PROTO[name](getattr(message, name)) for name in SUMMARY_NAMES if name in told}


def _durations_to_proto(durations: Mapping[str, float]) -> dict[str, Any]:
    return {step: duration_to_proto(seconds) for step, seconds in durations.items()}


def _durations_from_proto(durations: Mapping[str, Any]) -> dict[str, float]:
    return {step: duration_from_proto(durations[step]) for step in sorted(durations)}


def _converters(field: FieldDescriptor) -> tuple[Callable[[Any], Any], Callable[[Any], Any]]:
    """How a field's value is written to the message, and read from it."""
    if field.name == _DURATIONS:
        return _durations_to_proto, _durations_from_proto
    if field.is_repeated:
        return dict, lambda counts: dict(sorted(counts.items()))
    if field.enum_type is not None:
        return enum_numbers(field.enum_type).__getitem__, enum_words(field.enum_type).__getitem__
    if field.message_type is not None:
        return decimal_to_proto, lambda number: number.value
    return int, int


_CONVERTERS = {name: _converters(field) for name, field in _FIELDS.items()}
_TO_PROTO = {name: write for name, (write, _) in _CONVERTERS.items()}
_FROM_PROTO = {name: read for name, (_, read) in _CONVERTERS.items()}
