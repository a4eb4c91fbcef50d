"""`powerfill explain` on a real run, by a server and hosted by the command itself."""

import asyncio

import pytest

from tests.integration.cli.shell import Shell

LOCAL = {"POWERFILL_SERVER": "", "POWERFILL_REPORT_SERVER": ""}


async def test_a_loan_that_found_no_room_and_one_that_did(ran_shell: Shell) -> None:
    left, cut, as_json, unknown = await asyncio.gather(
        ran_shell.run("explain", "acme", "L005"),
        ran_shell.run("explain", "acme", "L001", "--limit", "1"),
        ran_shell.run("explain", "acme", "L005", "--json"),
        ran_shell.run("explain", "acme", "L009"),
    )
    assert (left.code, left.err) == (0, "")
    headline, run, *_ = left.out.splitlines()
    assert headline.startswith("Loan L005 ($200,000) was left out, NO_CAPACITY: every trade that pays is full")
    assert run.startswith("run ")
    assert "- T1 pays " in left.out
    assert "; it has no room for the loan ($400,000 of $404,000 is taken)" in left.out
    heading, _, first, second, hidden = left.out.splitlines()[-5:]
    assert heading.split()[:2] == ["rank", "trade"]
    assert [line.split()[:2] for line in (first, second)] == [["1", "T1"], ["2", "T2"]]
    assert " FULL " in first
    assert hidden.startswith("hidden for want of room")

    assert cut.code == 0
    assert "went to T1" in cut.out.splitlines()[0]
    assert "1 of 2 candidates; --limit 0 shows all" in cut.out.splitlines()

    told = as_json.json
    assert (told["loan_id"], told["outcome"], told["reason"]) == ("L005", "LEFT_OUT", "NO_CAPACITY")
    assert [one["standing"]["verdict"] for one in told["candidates"]] == ["FULL", "FULL"]
    assert told["smallest_change"] is None
    assert (unknown.code, "(LOAN_NOT_FOUND)" in unknown.err) == (1, True)


@pytest.mark.slow
async def test_without_a_server_the_command_hosts_the_service(ran_shell: Shell) -> None:
    served = await ran_shell.run("explain", "acme", "L005")
    hosted = await ran_shell.run("explain", "acme", "L005", **LOCAL)
    assert (hosted.code, hosted.err, hosted.out) == (0, "", served.out)
