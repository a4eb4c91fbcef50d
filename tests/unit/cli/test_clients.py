"""Where a command's calls go."""

from pathlib import Path

import pytest

from cli.clients import Target
from cli.exit_codes import UsageError


def test_without_a_server_everything_is_local() -> None:
    assert Target.of() == Target("", "", None)
    assert Target.of(registry=Path("/r y")).again() == " --registry '/r y'"


def test_one_server_may_serve_both() -> None:
    target = Target.of(server="127.0.0.1:7301")
    assert (target.server, target.report_server, target.again()) == (
        "127.0.0.1:7301",
        "127.0.0.1:7301",
        " --server 127.0.0.1:7301",
    )
    assert Target.of(server="a:1", report_server="b:2").report_server == "b:2"
    assert Target.of(report_server="b:2") == Target("", "b:2", None)


def test_local_wins_over_servers_that_are_set() -> None:
    registry = Path("tenants.yaml")
    assert Target.of(server="a:1", report_server="b:2", local=True, registry=registry) == Target("", "", registry)


@pytest.mark.parametrize("address", ["127.0.0.1:7301", "localhost:1", "run.internal:443", "[::1]:7301", "unix:/run/pf.sock"])
def test_addresses(address: str) -> None:
    assert Target.of(server=address).server == address


@pytest.mark.parametrize("address", ["7301", "host", "host:", ":7301", "host:port", "http://host:1", "unix:", "a b:1"])
def test_no_addresses(address: str) -> None:
    with pytest.raises(UsageError, match="--report-server"):
        Target.of(report_server=address)
