"""The services in this process, for the duration of a command: each on a socket that nobody else on the machine can reach."""

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError
from pydantic_settings import BaseSettings

from cli import debug
from cli.exit_codes import CommandError, UsageError
from services.report_service import app as report_app
from services.report_service.settings import Settings as ReportSettings
from services.run_service import app as run_app
from services.run_service.settings import Settings as RunSettings
from shared.telemetry.logging import configure_logging

MAX_SOCKET_PATH = 100
"""Bytes of a socket's path that every system takes."""

_S = TypeVar("_S", bound=BaseSettings)
_Server = TypeVar("_Server")


@contextlib.asynccontextmanager
async def run_service(registry: Path | None, address: str = "", workers: int = 1) -> AsyncIterator[str]:
    """The run service with its worker processes, at this address or on a private socket; gives its address.

    Without a worker it answers questions and executes nothing. A run that is active at the end is left to the next host.
    """
    level = _log_level()
    configure_logging(json=False, level=level)
    with _private_socket("run.sock") as private:
        own = {"run_address": address or private, "workers": workers, "drain_s": 0, "log_json": False, "log_level": level}
        async with _started_whole(run_app.running(settings(RunSettings, registry, **own))) as server, unless_broken(server):
            yield server.address


@contextlib.asynccontextmanager
async def report_service(registry: Path | None, address: str = "") -> AsyncIterator[str]:
    """The report service, at this address or on a private socket; gives its address."""
    configure_logging(json=False, level=_log_level())
    with _private_socket("report.sock") as private:
        own = {"report_address": address or private, "drain_s": 0}
        async with _started_whole(report_app.running(settings(ReportSettings, registry, **own))) as server:
            yield server.address


@contextlib.asynccontextmanager
async def unless_broken(server: run_app.RunningServer) -> AsyncIterator[None]:
    """A block that ends with CommandError as soon as the run service in this process cannot go on."""
    try:
        async with run_app.unless_broken(server):
            yield
    except run_app.BackgroundError as error:
        raise CommandError(str(error)) from None


def settings(kind: type[_S], registry: Path | None, **own: Any) -> _S:
    """A service's settings from the environment, with these in their place. Raises UsageError naming the variable."""
    try:
        return kind(**{**own, **({"registry": registry} if registry else {})})
    except ValidationError as error:
        first = error.errors()[0]
        name = "_".join(["POWERFILL", *(str(part).upper() for part in first["loc"])])
        raise UsageError(f"{name} is not allowed: {first['msg']}") from None


@contextlib.asynccontextmanager
async def _started_whole(service: AbstractAsyncContextManager[_Server]) -> AsyncIterator[_Server]:
    """The service, which Ctrl-C while it starts stops only once it has started: halfway it could not be stopped."""
    async with contextlib.AsyncExitStack() as stack:
        starting = asyncio.ensure_future(stack.enter_async_context(service))
        try:
            server = await asyncio.shield(starting)
        except asyncio.CancelledError:
            await asyncio.wait({starting})
            raise
        yield server


def _log_level() -> str:
    """What hosted services log goes to the terminal, and only where it was asked for."""
    return "INFO" if debug.is_on() else "CRITICAL"


@contextlib.contextmanager
def _private_socket(name: str) -> Iterator[str]:
    """An address in a new directory that only this user can enter."""
    long = len(tempfile.gettempdir()) > MAX_SOCKET_PATH - len("/powerfill-12345678/report.sock")
    with tempfile.TemporaryDirectory(prefix="powerfill-", dir="/tmp" if long else None) as directory:  # noqa: S108 - 0700
        yield f"unix:{directory}/{name}"
