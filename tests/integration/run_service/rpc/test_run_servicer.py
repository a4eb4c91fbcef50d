"""RunServicer behind a real server; the application is played by a few lines."""

from __future__ import annotations

import asyncio
import dataclasses
import datetime as dt
import importlib.metadata
from collections.abc import AsyncIterator, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import grpc
import polars as pl
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from google.type.date_pb2 import Date
from google.type.decimal_pb2 import Decimal as DecimalMessage
from powerfill.common.v1 import run_options_pb2, run_status_pb2
from powerfill.config.v1 import config_service_pb2_grpc, security_rule_pb2
from powerfill.run.v1 import run_service_pb2 as pb
from powerfill.run.v1 import run_service_pb2_grpc

from services.run_service.application.compare_runs import RunComparison
from services.run_service.application.explain_loan import Decided, Explanation, LoanView
from services.run_service.application.ports import RunCursor, RunPage, RunSelection
from services.run_service.application.validate_allocation import AllocationVerdict, Placements
from services.run_service.application.watch_run import Heartbeat
from services.run_service.domain.events import Accepted, Finished, RunEvent
from services.run_service.domain.findings import Code, Finding, Severity
from services.run_service.domain.options import RunOptions
from services.run_service.domain.run import Run, RunStatus
from services.run_service.engine.compare.comparison import Comparison, ValueSplit
from services.run_service.rpc.config_servicer import ConfigServicer
from services.run_service.rpc.run_servicer import RunApplication, RunServicer
from shared.auth.caller import Caller
from shared.database.tables import SCHEMA_REVISION
from shared.errors import invalid_field, run_not_found
from shared.rpc.client import Connection, connect
from shared.rpc.paging import PageTokens
from shared.rpc.server import RpcServer, Service
from shared.rpc.status import ReceivedError

if TYPE_CHECKING:
    from powerfill.run.v1.run_service_pb2_grpc import RunServiceAsyncStub

AT = dt.datetime(2026, 4, 17, 14, 0, tzinfo=dt.UTC)
ANN = Caller("acme", "ann")


def a_run(number: int, status: RunStatus = RunStatus.COMPLETE) -> Run:
    options = RunOptions(as_of_date=dt.date(2026, 4, 17))
    return Run(f"r-{number}", "acme", status, "ann", options, AT + dt.timedelta(minutes=number))


