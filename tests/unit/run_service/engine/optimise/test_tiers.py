"""priority_mode STRICT on named instances, each solved by hand in its comment (specification 01 section 8).

Without today's prices a loan left out is worth its best score less 1; a TBA pays 0.03125 points on every dollar short.
"""

from decimal import Decimal

import numpy as np
import pytest

from services.run_service.engine.frames import RunInputs
from services.run_service.engine.optimise.tiers import pose_tier
from tests.instances.execute import Ran, posed, run
from tests.instances.named import BEST_VALUES, knapsack_of_six
from tests.instances.rows import (
    Row,
    constraint,
    desk,
    inputs,
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

STATES = [rule(state, f'{{"field":"state","op":"eq","value":"{state}"}}') for state in ("NY", "CA", "TX")]


def by(mode: str, tables: RunInputs, **options: object) -> Ran:
    return run(tables, strategy="OPTIMAL", priority_mode=mode, **options)


def assert_answer(ran: Ran, placement: dict[str, str], value: str, upper_bound: str) -> None:
    """Where the loans go, the value to the cent, and the bound, to which a cent may be added when it is rounded up."""
    assert ran.placement == placement
    assert ran.value == Decimal(value)
    assert Decimal(upper_bound) <= Decimal(ran.summary["upper_bound"]) <= Decimal(upper_bound) + Decimal("0.01")
    assert ran.value <= Decimal(ran.summary["upper_bound"])
    assert (ran.summary["bound_kind"], ran.summary["ended_by"]) == ("LP", "CONVERGED")


def two_instruments() -> list[Row]:
    return [instrument("X"), instrument("Y"), constraint("CX", 1, on="X"), constraint("CY", 2, on="Y")]


class TestWhatTierComesFirst:
    """A tier takes what pays in it, whatever later tiers would pay."""

    def tables(self) -> RunInputs:
        # A: 100 on TX (priority 1), 101 on TY (priority 2), 99 - 0.125 = 98.875 outside.
        return desk(*two_instruments(), loan("A"), trade("TX", on="X"), trade("TY", on="Y", price=101), today(99, on="X"))

    def test_value_asks_for_the_most(self) -> None:
        # A on TY, TX short: 101,000 - 31.25
        assert_answer(by("VALUE", self.tables()), {"A": "TY"}, "100968.75", "100968.75")

    def test_strict_asks_for_the_first(self) -> None:
        # Tier 1: A gains 1.125 points on TX and saves its 31.25. Tier 2 has nobody left: TY is short, 100,000 - 31.25.
        assert_answer(by("STRICT", self.tables()), {"A": "TX"}, "99968.75", "99968.75")

    def test_the_number_of_a_priority_is_only_an_order(self) -> None:
        tables = desk(
            instrument("X"), instrument("Y"), constraint("CX", 900, on="X"), constraint("CY", 90_000, on="Y"), loan("A"),
            trade("TX", on="X"), trade("TY", on="Y", price=101), today(99, on="X"),
        )  # fmt: skip
        assert by("STRICT", tables).placement == {"A": "TX"}

    def test_what_does_not_pay_in_a_tier_is_left_to_the_next(self) -> None:
        # Outside A is worth 101 - 1 = 100, as much as on TX (bought back for 31.25, its last tier is the first): there it gains
        # those 31.25 only; at 99.9 it would lose 100.
        tables = desk(*two_instruments(), loan("A"), trade("TX", on="X", price="99.9"), trade("TY", on="Y", price=101))
        assert_answer(by("STRICT", tables), {"A": "TY"}, "100968.75", "100968.75")


class TestRoomAlreadyTaken:
    """Nothing placed moves later."""

    def tables(self) -> RunInputs:
        # T1 has room for 100,000. NY comes in tier 1, the others in tier 2. A gains 600 there, B 1,000.
        return desk(
            *STATES, constraint("C1", 1, rule_name="NY"), constraint("C2", 2), loan("A", 60_000, state="NY"),
            loan("B", 100_000, state="CA"), trade("T1"),
        )  # fmt: skip

    def test_value_makes_room_for_the_larger(self) -> None:
        # 100,000 + 60,000 * 0.99; the relaxation fills what is left of no room
        assert_answer(by("VALUE", self.tables()), {"B": "T1"}, "159400.00", "159400.00")

    def test_strict_does_not(self) -> None:
        # 60,000 + 99,000 - 40,000 short * 0.0003125 = 158,987.50. Bound over leaving all out (59,400 + 99,000 - 31.25): tier 1
        # 600; tier 2 two fifths of B, 400, and the 12.50 still owed; 18.75 that A saved of them: 159,400.
        assert_answer(by("STRICT", self.tables()), {"A": "T1"}, "158987.50", "159400.00")

    def test_what_fits_beside_it_comes_in_the_next_tier(self) -> None:
        tables = desk(
            *STATES, constraint("C1", 1, rule_name="NY"), constraint("C2", 2), loan("A", 60_000, state="NY"),
            loan("B", 100_000, state="CA"), loan("C", 40_000, state="TX"), trade("T1"),
        )  # fmt: skip
        # A, then C into the 40,000 left: 60,000 + 40,000 + 99,000
        assert_answer(by("STRICT", tables), {"A": "T1", "C": "T1"}, "199000.00", "199000.00")

    def test_three_tiers_one_after_the_other(self) -> None:
        constraints = [constraint(f"C{n}", 10 * n, rule_name=state) for n, state in enumerate(("NY", "CA", "TX"), start=1)]
        loans = [loan(f"{state}{n}", 40_000, state=state) for state in ("NY", "CA", "TX") for n in range(2)]
        ran = by("STRICT", desk(*STATES, *constraints, *loans, trade("T1", 160_000)))
        assert ran.placement == dict.fromkeys(["NY0", "NY1", "CA0", "CA1"], "T1")


class TestPairOff:
    """A trade's pair-off counts in the last tier that can reach it."""

    # T1 is 5 points under the market: a loan loses 4.875 on it, and 5.03125 are paid on every dollar short.
    LOANS = (loan("A", 100_000, state="NY"), loan("B", 50_000, state="CA"))

    def test_the_first_tier_leaves_a_loss_to_the_last(self) -> None:
        # VALUE: A saves 5,031.25 at a loss of 4,875. STRICT: tier 1 does not see what it saves; B in tier 2 does: 2,515.625
        # saved, 2,437.50 lost. 99,875 + 47,500 - 2,515.625 = 144,859.375.
        tables = desk(
            *STATES, constraint("C1", 1, rule_name="NY"), constraint("C2", 2), *self.LOANS, trade("T1", price=95), today(100)
        )
        assert by("VALUE", tables).placement == {"A": "T1"}
        assert_answer(by("STRICT", tables), {"B": "T1"}, "144859.38", "144859.38")

    def test_a_first_tier_that_is_the_last_to_reach_it_pays(self) -> None:
        # only tier 1 reaches T1 and only tier 2 T2, which is 10 points under the market: A saves 5.03125 points at a loss of
        # 4.875 and B 10.03125 at a loss of 9.875. 95,000 + 45,000 - 50,000 short * 0.1003125 = 134,984.375.
        tables = desk(
            *STATES, instrument("X"), instrument("Y"), constraint("C1", 1, rule_name="NY"), constraint("C2", 2, on="Y"),
            *self.LOANS, trade("T1", price=95), trade("T2", on="Y", price=90), today(100, on="X"), today(100, on="Y"),
        )  # fmt: skip
        assert_answer(by("STRICT", tables), {"A": "T1", "B": "T2"}, "134984.38", "134984.38")

    def test_it_counts_for_loans_of_the_last_tier_even_where_these_are_gone(self) -> None:
        # A goes to T2 in tier 1 and could have had T1 in tier 2; so T1's pair-off counts in tier 2, and B, which would lose 4.875
        # points on T1 in tier 1, does not go there.
        tables = desk(
            *STATES, instrument("X"), instrument("Y"), constraint("C1", 1, on="X", rule_name="CA"),
            constraint("C2", 1, on="Y", rule_name="NY"), constraint("C3", 2, on="X", rule_name="NY"),
            *self.LOANS, trade("T1", price=95), trade("T2", on="Y", price=102),
            today(100, on="X"),
        )  # fmt: skip
        assert by("STRICT", tables).placement == {"A": "T2"}
        assert by("VALUE", tables).placement == {"A": "T2", "B": "T1"}

    def test_a_trade_that_no_tier_reaches_is_paid_off_in_value_and_bound(self) -> None:
        # T2 is of an instrument without a constraint: 31.25 in every allocation. T1's is saved.
        tables = desk(
            instrument("X"), instrument("Y"), constraint("C1", 1, on="X"), constraint("C2", 2, on="X", rule_name="NY"), *STATES,
            loan("A"), trade("T1"), trade("T2", on="Y"),
        )  # fmt: skip
        ran = by("STRICT", tables)
        assert_answer(ran, {"A": "T1"}, "99968.75", "99968.75")
        assert ran.recap("T2")["fill_value"] == Decimal("0.03125")

    def test_what_a_first_tier_saves_of_a_later_tiers_pair_off_is_in_the_bound(self) -> None:
        # A fills 60,000 of T1 in tier 1 and B the rest in tier 2; all of T1's pair-off counts in tier 2
        tables = desk(
            *STATES, constraint("C1", 1, rule_name="NY"), constraint("C2", 2), loan("A", 60_000, state="NY"),
            loan("B", 40_000, state="CA"), trade("T1"),
        )  # fmt: skip
        assert_answer(by("STRICT", tables), {"A": "T1", "B": "T1"}, "100000.00", "100000.00")


class TestLockedLoans:
    """Lockdowns come before every tier and use its room."""

    def test_a_locked_loan_is_placed_before_the_first_tier(self) -> None:
        # B, of tier 2, is locked to T1 and leaves 40,000; A of tier 1 (60,000) does not fit any more, C (40,000) does:
        # 60,000 + 40,000 + 59,400. The relaxation of tier 1 takes two thirds of A, 400.
        tables = desk(
            *STATES, constraint("C1", 1, rule_name="NY"), constraint("C2", 2), loan("A", 60_000, state="NY"),
            loan("B", 60_000, state="CA"), loan("C", 40_000, state="TX"), trade("T1"), lock("B", "T1"),
        )  # fmt: skip
        assert_answer(by("STRICT", tables), {"B": "T1", "C": "T1"}, "159400.00", "159800.00")

    def test_one_locked_to_where_it_is_no_candidate_stays(self) -> None:
        tables = desk(*two_instruments(), loan("A"), trade("TX", on="X"), trade("TY", on="Y", price=101), lock("A", "TY"))
        assert_answer(by("STRICT", tables), {"A": "TY"}, "100968.75", "100968.75")

    def test_trades_filled_beyond_their_band_take_nobody(self) -> None:
        tables = desk(
            *STATES, constraint("C1", 1, rule_name="NY"), constraint("C2", 2), loan("A", state="NY"), loan("B", state="CA"),
            loan("C", state="CA"), trade("T1"), lock("B", "T1"), lock("C", "T1"),
        )  # fmt: skip
        assert_answer(by("STRICT", tables), {"B": "T1", "C": "T1"}, "299000.00", "299000.00")


def test_switch_cost_is_paid_in_tiers_too() -> None:
    # A sits in a pool of TY. TX pays it 100.02 in tier 1 against 100 outside: not worth 0.03125. In tier 2 TY pays 101.
    tables = desk(
        *two_instruments(), loan("A"), trade("TX", on="X", price="100.02", tolerance=1),
        trade("TY", on="Y", price=101, tolerance=1), pool("P"), relation("TY", "P"), posting("P", "A"),
    )  # fmt: skip
    assert by("STRICT", tables).placement == {"A": "TY"}
    assert by("STRICT", tables, switch_cost="0.01").placement == {"A": "TX"}


@pytest.mark.parametrize("instance", BEST_VALUES, ids=lambda instance: instance.__name__)
def test_a_single_priority_is_value(instance: object) -> None:
    tables = instance()  # type: ignore[operator]
    strict, value = by("STRICT", tables), by("VALUE", tables)
    assert strict.placement == value.placement
    assert strict.value == value.value == Decimal(BEST_VALUES[instance])  # type: ignore[index]
    assert abs(Decimal(strict.summary["upper_bound"]) - Decimal(value.summary["upper_bound"])) <= Decimal("0.01")


def test_a_tier_is_made_of_what_earlier_tiers_left() -> None:
    tables = desk(
        *STATES, constraint("C1", 3, rule_name="NY"), constraint("C2", 7), loan("A", 60_000, state="NY"),
        loan("B", 90_000, state="CA"), loan("C", 40_000, state="NY"), trade("T1"), trade("T2", settles=30), lock("C", "T2"),
    )  # fmt: skip
    problem = posed(tables)
    assert problem.priority.tolist() == [0, 0, 1, 1, 0, 0]
    first = pose_tier(problem, 0, np.array([-1, -1, -1]))
    assert first.index.tolist() == [0, 1, 4, 5]
    assert first.problem.start.tolist() == [0, 2, 2, 4]
    assert first.problem.pair_off.tolist() == [0, 0]
    second = pose_tier(problem, 1, np.array([0, -1, -1]))
    assert second.index.tolist() == [2, 3]
    assert second.problem.start.tolist() == [0, 0, 2, 2]
    assert second.problem.locked.tolist() == [True, False, True]
    assert second.problem.locked_fill.tolist() == [6_000_000, 4_000_000]
    assert second.problem.pair_off.tolist() == [3_125_000, 3_125_000]


def test_without_candidates_the_bound_is_the_value() -> None:
    for tables in (inputs(), desk(loan("L1")), desk(trade("T1")), desk(loan("L1"), trade("T1", settles=90))):
        ran = by("STRICT", tables)
        assert ran.placement == {}
        assert ran.summary["value"] == ran.summary["baseline_value"]
        assert Decimal(0) <= Decimal(ran.summary["gap_amount"]) <= Decimal("0.01")
        assert ran.summary["ended_by"] == "CONVERGED"


def test_passes_take_no_notice() -> None:
    tables = knapsack_of_six()
    assert run(tables, priority_mode="STRICT").placement == run(tables).placement
