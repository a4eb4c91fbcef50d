"""The filters in order (specification 01 section 7), each with its kickout reason, and the furthest stage of several trades."""

from typing import Any

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

GOOD_SCORE = rule("good_score", '{"field":"fico","op":"ge","value":700}')
NEW_YORK = rule("new_york", '{"all":[{"field":"state","op":"eq","value":"NY"},{"field":"fico","op":"ge","value":600}]}')
COUPON = instrument("X", coupon=6, window=("0.25", "1.125"))


def reason_of(*rows: Row, **options: Any) -> str:
    """The reason of loan L1."""
    found: str = run(desk(*rows), **options).kickout("L1")["reason"]
    return found


class TestEachFilter:
    """One instance a reason, in the order of the filters."""

    def test_no_rule_match_names_constraint_and_condition_that_came_closest(self) -> None:
        # C1 needs one condition more (fico), C2 two (state and fico): C1 is closer although C2 has the better priority
        ran = run(
            desk(
                loan("L1", fico=590, state="CA"), trade("T1"), GOOD_SCORE, NEW_YORK,
                constraint("C1", 2, rule_name="good_score"), constraint("C2", 1, rule_name="new_york"),
            )
        )  # fmt: skip
        kickout = ran.kickout("L1")
        assert kickout["reason"] == "NO_RULE_MATCH"
        assert (kickout["nearest_constraint_id"], kickout["failed_condition"]) == ("C1", "fico >= 700")
        assert kickout["recommended_action"] == "CHANGE_RULE"

    def test_of_equally_close_constraints_the_first_in_policy_order(self) -> None:
        rows = [constraint(name, priority, rule_name="good_score") for name, priority in (("B", 2), ("C", 1), ("A", 2))]
        kickout = run(desk(loan("L1", fico=650), trade("T1"), GOOD_SCORE, *rows)).kickout("L1")
        assert kickout["nearest_constraint_id"] == "C"

    def test_no_open_trade(self) -> None:
        closed = [
            trade("T1", status="SETTLED"), trade("T2", phantom=True), trade("T3", delivered=100_000),
            trade("T4", pair_off=100_001), trade("T5", on="Y"),
        ]  # fmt: skip
        ran = run(desk(loan("L1"), *closed))
        assert ran.kickout("L1")["reason"] == "NO_OPEN_TRADE"
        assert ran.kickout("L1")["reason_detail"] == "no open trade of X"
        assert ran.rows("trade_base") == []

    @pytest.mark.parametrize(("note", "inside"), [("6.25", True), ("6.249999", False), ("7.125", True), ("7.125001", False)])
    def test_note_rate_window(self, note: str, inside: bool) -> None:
        ran = run(desk(loan("L1", note=note), COUPON, trade("T1")))
        assert ("L1" in ran.placement) is inside
        if not inside:
            assert ran.kickout("L1")["reason"] == "NOTE_RATE_WINDOW"
            assert ran.kickout("L1")["reason_detail"] == f"note rate {note} is outside 6.25 to 7.125 of X"

    @pytest.mark.parametrize("window", [("0.25", None), (None, "1.125"), (None, None)])
    def test_an_open_end_of_the_window_lets_everything_pass(self, window: tuple[str | None, str | None]) -> None:
        note = "99" if window[1] is None else "-5"
        assert run(desk(loan("L1", note=note), instrument("X", coupon=6, window=window), trade("T1"))).placement == {"L1": "T1"}

    def test_without_a_coupon_there_is_no_window(self) -> None:
        assert run(desk(loan("L1", note=1), instrument("X", window=("0.25", "1.125")), trade("T1"))).placement == {"L1": "T1"}

    @pytest.mark.parametrize(("amount", "inside"), [("90000", True), ("90000.01", False)])
    def test_loan_size(self, amount: str, inside: bool) -> None:
        ran = run(desk(loan("L1", amount), instrument("X", max_loan=90_000), trade("T1")))
        assert ("L1" in ran.placement) is inside
        assert inside or ran.kickout("L1")["reason"] == "LOAN_SIZE"

    @pytest.mark.parametrize(
        ("settles", "options", "inside"),
        [
            (0, {}, True),
            (-1, {}, False),
            (60, {}, True),
            (61, {}, False),
            (61, {"max_trade_settle_days": 61}, True),
            (0, {"max_trade_settle_days": 0}, True),
            (20, {"eligible_settle_buffer_days": 20}, True),  # eligible on day 0
            (20, {"eligible_settle_buffer_days": 21}, False),
        ],
    )
    def test_settlement_window(self, settles: int, options: dict[str, int], inside: bool) -> None:
        ran = run(desk(loan("L1", closed=0), trade("T1", settles=settles)), **options)
        assert ("L1" in ran.placement) is inside
        assert inside or ran.kickout("L1")["reason"] == "SETTLEMENT_WINDOW"

    @pytest.mark.parametrize(
        ("closed", "lock_expires", "days", "inside"),
        [
            (None, 15, 0, True),  # 0 means no limit
            (None, 15, 15, True),
            (None, 15, 14, False),
            (15, None, 14, True),  # a closing date is not an expectation
            (None, 21, 0, False),  # eligible after settlement
            (21, None, 0, False),
            (20, None, 0, True),
            (20, 5, 0, True),
        ],
    )
    def test_the_eligible_date(self, closed: int | None, lock_expires: int | None, days: int, inside: bool) -> None:
        row = loan("L1", status="Locked", closed=closed, lock_expires=lock_expires)
        ran = run(desk(row, trade("T1", settles=20)), max_eligible_days=days)
        assert ("L1" in ran.placement) is inside
        assert inside or ran.kickout("L1")["reason"] == "SETTLEMENT_WINDOW"

    def test_no_price(self) -> None:
        assert reason_of(loan("L1"), trade("T1", price=None)) == "NO_PRICE"
        assert reason_of(loan("L1", note=5), trade("T1", price=100), grid("T1", 1, 6, 100)) == "NO_PRICE"

    def test_below_price_floor(self) -> None:
        cash = instrument("X", "CASH")
        assert reason_of(loan("L1"), cash, trade("T1", price="99.9"), bx_price_floor=100) == "BELOW_PRICE_FLOOR"
        assert run(desk(loan("L1"), cash, trade("T1", price=100)), bx_price_floor=100).placement == {"L1": "T1"}

    def test_not_worth_it(self) -> None:
        # score 99, fallback 99.25 - 0.125 = 99.125; the trade has no room, so that nothing forces the loan in
        ran = run(desk(loan("L1", 200_000), trade("T1", price=99), today("99.25")))
        kickout = ran.kickout("L1")
        assert kickout["reason"] == "NOT_WORTH_IT"
        assert "99.12500000" in kickout["reason_detail"]
        assert kickout["recommended_action"] == "NEW_TRADE"

    def test_a_loan_that_gains_nothing_is_not_worth_it_one_that_gains_a_little_lacks_room(self) -> None:
        assert reason_of(loan("L1", 200_000), trade("T1", price="99.125"), today("99.25")) == "NOT_WORTH_IT"
        assert reason_of(loan("L1", 200_000), trade("T1", price="99.12500001"), today("99.25")) == "NO_CAPACITY"

    def test_the_switch_cost_can_make_a_trade_not_worth_it(self) -> None:
        # gain 100 - 99.875 = 0.125 before the switch cost; the loan sits in a pool of another trade
        rows = [loan("L1", 200_000), trade("T1"), today(100), pool("P"), relation("T2", "P"), posting("P", "L1")]
        assert reason_of(*rows, switch_cost="0.125") == "NOT_WORTH_IT"
        assert reason_of(*rows, switch_cost="0.12499999") == "NO_CAPACITY"

    def test_no_capacity(self) -> None:
        # room for one; B has the better score
        ran = run(desk(loan("L1", closed=0), loan("B", closed=-9), trade("T1"), curve(1)))
        assert ran.reasons == {"L1": "NO_CAPACITY"}
        assert ran.kickout("L1")["best_trade_id"] == "T1"
        assert ran.kickout("L1")["recommended_action"] == "WAIT"


