import grpc
import grpc.aio
import pytest
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo
from google.rpc.status_pb2 import Status
from hypothesis import given
from hypothesis import strategies as st
from powerfill.common.v1.error_reason_pb2 import ErrorReason

from shared.errors import Category, FieldViolation, PowerFillError, PreconditionViolation, Reason, invalid_fields, run_not_found
from shared.rpc.status import DOMAIN, ReceivedError, error_from_call, grpc_status, internal_status, status_of
from shared.rpc.values import enum_words

MAX_HEADER_BYTES = 8192


def received(status: Status) -> ReceivedError:
    """The status as a client's call raises it."""
    sent = grpc_status(status)
    metadata = grpc.aio.Metadata(*sent.trailing_metadata)
    return error_from_call(grpc.aio.AioRpcError(sent.code, grpc.aio.Metadata(), metadata, sent.details))


def test_the_reasons_are_those_of_the_contract() -> None:
    assert list(enum_words(ErrorReason.DESCRIPTOR).values()) == list(Reason)


def test_every_category_is_a_grpc_status() -> None:
    for category in Category:
        error = PowerFillError(category, Reason.INVALID_FIELD, "x")
        assert received(status_of(error)).code == grpc.StatusCode[category]


def test_an_error_reaches_the_client_with_all_it_says() -> None:
    error = PowerFillError(
        Category.FAILED_PRECONDITION,
        Reason.PREFLIGHT_FAILED,
        "tenant 'acme' is not ready",
        {"tenant_id": "acme"},
        fields=[FieldViolation("options.scope", "wrong")],
        preconditions=[PreconditionViolation("UPSTREAM_SCHEMA", "pscat_trades.price", "is missing")],
        retry_after_s=2.5,
    )
    got = received(status_of(error))
    assert (got.code, got.message, got.reason) == (grpc.StatusCode.FAILED_PRECONDITION, error.message, "PREFLIGHT_FAILED")
    assert got.metadata == {"tenant_id": "acme"}
    assert (got.fields, got.preconditions, got.retry_after_s) == (error.fields, error.preconditions, 2.5)
    assert str(got).splitlines() == [
        "FAILED_PRECONDITION (PREFLIGHT_FAILED): tenant 'acme' is not ready",
        "  options.scope: wrong",
        "  UPSTREAM_SCHEMA pscat_trades.price: is missing",
        "  try again in 2.5 s",
    ]


def test_a_field_that_the_message_names_is_not_told_twice() -> None:
    got = received(status_of(invalid_fields([FieldViolation("page_size", "5 is too many")])))
    assert str(got) == "INVALID_ARGUMENT (INVALID_FIELD): page_size: 5 is too many"


def test_the_domain_of_every_error_is_powerfill() -> None:
    info = ErrorInfo()
    assert status_of(run_not_found("r", "acme")).details[0].Unpack(info)
    assert info.domain == DOMAIN == "powerfill"


def test_internal_tells_an_id_and_nothing_else() -> None:
    got = received(internal_status("abc123"))
    assert (got.code, got.reason, got.metadata) == (grpc.StatusCode.INTERNAL, "INTERNAL", {"error_id": "abc123"})


def test_of_many_violations_the_first_are_sent_and_the_rest_counted() -> None:
    error = invalid_fields([FieldViolation(f"statuses[{index}]", "no status " * 10) for index in range(1000)])
    got = received(status_of(error))
    assert got.fields[0].field == "statuses[0]"
    assert len(got.fields) + int(got.metadata["omitted"]) == 1000
    assert f"and {got.metadata['omitted']} more" in str(got)


@given(st.text(max_size=50), st.integers(min_value=1, max_value=2000), st.integers(min_value=1, max_value=100))
def test_no_status_is_larger_than_the_headers_that_clients_take(text: str, times: int, count: int) -> None:
    long = text * times
    error = PowerFillError(
        Category.INVALID_ARGUMENT,
        Reason.INVALID_FIELD,
        long,
        {f"key{index}": long for index in range(3)},
        fields=[FieldViolation(long, long)] * count,
        preconditions=[PreconditionViolation(long, long, long)] * count,
        retry_after_s=1,
    )
    status = status_of(error)
    percent_encoded = 3 * len(status.message.encode())
    assert percent_encoded + len(status.SerializeToString()) * 4 / 3 < MAX_HEADER_BYTES - 256
    assert received(status).reason == "INVALID_FIELD"


def test_text_that_is_no_unicode_is_sent_as_far_as_it_is() -> None:
    assert received(status_of(run_not_found("\ud800", "acme"))).code == grpc.StatusCode.NOT_FOUND


@pytest.mark.parametrize("details", [b"", b"\xff\xff", Status(code=5).SerializeToString()])
def test_details_that_cannot_be_read_are_left_out(details: bytes) -> None:
    metadata = grpc.aio.Metadata(("grpc-status-details-bin", details), ("other", "x"))
    error = error_from_call(grpc.aio.AioRpcError(grpc.StatusCode.UNAVAILABLE, grpc.aio.Metadata(), metadata, "gone"))
    assert (error.code, error.message, error.reason, error.fields) == (grpc.StatusCode.UNAVAILABLE, "gone", "", ())


def test_a_broken_detail_does_not_hide_the_others() -> None:
    status = status_of(run_not_found("r", "acme"))
    status.details.add(type_url=f"type.googleapis.com/{BadRequest.DESCRIPTOR.full_name}", value=b"\xff")
    assert received(status).reason == "RUN_NOT_FOUND"
