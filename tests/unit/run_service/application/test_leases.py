"""Which runs a server believes to hold, heartbeat after heartbeat."""

import datetime as dt
from collections.abc import Collection, Mapping
from typing import cast

from services.run_service.application.leases import Leases
from services.run_service.application.ports import RunRepository
from services.run_service.domain.life import Lease
from services.run_service.domain.run import RunRef
from shared.errors import tenant_unavailable

START = dt.datetime(2026, 4, 17, 12, tzinfo=dt.UTC)
ONE, OTHER = RunRef("acme", "r1"), RunRef("birch", "r2")


class World:
    """A clock, and rows that this server may or may not hold; as a repository and a clock."""

    def __init__(self) -> None:
        self.time = START
        self.mine: dict[str, bool] = {"r1": False, "r2": False}
        self.away: set[str] = set()
        self.until: dict[str, dt.datetime] = {}

    def now(self) -> dt.datetime:
        return self.time

    async def renew(self, tenant_id: str, run_ids: Collection[str], lease: Lease) -> Mapping[str, bool]:
        if tenant_id in self.away:
            raise tenant_unavailable(tenant_id)
        held = {run_id: self.mine[run_id] for run_id in run_ids if run_id in self.mine}
        self.until |= dict.fromkeys(held, lease.until)
        return held


def two_held(world: World) -> Leases:
    leases = Leases("me", cast(RunRepository, world), world, lease_s=30)
    for ref in (ONE, OTHER):
        leases.hold(ref, leases.prepare(ref))
    return leases


async def test_a_heartbeat_extends_every_lease_by_its_whole_length() -> None:
    world = World()
    leases = two_held(world)
    world.time += dt.timedelta(seconds=2)
    await leases.beat()
    assert world.until == dict.fromkeys(("r1", "r2"), START + dt.timedelta(seconds=32))
    assert leases.prepare(ONE).lease.until == START + dt.timedelta(seconds=32)


async def test_a_cancel_in_the_row_is_heard_without_any_signal() -> None:
    world = World()
    leases = two_held(world)
    held = leases.prepare(ONE)
    world.mine["r1"] = True
    await leases.beat()
    assert held.cancel.is_set()
    assert not leases.prepare(OTHER).cancel.is_set()


async def test_a_run_that_somebody_else_has_is_lost() -> None:
    world = World()
    leases = two_held(world)
    held = leases.prepare(ONE)
    del world.mine["r1"]
    await leases.beat()
    assert held.lost.is_set()
    assert (leases.is_held(ONE), leases.is_held(OTHER)) == (False, True)


async def test_a_database_away_for_less_than_a_lease_loses_nothing() -> None:
    world = World()
    leases = two_held(world)
    held = leases.prepare(ONE)
    world.away.add("acme")
    world.time += dt.timedelta(seconds=29)
    await leases.beat()
    assert not held.lost.is_set()
    world.away.clear()
    await leases.beat()
    world.time += dt.timedelta(seconds=29)
    await leases.beat()
    assert not held.lost.is_set()


async def test_a_database_away_for_longer_loses_its_runs_and_no_others() -> None:
    world = World()
    leases = two_held(world)
    held = leases.prepare(ONE)
    world.away.add("acme")
    world.time += dt.timedelta(seconds=30)
    await leases.beat()
    assert held.lost.is_set()
    assert (leases.is_held(ONE), leases.is_held(OTHER)) == (False, True)
