import pytest

from shared.auth.caller import Caller, caller_of
from shared.errors import PowerFillError


def test_the_metadata_names_tenant_and_user() -> None:
    metadata: list[tuple[str, str | bytes]] = [
        ("user-agent", "grpc"),
        ("x-tenant-id", "acme"),
        ("x-user", "Ann B"),
        ("trace-bin", b"\x00"),
    ]
    assert caller_of(metadata) == Caller("acme", "Ann B")


def test_without_a_user_the_caller_is_anonymous() -> None:
    assert caller_of([("x-tenant-id", "acme")]) == Caller("acme", "anonymous")


def test_the_same_tenant_twice_is_one_tenant() -> None:
    assert caller_of([("x-tenant-id", "acme"), ("x-tenant-id", "acme")]).tenant_id == "acme"


@pytest.mark.parametrize(
    "metadata",
    [
        [],
        [("x-tenant-id", "")],
        [("x-tenant-id", "acme"), ("x-tenant-id", "other")],
        [("x-tenant-id", "acme"), ("x-user", "a"), ("x-user", "b")],
    ],
)
def test_no_tenant_or_two_callers_are_unauthenticated(metadata: list[tuple[str, str]]) -> None:
    with pytest.raises(PowerFillError) as caught:
        caller_of(metadata)
    assert (caught.value.category.value, caught.value.reason.value) == ("UNAUTHENTICATED", "UNAUTHENTICATED")


@pytest.mark.parametrize("tenant_id", [" acme", "../etc", "a/b", "a b", "-x", "x" * 65, "a\n", "é", "a;drop"])
def test_what_cannot_be_a_tenant_is_refused(tenant_id: str) -> None:
    with pytest.raises(PowerFillError) as caught:
        caller_of([("x-tenant-id", tenant_id)])
    assert [field.field for field in caught.value.fields] == ["x-tenant-id"]


@pytest.mark.parametrize("user", ["", " x", "x ", "x" * 129, "a\x00", "a\n"])
def test_what_cannot_be_a_user_is_refused(user: str) -> None:
    with pytest.raises(PowerFillError) as caught:
        caller_of([("x-tenant-id", "acme"), ("x-user", user)])
    assert [field.field for field in caught.value.fields] == ["x-user"]
