"""Errors on the wire: PowerFillError to a google.rpc.Status with rich details, and back to what a client can show.

Details travel in a header, and clients take 8 KiB of headers: long texts are cut, and of many violations the first are sent
while the metadata key `omitted` counts the rest.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

import grpc
import grpc.aio
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.message import DecodeError, Message
from google.rpc.code_pb2 import Code
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, PreconditionFailure, RetryInfo
from google.rpc.status_pb2 import Status
from grpc_status import rpc_status

from shared.errors import FieldViolation, PowerFillError, PreconditionViolation, Reason
from shared.rpc.values import duration_from_proto, duration_to_proto

DOMAIN = "powerfill"
"""The domain of every ErrorInfo."""

MAX_MESSAGE_BYTES = 600
MAX_TEXT_BYTES = 400
MAX_FACTS_BYTES = 800
MAX_VIOLATIONS_BYTES = 2600
"""With base64 and the message once more, percent-encoded, a status stays under 8 KiB."""

_DETAILS_KEY = "grpc-status-details-bin"
_M = TypeVar("_M", bound=Message)


def status_of(error: PowerFillError) -> Status:
    """The status a caller gets for an error."""
    fields = _first(_field_violations(error.fields), MAX_VIOLATIONS_BYTES)
    room = MAX_VIOLATIONS_BYTES - sum(item.ByteSize() for item in fields)
    preconditions = _first(_precondition_violations(error.preconditions), room)
    omitted = len(error.fields) - len(fields) + len(error.preconditions) - len(preconditions)
    details: list[Message] = [_error_info(error.reason, {**error.metadata, **({"omitted": str(omitted)} if omitted else {})})]
    if fields:
        details.append(BadRequest(field_violations=fields))
    if preconditions:
        details.append(PreconditionFailure(violations=preconditions))
    if error.retry_after_s is not None:
        details.append(RetryInfo(retry_delay=duration_to_proto(error.retry_after_s)))
    return _status(Code.Value(error.category.value), error.message, details)


def internal_status(error_id: str) -> Status:
    """The status for what nobody expected: the id leads to the server's log, nothing else is told."""
    message = f"unexpected error {error_id}; the server's log has it under this id"
    return _status(Code.INTERNAL, message, [_error_info(Reason.INTERNAL, {"error_id": error_id})])


def grpc_status(status: Status) -> grpc.Status:
    """What `context.abort_with_status` takes."""
    converted: grpc.Status = rpc_status.to_status(status)
    return converted


class ReceivedError(Exception):
    """An error as a client received it: `reason` is that of ErrorInfo, empty when the server gave none."""

    def __init__(
        self,
        code: grpc.StatusCode,
        message: str,
        reason: str = "",
        metadata: Mapping[str, str] | None = None,
        *,
        fields: Sequence[FieldViolation] = (),
        preconditions: Sequence[PreconditionViolation] = (),
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.reason = reason
        self.metadata = dict(metadata or {})
        self.fields = tuple(fields)
        self.preconditions = tuple(preconditions)
        self.retry_after_s = retry_after_s

    def __str__(self) -> str:
        return "\n".join(self.lines())

    def lines(self) -> Iterator[str]:
        """The error for a person: what happened, then each field and each state to put right, then when to try again."""
        yield f"{self.code.name}{f' ({self.reason})' if self.reason else ''}: {self.message}"
        for field in self.fields:
            if f"{field.field}: {field.description}" not in self.message:
                yield f"  {field.field}: {field.description}"
        for precondition in self.preconditions:
            yield f"  {precondition.kind} {precondition.subject}: {precondition.description}"
        if omitted := self.metadata.get("omitted"):
            yield f"  and {omitted} more"
        if self.retry_after_s is not None:
            yield f"  try again in {self.retry_after_s:g} s"


def error_from_call(error: grpc.aio.AioRpcError) -> ReceivedError:
    """The error of a failed call with what its details say; details that cannot be read are left out."""
    reason, metadata = "", {}
    fields: list[FieldViolation] = []
    preconditions: list[PreconditionViolation] = []
    retry_after_s = None
    for detail in _details(error):
        if isinstance(detail, ErrorInfo):
            reason, metadata = detail.reason, dict(detail.metadata)
        elif isinstance(detail, BadRequest):
            fields.extend(FieldViolation(item.field, item.description) for item in detail.field_violations)
        elif isinstance(detail, PreconditionFailure):
            preconditions.extend(PreconditionViolation(item.type, item.subject, item.description) for item in detail.violations)
        elif isinstance(detail, RetryInfo):
            retry_after_s = duration_from_proto(detail.retry_delay)
    return ReceivedError(
        error.code(),
        error.details() or "",
        reason,
        metadata,
        fields=fields,
        preconditions=preconditions,
        retry_after_s=retry_after_s,
    )


def _details(error: grpc.aio.AioRpcError) -> Iterator[Message]:
    for key, value in error.trailing_metadata() or ():
        if key != _DETAILS_KEY or not isinstance(value, bytes):
            continue
        try:
            packed = Status.FromString(value).details
        except DecodeError:
            continue
        yield from _unpacked(packed)


def _unpacked(packed: Iterable[AnyMessage]) -> Iterator[Message]:
    for detail in packed:
        for kind in (ErrorInfo, BadRequest, PreconditionFailure, RetryInfo):
            message = kind()
            try:
                if detail.Unpack(message):
                    yield message
            except DecodeError:
                continue


def _status(code: int, message: str, details: Sequence[Message]) -> Status:
    status = Status(code=code, message=_cut(message, MAX_MESSAGE_BYTES))
    for detail in details:
        status.details.add().Pack(detail)
    return status


def _error_info(reason: Reason, metadata: Mapping[str, str]) -> ErrorInfo:
    room = MAX_FACTS_BYTES // max(1, len(metadata))
    return ErrorInfo(reason=reason.value, domain=DOMAIN, metadata={key: _cut(value, room) for key, value in metadata.items()})


def _field_violations(fields: Sequence[FieldViolation]) -> list[BadRequest.FieldViolation]:
    return [
        BadRequest.FieldViolation(field=_cut(item.field, 100), description=_cut(item.description, MAX_TEXT_BYTES))
        for item in fields
    ]


def _precondition_violations(preconditions: Sequence[PreconditionViolation]) -> list[PreconditionFailure.Violation]:
    return [
        PreconditionFailure.Violation(
            type=_cut(item.kind, 100), subject=_cut(item.subject, 200), description=_cut(item.description, MAX_TEXT_BYTES)
        )
        for item in preconditions
    ]


def _first(items: Sequence[_M], room: int) -> list[_M]:
    """As many of the items, in order, as `room` bytes take."""
    kept: list[_M] = []
    for item in items:
        room -= item.ByteSize()
        if room < 0:
            break
        kept.append(item)
    return kept


def _cut(text: str, size: int) -> str:
    """A text that can be sent: valid Unicode of at most `size` bytes."""
    encoded = text.encode("utf-8", "replace")
    return encoded.decode() if len(encoded) <= size else encoded[: size - 3].decode("utf-8", "ignore") + "..."
