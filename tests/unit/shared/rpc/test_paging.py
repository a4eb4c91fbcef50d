import pytest
from google.protobuf.message import Message
from hypothesis import given
from hypothesis import strategies as st
from powerfill.common.v1.run_status_pb2 import RUN_STATUS_COMPLETE as COMPLETE
from powerfill.common.v1.run_status_pb2 import RUN_STATUS_FAILED as FAILED
from powerfill.report.v1.report_pb2 import ReportQuery
from powerfill.run.v1.run_service_pb2 import ListRunsRequest

from shared.errors import PowerFillError, Reason
from shared.rpc.paging import MAX_TOKEN_LENGTH, PageTokens, checked_page_size, request_digest

TOKENS = PageTokens("a secret")
REQUEST = ListRunsRequest(page_size=20, statuses=[COMPLETE, FAILED])


def test_a_token_gives_back_its_position() -> None:
    digest = request_digest("acme", REQUEST)
    token = TOKENS.give(["2026-04-17T10:00:00+00:00", "run-1", None, 7], digest)
    assert PageTokens("a secret").take(token, digest) == ["2026-04-17T10:00:00+00:00", "run-1", None, 7]


def test_the_page_size_may_change_between_pages() -> None:
    smaller = ListRunsRequest(page_size=5, statuses=[COMPLETE, FAILED], page_token="given")
    assert request_digest("acme", smaller) == request_digest("acme", REQUEST)


@pytest.mark.parametrize(
    ("tenant_id", "request_message", "rpc"),
    [
        ("other", REQUEST, ""),
        ("acme", ListRunsRequest(statuses=[COMPLETE]), ""),
        ("acme", ListRunsRequest(statuses=[FAILED, COMPLETE]), ""),
        ("acme", ListRunsRequest(), ""),
        ("acme", REQUEST, "GetKickouts"),
        ("acme", ReportQuery(), ""),
    ],
)
def test_a_token_is_bound_to_tenant_request_and_rpc(tenant_id: str, request_message: Message, rpc: str) -> None:
    token = TOKENS.give(["x"], request_digest("acme", REQUEST))
    with pytest.raises(PowerFillError) as caught:
        TOKENS.take(token, request_digest(tenant_id, request_message, rpc))
    assert caught.value.reason == Reason.PAGE_TOKEN_INVALID


def test_a_token_of_another_secret_is_refused() -> None:
    digest = request_digest("acme", REQUEST)
    with pytest.raises(PowerFillError):
        PageTokens("another secret").take(TOKENS.give(["x"], digest), digest)


@given(st.integers(min_value=0), st.characters(categories=["L", "N"]))
def test_a_token_that_was_changed_is_refused(place: int, character: str) -> None:
    digest = request_digest("acme", REQUEST)
    token = TOKENS.give(["2026-04-17T10:00:00+00:00", "run-1"], digest)
    place %= len(token)
    if token[place] == character:
        return
    with pytest.raises(PowerFillError):
        TOKENS.take(token[:place] + character + token[place + 1 :], digest)


@given(st.text(max_size=100))
def test_any_other_text_is_refused(text: str) -> None:
    with pytest.raises(PowerFillError):
        TOKENS.take(text, request_digest("acme", REQUEST))


def test_an_over_long_token_is_refused() -> None:
    with pytest.raises(PowerFillError):
        TOKENS.take("a" * (MAX_TOKEN_LENGTH + 1), request_digest("acme", REQUEST))


def test_page_sizes() -> None:
    assert checked_page_size(0, default=50, largest=1000) == 50
    assert checked_page_size(1000, default=50, largest=1000) == 1000
    for size in (-1, 1001, 2**31 - 1):
        with pytest.raises(PowerFillError) as caught:
            checked_page_size(size, default=50, largest=1000, field="query.page_size")
        assert caught.value.fields[0].field == "query.page_size"
