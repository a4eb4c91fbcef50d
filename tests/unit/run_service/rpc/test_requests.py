import datetime as dt
from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st
from powerfill.common.v1.run_status_pb2 import RUN_STATUS_COMPLETE as COMPLETE
from powerfill.common.v1.run_status_pb2 import RUN_STATUS_FAILED as FAILED
from powerfill.run.v1.run_service_pb2 import ListRunsRequest

from services.run_service.application.ports import RunCursor, RunSelection
from services.run_service.domain.run import RunStatus
from services.run_service.rpc.mapping import requests
from shared.errors import PowerFillError, Reason


def error_of(call: Any, *arguments: Any) -> PowerFillError:
    with pytest.raises(PowerFillError) as caught:
        call(*arguments)
    return caught.value


def test_a_run_id_is_taken_as_it_is() -> None:
    assert requests.checked_run_id("0190c1c2-7b7b-7abc-8def-0123456789ab", "acme") == "0190c1c2-7b7b-7abc-8def-0123456789ab"


def test_no_run_id_is_an_invalid_field() -> None:
    (violation,) = error_of(requests.checked_run_id, "", "acme").fields
    assert (violation.field, "`powerfill runs list acme`" in violation.description) == ("run_id", True)


@pytest.mark.parametrize("run_id", ["x" * 37, "a b", "a\x00", "é", "\n"])
def test_what_cannot_be_a_run_id_is_not_found(run_id: str) -> None:
    error = error_of(requests.checked_run_id, run_id, "acme")
    assert error.reason == Reason.RUN_NOT_FOUND
    assert "`powerfill runs list acme`" in error.message


def test_of_a_run_id_without_end_the_beginning_is_repeated() -> None:
    error = error_of(requests.checked_run_id, "x" * 100_000, "acme")
    assert error.message.startswith(f"there is no run '{'x' * 64}'; ")
    assert error.metadata == {"run_id": "x" * 64}


@pytest.mark.parametrize("request_id", ["", "x" * 64, "order-66/a"])
def test_a_request_id_is_taken_as_it_is(request_id: str) -> None:
    assert requests.checked_request_id(request_id) == request_id


@pytest.mark.parametrize("request_id", ["x" * 65, "a b", "a\x00", "é"])
def test_what_cannot_be_a_request_id_is_an_invalid_field(request_id: str) -> None:
    error = error_of(requests.checked_request_id, request_id)
    assert [field.field for field in error.fields] == ["request_id"]


def test_nothing_chosen_is_every_run() -> None:
    assert requests.selection_from_proto(ListRunsRequest()) == RunSelection()


def test_statuses_and_times_are_chosen() -> None:
    request = ListRunsRequest(
        statuses=[FAILED, COMPLETE, FAILED], submitted_from=Timestamp(seconds=60), submitted_before=Timestamp(seconds=120)
    )
    assert requests.selection_from_proto(request) == RunSelection(
        (RunStatus.FAILED, RunStatus.COMPLETE),
        dt.datetime(1970, 1, 1, 0, 1, tzinfo=dt.UTC),
        dt.datetime(1970, 1, 1, 0, 2, tzinfo=dt.UTC),
    )


@pytest.mark.parametrize(
    ("request_fields", "field"),
    [
        ({"statuses": [COMPLETE, 0]}, "statuses[1]"),
        ({"statuses": [99]}, "statuses[0]"),
        ({"statuses": [COMPLETE] * 65}, "statuses"),
        ({"submitted_from": Timestamp(seconds=2**60)}, "submitted_from"),
        ({"submitted_before": Timestamp(nanos=-1)}, "submitted_before"),
    ],
)
def test_what_is_no_selection_is_an_invalid_field(request_fields: dict[str, Any], field: str) -> None:
    error = error_of(requests.selection_from_proto, ListRunsRequest(**request_fields))
    assert (error.reason, error.fields[0].field) == (Reason.INVALID_FIELD, field)


@given(st.datetimes(timezones=st.just(dt.UTC)), st.text())
def test_a_cursor_comes_back_from_its_position(submitted_at: dt.datetime, run_id: str) -> None:
    cursor = RunCursor(submitted_at, run_id)
    assert requests.cursor_at(requests.position_of(cursor)) == cursor


@pytest.mark.parametrize("position", [[], ["a"], ["never", "r"], [None, "r"], ["2026-04-17", "r", "x"]])
def test_a_position_of_another_list_is_an_invalid_token(position: list[Any]) -> None:
    assert error_of(requests.cursor_at, position).reason == Reason.PAGE_TOKEN_INVALID
