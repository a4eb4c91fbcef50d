"""`powerfill demo` needs nothing, and what it says to type next works."""

import shlex
from pathlib import Path

import pytest

from tests.integration.cli.shell import Shell

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


async def test_the_demo_and_how_to_go_on(tmp_path: Path) -> None:
    home = tmp_path / "somewhere new"
    shell = Shell(tmp_path)
    first = await shell.run("demo", "--home", str(home), "--option", "time_limit=1")
    assert (first.code, first.err) == (0, "")
    for part in (
        "11,674 loans, 8,902 trades, 6,246 pools",
        "ended COMPLETE",
        "left on the table  at most $",
        "Loans left out, by reason",
        "Trades by size: ",
        "The loans that cost most to leave out",
        "It took ",
    ):
        assert part in first.out
    assert "was replaced" not in first.out

    commands = [line.strip() for line in first.out.split("Go on:\n")[1].splitlines()]
    export, *others = commands
    assert export == f"export POWERFILL_HOME={shlex.quote(str(home))}"
    for command in others:
        name, *arguments = shlex.split(command)
        assert name == "powerfill"
        if arguments[0] == "serve":
            continue
        done = await shell.run(*arguments, POWERFILL_HOME=str(home))
        assert (done.code, "error" in done.err) == (0, False)
    assert sum(command.split()[1] == "explain" for command in others) == 1
    assert (tmp_path / "allocation_guide.xlsx").exists()
    assert (tmp_path / "demo-export" / "run.json").exists()

    again = await shell.run("demo", "--keep", "--json", "--option", "strategy=PASSES", POWERFILL_HOME=str(home))
    assert again.code == 0
    assert again.json["home"] == str(home)
    assert "tables" not in again.json["seconds"]
    assert again.json["run"]["options"]["strategy"] == "PASSES"
    assert {reason["reason"] for reason in again.json["kickouts_by_reason"]} >= {"NO_CAPACITY", "DATA_ERROR"}
    assert "was replaced" not in again.out
    listed = await shell.run("runs", "list", "demo", "--json", POWERFILL_HOME=str(home))
    assert len(listed.json) == 3  # the demo's, the one it said to type, and this one

    anew = await shell.run("demo", "--option", "time_limit=0", POWERFILL_HOME=str(home))
    assert f"the earlier demo in {home} was replaced, its runs with it; --keep keeps it" in anew.out.splitlines()[1]
    listed = await shell.run("runs", "list", "demo", "--json", POWERFILL_HOME=str(home))
    assert len(listed.json) == 1
