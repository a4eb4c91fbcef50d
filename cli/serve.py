"""`powerfill serve`: the services, until they are told to stop."""

import asyncio
import contextlib
import enum
import signal
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from cli import arguments
from cli.console import print_json, program, say, stdout
from cli.exit_codes import UsageError
from cli.local import settings, unless_broken
from services.report_service import app as report_app
from services.report_service.settings import Settings as ReportSettings
from services.run_service import app as run_app
from services.run_service.settings import Settings as RunSettings
from shared.rpc.server import AddressError, checked_address
from shared.telemetry.logging import configure_logging
from shared.telemetry.tracing import configure_tracing


class Which(enum.StrEnum):
    """Which services."""

    RUN = "run"
    REPORT = "report"
    ALL = "all"


Address = Annotated[
    str,
    typer.Option(metavar="HOST:PORT", help="Where to listen: loopback only, port 0 for any free one.", show_default=False),
]

app = typer.Typer()


@app.command()
def serve(
    which: Annotated[Which, typer.Argument(metavar="[run|report|all]", help="Which services.")] = Which.ALL,
    run_address: Address = "",
    report_address: Address = "",
    registry: arguments.Registry = None,
    as_json: arguments.AsJson = False,
) -> None:
    """Start the run service, the report service or both, until SIGTERM or Ctrl-C; runs at work may then finish.

    The run service listens on 127.0.0.1:50051 (POWERFILL_RUN_ADDRESS), the report service on 127.0.0.1:50052
    (POWERFILL_REPORT_ADDRESS). Every setting has a variable POWERFILL_<NAME>. The log goes to stderr.

    Example: powerfill serve all
    """
    own_run = _chosen(registry, run_address=run_address)
    own_report = _chosen(registry, report_address=report_address)
    run_settings = settings(RunSettings, None, **own_run) if which != Which.REPORT else None
    report_settings = settings(ReportSettings, None, **own_report) if which != Which.RUN else None
    asyncio.run(_serve(run_settings, report_settings, as_json=as_json))


async def _serve(run_settings: RunSettings | None, report_settings: ReportSettings | None, *, as_json: bool) -> None:
    configure_logging(
        json=(run_settings or report_settings or RunSettings()).log_json,
        level=run_settings.log_level if run_settings else "INFO",
    )
    tracing = configure_tracing("powerfill")
    asked_to_stop = asyncio.Event()
    async with contextlib.AsyncExitStack() as stack:
        stack.enter_context(_signals(asked_to_stop))
        addresses = {}
        if run_settings:
            server = await stack.enter_async_context(run_app.running(run_settings, give_up=asked_to_stop))
            await stack.enter_async_context(unless_broken(server))
            addresses["run"] = server.address
        if report_settings:
            addresses["report"] = (await stack.enter_async_context(report_app.running(report_settings))).address
        _announce(addresses, as_json=as_json)
        await asked_to_stop.wait()
    tracing.stop()


@contextlib.contextmanager
def _signals(asked_to_stop: asyncio.Event) -> Iterator[None]:
    """SIGTERM and SIGINT set the event until the block ends; afterwards they cannot disturb the process's exit."""
    loop, numbers = asyncio.get_running_loop(), (signal.SIGTERM, signal.SIGINT)
    for number in numbers:
        loop.add_signal_handler(number, asked_to_stop.set)
    try:
        yield
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_IGN)


def _chosen(registry: Path | None, **addresses: str) -> dict[str, Any]:
    """The settings given on the command line. Raises UsageError for an address that is not this machine's alone."""
    own: dict[str, Any] = {name: address for name, address in addresses.items() if address}
    for name, address in own.items():
        try:
            checked_address(address)
        except AddressError as error:
            raise UsageError(f"--{name.replace('_', '-')} {error}") from None
    return own | ({"registry": registry} if registry else {})


def _announce(addresses: Mapping[str, str], *, as_json: bool) -> None:
    if as_json:
        print_json(addresses, indent=None)
        return
    for name, address in addresses.items():
        say(stdout(), f"{name} service on {address}")
    if "run" in addresses:
        say(stdout(), f"try: {program()} runs list ID --server {addresses['run']}")
    say(stdout(), "Ctrl-C or SIGTERM stops")
