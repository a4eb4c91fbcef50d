"""Candidates as arrays: in the smallest types, in order of loan and trade, and what the allocation problem makes of them."""

from collections.abc import Mapping

import numpy as np
import pytest

from services.run_service.domain.run import Step
from services.run_service.engine.frames import RunInputs
from services.run_service.engine.progress import Progress
from services.run_service.engine.steps.unconstrained import unconstrained_execution
from services.run_service.engine.stop import RunCancelledError, Stop
from services.run_service.engine.tables.candidates import candidate_table
from services.run_service.engine.tables.kickouts import kickouts
from tests.instances.execute import built, ledger_of, posed
from tests.instances.rows import constraint, curve, desk, inputs, instrument, loan, payup, pool, posting, relation, today, trade


def three_by_three() -> RunInputs:
    """Three loans, three trades whose ids are not in trade order, three synthetic trades."""
    return desk(
        *(loan(f"L{k}", 100_000 + k, closed=-k) for k in range(3)),
        trade("T2", settles=10), trade("T1", settles=20), trade("T3", settles=20, price="100.5"),
        today(99, 10), today("99.5", 20), today(98, 30), curve("0.9", 0, 25), payup("loan_amount", 0, 100_001, 1, 3),
    )  # fmt: skip


class TestArrays:
    """What is kept of a pair, and in which order."""

    def test_a_pair_takes_eighteen_bytes(self) -> None:
        candidates = built(three_by_three()).candidates
        columns = (candidates.loan, candidates.trade, candidates.constraint, candidates.score)
        assert [column.dtype.itemsize for column in columns] == [4, 4, 2, 8]
        assert {len(column) for column in columns} == {9}

    def test_pairs_are_in_order_of_loan_and_trade(self) -> None:
        candidates = built(three_by_three()).candidates
        pairs = list(zip(candidates.loan.tolist(), candidates.trade.tolist(), strict=True))
        assert pairs == [(i, j) for i in range(3) for j in range(3)]
        assert candidates.start.tolist() == [0, 3, 6, 9]

    def test_room_grows_when_later_loans_have_more_candidates(self) -> None:
        # A fits no window but that of X: one candidate; the twenty after it have six, so room at A's rate is too little
        tables = desk(
            loan("A", note="9"), *(loan(f"B{k:02}") for k in range(20)),
            instrument("X"), instrument("Y", coupon=6, window=("0", "1")),
            trade("T1"), *(trade(f"U{k}", on="Y") for k in range(5)),
            constraint("C1", on="X"), constraint("C2", on="Y"),
        )  # fmt: skip
        candidates = built(tables, block_loans=1).candidates
        assert np.diff(candidates.start).tolist() == [1] + [6] * 20
        assert candidates.trade.tolist() == [0] + list(range(6)) * 20

    @pytest.mark.parametrize(
        "tables",
        [desk(), desk(loan("A")), desk(trade("T1"), today(99)), inputs(loan("A"), trade("T1"), instrument())],
        ids=["nothing", "no trade", "no loan", "no constraint"],
    )
    def test_an_empty_book_has_empty_arrays_of_the_same_types(self, tables: RunInputs) -> None:
        made = built(tables)
        assert len(made.candidates) == len(made.synthetic.trade) == 0
        columns = (made.candidates.trade, made.candidates.constraint, made.candidates.score, made.synthetic.trade)
        assert [column.dtype for column in columns] == [np.int32, np.int16, np.int64, np.int32]
        assert made.candidates.start.tolist() == made.synthetic.start.tolist() == [0] * (len(made.book.loans) + 1)
        ledger = ledger_of(tables)
        assert len(candidate_table(ledger, Stop())) == len(unconstrained_execution(ledger, Stop()).ranks) == 0

    def test_synthetic_trades_beyond_the_kept_ones_are_let_go(self) -> None:
        # by score: the one of day 20 brings 99.5, that of day 10 brings 99, that of day 30 brings 98
        synthetic = built(three_by_three(), candidate_top_k=2, price_mode="PRICE_ONLY").synthetic
        assert synthetic.start.tolist() == [0, 2, 4, 6]
        assert synthetic.trade.tolist() == [1, 0] * 3

    def test_stored_candidates_are_in_order_of_the_trade_ids(self) -> None:
        # in trade order T2, T1, T3; the best two of each loan are T3 (price 100.5) and, of two at 100, T1 with more carry
        table = candidate_table(ledger_of(three_by_three(), candidate_top_k=2), Stop())
        assert table["trade_id"].to_list() == ["T1", "T3"] * 3
        assert table["rank"].to_list() == [2, 1] * 3


