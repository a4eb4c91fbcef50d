import pytest

from shared.rpc.server import AddressError, checked_address


@pytest.mark.parametrize(
    ("given", "bound"),
    [
        ("127.0.0.1:0", "127.0.0.1:0"),
        ("127.8.9.10:65535", "127.8.9.10:65535"),
        ("[::1]:50051", "[::1]:50051"),
        ("localhost:50051", "127.0.0.1:50051"),
        ("unix:/run/powerfill/run.sock", "unix:/run/powerfill/run.sock"),
        ("unix:run.sock", "unix:run.sock"),
    ],
)
def test_addresses_that_only_this_machine_reaches_are_taken(given: str, bound: str) -> None:
    assert checked_address(given) == bound


@pytest.mark.parametrize(
    "given",
    [
        "0.0.0.0:50051", "[::]:50051", "*:50051", "10.0.0.5:50051", "[fe80::1]:50051", "example.com:50051", ":50051", "50051",
        "127.0.0.1",
        "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:-1", "127.0.0.1:http", "127.0.0.1:\u0663", "::1:50051", "[127.0.0.1]:1",
        "ipv4:127.0.0.1:50051,0.0.0.0:50052", "dns:///localhost:50051", "unix:", "unix://", "unix-abstract:x", "vsock:1:2", "",
    ],
)  # fmt: skip
def test_all_others_are_refused_with_what_is_allowed(given: str) -> None:
    with pytest.raises(AddressError, match=r"servers listen on loopback only: 127\.0\.0\.1:PORT"):
        checked_address(given)
