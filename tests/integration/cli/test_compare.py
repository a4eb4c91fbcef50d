"""`powerfill runs compare` and `powerfill runs replay` against real services."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from services.run_service.app import running
from services.run_service.settings import Settings
from shared.tenancy.database import TenantDatabase
from shared.tenancy.registry import TenantRegistry
from tests.integration.cli.shell import Shell

DAY = ("--option", "as_of_date=2026-04-17", "--option", "strategy=PASSES")


async def run_of(shell: Shell, *options: str) -> str:
    done = await shell.run("run", "acme", *DAY, *options, "--json")
    assert done.code == 0, done.err
    run_id: str = done.json["run_id"]
    return run_id


@pytest.fixture
async def real_shell(registry: TenantRegistry, filled: TenantDatabase, tmp_path: Path) -> AsyncIterator[Shell]:
    """Commands on the tenant, by way of a run service with the real engine."""
    settings = Settings(registry=registry.path, run_address="127.0.0.1:0", workers=1, drain_s=0)
    async with running(settings) as server:
        yield Shell(tmp_path, environment={"POWERFILL_SERVER": server.address})


async def test_a_desk_compares_runs(real_shell: Shell, filled: TenantDatabase) -> None:
    first = await run_of(real_shell)
    async with filled.begin() as connection:
        await connection.execute(sa.text("update pscat_trades set price = 101.25 where trade_id = 'T1'"))
    second = await run_of(real_shell, "--option", "switch_cost=0.5")
    compared, told = await asyncio.gather(
        real_shell.run("runs", "compare", "acme", first, second),
        real_shell.run("runs", "compare", "acme", first, second, "--json", "--max-moves", "5"),
    )
    assert (compared.code, compared.err) == (0, "")
    lines = compared.out.splitlines()
    assert lines[0].startswith(f"run {second} against run {first}: value +$1,000.00 (")
    assert "  new inputs    +$1,000.00  (market +$1,000.00, data $0.00)" in lines
    assert "  switch_cost  0.03125 -> 0.5" in lines
    assert "    T1: price 101 -> 101.25" in lines
    difference = told.json
    assert (difference["by_market"], difference["by_options"], difference["by_decision"]) == ("1000.00", "0.00", "0.00")
    assert difference["inputs"][0]["examples"] == [{"key": "T1", "column": "price", "before": "101", "after": "101.25"}]


async def test_a_desk_replays_a_run(real_shell: Shell) -> None:
    run_id = await run_of(real_shell)
    replayed = await real_shell.run("runs", "replay", "acme", run_id)
    assert (replayed.code, replayed.err) == (0, "")
    assert replayed.out.splitlines()[-1] == "the same answer as the run it replays: value and allocated loans"
    assert f"replay of {run_id}" in replayed.out
    told = (await real_shell.run("runs", "replay", "acme", run_id, "--json")).json
    assert (told["replay_of"], told["same_answer"], told["status"]) == (run_id, True, "COMPLETE")
    listed = await real_shell.run("runs", "list", "acme")
    assert [line.count("PASSES, replay") for line in listed.out.splitlines()] == [0, 0, 1, 1, 0]


async def test_another_answer_than_the_old_one_is_exit_code_1(ran_shell: Shell) -> None:
    # the runs were made by the engine, the replay is by a pipeline that answers otherwise
    listed = await ran_shell.run("runs", "list", "acme", "--json")
    old = listed.json[0]["run_id"]
    done = await ran_shell.run("runs", "replay", "acme", old)
    assert done.code == 1
    assert done.out.splitlines()[-1].startswith(f"not the answer of run {old}: value $10.00 instead of $")
    told = await ran_shell.run("runs", "replay", "acme", old, "--json")
    assert (told.code, told.json["same_answer"]) == (1, False)
