"""Values on the wire: exact decimals, dates, times, durations and enum words, to and from protobuf.

What comes from a client is checked here: a message that holds no such value raises INVALID_ARGUMENT naming the field.
"""

import datetime as dt
import re
from collections.abc import Mapping
from decimal import Decimal

from google.protobuf.descriptor import EnumDescriptor
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp
from google.type.date_pb2 import Date
from google.type.decimal_pb2 import Decimal as DecimalMessage

from shared.errors import invalid_field

MAX_DECIMAL_LENGTH = 64
"""Characters a decimal from a client may have."""

_DECIMAL = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,4})?", re.ASCII)
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MIN_TIMESTAMP_S, _MAX_TIMESTAMP_S = -62_135_596_800, 253_402_300_799
_NANOS_PER_S, _NANOS_PER_MICRO = 1_000_000_000, 1000


def decimal_to_proto(value: Decimal | str | int) -> DecimalMessage:
    """An exact number as the digits a person would write: no exponent."""
    return DecimalMessage(value=format(value, "f") if isinstance(value, Decimal) else str(value))


def decimal_problem(text: str) -> str:
    """Why a text is no decimal number; empty if it is one. Ranges are for others to judge."""
    if len(text) > MAX_DECIMAL_LENGTH:
        return f"a text of {len(text)} characters; a decimal number has at most {MAX_DECIMAL_LENGTH}"
    if _DECIMAL.fullmatch(text) is None:
        return f"{text!r} is not a decimal number"
    return ""


def decimal_from_proto(message: DecimalMessage, field: str) -> Decimal:
    """The number a client sent in `field`."""
    if problem := decimal_problem(message.value):
        raise invalid_field(field, problem)
    return Decimal(message.value)


def date_to_proto(value: dt.date) -> Date:
    """A whole date."""
    return Date(year=value.year, month=value.month, day=value.day)


def date_text(message: Date) -> str:
    """A date as YYYY-MM-DD, whether or not there is such a day."""
    return f"{message.year:04d}-{message.month:02d}-{message.day:02d}"


def date_from_proto(message: Date, field: str) -> dt.date:
    """The day a client sent in `field`."""
    try:
        return dt.date(message.year, message.month, message.day)
    except ValueError:
        raise invalid_field(field, f"{date_text(message)} is not a day of the calendar") from None


def timestamp_to_proto(value: dt.datetime) -> Timestamp:
    """A moment, exact to the microsecond; a time without a zone is UTC."""
    since = (value if value.tzinfo else value.replace(tzinfo=dt.UTC)) - _EPOCH
    return Timestamp(seconds=since.days * 86_400 + since.seconds, nanos=since.microseconds * _NANOS_PER_MICRO)


def timestamp_from_proto(message: Timestamp, field: str) -> dt.datetime:
    """The moment a client sent in `field`, in UTC; finer than a microsecond counts as the next one.

    So `>= t` and `< t` select the same recorded times, which are whole microseconds.
    """
    if not _MIN_TIMESTAMP_S <= message.seconds <= _MAX_TIMESTAMP_S or not 0 <= message.nanos < _NANOS_PER_S:
        raise invalid_field(field, f"{message.seconds} s and {message.nanos} ns is not a time from year 1 to 9999")
    micros = -(-message.nanos // _NANOS_PER_MICRO)
    try:
        return _EPOCH + dt.timedelta(seconds=message.seconds, microseconds=micros)
    except OverflowError:
        return dt.datetime.max.replace(tzinfo=dt.UTC)


def duration_to_proto(seconds: float) -> Duration:
    """A length of time in seconds, to the microsecond."""
    micros = round(seconds * 1_000_000)
    sign = -1 if micros < 0 else 1
    whole, rest = divmod(abs(micros), 1_000_000)
    return Duration(seconds=sign * whole, nanos=sign * rest * _NANOS_PER_MICRO)


def duration_from_proto(message: Duration) -> float:
    """A length of time in seconds."""
    return message.seconds + message.nanos / _NANOS_PER_S


def enum_words(descriptor: EnumDescriptor) -> Mapping[int, str]:
    """The words of an enum by number, without its prefix and without UNSPECIFIED (0)."""
    prefix = descriptor.values_by_number[0].name.removesuffix("UNSPECIFIED")
    return {number: value.name.removeprefix(prefix) for number, value in descriptor.values_by_number.items() if number}


def enum_numbers(descriptor: EnumDescriptor) -> Mapping[str, int]:
    """The numbers of an enum by word, the inverse of `enum_words`."""
    return {word: number for number, word in enum_words(descriptor).items()}
