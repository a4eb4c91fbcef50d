"""`powerfill` as a process of its own, as a user's shell runs it."""

import asyncio
import contextlib
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).parents[3]
PATIENCE_S = 50.0

_MAIN = "from cli.main import main; main()"
_FAKE_WORK = f"""
from services.run_service import app
from tests import fakes
running = app.running
app.running = lambda settings, **given: running(settings, fakes.fake_work, **given)
{_MAIN}
"""


@dataclass(frozen=True)
class Ended:
    """What a command printed and how it ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Its output as one JSON value."""
        return json.loads(self.out)

    @property
    def lines(self) -> list[Any]:
        """Its output as JSON lines."""
        return [json.loads(line) for line in self.out.splitlines()]


@dataclass(frozen=True)
class Shell:
    """A shell in a directory, which is POWERFILL_HOME too; `main` is its program.

    With `fake_work`, local workers do as `tests.fakes` are told.
    """

    home: Path
    fake_work: bool = False
    environment: Mapping[str, str] = field(default_factory=dict)
    main: str = _MAIN

    async def run(self, *arguments: str, **environment: str) -> Ended:
        """A command, to its end."""
        async with self.started(*arguments, **environment) as process:
            return await ended(process)

    @contextlib.asynccontextmanager
    async def started(self, *arguments: str, **environment: str) -> AsyncIterator[Process]:
        """A command that goes on meanwhile; it is killed at the end of the block if it still does."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("POWERFILL_", "OTEL_"))}
        paths = {"PYTHONPATH": os.pathsep.join([str(REPOSITORY), str(REPOSITORY / "shared" / "gen")])}
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", _FAKE_WORK if self.fake_work else self.main, *arguments),
            stdout=PIPE,
            stderr=PIPE,
            cwd=self.home,
            env={**inherited, **paths, "POWERFILL_HOME": str(self.home), **self.environment, **environment},
        )
        try:
            yield process
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()


async def ended(process: Process) -> Ended:
    """What a started command says until its end."""
    async with asyncio.timeout(PATIENCE_S):
        out, err = await process.communicate()
    return Ended(process.returncode or 0, out.decode(), err.decode())


async def line_of(process: Process, text: str) -> str:
    """The next line of output that has this text in it."""
    assert process.stdout is not None
    async with asyncio.timeout(PATIENCE_S):
        while line := (await process.stdout.readline()).decode():
            if text in line:
                return line
    raise AssertionError(f"no line has {text!r}")


def press_ctrl_c(process: Process) -> None:
    """SIGINT, as a terminal sends it; `send_signal` looks first whether the process ended and so may take its exit code away."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(process.pid, signal.SIGINT)
