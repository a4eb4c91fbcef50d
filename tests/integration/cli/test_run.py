"""`powerfill run` and `powerfill runs` against real services: what is printed, and the exit code."""

import asyncio
from collections.abc import Callable

import pytest

from tests.integration.cli.shell import Shell, ended, line_of, press_ctrl_c

DAY = ("--option", "as_of_date=2026-04-17")
WAITING = "waiting for the stop"


async def test_a_local_run_prints_its_summary_and_is_listed(shell: Shell) -> None:
    done = await shell.run("run", "acme", *DAY, "--option", "time_limit=1")
    assert (done.code, done.err) == (0, "")
    assert ": COMPLETE in " in done.out.splitlines()[0]
    # Six loans of 200,000; two trades of 400,000 take two loans each.
    assert "allocated          4 of 6 loans, $800,000.00 of $1,200,000.00" in done.out
    assert "trades             2 filled, 0 under their band; pair-off $0.00" in done.out
    listed = await shell.run("runs", "list", "acme", "--json")
    (run,) = listed.json
    assert (run["status"], run["summary"]["allocated_count"]) == ("COMPLETE", 4)
    assert (run["options"]["as_of_date"], run["options"]["time_limit"]) == ("2026-04-17", "1")


async def test_json_is_every_event_or_the_run(shell: Shell, run_server: str) -> None:
    done = await shell.run("run", "acme", *DAY, "--watch", "--json", "--server", run_server)
    assert done.code == 0
    assert [event["sequence"] for event in done.lines] == list(range(1, len(done.lines) + 1))
    assert (done.lines[0]["kind"], done.lines[-1]["kind"], done.lines[-1]["status"]) == ("accepted", "finished", "COMPLETE")
    quiet = await shell.run("run", "acme", *DAY, "--json", "--server", run_server)
    assert (quiet.json["status"], quiet.json["summary"]["value"]) == ("COMPLETE", "10.00")
    shown = await shell.run("runs", "show", "acme", quiet.json["run_id"], "--server", run_server)
    assert "candidate_builder" in shown.out
    assert "pair_off_cost                TBA 0.03125" in shown.out


@pytest.mark.parametrize(
    ("behaviour", "message"), [("refuse", "loan L1 has no amount; correct it"), ("break", "unexpected error")]
)
async def test_a_failed_run_is_exit_code_3(
    shell: Shell, run_server: str, behave: Callable[[str], None], behaviour: str, message: str
) -> None:
    behave(behaviour)
    done = await shell.run("run", "acme", *DAY, "--watch", "--server", run_server)
    assert done.code == 3
    assert "hunter2" not in done.out + done.err
    *_, last = done.out.splitlines()
    assert last.strip().startswith(f"in allocation: {message}")


async def test_ctrl_c_cancels_a_local_run(fake_shell: Shell, behave: Callable[[str], None]) -> None:
    behave("wait")
    async with fake_shell.started("run", "acme", *DAY, "--watch") as process:
        await line_of(process, WAITING)
        press_ctrl_c(process)
        done = await ended(process)
    assert done.code == 4
    assert "ended CANCELLED" in done.out
    assert "in allocation: cancelled by request" in done.out
    assert "Traceback" not in done.err


async def test_a_killed_local_run_is_finished_by_the_next_command_which_then_runs_its_own(
    fake_shell: Shell, behave: Callable[[str], None]
) -> None:
    behave("wait")
    fast = {"POWERFILL_LEASE_S": "1.5", "POWERFILL_HEARTBEAT_S": "0.3", "POWERFILL_SWEEP_S": "0.3"}
    async with fake_shell.started("run", "acme", *DAY, "--watch", **fast) as process:
        accepted = await line_of(process, "accepted")
        await line_of(process, WAITING)
        process.kill()
        await process.wait()
    lost = accepted.split("run ")[1].split()[0]
    await asyncio.sleep(1.6)
    behave("rows 2")
    again = await fake_shell.run("run", "acme", *DAY, "--json", **fast)
    assert again.code == 0, again.err
    first, second = again.err.splitlines()
    assert first.startswith(f"run {lost} of acme is active and is finished first")
    assert second == f"run {lost} ended COMPLETE; now the run asked for"
    assert again.json["run_id"] != lost
    listed = await fake_shell.run("runs", "list", "acme", "--json")
    assert [run["status"] for run in listed.json] == ["COMPLETE", "COMPLETE"]


async def test_ctrl_c_leaves_a_server_s_run_which_another_command_watches_and_cancels(
    shell: Shell, run_server: str, behave: Callable[[str], None]
) -> None:
    behave("wait")
    async with shell.started("run", "acme", *DAY, "--watch", "--server", run_server) as process:
        await line_of(process, WAITING)
        press_ctrl_c(process)
        left = await ended(process)
    assert left.code == 130
    again = left.err.split("Watch it again: powerfill ")[1].split()
    run_id = again[3]

    refused = await shell.run("run", "acme", POWERFILL_SERVER=run_server)
    assert refused.code == 1
    assert f"runs cancel acme {run_id} --server {run_server}" in refused.err

    async with shell.started(*again) as watching:
        await line_of(watching, WAITING)
        cancelled = await shell.run("runs", "cancel", "acme", run_id, "--server", run_server)
        watched = await ended(watching)
    assert cancelled.code == 0
    assert f"run {run_id} of acme: CANCELLED" in cancelled.out
    assert watched.code == 4
    repeated = await shell.run("runs", "cancel", "acme", run_id, "--server", run_server)
    assert repeated.code == 0


async def test_a_list_goes_by_status_and_number(shell: Shell, run_server: str, behave: Callable[[str], None]) -> None:
    for behaviour in ("rows 2", "refuse", "rows 2"):
        behave(behaviour)
        await shell.run("run", "acme", *DAY, "--server", run_server)
    failed, newest, table = await asyncio.gather(
        shell.run("runs", "list", "acme", "--server", run_server, "--json", "--status", "FAILED"),
        shell.run("runs", "list", "acme", "--server", run_server, "--json", "--limit", "1"),
        shell.run("runs", "list", "acme", "--server", run_server, "--limit", "2"),
    )
    assert [run["status"] for run in failed.json] == ["FAILED"]
    assert [run["status"] for run in newest.json] == ["COMPLETE"]
    assert "2 of 3 runs; --limit 0 lists all" in table.out
    over = await shell.run("runs", "cancel", "acme", newest.json[0]["run_id"], "--server", run_server)
    assert (over.code, "(RUN_NOT_ACTIVE)" in over.err) == (1, True)


async def test_refusals_are_one_line_and_exit_code_1(shell: Shell, run_server: str) -> None:
    refusals = {
        ("run", "nobody"): "there is no tenant 'nobody'",
        ("runs", "show", "acme", "no-run"): "there is no run 'no-run'",
        ("runs", "compare", "acme", "a", "b"): "there is no run 'a'",
        ("runs", "replay", "acme", "a"): "there is no run 'a'",
        ("explain", "acme", "L001"): "tenant 'acme' has no complete run yet; `powerfill run acme` makes one",
        ("run", "acme", "--server", "127.0.0.1:1"): "no server answers at 127.0.0.1:1; `powerfill serve` starts the services",
    }
    all_ended = await asyncio.gather(*(shell.run(*arguments, POWERFILL_SERVER=run_server) for arguments in refusals))
    for refused, message in zip(all_ended, refusals.values(), strict=True):
        assert (refused.code, refused.out) == (1, "")
        (line,) = refused.err.splitlines()
        assert line.startswith("error: ")
        assert message in line
