"""Lockdowns (specification 01 sections 7 and 8): who stays where, who stays out, and what locked loans are worth."""

from decimal import Decimal

import pytest

from tests.instances.execute import run
from tests.instances.rows import (
    Row,
    constraint,
    curve,
    desk,
    grid,
    instrument,
    loan,
    lock,
    pool,
    posting,
    relation,
    rule,
    today,
    trade,
)

NOBODY = rule("nobody", '{"field":"fico","op":"gt","value":9999}')


class TestHeld:
    """An unexpired lockdown without a trade, or with one that takes no part."""

    @pytest.mark.parametrize(
        "to",
        [None, "GONE", "SETTLED", "PHANTOM", "FULL", "NEGATIVE", "UNKNOWN"],
    )
    def test_a_lock_to_no_participating_trade_keeps_the_loan_out(self, to: str | None) -> None:
        ran = run(
            desk(
                loan("L1"), trade("T1"), trade("SETTLED", status="SETTLED"), trade("PHANTOM", phantom=True),
                trade("FULL", delivered=100_000), trade("NEGATIVE", tolerance="-0.1"), trade("UNKNOWN", on="Y"),
                lock("L1", to), today(99),
            )
        )  # fmt: skip
        kickout = ran.kickout("L1")
        assert (kickout["reason"], kickout["reason_detail"]) == ("LOCKED_OUT", "held by a lockdown: desk order")
        assert kickout["recommended_action"] == "RELEASE_HOLD"
        # no candidate, real or synthetic: fallback 0
        assert (kickout["best_trade_id"], kickout["syn_trade_id"]) == (None, None)
        assert ran.summary["candidate_count"] == 0
        assert ran.value == Decimal("-31.25")  # T1 stays empty: 100,000 * 0.03125 / 100

    @pytest.mark.parametrize(("expires", "held"), [(None, True), (1, True), (0, True), (-1, False)])
    def test_a_lock_still_holds_on_the_day_it_expires(self, expires: int | None, held: bool) -> None:
        ran = run(desk(loan("L1"), trade("T1"), lock("L1", None, expires)))
        assert (ran.reasons == {"L1": "LOCKED_OUT"}) is held
        assert (ran.placement == {"L1": "T1"}) is not held

    def test_a_lock_of_an_unknown_loan_is_ignored_and_told(self) -> None:
        ran = run(desk(loan("L1"), trade("T1"), lock("GONE", "T1"), lock("OLD", expires=-1)))
        assert ran.placement == {"L1": "T1"}
        assert [(found.count, found.examples) for found in ran.told("LOCKDOWN")] == [(1, ("GONE",))]


class TestLocked:
    """A loan locked to a participating trade is placed there first, whether or not it is a candidate."""

    def test_it_goes_to_its_trade_although_another_pays_more(self) -> None:
        ran = run(desk(loan("L1"), trade("T1", price=90), trade("T2", price=101), lock("L1", "T1")))
        row = ran.allocated("L1")
        assert (row["trade_id"], row["pass"], row["locked"]) == ("T1", "LOCKED", True)
        assert (row["constraint_id"], row["priority"], row["rank"]) == (None, None, None)
        assert (row["score"], row["best_score"]) == (90, 101)

    def test_its_candidates_are_counted_and_stored(self) -> None:
        ran = run(desk(loan("L1"), trade("T1", price=90), trade("T2", price=101), lock("L1", "T1"), curve(1, on="Y")))
        assert (ran.summary["candidate_count"], ran.summary["carry_missed"]) == (2, 2)
        assert [(row["trade_id"], row["rank"], row["taken"]) for row in ran.rows("loan2trade_candy_level_01")] == [
            ("T1", 2, True),
            ("T2", 1, False),
        ]

    @pytest.mark.parametrize(
        "obstacle",
        [
            [constraint("C1", rule_name="nobody"), NOBODY],
            [instrument("X", coupon=9, window=("0.25", "1.125"))],
            [instrument("X", max_loan=1)],
            [instrument("Y"), instrument("X"), constraint("C1", on="Y")],
        ],
    )
    def test_it_need_not_be_a_candidate(self, obstacle: list[Row]) -> None:
        ran = run(desk(loan("L1"), trade("T1"), lock("L1", "T1"), *obstacle))
        assert ran.placement == {"L1": "T1"}
        assert ran.summary["candidate_count"] == 0
        assert ran.allocated("L1")["price"] is not None

    def test_a_trade_outside_the_window_still_takes_its_locked_loan(self) -> None:
        # such a trade is in no recap and its shortfall does not count
        ran = run(desk(loan("L1"), trade("T1", 300_000, settles=90), lock("L1", "T1")))
        assert ran.placement == {"L1": "T1"}
        assert ran.rows("trade_base") == []
        assert ran.value == 100_000

    def test_a_loan_with_a_data_error_cannot_be_placed(self) -> None:
        ran = run(desk(loan("L1", note=None), trade("T1"), lock("L1", "T1")))
        assert ran.reasons == {"L1": "DATA_ERROR"}

    def test_it_uses_the_room_before_others(self) -> None:
        # L2 earns more, but the room is taken
        ran = run(desk(loan("L1", closed=0), loan("L2", closed=-9), trade("T1"), lock("L1", "T1"), curve(9)))
        assert ran.placement == {"L1": "T1"}
        assert ran.recap("T1")["locked_amount"] == 100_000

    def test_it_pays_no_switch_cost(self) -> None:
        # the loan sits in a pool of T2; 100,000 at 100 without 2 points of switch cost
        rows = [pool("P"), relation("T2", "P"), posting("P", "L1")]
        ran = run(desk(loan("L1"), trade("T1"), trade("T2", settles=90), lock("L1", "T1"), *rows), switch_cost=2)
        assert ran.allocated("L1")["value"] == 100_000
        assert ran.value == 100_000

    def test_without_a_price_it_counts_nothing(self) -> None:
        # the grid has no row at or under 6.5; value 0, nothing is short, the loan's fallback does not count either
        ran = run(desk(loan("L1"), trade("T1"), grid("T1", 1, 7, 100), lock("L1", "T1"), today(99)))
        row = ran.allocated("L1")
        assert (row["price"], row["carry"], row["score"], row["value"]) == (None, None, None, 0)
        assert (ran.summary["value"], ran.summary["baseline_value"]) == ("0.00", "0.00")
        assert ran.recap("T1")["avg_price"] is None

    def test_the_baseline_holds_the_locked_loans(self) -> None:
        ran = run(desk(loan("L1"), trade("T1", price=101), lock("L1", "T1")))
        assert ran.summary["baseline_value"] == ran.summary["value"] == "101000.00"


