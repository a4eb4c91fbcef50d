"""Every report of a small tenant's runs, and the answers behind them, over real servers against the files beside this test.

The tenant is the demo's in small: 60 loans, 14 open trades, cash grids, pools, lockdowns and the dirt of a lender's tables.
Two runs: PASSES, and OPTIMAL with a price floor, so that step 1 fills its slots.
"""

import contextlib
import datetime as dt
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.json_format import MessageToDict
from google.protobuf.message_factory import GetMessageClass
from powerfill.report.v1 import report_service_pb2 as report_pb
from powerfill.report.v1.report_pb2 import ReportQuery
from powerfill.report.v1.report_service_pb2_grpc import ReportServiceStub
from powerfill.run.v1 import run_service_pb2 as run_pb
from powerfill.run.v1.run_service_pb2_grpc import RunServiceStub

from cli.demo.generate import demo_tables, write_tables
from services.report_service import app as report_app
from services.report_service.settings import Settings as ReportSettings
from services.run_service import app as run_app
from shared.database.load import load
from shared.rpc.client import Connection, connect
from shared.tenancy.connections import TenantConnections
from shared.tenancy.registry import TenantRegistry
from tests.conftest import new_tenant
from tests.golden.conftest import Golden
from tests.integration.run_service.desk import Desk, desk_of, settings_for, status_name

AS_OF = dt.date(2026, 4, 17)
OPTIONS = {"as_of_date": AS_OF.isoformat(), "time_limit": None, "candidate_top_k": 3}
RPCS = [method.name for method in report_pb.DESCRIPTOR.services_by_name["ReportService"].methods if method.name.startswith("Get")]
EXPLAINED = 4
"""Loans of each outcome that are explained."""

_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
_TIMED = ("duration", "step_durations")


class Office:
    """Both services, and clients of the tenant."""

    def __init__(self, desk: Desk, runs: Connection, reports: Connection) -> None:
        self.desk, self.runs, self.reports = desk, runs, reports
        self.run_stub, self.report_stub = RunServiceStub(runs.channel), ReportServiceStub(reports.channel)
        self.names: dict[str, str] = {}

    async def report(self, rpc: str, **query: Any) -> Any:
        """The first page of a report."""
        method = report_pb.DESCRIPTOR.services_by_name["ReportService"].methods_by_name[rpc]
        request = GetMessageClass(method.input_type)(query=ReportQuery(**query))
        return await self.reports.call(getattr(self.report_stub, rpc), request)

    def plain(self, message: Any) -> Any:
        """A message as JSON values, without what differs from one time to the next: run ids, moments, durations."""
        return self._plain(MessageToDict(message, preserving_proto_field_name=True))

    def _plain(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {name: self._plain(item) for name, item in value.items() if name not in _TIMED}
        if isinstance(value, list):
            return [self._plain(item) for item in value]
        if isinstance(value, str):
            for run_id, name in self.names.items():
                value = value.replace(run_id, name)
            return _MOMENT.sub("<moment>", value)
        return value


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Office]:
    """The tenant with its two runs."""
    write_tables(demo_tables(AS_OF, loans=60, open_trades=14, trades=20, pools=12), tmp_path / "tables")
    registry = TenantRegistry(tmp_path / "tenants.yaml")
    async with contextlib.AsyncExitStack() as stack:
        connections = await stack.enter_async_context(TenantConnections(registry))
        await load(await new_tenant(connections, "acme"), tmp_path / "tables", "golden")
        runs = await stack.enter_async_context(run_app.running(settings_for(registry)))
        settings = ReportSettings(registry=registry.path, report_address="127.0.0.1:0", drain_s=0)
        reports = await stack.enter_async_context(report_app.running(settings))
        desk = await stack.enter_async_context(desk_of(runs.address))
        office = Office(
            desk,
            await stack.enter_async_context(connect(runs.address, tenant_id="acme")),
            await stack.enter_async_context(connect(reports.address, tenant_id="acme")),
        )
        for name, options in (("<PASSES>", {"strategy": "PASSES"}), ("<OPTIMAL>", {"bx_price_floor": "95"})):
            run = await desk.submit({**OPTIONS, **options})
            await desk.watched(run.run_id)
            assert status_name(await desk.get(run.run_id)) == "COMPLETE"
            office.names[run.run_id] = name
        yield office


async def test_reports_and_answers_are_those_of_the_files(office: Office, golden: Golden) -> None:
    for rpc in RPCS:
        golden(rpc, office.plain(await office.report(rpc)))
    passes, optimal = office.names
    golden("GetKickouts-of-an-older-run", office.plain(await office.report("GetKickouts", run_id=passes)))
    filtered = {"filter": "loan_amount > 300000 AND NOT locked = true", "order_by": "score desc"}
    golden("GetAllocationGuide-filtered", office.plain(await office.report("GetAllocationGuide", **filtered)))

    guide, kickouts = await office.report("GetAllocationGuide"), await office.report("GetKickouts")
    by_reason = {row.reason: row.loan_id for row in reversed(kickouts.rows)}
    loans = [row.loan_id for row in guide.rows[:EXPLAINED]] + [by_reason[reason] for reason in sorted(by_reason)]
    explained = []
    for loan_id in loans:
        asked = run_pb.ExplainLoanRequest(loan_id=loan_id)
        explained.append(office.plain(await office.runs.call(office.run_stub.ExplainLoan, asked)))
    golden("ExplainLoan", explained)
    two_runs = run_pb.CompareRunsRequest(run_id_a=passes, run_id_b=optimal)
    golden("CompareRuns", office.plain(await office.runs.call(office.run_stub.CompareRuns, two_runs)))