class TestFurthestStage:
    """The reason is the furthest stage any (constraint, trade) pair reached, not the last one looked at."""

    SMALL = instrument("S", max_loan=50_000)

    def test_over_trades_of_one_instrument(self) -> None:
        # T1 is out of the window, T2 has no price
        rows = [trade("T1", settles=90), trade("T2", price=None)]
        assert reason_of(loan("L1"), *rows) == "NO_PRICE"
        assert reason_of(loan("L1"), *reversed(rows)) == "NO_PRICE"

    @pytest.mark.parametrize("swap", [False, True])
    def test_over_instruments_whatever_their_priority(self, swap: bool) -> None:
        # X stops at the note rate, S at the size, W at the window: the window is the furthest
        order = [1, 2, 3] if swap else [3, 2, 1]
        assert (
            reason_of(
                loan("L1", note=9), COUPON, self.SMALL, instrument("W"),
                trade("T1"), trade("T2", on="S"), trade("T3", on="W", settles=90),
                constraint("A", order[0]), constraint("B", order[1], on="S"), constraint("C", order[2], on="W"),
            )
            == "SETTLEMENT_WINDOW"
        )  # fmt: skip

    def test_of_constraints_that_got_as_far_the_first_in_policy_order_is_the_nearest(self) -> None:
        # L1 fails the rule of A and comes as far by B (on Y, priority 2) as by C (on X, priority 3)
        rows = [
            GOOD_SCORE, instrument("X"), instrument("Y"), constraint("A", 1, rule_name="good_score"),
            constraint("B", 2, on="Y"), constraint("C", 3), trade("T1", settles=90), trade("T2", on="Y", settles=90),
        ]  # fmt: skip
        kickout = run(desk(loan("L1", fico=600), *rows)).kickout("L1")
        assert (kickout["reason"], kickout["nearest_constraint_id"]) == ("SETTLEMENT_WINDOW", "B")
        assert "trade T2 settles" in kickout["reason_detail"]

    def test_a_rule_that_matches_without_a_trade_beats_one_that_does_not_match(self) -> None:
        rows = [
            GOOD_SCORE,
            constraint("A", 1, rule_name="good_score"),
            constraint("B", 9, on="Y"),
            instrument("X"),
            instrument("Y"),
        ]
        assert reason_of(loan("L1", fico=600), trade("T1"), *rows) == "NO_OPEN_TRADE"

    def test_a_candidate_of_one_trade_is_judged_by_the_trades_that_pay(self) -> None:
        # candidate of T1 (no room), out of the window of T2
        ran = run(desk(loan("L1", 200_000), trade("T1"), trade("T2", 900_000, settles=61)))
        assert ran.reasons == {"L1": "NO_CAPACITY"}

    def test_a_synthetic_trade_carries_no_loan_further(self) -> None:
        # today's price lets the loan be sold, but no real trade reached further than the window
        assert reason_of(loan("L1"), trade("T1", settles=61), today(99)) == "SETTLEMENT_WINDOW"
        assert reason_of(loan("L1"), today(99)) == "NO_OPEN_TRADE"

    def test_a_data_error_and_a_hold_come_before_everything(self) -> None:
        assert reason_of(loan("L1", 0), trade("T1"), lock("L1")) == "DATA_ERROR"
        assert reason_of(loan("L1"), trade("T1"), lock("L1")) == "LOCKED_OUT"