class TestSeveralLocks:
    """One to a participating trade wins, then the greatest trade_id among those."""

    TRADES = (trade("T1"), trade("T2"), trade("T9", status="SETTLED"))

    @pytest.mark.parametrize(
        ("locks", "goes_to"),
        [
            ([lock("L1", "T1"), lock("L1")], "T1"),
            ([lock("L1", "T1"), lock("L1", "T9")], "T1"),
            ([lock("L1", "T1"), lock("L1", "T2")], "T2"),
            ([lock("L1", "T2"), lock("L1", "T1"), lock("L1", "ZZ")], "T2"),
            ([lock("L1", "T2", -1), lock("L1", "T1")], "T1"),
            ([lock("L1", "T2", -1), lock("L1")], None),
            ([lock("L1"), lock("L1", "T9")], None),
        ],
    )
    def test_which_one_wins(self, locks: list[Row], goes_to: str | None) -> None:
        for order in (locks, locks[::-1]):
            ran = run(desk(loan("L1"), *self.TRADES, *order))
            assert ran.placement.get("L1") == goes_to
            assert (ran.reasons == {"L1": "LOCKED_OUT"}) is (goes_to is None)

    def test_they_are_told(self) -> None:
        ran = run(desk(loan("L1"), *self.TRADES, lock("L1", "T1"), lock("L1", "T2")))
        assert any(found.examples == ("L1",) and "several" in found.message for found in ran.told("LOCKDOWN"))


class TestOverfilled:
    """Lockdowns alone may pass the band; nothing else is added then."""

    def test_locks_pass_the_band_and_are_told(self) -> None:
        # need 150,000, tolerance 1 %: hi 151,500; locked 200,000. L3 does not fit any more.
        ran = run(
            desk(
                loan("L1"),
                loan("L2"),
                loan("L3", 100),
                trade("T1", 150_000, tolerance="0.01"),
                lock("L1", "T1"),
                lock("L2", "T1"),
            )
        )
        assert ran.placement == {"L1": "T1", "L2": "T1"}
        recap = ran.recap("T1")
        assert (recap["status"], recap["hi"], recap["allocated_amount"]) == ("OVERFILLED_BY_LOCKS", 151_500, 200_000)
        assert (recap["space_left"], recap["shortfall"], recap["post_session_need"]) == (0, 0, 0)
        assert recap["fill_pct"] == Decimal("133.333333")
        (found,) = ran.told("OVERFILLED_BY_LOCKS")
        assert (found.count, found.examples) == (1, ("T1",))
        assert ran.summary["trades_filled"] == 1

    def test_at_the_upper_end_nothing_is_told(self) -> None:
        ran = run(desk(loan("L1"), trade("T1"), lock("L1", "T1")))
        assert ran.recap("T1")["status"] == "FILLED"
        assert ran.told("OVERFILLED_BY_LOCKS") == []

    @pytest.mark.parametrize("strategy", ["PASSES", "OPTIMAL"])
    def test_no_strategy_moves_a_locked_loan(self, strategy: str) -> None:
        # L1 would earn 11 points more on T2, and T2 stays short for it
        ran = run(desk(loan("L1"), trade("T1", price=90), trade("T2", price=101), lock("L1", "T1")), strategy=strategy)
        assert ran.placement == {"L1": "T1"}
        assert ran.recap("T2")["status"] == "EMPTY"
