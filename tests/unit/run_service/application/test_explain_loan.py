"""Which run and loan an explanation is about, and what cannot be explained."""

import dataclasses
import datetime as dt
from collections.abc import Callable, Collection, Sequence
from typing import Any, cast

import polars as pl
import pytest

from services.run_service.application.explain_loan import ExplainLoan, Explanation
from services.run_service.application.ports import (
    Answers,
    DecidedLoan,
    Decisions,
    InputStore,
    PackedInputs,
    RunRepository,
)
from services.run_service.domain.options import RunOptions
from services.run_service.domain.run import Run, RunRef, RunStatus
from services.run_service.engine.frames import RunInputs
from shared.auth.caller import Caller
from shared.errors import Category, PowerFillError, Reason, run_not_found
from tests.instances.execute import Ran, run
from tests.instances.explained import chosen_options
from tests.instances.rows import desk, loan, shipped, today, trade

ANN = Caller("acme", "ann")


class World:
    """One complete run of a small instance: two loans on T1, L1 on T2, L2 left out; a newer run is active."""

    def __init__(self) -> None:
        self.data: RunInputs = desk(
            loan("A", 50_000, note="7"), loan("B", 50_000, note="7"), loan("L1"), loan("L2", closed=61), loan("L3"),
            shipped("L3"), trade("T1", price="100.5"), trade("T2"), today(99),
        )  # fmt: skip
        self.ran: Ran = run(self.data, strategy="OPTIMAL")
        self.options: RunOptions = chosen_options(strategy="OPTIMAL")
        moment = dt.datetime(2026, 4, 17, tzinfo=dt.UTC)
        complete = Run("r1", "acme", RunStatus.COMPLETE, "ann", self.options, moment)
        self.runs = {"r1": complete, "r2": dataclasses.replace(complete, run_id="r2", status=RunStatus.ALLOCATING)}
        self.asked_trades: list[str] = []

    async def get(self, ref: RunRef) -> Run:
        if ref.run_id not in self.runs:
            raise run_not_found(ref.run_id, ref.tenant_id)
        return self.runs[ref.run_id]

    async def find_latest_complete(self, tenant_id: str) -> Run | None:
        return self.runs.get("r1")

    async def packed(self, ref: RunRef) -> PackedInputs:
        return PackedInputs({ref.run_id: b""})

    async def compute(self, question: Callable[..., Any], inputs: Sequence[PackedInputs], *facts: object) -> Any:
        assert [list(packed.contents) for packed in inputs] == [["r1"]]
        return question(self.data, *facts)

    async def loan(self, ref: RunRef, loan_id: str) -> DecidedLoan | None:
        for row in self.ran.rows("powerfill_guide", loan_id=loan_id):
            return DecidedLoan(is_allocated=True, row=row)
        for row in self.ran.rows("kickout_guide_01", loan_id=loan_id):
            return DecidedLoan(is_allocated=False, row=row)
        return None

    async def trades(self, ref: RunRef) -> pl.DataFrame:
        return self.ran.table("trade_base")

    async def allocation(self, ref: RunRef, trade_ids: Collection[str] | None = None) -> pl.DataFrame:
        assert trade_ids is not None
        self.asked_trades = list(trade_ids)
        return self.ran.table("powerfill_guide").filter(pl.col("trade_id").is_in(self.asked_trades))

    async def explain(self, loan_id: str, run_id: str = "r1") -> Explanation:
        ports = cast(RunRepository, self), cast(InputStore, self), cast(Decisions, self), cast(Answers, self)
        return await ExplainLoan(*ports)(ANN, run_id, loan_id)


@pytest.fixture(scope="module")
def world() -> World:
    return World()


@pytest.mark.parametrize("run_id", ["r1", ""])
async def test_an_allocated_loan_of_a_run_or_of_the_latest_complete_one(world: World, run_id: str) -> None:
    explained = await world.explain("L1", run_id)
    assert (explained.run.run_id, explained.decided.trade_id, explained.view.loan_id) == ("r1", "T2", "L1")
    assert [one.verdict for one in explained.standings] == ["FULL", "TAKEN"]
    assert world.asked_trades == ["T1"]
    assert explained.text.startswith("Loan L1 ($100,000) went to T2")


async def test_a_loan_that_was_left_out(world: World) -> None:
    explained = await world.explain("L2")
    assert (explained.decided.trade_id, explained.decided.reason, explained.standings) == (None, "SETTLEMENT_WINDOW", ())
    assert world.asked_trades == []
    assert explained.view.smallest_change is not None


@pytest.mark.parametrize(
    ("loan_id", "run_id", "category", "reason", "message"),
    [
        ("L1", "nothing", Category.NOT_FOUND, Reason.RUN_NOT_FOUND, "there is no run 'nothing'"),
        ("L1", "r2", Category.FAILED_PRECONDITION, Reason.RUN_NOT_COMPLETE, "run r2 is ALLOCATING and has no result"),
        ("L?", "r1", Category.NOT_FOUND, Reason.LOAN_NOT_FOUND, "the loan table, as the run read it, has no such loan"),
        ("L3", "", Category.NOT_FOUND, Reason.LOAN_NOT_FOUND, "loan 'L3' is not part of run r1: it was shipped on 2026-04-17"),
    ],
)
async def test_what_cannot_be_explained(
    world: World, loan_id: str, run_id: str, category: Category, reason: Reason, message: str
) -> None:
    with pytest.raises(PowerFillError) as raised:
        await world.explain(loan_id, run_id)
    assert (raised.value.category, raised.value.reason) == (category, reason)
    assert message in raised.value.message


async def test_without_a_complete_run_there_is_nothing_to_explain() -> None:
    world = World()
    del world.runs["r1"]
    with pytest.raises(PowerFillError) as raised:
        await world.explain("L1", "")
    assert (raised.value.reason, "`powerfill run acme` makes one" in raised.value.message) == (Reason.RUN_NOT_FOUND, True)
