"""What the answers behind the reports cost on the demo tenant: ExplainLoan by outcome, CompareRuns, ValidateAllocation.

python -m benchmarks.answers [--shared DIR] [--loans N]

The tenant is made by the tools of DIR (by default ../shared) and lies in SQLite; the run service, in processes of its own, has
executed two runs that differ in one option. Calls go over gRPC, one after the other, from the call to the answer.
"""

import argparse
import asyncio
import functools
import random
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from google.type.decimal_pb2 import Decimal as DecimalMessage
from powerfill.run.v1 import run_service_pb2 as pb
from powerfill.run.v1.run_service_pb2_grpc import RunServiceStub

from benchmarks.inputs import NAMED_SEED, Input, made
from benchmarks.results import ROOT, described, machine, spread, table, write_json, write_markdown
from benchmarks.whole_runs import TENANT, load_tenant, options_for, serving
from services.run_service.engine.frames import OUTPUT_TABLES
from shared.database.bulk import read_frame
from shared.database.tables import OUTPUT_TABLES as SQL_TABLES
from shared.rpc.client import DEADLINE_S, Connection, connect
from shared.tenancy.connections import TenantConnections
from shared.tenancy.registry import TenantRegistry

NAME = "answers"
TIMES = 5
TARGET_MS = 300
GUIDE, KICKOUTS = "pfill_powerfill_guide", "pfill_kickout_guide_01"

ABOUT = """\
The demo tenant (`tools/make_tenant.py`, defaults) in SQLite, the run service in processes of its own, one call in flight.
ExplainLoan: loans drawn at random of each outcome, one call each; target 300 ms. CompareRuns is between two runs that differ in
`pair_off_cost.BULK`; ValidateAllocation is of one run's own allocation against the other; five calls each."""


def main() -> None:
    """Measure, print, and write docs/benchmarks/answers.md and .json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", type=Path, default=ROOT.parent / "shared")
    parser.add_argument("--loans", type=int, default=40, help="loans explained of each outcome, at most")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="powerfill") as directory:
        asyncio.run(measure(Path(directory), made(Input("demo", "demo tenant"), NAMED_SEED, given.shared), given.loans))


async def measure(home: Path, tables: Path, loans: int) -> None:
    """All of it."""
    registry = await load_tenant(home, tables)
    async with serving(registry) as service:
        runs = []
        for cost in ("0.25", "0.5"):
            options = options_for("2")
            options.pair_off_cost.bulk.CopyFrom(DecimalMessage(value=cost))
            runs.append((await service.run(options)).run.run_id)
        by_outcome = await _loans_by_outcome(registry, runs[1], loans)
        placements = await _placements(registry, runs[0])
        async with connect(service.address, tenant_id=TENANT) as connection:
            measured = await _measure(connection, runs, by_outcome, placements)
    rows = [[name, _ms(taken), f"{max(taken):.0f}", str(len(taken)), _target(name)] for name, taken in measured.items()]
    lines = ["# Answers", "", *ABOUT.splitlines(), "", described(machine()), ""]
    lines += table(("what", "median ms (range)", "longest ms", "calls", "target ms"), rows)
    write_json(NAME, {"milliseconds": measured})
    write_markdown(NAME, lines)


async def _measure(
    connection: Connection, runs: Sequence[str], by_outcome: Mapping[str, Sequence[str]], placements: Sequence[pb.Placement]
) -> dict[str, list[float]]:
    stub = RunServiceStub(connection.channel)

    async def explain(loan_id: str) -> None:
        await connection.call(stub.ExplainLoan, pb.ExplainLoanRequest(run_id=runs[1], loan_id=loan_id))

    async def compare() -> None:
        await connection.call(stub.CompareRuns, pb.CompareRunsRequest(run_id_a=runs[0], run_id_b=runs[1]))

    async def validate() -> None:
        async def requests() -> AsyncIterator[pb.ValidateAllocationRequest]:
            yield pb.ValidateAllocationRequest(run_id=runs[1], placements=placements)

        await connection.send(stub.ValidateAllocation, requests(), DEADLINE_S)

    await explain(next(iter(by_outcome.values()))[0])  # the first answer of a server loads what the others find loaded
    measured = {
        f"ExplainLoan, {outcome}": [await _milliseconds(functools.partial(explain, loan_id)) for loan_id in loan_ids]
        for outcome, loan_ids in by_outcome.items()
    }
    for name, call in (("CompareRuns", compare), ("ValidateAllocation", validate)):
        measured[name] = [await _milliseconds(call) for _ in range(TIMES)]
    return measured


async def _milliseconds(call: Callable[[], Awaitable[None]]) -> float:
    started = time.perf_counter()
    await call()
    return (time.perf_counter() - started) * 1000


async def _loans_by_outcome(registry: TenantRegistry, run_id: str, most: int) -> dict[str, list[str]]:
    """Loans of each outcome: allocated, and by the reason of kickouts."""
    guide, kickouts = [await _rows(registry, name, run_id) for name in (GUIDE, KICKOUTS)]
    reasons = {reason: kickouts.filter(reason=reason)["loan_id"] for reason in sorted(kickouts["reason"].unique())}
    chance = random.Random(0)  # noqa: S311 - a sample, not a secret
    every = {"allocated": guide["loan_id"], **reasons}
    return {outcome: chance.sample(ids.sort().to_list(), min(most, len(ids))) for outcome, ids in every.items()}


async def _placements(registry: TenantRegistry, run_id: str) -> list[pb.Placement]:
    guide = await _rows(registry, GUIDE, run_id)
    return [pb.Placement(loan_id=loan, trade_id=trade) for loan, trade in guide.select("loan_id", "trade_id").iter_rows()]


async def _rows(registry: TenantRegistry, name: str, run_id: str) -> Any:
    stored = SQL_TABLES[name]
    async with TenantConnections(registry) as connections:
        database = await connections.database(TENANT)
        async with database.connect() as connection:
            return await read_frame(connection, stored, list(OUTPUT_TABLES[name]), stored.c.run_id == run_id)


def _ms(taken: Sequence[float]) -> str:
    return spread(taken, lambda value: f"{value:.0f}")


def _target(name: str) -> str:
    return str(TARGET_MS) if name.startswith("ExplainLoan") else "-"


if __name__ == "__main__":
    main()