class PlayedApplication:
    """Five runs, r-5 the newest; notes what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[Any, ...]] = []
        self.watchers = 0
        self.kept: list[AsyncIterator[RunEvent | Heartbeat]] = []
        self.left = asyncio.Event()
        self.findings: list[Finding] = []
        self.runs = [a_run(number) for number in (5, 4, 3, 2, 1)]

    async def submit_run(self, caller: Caller, given: Mapping[str, Any], request_id: str) -> Run:
        self.asked.append((caller, dict(given), request_id))
        if given.get("candidate_top_k") == 0:
            raise invalid_field("options.candidate_top_k", "'0' is not allowed; it must be an integer from 1 to 1000")
        return a_run(6, RunStatus.PENDING)

    def watch_run(self, caller: Caller, run_id: str, after_sequence: int) -> AsyncIterator[RunEvent | Heartbeat]:
        watched = self._watch(caller, run_id, after_sequence)
        self.kept.append(watched)  # so that it ends when it is closed, not when it is forgotten
        return watched

    async def _watch(self, caller: Caller, run_id: str, after_sequence: int) -> AsyncIterator[RunEvent | Heartbeat]:
        self.asked.append((caller, run_id, after_sequence))
        self.watchers += 1
        try:
            if run_id == "unknown":
                raise run_not_found(run_id, "acme")
            if after_sequence < 1:
                yield RunEvent(run_id, 1, AT, 1, Accepted("ann"))
            yield Heartbeat(1)
            while run_id in ("calm", "flood"):
                await asyncio.sleep(0.01 if run_id == "calm" else 0)
                yield Heartbeat(1)
            yield RunEvent(run_id, 2, AT, 1, Finished(RunStatus.COMPLETE, None, {"allocated_count": 3}))
        finally:
            self.watchers -= 1
            self.left.set()

    async def get_run(self, caller: Caller, run_id: str) -> Run:
        self.asked.append((caller, run_id))
        for run in self.runs:
            if run.run_id == run_id:
                return run
        raise run_not_found(run_id, "acme")

    async def list_runs(self, caller: Caller, selection: RunSelection, page_size: int, after: RunCursor | None) -> RunPage:
        self.asked.append((caller, selection, page_size, after))
        rest = [run for run in self.runs if after is None or (run.submitted_at, run.run_id) < (after.submitted_at, after.run_id)]
        page = rest[:page_size]
        more = RunCursor(page[-1].submitted_at, page[-1].run_id) if len(rest) > page_size else None
        return RunPage(tuple(page), more, len(self.runs))

    async def cancel_run(self, caller: Caller, run_id: str) -> Run:
        self.asked.append((caller, run_id))
        return a_run(6, RunStatus.ALLOCATING)

    async def check_readiness(self, caller: Caller, given: Mapping[str, Any]) -> list[Finding]:
        self.asked.append((caller, dict(given)))
        return self.findings

    async def replay_run(self, caller: Caller, run_id: str, request_id: str) -> Run:
        self.asked.append((caller, run_id, request_id))
        return dataclasses.replace(a_run(6, RunStatus.PENDING), replay_of=run_id)

    async def compare_runs(self, caller: Caller, run_id_a: str, run_id_b: str, max_moves: int) -> RunComparison:
        self.asked.append((caller, run_id_a, run_id_b, max_moves))
        a, b = (dataclasses.replace(a_run(number), summary={"value": f"{number}.00"}) for number in (1, 2))
        split = ValueSplit(Decimal("0.25"), Decimal("0.50"), Decimal("0.10"), Decimal("0.15"), Decimal(0))
        return RunComparison(a, b, (), Comparison(split, (), 0, Decimal(0), (), pl.DataFrame(), pl.DataFrame()))

    async def validate_allocation(
        self, caller: Caller, run_id: str, parts: AsyncIterator[Placements], most_listed: int
    ) -> AllocationVerdict:
        self.asked.append((caller, run_id, [part async for part in parts], most_listed))
        raise run_not_found(run_id, "acme")

    async def explain_loan(self, caller: Caller, run_id: str, loan_id: str) -> Explanation:
        self.asked.append((caller, run_id, loan_id))
        view = LoanView(loan_id, None, None, None, "Closed", None, (), Decimal(0), None, None, None, None, None)
        return Explanation(a_run(5), Decided(None, reason="NO_RULE_MATCH"), view, (), f"Loan {loan_id} was left out.")


@pytest.fixture
def application() -> PlayedApplication:
    return PlayedApplication()


@pytest.fixture
async def server(application: PlayedApplication) -> AsyncIterator[RpcServer]:
    servicer = RunServicer(
        RunApplication(
            submit_run=application.submit_run,
            watch_run=application.watch_run,
            get_run=application.get_run,
            list_runs=application.list_runs,
            cancel_run=application.cancel_run,
            check_readiness=application.check_readiness,
            replay_run=application.replay_run,
            explain_loan=application.explain_loan,
            validate_allocation=application.validate_allocation,
            compare_runs=application.compare_runs,
        ),
        PageTokens("a secret"),
        features=("bus: in-process",),
    )
    server = RpcServer(
        "127.0.0.1:0",
        [
            Service("powerfill.run.v1.RunService", lambda s: run_service_pb2_grpc.add_RunServiceServicer_to_server(servicer, s)),
            Service(
                "powerfill.config.v1.ConfigService",
                lambda s: config_service_pb2_grpc.add_ConfigServiceServicer_to_server(ConfigServicer(), s),
            ),
        ],
    )
    await server.start()
    yield server
    await server.stop(grace_s=0)


@pytest.fixture
async def connection(server: RpcServer) -> AsyncIterator[Connection]:
    async with connect(server.address, tenant_id="acme", user="ann") as connection:
        yield connection


@pytest.fixture
def stub(connection: Connection) -> RunServiceAsyncStub:
    return run_service_pb2_grpc.RunServiceStub(connection.channel)


async def refused(connection: Connection, method: Any, request: Any) -> ReceivedError:
    with pytest.raises(ReceivedError) as caught:
        await connection.call(method, request)
    return caught.value


async def test_submit_passes_the_options_that_are_set(
    connection: Connection, stub: RunServiceAsyncStub, application: PlayedApplication
) -> None:
    options = run_options_pb2.RunOptions(
        as_of_date=Date(year=2026, month=4, day=17), strategy=run_options_pb2.STRATEGY_PASSES, seed=0
    )
    response = await connection.call(stub.SubmitRun, pb.SubmitRunRequest(options=options, request_id="key-1"))
    assert (response.run.run_id, response.run.status) == ("r-6", run_status_pb2.RUN_STATUS_PENDING)
    assert application.asked == [(ANN, {"as_of_date": "2026-04-17", "strategy": "PASSES", "seed": 0}, "key-1")]


async def test_options_that_cannot_be_read_reach_nobody(
    connection: Connection, stub: RunServiceAsyncStub, application: PlayedApplication
) -> None:
    options = run_options_pb2.RunOptions(switch_cost=DecimalMessage(value="NaN"), scope=7)  # type: ignore[arg-type]
    for method, request in (
        (stub.SubmitRun, pb.SubmitRunRequest(options=options)),
        (stub.CheckReadiness, pb.CheckReadinessRequest(options=options)),
    ):
        error = await refused(connection, method, request)
        assert error.code == grpc.StatusCode.INVALID_ARGUMENT
        assert [field.field for field in error.fields] == ["options.scope", "options.switch_cost"]
    assert application.asked == []


async def test_what_the_application_refuses_is_told(connection: Connection, stub: RunServiceAsyncStub) -> None:
    request = pb.SubmitRunRequest(options=run_options_pb2.RunOptions(candidate_top_k=0))
    error = await refused(connection, stub.SubmitRun, request)
    assert [field.field for field in error.fields] == ["options.candidate_top_k"]


async def test_execute_is_submit_and_watch_from_the_first_event(
    connection: Connection, stub: RunServiceAsyncStub, application: PlayedApplication
) -> None:
    messages = [message async for message in connection.stream(stub.ExecuteRun, pb.ExecuteRunRequest(request_id="key"))]
    assert [message.WhichOneof("message") for message in messages] == ["event", "heartbeat", "event"]
    assert messages[0].event.WhichOneof("kind") == "accepted"
    assert messages[2].event.finished.summary.allocated_count == 3
    assert application.asked == [(ANN, {}, "key"), (ANN, "r-6", 0)]


async def test_watch_resumes_after_a_sequence(
    connection: Connection, stub: RunServiceAsyncStub, application: PlayedApplication
) -> None:
    request = pb.WatchRunRequest(run_id="r-1", after_sequence=1)
    messages = [message async for message in connection.stream(stub.WatchRun, request)]
    assert messages[0].heartbeat.last_sequence == 1
    assert [message.event.sequence for message in messages[1:]] == [2]
    assert application.asked == [(ANN, "r-1", 1)]


@pytest.mark.parametrize("run_id", ["calm", "flood"])
async def test_a_watcher_that_leaves_is_unsubscribed(
    stub: RunServiceAsyncStub, application: PlayedApplication, run_id: str
) -> None:
    stream = stub.WatchRun(pb.WatchRunRequest(run_id=run_id), metadata=(("x-tenant-id", "acme"),))
    await stream.read()
    await asyncio.sleep(0.2)  # of a flood so much is sent meanwhile that the server waits for its client
    stream.cancel()
    async with asyncio.timeout(5):
        await application.left.wait()
    assert application.watchers == 0


@pytest.mark.parametrize(
    ("run_id", "code"), [("", "INVALID_ARGUMENT"), ("unknown", "NOT_FOUND"), ("x" * 1000, "NOT_FOUND"), ("a\x00b", "NOT_FOUND")]
)
async def test_a_run_that_is_not_there(connection: Connection, stub: RunServiceAsyncStub, run_id: str, code: str) -> None:
    assert (await refused(connection, stub.GetRun, pb.GetRunRequest(run_id=run_id))).code.name == code
    with pytest.raises(ReceivedError) as caught:
        async for _ in connection.stream(stub.WatchRun, pb.WatchRunRequest(run_id=run_id)):
            pass
    assert caught.value.code.name == code


async def test_get_and_cancel_give_the_run(connection: Connection, stub: RunServiceAsyncStub) -> None:
    assert (await connection.call(stub.GetRun, pb.GetRunRequest(run_id="r-3"))).run.run_id == "r-3"
    response = await connection.call(stub.CancelRun, pb.CancelRunRequest(run_id="r-6"))
    assert response.run.status == run_status_pb2.RUN_STATUS_ALLOCATING


async def test_replay_names_the_run_it_replays(
    connection: Connection, stub: RunServiceAsyncStub, application: PlayedApplication
) -> None:
    run = (await connection.call(stub.ReplayRun, pb.ReplayRunRequest(run_id="r-3", request_id="key"))).run
    assert (run.run_id, run.replay_of, run.status) == ("r-6", "r-3", run_status_pb2.RUN_STATUS_PENDING)
    assert application.asked == [(ANN, "r-3", "key")]
    for request in (pb.ReplayRunRequest(), pb.ReplayRunRequest(run_id="r-3", request_id="a b")):
        assert (await refused(connection, stub.ReplayRun, request)).code == grpc.StatusCode.INVALID_ARGUMENT


async def test_an_allocation_comes_in_parts_in_its_order(
    connection: Connection, stub: RunServiceAsyncStub, application: PlayedApplication
) -> None:
    async def sent() -> AsyncIterator[pb.ValidateAllocationRequest]:
        yield pb.ValidateAllocationRequest(run_id="r-3", placements=[pb.Placement(loan_id="A", trade_id="T")])
        yield pb.ValidateAllocationRequest()
        rows = [pb.Placement(loan_id=f"L{number}", trade_id="U", price=DecimalMessage(value="101.5")) for number in range(1_001)]
        yield pb.ValidateAllocationRequest(placements=rows)

    with pytest.raises(ReceivedError) as raised:
        await connection.send(stub.ValidateAllocation, sent(), 10.0)
    assert (raised.value.code, raised.value.reason) == (grpc.StatusCode.NOT_FOUND, "RUN_NOT_FOUND")
    [(caller, run_id, parts, most_listed)] = application.asked
    assert (caller, run_id, most_listed) == (ANN, "r-3", 10_000)
    assert [len(part.loan_ids) for part in parts] == [1, 1_000, 1]
    assert (parts[0], parts[2]) == (Placements(["A"], ["T"], [None]), Placements(["L1000"], ["U"], [Decimal("101.5")]))


async def test_compare_gives_every_part_of_the_difference(
    connection: Connection, stub: RunServiceAsyncStub, application: PlayedApplication
) -> None:
    request = pb.CompareRunsRequest(run_id_a="r-1", run_id_b="r-2")
    response = await connection.call(stub.CompareRuns, request)
    parts = ("value_difference", "by_inputs", "by_market", "by_data", "by_options", "by_decision", "by_moves", "by_pair_off")
    assert [getattr(response, name).value for name in (*parts, "value_a", "value_b")] == [
        "1.00", "0.75", "0.25", "0.50", "0.10", "0.15", "0.15", "0", "1.00", "2.00",
    ]  # fmt: skip
    await connection.call(stub.CompareRuns, pb.CompareRunsRequest(run_id_a="r-1", run_id_b="r-1", max_moves=100_000))
    assert application.asked == [(ANN, "r-1", "r-2", 1_000), (ANN, "r-1", "r-1", 100_000)]


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"run_id_b": "r-2"}, "run_id_a"),
        ({"run_id_a": "r-1"}, "run_id_b"),
        ({"run_id_a": "r-1", "run_id_b": "r-2", "max_moves": -1}, "max_moves"),
        ({"run_id_a": "r-1", "run_id_b": "r-2", "max_moves": 100_001}, "max_moves"),
    ],
)
async def test_a_comparison_that_cannot_be(
    connection: Connection, stub: RunServiceAsyncStub, given: dict[str, Any], field: str
) -> None:
    error = await refused(connection, stub.CompareRuns, pb.CompareRunsRequest(**given))
    assert (error.code, [violation.field for violation in error.fields]) == (grpc.StatusCode.INVALID_ARGUMENT, [field])


async def test_an_explanation_is_of_a_run_or_of_the_latest_complete_one(
    connection: Connection, stub: RunServiceAsyncStub, application: PlayedApplication
) -> None:
    for run_id in ("r-3", ""):
        response = await connection.call(stub.ExplainLoan, pb.ExplainLoanRequest(run_id=run_id, loan_id="L1"))
        assert (response.run_id, response.loan_id, response.reason) == ("r-5", "L1", "NO_RULE_MATCH")
        assert response.explanation == "Loan L1 was left out."
    assert application.asked == [(ANN, "r-3", "L1"), (ANN, "", "L1")]
    error = await refused(connection, stub.ExplainLoan, pb.ExplainLoanRequest(run_id="r-3"))
    assert [violation.field for violation in error.fields] == ["loan_id"]
    error = await refused(connection, stub.ExplainLoan, pb.ExplainLoanRequest(run_id="a b", loan_id="L1"))
    assert (error.code, error.reason) == (grpc.StatusCode.NOT_FOUND, "RUN_NOT_FOUND")


async def test_pages_hold_every_run_once(connection: Connection, stub: RunServiceAsyncStub) -> None:
    seen, token = [], ""
    while True:
        page = await connection.call(stub.ListRuns, pb.ListRunsRequest(page_size=2, page_token=token))
        seen += [run.run_id for run in page.runs]
        assert page.total_size == 5
        if not (token := page.next_page_token):
            break
    assert seen == ["r-5", "r-4", "r-3", "r-2", "r-1"]


async def test_a_list_without_wishes(connection: Connection, stub: RunServiceAsyncStub, application: PlayedApplication) -> None:
    await connection.call(stub.ListRuns, pb.ListRunsRequest())
    assert application.asked == [(ANN, RunSelection(), 50, None)]


async def test_a_token_serves_its_own_list_and_tenant_alone(
    server: RpcServer, connection: Connection, stub: RunServiceAsyncStub, application: PlayedApplication
) -> None:
    first = pb.ListRunsRequest(page_size=2, statuses=[run_status_pb2.RUN_STATUS_COMPLETE])
    token = (await connection.call(stub.ListRuns, first)).next_page_token
    application.asked.clear()
    for request in (
        pb.ListRunsRequest(page_token=token),
        pb.ListRunsRequest(page_token=token, statuses=[run_status_pb2.RUN_STATUS_FAILED]),
        pb.ListRunsRequest(page_token=token, statuses=[run_status_pb2.RUN_STATUS_COMPLETE], submitted_from=Timestamp(seconds=1)),
        pb.ListRunsRequest(page_token=token + "x", statuses=[run_status_pb2.RUN_STATUS_COMPLETE]),
        pb.ListRunsRequest(page_token="nonsense"),
    ):
        error = await refused(connection, stub.ListRuns, request)
        assert (error.code, error.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "PAGE_TOKEN_INVALID")
    async with connect(server.address, tenant_id="other") as other:
        request = pb.ListRunsRequest(page_token=token, statuses=[run_status_pb2.RUN_STATUS_COMPLETE])
        error = await refused(other, run_service_pb2_grpc.RunServiceStub(other.channel).ListRuns, request)
        assert error.reason == "PAGE_TOKEN_INVALID"
    assert application.asked == []


@pytest.mark.parametrize(
    ("request_fields", "field"),
    [
        ({"page_size": -1}, "page_size"),
        ({"page_size": 1001}, "page_size"),
        ({"statuses": [42]}, "statuses[0]"),
        ({"submitted_from": Timestamp(seconds=-(2**62))}, "submitted_from"),
    ],
)
async def test_a_list_that_cannot_be(
    connection: Connection, stub: RunServiceAsyncStub, request_fields: dict[str, Any], field: str
) -> None:
    error = await refused(connection, stub.ListRuns, pb.ListRunsRequest(**request_fields))
    assert (error.code, error.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD")
    assert [violation.field for violation in error.fields] == [field]


async def test_a_tenant_is_ready_without_errors(
    connection: Connection, stub: RunServiceAsyncStub, application: PlayedApplication
) -> None:
    application.findings = [Finding(Code.PRICES, Severity.WARNING, "prices", "old")]
    response = await connection.call(stub.CheckReadiness, pb.CheckReadinessRequest())
    assert (response.ready, [finding.code for finding in response.findings]) == (True, ["PRICES"])
    application.findings.insert(0, Finding(Code.CONSTRAINTS, Severity.ERROR, "C1", "unknown rule"))
    response = await connection.call(stub.CheckReadiness, pb.CheckReadinessRequest())
    assert (response.ready, [finding.code for finding in response.findings]) == (False, ["CONSTRAINTS", "PRICES"])


async def test_the_server_says_what_it_is(connection: Connection, stub: RunServiceAsyncStub) -> None:
    info = await connection.call(stub.GetServerInfo, pb.GetServerInfoRequest())
    assert info == pb.GetServerInfoResponse(
        version=importlib.metadata.version("powerfill"), schema_revision=SCHEMA_REVISION, features=["bus: in-process"]
    )


@pytest.mark.parametrize(
    ("name", "request_message"),
    [
        ("Preprocess", pb.PreprocessRequest()),
        ("PreviewCandidates", pb.PreviewCandidatesRequest()),
        ("PreviewCarryCost", pb.PreviewCarryCostRequest()),
    ],
)
async def test_what_is_not_built_yet_says_so_and_what_to_do(
    connection: Connection, stub: RunServiceAsyncStub, name: str, request_message: Any
) -> None:
    error = await refused(connection, getattr(stub, name), request_message)
    assert (error.code, error.reason, error.metadata) == (grpc.StatusCode.UNIMPLEMENTED, "NOT_YET", {"what": name})
    assert error.message.startswith(f"{name} is not available yet; ")


async def test_the_configuration_is_not_built_yet(connection: Connection) -> None:
    stub = config_service_pb2_grpc.ConfigServiceStub(connection.channel)
    error = await refused(connection, stub.ListSecurityRules, security_rule_pb2.ListSecurityRulesRequest())
    assert (error.code, error.metadata) == (grpc.StatusCode.UNIMPLEMENTED, {"what": "ListSecurityRules"})
