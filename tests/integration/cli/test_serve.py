"""`powerfill serve`: both services in one process, until it is told to stop."""

import asyncio
import json
import socket
from dataclasses import replace

import pytest

from tests.integration.cli.shell import Shell, ended, line_of, press_ctrl_c

ANY_PORT = ("--run-address", "127.0.0.1:0", "--report-address", "127.0.0.1:0")


async def test_both_services_serve_and_stop_on_sigterm(shell: Shell) -> None:
    async with shell.started("serve", "all", *ANY_PORT, "--json") as server:
        addresses = json.loads(await line_of(server, "{"))
        assert set(addresses) == {"run", "report"}
        servers = {"POWERFILL_SERVER": addresses["run"], "POWERFILL_REPORT_SERVER": addresses["report"]}
        run = await shell.run("run", "acme", "--option", "as_of_date=2026-04-17", "--json", **servers)
        assert run.json["status"] == "COMPLETE"
        report = await shell.run("report", "kickouts", "acme", **servers)
        assert ": 2 rows" in report.out
        server.terminate()
        stopped = await ended(server)
    assert stopped.code == 0
    assert "Traceback" not in stopped.err


@pytest.mark.parametrize("which", ["run", "report"])
async def test_one_service_alone(shell: Shell, which: str) -> None:
    async with shell.started("serve", which, *ANY_PORT) as server:
        assert (await line_of(server, "service on")).startswith(f"{which} service on 127.0.0.1:")
        await line_of(server, "stops")
        server.terminate()
        assert (await ended(server)).code == 0


async def test_a_port_that_is_taken(shell: Shell) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        async with asyncio.timeout(40):
            refused = await shell.run("serve", "all", "--run-address", "127.0.0.1:0", POWERFILL_REPORT_ADDRESS=address)
    assert refused.code == 1
    assert refused.err.splitlines()[-1] == f"error: cannot listen on {address}: the address is in use or cannot be bound"


async def test_ctrl_c_again_and_again_while_it_stops_is_quiet(shell: Shell) -> None:
    async with shell.started("serve", "all", *ANY_PORT) as server:
        await line_of(server, "stops")
        while server.returncode is None:
            press_ctrl_c(server)
            await asyncio.sleep(0.002)
        stopped = await ended(server)
    assert (stopped.code, "Traceback" in stopped.err, "KeyboardInterrupt" in stopped.err) == (0, False, False)


BROKEN = """
from services.run_service.application.dispatch import Dispatcher
async def dispatch(self):
    raise ZeroDivisionError("nobody foresaw this")
Dispatcher.dispatch = dispatch
from cli.main import main
main()
"""


@pytest.mark.parametrize("command", [("serve", "run", "--run-address", "127.0.0.1:0"), ("run", "acme")])
async def test_work_in_the_background_that_fails_ends_the_command_with_an_error(shell: Shell, command: tuple[str, ...]) -> None:
    async with replace(shell, main=BROKEN).started(*command) as server:
        broken = await ended(server)
    assert broken.code == 1
    assert "ZeroDivisionError: nobody foresaw this" in broken.err.replace("\\n", "\n")
    assert "error: the run service stops: its work in the background failed, as its log tells" in broken.err
