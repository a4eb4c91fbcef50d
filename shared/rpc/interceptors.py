"""What happens around every RPC of both services, in this order."""

import asyncio
import logging
import secrets
from collections.abc import Sequence
from contextvars import ContextVar
from typing import Any

import grpc
import grpc.aio

from shared.auth.caller import Caller, caller_of
from shared.errors import FieldViolation, PowerFillError, invalid_fields
from shared.rpc.calls import Call, Layer, Proceed
from shared.rpc.status import grpc_status, internal_status, status_of
from shared.telemetry.rpc_spans import rpc_span

MAX_METADATA_ENTRIES = 64
MAX_METADATA_BYTES = 8 * 1024
UNARY_DEADLINE_S = 60.0
"""How long a call with one answer may take when its client sets no deadline."""

_logger = logging.getLogger(__name__)
_caller: ContextVar[Caller] = ContextVar("powerfill_caller")


def current_caller() -> Caller:
    """Who made the RPC that is being handled. Raises LookupError outside of one, and in health and reflection."""
    return _caller.get()


async def telemetry(call: Call, proceed: Proceed) -> Any:
    """One span per RPC, that of the client's trace where it sent one."""
    if call.is_infrastructure:
        return await proceed()
    with rpc_span(call.method, call.context.invocation_metadata() or (), call.context.code):
        return await proceed()


async def errors(call: Call, proceed: Proceed) -> Any:
    """Every error as a status: a known one with its details, any other as INTERNAL with an id that is in the log."""
    try:
        return await proceed()
    except PowerFillError as error:
        await call.context.abort_with_status(grpc_status(status_of(error)))
    except grpc.aio.AbortError:  # somebody has answered already
        raise
    except asyncio.CancelledError:
        if call.ended_with is not None and call.task is not None:
            call.task.uncancel()
            await call.context.abort_with_status(grpc_status(status_of(call.ended_with)))
        if call.task is None or call.task.cancelling():  # the client went away or its deadline passed
            raise
        await _abort_unexpected(call)  # something that the handler waited for was cancelled; gRPC would leave the client waiting
    except grpc.aio.InternalError as error:  # the connection broke while answering, which gRPC may know only a moment later
        raise asyncio.CancelledError from error
    except Exception:  # noqa: BLE001 - the outermost place: what nobody expected is logged and becomes INTERNAL
        await _abort_unexpected(call)


async def _abort_unexpected(call: Call) -> None:
    error_id = secrets.token_hex(8)
    _logger.exception("unexpected error %s in %s", error_id, call.method, extra={"error_id": error_id})
    await call.context.abort_with_status(grpc_status(internal_status(error_id)))


async def metadata_limits(call: Call, proceed: Proceed) -> Any:
    """Refuses metadata that is longer than anything a client of these services has to say."""
    metadata = call.context.invocation_metadata() or ()
    size = sum(len(key) + len(value) for key, value in metadata)
    if len(metadata) > MAX_METADATA_ENTRIES or size > MAX_METADATA_BYTES:
        allowed = f"at most {MAX_METADATA_ENTRIES} entries and {MAX_METADATA_BYTES} bytes are allowed"
        raise invalid_fields([FieldViolation("metadata", f"{len(metadata)} entries of {size} bytes; {allowed}")])
    return await proceed()


def deadline(seconds: float) -> Layer:
    """Ends a call with one answer after so many seconds when its client set no deadline; gRPC ends the others itself."""

    async def limited(call: Call, proceed: Proceed) -> Any:
        if call.is_stream or call.context.time_remaining() is not None:
            return await proceed()
        try:
            async with asyncio.timeout(seconds) as limit:
                return await proceed()
        except TimeoutError:
            if not limit.expired():
                raise
            await call.context.abort(grpc.StatusCode.DEADLINE_EXCEEDED, f"not done within {seconds:g} s")

    return limited


async def caller(call: Call, proceed: Proceed) -> Any:
    """Who calls, for `current_caller`; refuses calls that name no tenant."""
    if not call.is_infrastructure:
        _caller.set(caller_of(call.context.invocation_metadata() or ()))
    return await proceed()


INTERCEPTORS: Sequence[Layer] = (
    telemetry,  # outermost: errors are logged inside the span, and its end sees the status that was sent
    errors,  # everything further in may raise: it becomes a status here, once
    metadata_limits,  # before anything reads the metadata
    deadline(UNARY_DEADLINE_S),  # before anything waits
    caller,  # last: nobody is served, and no request is judged, before it is known who asks
)