@pytest.mark.parametrize(
    ("rows", "action"),
    [
        ([loan("L1"), trade("T1", settles=61)], "WAIT"),
        ([loan("L1"), trade("T1", settles=61), today(99)], "NEW_TRADE"),
        ([loan("L1", note=9), COUPON, trade("T1")], "NONE"),
        ([loan("L1"), trade("T1"), lock("L1")], "RELEASE_HOLD"),
    ],
)
def test_what_the_desk_can_do(rows: list[Row], action: str) -> None:
    assert run(desk(*rows)).kickout("L1")["recommended_action"] == action


def test_a_loan_left_out_of_a_full_trade_has_its_opportunity_cost() -> None:
    # Room for one of two loans. L1: best score 100, fallback 99.5 - 0.125 = 99.375; 100,000 * 0.625 / 100 = 625.
    ran = run(desk(loan("L1"), loan("L2", closed=-9), trade("T1"), today("99.5"), curve(1, 21, 99)))
    assert ran.reasons == {"L1": "NO_CAPACITY"}
    kickout = ran.kickout("L1")
    assert (kickout["best_score"], kickout["opportunity_cost"]) == (100, 625)
    assert kickout["syn_trade_id"] == "SYN-X-20260507"


def test_the_opportunity_cost_is_nought_where_nothing_is_lost_and_unset_without_a_candidate() -> None:
    ran = run(desk(loan("L1", 200_000), loan("L2", 10, note=9), COUPON, trade("T1", price=90), today(99)))
    assert (ran.kickout("L1")["reason"], ran.kickout("L1")["opportunity_cost"]) == ("NOT_WORTH_IT", 0)
    assert (ran.kickout("L2")["best_score"], ran.kickout("L2")["opportunity_cost"]) == (None, None)
