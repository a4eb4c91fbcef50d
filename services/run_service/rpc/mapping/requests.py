"""What clients send: run ids, idempotency keys and the selection of runs, checked before anything is done with them."""

import datetime as dt
import re

from powerfill.common.v1 import run_status_pb2
from powerfill.run.v1.run_service_pb2 import ListRunsRequest

from services.run_service.application.query_runs import RunCursor, RunSelection
from services.run_service.domain.run import RunStatus
from shared.errors import FieldViolation, invalid_field, invalid_fields, run_not_found
from shared.rpc.paging import page_token_invalid
from shared.rpc.values import enum_words, timestamp_from_proto

MAX_REQUEST_ID_LENGTH = 64
MAX_STATUSES = 64
"""Statuses one request may name, repetitions included."""

_RUN_ID = re.compile(r"[!-~]{1,36}", re.ASCII)
_REQUEST_ID = re.compile(rf"[!-~]{{0,{MAX_REQUEST_ID_LENGTH}}}", re.ASCII)
_STATUSES = {number: RunStatus(word) for number, word in enum_words(run_status_pb2.RunStatus.DESCRIPTOR).items()}


def checked_run_id(run_id: str, tenant_id: str, field: str = "run_id") -> str:
    """The id of a run, from this field. Raises INVALID_FIELD when it is empty, RUN_NOT_FOUND when no run can have it."""
    if not run_id:
        raise invalid_field(field, f"it must be given; `powerfill runs list {tenant_id}` shows them")
    if _RUN_ID.fullmatch(run_id) is None:
        raise run_not_found(run_id, tenant_id)
    return run_id


def checked_request_id(request_id: str) -> str:
    """An idempotency key, empty for none. Raises INVALID_FIELD."""
    if _REQUEST_ID.fullmatch(request_id) is None:
        allowed = f"it must have at most {MAX_REQUEST_ID_LENGTH} printable ASCII characters without blanks"
        raise invalid_field("request_id", f"{request_id[:MAX_REQUEST_ID_LENGTH]!r} is not allowed; {allowed}")
    return request_id


def selection_from_proto(request: ListRunsRequest) -> RunSelection:
    """Which runs to list. Raises INVALID_FIELD for an unknown status and for what is no time."""
    if len(request.statuses) > MAX_STATUSES:
        raise invalid_field("statuses", f"{len(request.statuses)} are given; at most {MAX_STATUSES} are allowed")
    unknown = [
        FieldViolation(f"statuses[{index}]", f"{number} is no status; it must be one of {', '.join(RunStatus)}")
        for index, number in enumerate(request.statuses)
        if number not in _STATUSES
    ]
    if unknown:
        raise invalid_fields(unknown)
    return RunSelection(
        statuses=tuple(dict.fromkeys(_STATUSES[number] for number in request.statuses)),
        submitted_from=_time(request, "submitted_from"),
        submitted_before=_time(request, "submitted_before"),
    )


def position_of(cursor: RunCursor) -> list[str]:
    """A cursor as a page token holds it."""
    return [cursor.submitted_at.isoformat(), cursor.run_id]


def cursor_at(position: list[str]) -> RunCursor:
    """The cursor in a page token. Raises PAGE_TOKEN_INVALID."""
    try:
        submitted_at, run_id = position
        return RunCursor(dt.datetime.fromisoformat(submitted_at), run_id)
    except (TypeError, ValueError):
        raise page_token_invalid() from None


def _time(request: ListRunsRequest, field: str) -> dt.datetime | None:
    return timestamp_from_proto(getattr(request, field), field) if request.HasField(field) else None  # type: ignore[arg-type]