class TestProblem:
    """What the allocation problem makes of the candidates."""

    def test_without_pools_the_net_scores_are_the_scores(self) -> None:
        problem = posed(three_by_three())
        assert problem.net is problem.score

    def test_priorities_are_numbered_in_their_order(self) -> None:
        # T2 of the lower number comes first in trade order
        tables = desk(
            loan("A"), trade("T1", on="X"), trade("T2", on="Y"), instrument("X"), instrument("Y"),
            constraint("C1", 700, on="X"), constraint("C2", 4, on="Y"),
        )  # fmt: skip
        assert posed(tables).priority.tolist() == [0, 1]
        assert posed(tables).priority.dtype == np.int16

    def test_the_switch_cost_is_taken_off_where_a_loan_leaves_its_pool(self) -> None:
        # A's pool P is related to T1 and T3, so that only T2 costs; B is in no pool; C's pool Q is related to no trade
        tables = desk(
            loan("A"), loan("B"), loan("C"), trade("T1"), trade("T2"), trade("T3"),
            pool("P"), pool("Q"), relation("T1", "P"), relation("T3", "P"), posting("P", "A"), posting("Q", "C"),
        )  # fmt: skip
        problem = posed(tables, switch_cost="0.25")
        cost = 25_000_000
        assert (problem.score - problem.net).reshape(3, 3).tolist() == [[0, cost, 0], [0, 0, 0], [cost, cost, cost]]


class Told(Progress):
    """Keeps the fractions of the steps."""

    def __init__(self) -> None:
        self.fractions: list[float] = []

    def step_progress(self, step: Step, fraction: float, message: str, counters: Mapping[str, int] | None = None) -> None:
        self.fractions.append(fraction)


class Cancelled(Stop):
    """Somebody asks to stop after so many looks at the criterion."""

    def __init__(self, looks: int) -> None:
        self.looks = looks

    def cancelled(self) -> bool:
        self.looks -= 1
        return self.looks < 0


class TestCancelAndProgress:
    """Both come with every block of loans, however many there are."""

    def test_every_block_is_told(self) -> None:
        told = Told()
        built(three_by_three(), block_loans=1, progress=told)
        assert told.fractions == [1 / 3, 2 / 3, 1]

    @pytest.mark.parametrize("looks", range(9))
    def test_every_block_can_be_cancelled(self, looks: int) -> None:
        with pytest.raises(RunCancelledError):
            built(three_by_three(), block_loans=1, stop=Cancelled(looks))

    @pytest.mark.parametrize("looks", range(3))
    def test_the_stored_ranks_can_be_cancelled(self, looks: int) -> None:
        ledger = ledger_of(three_by_three())
        for table in (candidate_table, unconstrained_execution):
            with pytest.raises(RunCancelledError):
                table(ledger, Cancelled(looks), block_loans=1)

    @pytest.mark.parametrize("looks", range(3))
    def test_the_kickouts_can_be_cancelled(self, looks: int) -> None:
        ledger = ledger_of(desk(loan("A"), loan("B"), loan("C")))
        with pytest.raises(RunCancelledError):
            kickouts(ledger, Cancelled(looks), block_loans=1)
