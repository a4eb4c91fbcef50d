"""Which runs give up what is stored of them, and in which order that happens."""

import asyncio
import datetime as dt
import logging
from collections.abc import Collection
from typing import Any, cast

import pytest

from services.run_service.application.ports import InputStore, OutputStore, RunRepository, StoredRun, TenantDirectory
from services.run_service.application.retention import Retention, expired
from services.run_service.domain.run import RunRef, RunStatus
from shared.errors import tenant_unavailable

NOON = dt.datetime(2026, 4, 17, 12, tzinfo=dt.UTC)
COMPLETE, FAILED, CANCELLED, ALLOCATING = RunStatus.COMPLETE, RunStatus.FAILED, RunStatus.CANCELLED, RunStatus.ALLOCATING


def a_run(number: int, status: RunStatus = COMPLETE, replay_of: str = "", marked: bool = False) -> StoredRun:
    return StoredRun(f"r{number}", status, NOON + dt.timedelta(minutes=number), replay_of, marked)


def gone(keep: int, *runs: StoredRun) -> list[str]:
    return [run.run_id for run in expired(runs, keep)]


def test_all_but_the_newest_complete_runs_go_the_oldest_first() -> None:
    assert gone(2, a_run(3), a_run(1), a_run(4), a_run(2)) == ["r1", "r2"]
    assert gone(4, *map(a_run, range(1, 5))) == []


def test_of_runs_submitted_at_one_moment_the_one_of_the_greater_id_is_the_newer() -> None:
    first, second = (StoredRun(run_id, COMPLETE, NOON, "", is_marked=False) for run_id in ("a", "b"))
    assert gone(1, second, first) == ["a"]


def test_a_run_without_a_result_goes_when_it_is_older_than_the_kept_ones() -> None:
    runs = [a_run(1, FAILED), a_run(2), a_run(3, CANCELLED), a_run(4, FAILED), a_run(5)]
    assert gone(2, *runs) == ["r1"]
    assert gone(1, *runs) == ["r1", "r2", "r3", "r4"]
    assert gone(3, *runs) == []  # there are no three to be older than


def test_replays_count_for_nothing_and_go_with_their_age_or_number() -> None:
    replays = [a_run(number, replay_of="r1") for number in (3, 4, 5)]
    assert gone(2, a_run(1), a_run(2), *replays) == ["r3"]
    assert gone(1, a_run(1), a_run(4), a_run(2, FAILED, replay_of="r1"), a_run(3, replay_of="r1")) == ["r1", "r2", "r3"]


def test_what_an_active_run_needs_stays() -> None:
    assert gone(1, a_run(1), a_run(2), a_run(3, ALLOCATING, replay_of="r1")) == []
    assert gone(1, a_run(1), a_run(2), a_run(0, ALLOCATING)) == ["r1"]


def test_what_was_given_up_goes_whatever_the_others_are_and_counts_for_none_of_them() -> None:
    assert gone(2, a_run(1, marked=True), a_run(2)) == ["r1"]
    assert gone(2, a_run(3, marked=True), a_run(1), a_run(2)) == ["r3"]


class World:
    """Runs and what is stored of them, as repositories and registry; the order of what is done to them."""

    def __init__(self, *runs: StoredRun, keep: int = 1) -> None:
        self.runs, self.keep = {run.run_id: run for run in runs}, keep
        self.done: list[str] = []
        self.away = False
        self.needed: set[str] = set()
        self.pause = asyncio.Event()
        self.pause.set()

    def keep_runs(self, tenant_id: str) -> int:
        return self.keep

    async def stored(self, tenant_id: str) -> list[StoredRun]:
        if self.away:
            raise tenant_unavailable(tenant_id)
        return list(self.runs.values())

    async def mark_removed(self, ref: RunRef) -> bool:
        if ref.run_id in self.needed:
            return False
        self.done.append(f"mark {ref.run_id}")
        return True

    async def remove(self, ref: RunRef, keep: Collection[str] = (), budget_s: float | None = None) -> bool:
        await self.pause.wait()
        self.done.append(f"outputs {ref.run_id}")
        return True


class Inputs:
    def __init__(self, world: World) -> None:
        self.world = world

    async def remove(self, ref: RunRef) -> None:
        self.world.done.append(f"inputs {ref.run_id}")
        del self.world.runs[ref.run_id]


def retention_of(world: World) -> Retention:
    parts: Any = world
    return Retention(
        cast(RunRepository, parts), cast(OutputStore, parts), cast(InputStore, Inputs(world)), cast(TenantDirectory, parts)
    )


async def test_all_are_marked_before_anything_is_removed() -> None:
    world = World(a_run(1), a_run(2), a_run(3))
    await retention_of(world).apply("acme")
    assert world.done == ["mark r1", "mark r2", "outputs r1", "inputs r1", "outputs r2", "inputs r2"]
    await retention_of(world).apply("acme")
    assert len(world.done) == 6


async def test_a_run_that_was_marked_before_is_finished_without_a_mark() -> None:
    world = World(a_run(1, marked=True), a_run(2))
    await retention_of(world).apply("acme")
    assert world.done == ["outputs r1", "inputs r1"]


async def test_a_run_that_cannot_be_marked_keeps_everything() -> None:
    world = World(a_run(1), a_run(2))
    world.needed = {"r1"}
    await retention_of(world).apply("acme")
    assert world.done == []


async def test_what_is_asked_for_meanwhile_is_done_afterwards_by_the_same_task() -> None:
    world = World(a_run(1), a_run(2))
    retention = retention_of(world)
    world.pause.clear()
    retention.begin("acme")
    await asyncio.sleep(0.01)
    world.runs["r3"] = a_run(3)
    retention.begin("acme")
    world.pause.set()
    await asyncio.sleep(0.01)
    assert world.done == ["mark r1", "outputs r1", "inputs r1", "mark r2", "outputs r2", "inputs r2"]


async def test_a_tenant_that_cannot_be_reached_is_left_to_a_later_look(caplog: pytest.LogCaptureFixture) -> None:
    world = World(a_run(1), a_run(2))
    world.away = True
    retention = retention_of(world)
    retention.begin("acme")
    await asyncio.sleep(0.01)
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    world.away = False
    retention.begin("acme")
    await asyncio.sleep(0.01)
    assert world.done == ["mark r1", "outputs r1", "inputs r1"]


async def test_it_ends_when_the_server_stops() -> None:
    world = World(a_run(1), a_run(2))
    world.pause.clear()
    retention = retention_of(world)
    retention.begin("acme")
    await asyncio.sleep(0.01)
    await retention.stop()
    world.pause.set()
    await asyncio.sleep(0.01)
    assert world.done == ["mark r1"]
