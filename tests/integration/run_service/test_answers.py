"""The processes that compute answers: real ones, killed and left behind."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from services.run_service.application.ports import Job
from services.run_service.engine.frames import RunInputs
from services.run_service.repositories.inputs import SqlInputs, store_inputs
from services.run_service.repositories.lender_tables import read_inputs
from services.run_service.worker.answers import AnswerProcesses
from shared.tenancy.connections import TenantConnections
from shared.tenancy.database import TenantDatabase

ONE_SERVICE = """
import asyncio, sys, time
from services.run_service.worker.answers import AnswerProcesses
from tests.integration.run_service.test_answers import process_id
async def main():
    async with AnswerProcesses() as answers:
        print(await answers.compute(process_id, ()), flush=True)
        time.sleep(60)
if __name__ == "__main__":
    asyncio.run(main())
"""


def process_id() -> int:
    return os.getpid()


def loans_of(inputs: RunInputs, other: RunInputs, factor: int) -> tuple[int, int]:
    return inputs.tables["loan"].height * factor, other.tables["loan"].height


def die_once(path: Path) -> str:
    if not path.exists():
        path.write_text("")
        os.kill(os.getpid(), signal.SIGKILL)
    return "alive"


def refuse() -> None:
    raise ValueError("no such loan")


@pytest.fixture
async def answers() -> AsyncIterator[AnswerProcesses]:
    async with AnswerProcesses() as answers:
        yield answers


async def test_a_question_is_answered_elsewhere_from_inputs_that_are_unpacked_there(
    answers: AnswerProcesses, filled: TenantDatabase, job: Job, connections: TenantConnections
) -> None:
    await store_inputs(filled, job, await read_inputs(filled, lambda name, rows: None), lambda: None)
    packed = await SqlInputs(connections).packed(job.ref)
    assert await answers.compute(process_id, ()) != os.getpid()
    assert await answers.compute(loans_of, (packed, packed), 3) == (18, 6)


async def test_what_a_question_raises_is_raised_here(answers: AnswerProcesses) -> None:
    with pytest.raises(ValueError, match="no such loan"):
        await answers.compute(refuse, ())


async def test_a_process_that_dies_is_replaced_and_the_question_asked_again(answers: AnswerProcesses, tmp_path: Path) -> None:
    first = await answers.compute(process_id, ())
    assert await answers.compute(die_once, (), tmp_path / "died") == "alive"
    assert await answers.compute(process_id, ()) != first


async def test_processes_end_with_the_service_also_with_a_question_at_work() -> None:
    async with AnswerProcesses() as answers:
        process = await answers.compute(process_id, ())
        asking = asyncio.create_task(answers.compute(time.sleep, (), 60))
        await asyncio.sleep(0.2)
    await _gone(process)
    asking.cancel()


async def test_a_killed_service_leaves_no_process_behind() -> None:
    service = subprocess.Popen([sys.executable, "-c", ONE_SERVICE], stdout=subprocess.PIPE, text=True)  # noqa: ASYNC220
    assert service.stdout is not None
    try:
        process = int(await asyncio.to_thread(service.stdout.readline))
    finally:
        service.kill()
        service.wait()
        service.stdout.close()
    await _gone(process)


async def _gone(process: int) -> None:
    """Until the process is no more, or nothing but waits for its parent to see that."""
    end_s = time.monotonic() + 10
    while _is_alive(process):
        assert time.monotonic() < end_s, f"process {process} is still there"
        await asyncio.sleep(0.05)


def _is_alive(process: int) -> bool:
    status = Path(f"/proc/{process}/status")
    return status.exists() and "zombie" not in status.read_text()
