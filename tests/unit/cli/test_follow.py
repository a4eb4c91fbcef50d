"""Watching a run: no event lost or seen twice, whatever the connection does, and what Ctrl-C means."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Sequence
from typing import Any, cast

import grpc
import pytest
from powerfill.common.v1.run_options_pb2 import RunOptions
from powerfill.common.v1.run_status_pb2 import RunStatus
from powerfill.run.v1.event_pb2 import RunEvent
from powerfill.run.v1.run_pb2 import Run
from powerfill.run.v1.run_service_pb2 import ExecuteRunResponse, Heartbeat, WatchRunResponse

from cli import follow
from cli.clients import RunClient, UnreachableError
from cli.displays import Quiet
from cli.exit_codes import CommandError, ExitCode, LeftError
from cli.progress import RunProgress
from shared.errors import Reason
from shared.rpc.status import ReceivedError
from tests.unit.cli import events

Script = Sequence[object]
"""What one stream does, in order: sends an event or heartbeat, fails with an exception, or calls a function."""

HANG = Heartbeat(last_sequence=-2)
"""In a script: nothing more comes."""

WAIT = Heartbeat(last_sequence=-1)
"""In a script: go on only when the run was asked to cancel."""


class ScriptedClient:
    """A run client whose streams do what their scripts say, one after the other; it notes what it was asked."""

    tenant_id, again = "acme", " --server here:1"

    def __init__(self, *scripts: Script, is_local: bool = False) -> None:
        self._scripts = list(scripts)
        self.is_local = is_local
        self.asked: list[str] = []
        self.cancelled = asyncio.Event()

    async def execute(self, options: RunOptions, request_id: str) -> AsyncIterator[ExecuteRunResponse]:
        self.asked.append(f"execute {request_id}")
        async for field in self._play():
            yield ExecuteRunResponse(**field)

    async def watch(self, run_id: str, after_sequence: int) -> AsyncIterator[WatchRunResponse]:
        self.asked.append(f"watch {run_id} {after_sequence}")
        async for field in self._play():
            yield WatchRunResponse(**field)

    async def cancel(self, run_id: str) -> Run:
        self.asked.append(f"cancel {run_id}")
        self.cancelled.set()
        return Run(run_id=run_id)

    async def _play(self) -> AsyncIterator[dict[str, Any]]:
        for item in self._scripts.pop(0):
            if item is WAIT:
                await self.cancelled.wait()
            elif item is HANG:
                await asyncio.Event().wait()
            elif isinstance(item, Exception):
                raise item
            elif isinstance(item, RunEvent):
                yield {"event": item}
            elif isinstance(item, Heartbeat):
                yield {"heartbeat": item}
            elif callable(item):
                item()
                await asyncio.sleep(0.05)


class Seen(Quiet):
    """A display that keeps what it saw."""

    def __init__(self) -> None:
        self.sequences: list[int] = []
        self.remarks: list[str] = []

    def show(self, event: RunEvent, progress: RunProgress) -> None:
        assert progress.last_sequence == event.sequence
        self.sequences.append(event.sequence)

    def remark(self, text: str) -> None:
        self.remarks.append(text)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follow, "FIRST_DELAY_S", 0.001)
    monkeypatch.setattr(follow, "MAX_DELAY_S", 0.002)


def lost(reason: str = "") -> ReceivedError:
    return ReceivedError(grpc.StatusCode.UNAVAILABLE, "gone", reason)


def press_ctrl_c() -> None:
    os.kill(os.getpid(), signal.SIGINT)


async def execute(client: ScriptedClient, display: Seen) -> RunProgress:
    return await follow.execute(cast(RunClient, client), RunOptions(), display)


RUN = events.whole_run()
CANCELLED = [
    events.event(5, **events.status(RunStatus.RUN_STATUS_CANCELLED)),
    events.event(6, **events.finished(RunStatus.RUN_STATUS_CANCELLED, "allocation", "cancelled by request")),
]


async def test_a_run_from_its_first_event_to_its_last() -> None:
    client, display = ScriptedClient(RUN), Seen()
    progress = await execute(client, display)
    assert display.sequences == list(range(1, len(RUN) + 1))
    assert (progress.status, display.remarks, len(client.asked)) == ("COMPLETE", [], 1)


async def test_lost_connections_resume_after_the_last_event_seen() -> None:
    scripts = ([*RUN[:3], lost()], [lost()], [UnreachableError("no server")], [*RUN[3:6], lost(Reason.SHUTTING_DOWN)], RUN[6:])
    client, display = ScriptedClient(*scripts), Seen()
    await execute(client, display)
    assert display.sequences == list(range(1, len(RUN) + 1))
    run = f"watch {events.RUN_ID}"
    assert client.asked[1:] == [f"{run} 3", f"{run} 3", f"{run} 3", f"{run} 6"]
    assert display.remarks.count("connected again") == 2


async def test_a_stream_that_ends_early_or_repeats_itself_does_no_harm() -> None:
    client, display = ScriptedClient(RUN[:3], [*RUN[1:5], Heartbeat(last_sequence=5), *RUN[4:]]), Seen()
    await execute(client, display)
    assert display.sequences == list(range(1, len(RUN) + 1))


async def test_before_the_first_event_is_seen_the_same_request_is_made_again() -> None:
    client, display = ScriptedClient([Heartbeat(), lost()], RUN), Seen()
    await execute(client, display)
    first, second = client.asked
    assert first == second
    assert first.startswith("execute ")


async def test_a_server_that_was_never_there_is_not_waited_for() -> None:
    with pytest.raises(UnreachableError, match="no server"):
        await execute(ScriptedClient([UnreachableError("no server")]), Seen())


async def test_a_server_that_stays_away_is_given_up_with_the_way_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follow, "PATIENCE_S", 0.01)
    client = ScriptedClient(RUN[:3], *([[lost()]] * 50))
    with pytest.raises(UnreachableError, match=f"runs show acme {events.RUN_ID} --watch --server here:1"):
        await execute(client, Seen())


async def test_other_errors_end_the_watch_at_once() -> None:
    refused = ReceivedError(grpc.StatusCode.NOT_FOUND, "no run", Reason.RUN_NOT_FOUND)
    with pytest.raises(ReceivedError, match="no run"):
        await execute(ScriptedClient([*RUN[:3], refused]), Seen())


async def test_beside_an_active_run_there_is_what_to_type() -> None:
    active = ReceivedError(grpc.StatusCode.ALREADY_EXISTS, "run r9 is active", Reason.RUN_ACTIVE, {"run_id": "r9"})
    with pytest.raises(CommandError) as refused:
        await execute(ScriptedClient([active]), Seen())
    assert refused.value.message == "run r9 is active (RUN_ACTIVE)"
    watch, cancel = refused.value.lines
    assert watch.endswith("powerfill runs show acme r9 --watch --server here:1")
    assert cancel.endswith("powerfill runs cancel acme r9 --server here:1")


ACTIVE = ReceivedError(grpc.StatusCode.ALREADY_EXISTS, "run r9 is active", Reason.RUN_ACTIVE, {"run_id": "r9"})


async def test_a_local_command_finishes_the_active_run_first_and_then_submits_its_own() -> None:
    client, display = ScriptedClient([ACTIVE], CANCELLED, RUN, is_local=True), Seen()
    progress = await execute(client, display)
    assert progress.status == "COMPLETE"
    first, between, second = client.asked
    assert between == "watch r9 0"
    assert first.startswith("execute ")
    assert second.startswith("execute ")
    assert display.sequences == list(range(1, len(RUN) + 1))  # of its own run alone
    announced, ended = display.remarks
    assert announced.startswith("run r9 of acme is active and is finished first")
    assert ended == "run r9 ended CANCELLED; now the run asked for"


async def test_a_local_command_finishes_at_most_two_runs_of_others() -> None:
    client = ScriptedClient([ACTIVE], CANCELLED, [ACTIVE], CANCELLED, [ACTIVE], is_local=True)
    with pytest.raises(CommandError, match=r"run r9 is active \(RUN_ACTIVE\)"):
        await execute(client, Seen())
    assert len(client.asked) == 5


async def test_ctrl_c_leaves_the_run_that_is_finished_first() -> None:
    client = ScriptedClient([ACTIVE], [press_ctrl_c, HANG], is_local=True)
    with pytest.raises(LeftError, match="powerfill runs cancel acme r9 --server here:1"):
        await execute(client, Seen())
    assert [asked.split()[0] for asked in client.asked] == ["execute", "watch"]


async def test_ctrl_c_leaves_a_run_of_a_server_alone() -> None:
    client = ScriptedClient([*RUN[:4], press_ctrl_c, WAIT])
    with pytest.raises(LeftError, match=f"the run goes on.*runs show acme {events.RUN_ID} --watch --server here:1") as left:
        await execute(client, Seen())
    assert left.value.code == ExitCode.INTERRUPTED
    assert len(client.asked) == 1


async def test_ctrl_c_before_the_run_is_known_leads_to_the_list() -> None:
    with pytest.raises(LeftError, match="powerfill runs list acme --server here:1"):
        await execute(ScriptedClient([press_ctrl_c, WAIT]), Seen())


async def test_ctrl_c_cancels_a_local_run_and_watches_it_end() -> None:
    client, display = ScriptedClient([*RUN[:4], press_ctrl_c, WAIT, *CANCELLED], is_local=True), Seen()
    progress = await execute(client, display)
    assert progress.status == "CANCELLED"
    assert client.asked[1:] == [f"cancel {events.RUN_ID}"]
    assert display.sequences == [1, 2, 3, 4, 5, 6]
    assert "cancelling the run" in display.remarks[0]


async def test_sigterm_cancels_a_local_run_too() -> None:
    client = ScriptedClient([*RUN[:4], lambda: os.kill(os.getpid(), signal.SIGTERM), WAIT, *CANCELLED], is_local=True)
    assert (await execute(client, Seen())).status == "CANCELLED"


async def test_ctrl_c_before_a_local_run_is_known_cancels_it_when_it_is() -> None:
    client = ScriptedClient([press_ctrl_c, *RUN[:4], WAIT, *CANCELLED], is_local=True)
    assert (await execute(client, Seen())).status == "CANCELLED"
    assert client.asked[1:] == [f"cancel {events.RUN_ID}"]


async def test_a_second_ctrl_c_leaves_a_local_run() -> None:
    client = ScriptedClient([*RUN[:4], press_ctrl_c, press_ctrl_c, HANG], is_local=True)
    with pytest.raises(LeftError, match="without waiting"):
        await execute(client, Seen())


async def test_a_cancel_that_comes_too_late_is_no_error() -> None:
    client, display = ScriptedClient([*RUN[:4], press_ctrl_c, *RUN[4:]], is_local=True), Seen()

    async def too_late(run_id: str) -> Run:
        raise ReceivedError(grpc.StatusCode.FAILED_PRECONDITION, "it ended", Reason.RUN_NOT_ACTIVE)

    client.cancel = too_late  # type: ignore[method-assign]
    assert (await execute(client, display)).status == "COMPLETE"
    assert len(display.remarks) == 1


async def test_afterwards_ctrl_c_means_what_it_did_before() -> None:
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    await execute(ScriptedClient(RUN), Seen())
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


async def test_a_run_that_is_there_is_watched_from_its_first_event() -> None:
    client, display = ScriptedClient(RUN), Seen()
    await follow.watch(cast(RunClient, client), events.RUN_ID, display)
    assert client.asked == [f"watch {events.RUN_ID} 0"]
    assert display.sequences[-1] == len(RUN)
