"""Run options between powerfill.common.v1.RunOptions and the names and values of specification 01 section 5.

The mapping has JSON-like values: dates in ISO form, decimals as text, integers as numbers, enum words as the specification
spells them, `pair_off_cost` an object by kind. What is not set in the message is not in the mapping. Ranges and defaults are
the run service's affair; here only what cannot be written in that form is refused.
"""

import datetime as dt
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, TypeVar

from google.protobuf.descriptor import EnumDescriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.unknown_fields import UnknownFieldSet
from google.type.date_pb2 import Date
from google.type.decimal_pb2 import Decimal as DecimalMessage
from powerfill.common.v1.run_options_pb2 import LoanStatus, PairOffCost, RunOptions

from shared.errors import FieldViolation, invalid_fields
from shared.rpc.values import date_text, date_to_proto, decimal_problem, decimal_to_proto, enum_words

_Converted = TypeVar("_Converted")
_KINDS = {name.upper(): name for name in PairOffCost.DESCRIPTOR.fields_by_name}


class _RefusedError(ValueError):
    """A value that cannot be translated; `part` names the part of the option it is about."""

    def __init__(self, description: str, part: str = "") -> None:
        super().__init__(description)
        self.part = part


def options_from_proto(message: RunOptions) -> dict[str, Any]:
    """The options that are set, by name.

    Raises PowerFillError (INVALID_FIELD) with a violation `options.<name>` for each value that is no value of its kind: an enum
    number or field this version does not know, a decimal that is no number. A date that is no day stays as text for the parser
    of options to refuse.
    """
    given: dict[str, Any] = {}
    violations: list[FieldViolation] = []
    for field, value in message.ListFields():
        name = field.name
        try:
            given[name] = _READERS[name](value)
        except _RefusedError as refused:
            violations.append(FieldViolation(f"options.{name}{refused.part}", str(refused)))
    if unknown := _unknown_fields(message):
        violations.append(FieldViolation("options", f"this version knows no option with field number {unknown}"))
    if violations:
        raise invalid_fields(violations)
    return given


def options_to_proto(options: Mapping[str, Any]) -> RunOptions:
    """The message with these options set; None leaves one unset. Values may also be text, as a command line gives them.

    Raises PowerFillError (INVALID_FIELD) with a violation `options.<name>` for what is no option or no value of its kind.
    """
    values: dict[str, Any] = {}
    violations: list[FieldViolation] = []
    for name, value in options.items():
        write = _WRITERS.get(name)
        if write is None:
            violations.append(FieldViolation(f"options.{name}", f"there is no such option; there are {', '.join(_WRITERS)}"))
        elif value is not None:
            try:
                values[name] = write(value)
            except _RefusedError as refused:
                violations.append(FieldViolation(f"options.{name}{refused.part}", str(refused)))
    if violations:
        raise invalid_fields(violations)
    return RunOptions(**values)


class _Choice:
    """An enum's words, as the specification spells them: loan statuses as the lender does (DocsOut), others as they are."""

    def __init__(self, enum: EnumDescriptor) -> None:
        is_status = enum is LoanStatus.DESCRIPTOR
        self._name = enum.name
        self._words = {
            number: "".join(map(str.capitalize, word.split("_"))) if is_status else word
            for number, word in enum_words(enum).items()
        }
        self._numbers = {word: number for number, word in self._words.items()}

    def read(self, number: int) -> str:
        if number not in self._words:
            raise _RefusedError(f"{number} is no {self._name} of this version; it must be one of {', '.join(self._numbers)}")
        return self._words[number]

    def write(self, word: object) -> int:
        if str(word) not in self._numbers:
            raise _RefusedError(f"{word!r} is not allowed; it must be one of {', '.join(self._numbers)}")
        return self._numbers[str(word)]


class _WholeNumber:
    """An integer of so many bits; its range is for the parser of options."""

    def __init__(self, bits: int) -> None:
        self._bits = bits

    def read(self, number: int) -> int:
        return number

    def write(self, value: object) -> int:
        try:
            number = int(str(value))
        except ValueError:
            raise _RefusedError(f"{value!r} is not an integer") from None
        if not -(2 ** (self._bits - 1)) <= number < 2 ** (self._bits - 1):
            raise _RefusedError(f"{number} does not fit {self._bits} bits")
        return number


class _Day:
    """A date; as text on the way in, so that the parser of options refuses what is no day."""

    def read(self, message: Date) -> str:
        return date_text(message)

    def write(self, value: object) -> Date:
        try:
            return date_to_proto(value if isinstance(value, dt.date) else dt.date.fromisoformat(str(value)))
        except ValueError:
            raise _RefusedError(f"{value!r} is not a date (YYYY-MM-DD)") from None


class _Number:
    """A decimal, as text."""

    def read(self, message: DecimalMessage) -> str:
        if problem := decimal_problem(message.value):
            raise _RefusedError(problem)
        return message.value

    def write(self, value: object) -> DecimalMessage:
        text = format(value, "f") if isinstance(value, Decimal) else str(value)
        if problem := decimal_problem(text):
            raise _RefusedError(problem)
        return decimal_to_proto(text)


class _NumberByKind:
    """Decimals by kind of instrument."""

    def read(self, message: PairOffCost) -> dict[str, str]:
        if unknown := _unknown_fields(message):
            raise _RefusedError(f"this version knows no kind of instrument with field number {unknown}")
        return {field.name.upper(): _part(field.name.upper(), _NUMBER.read, value) for field, value in message.ListFields()}

    def write(self, value: object) -> PairOffCost:
        if not isinstance(value, Mapping):
            raise _RefusedError(f"it must be an object with points by kind: {', '.join(_KINDS)}")
        costs: dict[str, DecimalMessage] = {}
        for kind, points in value.items():
            if str(kind) not in _KINDS:
                raise _RefusedError(f"{kind!r} is no kind of instrument; there are {', '.join(_KINDS)}")
            costs[_KINDS[str(kind)]] = _part(str(kind), _NUMBER.write, points)
        return PairOffCost(**costs)


def _part(kind: str, convert: Callable[[Any], _Converted], value: object) -> _Converted:
    try:
        return convert(value)
    except _RefusedError as refused:
        raise _RefusedError(str(refused), f".{kind}") from None


def _unknown_fields(message: Message) -> str:
    """The numbers of the fields that a newer client sent; ignoring an option would do something else than was asked."""
    fields = UnknownFieldSet(message)
    return ", ".join(str(fields[index].field_number) for index in range(len(fields)))


def _converter(field: FieldDescriptor) -> _Choice | _WholeNumber | _Day | _Number | _NumberByKind:
    if field.enum_type is not None:
        return _Choice(field.enum_type)
    if field.message_type is not None:
        return _BY_MESSAGE[field.message_type.full_name]
    return _WholeNumber(32 if field.type == FieldDescriptor.TYPE_INT32 else 64)


_NUMBER = _Number()
_BY_MESSAGE: Mapping[str, _Day | _Number | _NumberByKind] = {
    "google.type.Date": _Day(),
    "google.type.Decimal": _NUMBER,
    "powerfill.common.v1.PairOffCost": _NumberByKind(),
}
_CONVERTERS = {name: _converter(field) for name, field in RunOptions.DESCRIPTOR.fields_by_name.items()}
_READERS: Mapping[str, Callable[[Any], Any]] = {name: converter.read for name, converter in _CONVERTERS.items()}
_WRITERS: Mapping[str, Callable[[Any], Any]] = {name: converter.write for name, converter in _CONVERTERS.items()}
