"""How often the sweep has old runs removed."""

import datetime as dt
from collections.abc import Sequence
from typing import Any, cast

from services.run_service.application.ports import OutputStore, RunBus, RunRepository, TenantDirectory
from services.run_service.application.sweep import RETENTION_INTERVAL, Sweep
from services.run_service.domain.run import Run
from shared.errors import tenant_unavailable

START = dt.datetime(2026, 4, 17, 12, tzinfo=dt.UTC)


class World:
    """Two tenants without runs, one of them away or not, and a clock; as repositories, registry and clock."""

    def __init__(self) -> None:
        self.time, self.away = START, set[str]()

    def now(self) -> dt.datetime:
        return self.time

    def ids(self) -> Sequence[str]:
        return ["acme", "birch"]

    async def find_free(self, tenant_id: str, now: dt.datetime) -> list[Run]:
        if tenant_id in self.away:
            raise tenant_unavailable(tenant_id)
        return []

    async def remove_leftovers(self, tenant_id: str) -> None:
        """There are none."""


async def test_a_tenants_old_runs_are_looked_for_at_its_first_sweep_and_then_now_and_then() -> None:
    world, begun = World(), list[str]()
    parts: Any = world
    sweep = Sweep(
        cast(RunRepository, parts), cast(OutputStore, parts), cast(TenantDirectory, parts), cast(RunBus, parts), world,
        lambda ref: False, begun.append,
    )  # fmt: skip
    world.away = {"birch"}
    await sweep.all_tenants()
    assert begun == ["acme"]
    world.away = set()
    await sweep.all_tenants()
    assert begun == ["acme", "birch"]
    world.time += RETENTION_INTERVAL - dt.timedelta(seconds=1)
    await sweep.all_tenants()
    assert begun == ["acme", "birch"]
    world.time += dt.timedelta(seconds=1)
    await sweep.all_tenants()
    assert sorted(begun) == ["acme", "acme", "birch", "birch"]
