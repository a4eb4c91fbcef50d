"""The pool guide (specification 01 section 9.5): what happens to each loan's place in a pool, and where it is put."""

from decimal import Decimal

import pytest

from tests.instances.execute import Ran, run
from tests.instances.rows import Row, constraint, desk, instrument, loan, lock, pool, posting, relation, shipped, trade

Rows = list[tuple[str, str, str, str]]


def guide(ran: Ran) -> Rows:
    """Loan, trade, pool and action of every row."""
    return [(row["loan_id"], row["trade_id"], row["pool_name"], row["pool_action"]) for row in ran.rows("pool_guide")]


def pools_of(ran: Ran) -> dict[str, str | None]:
    """The recommended pool of each allocated loan."""
    return {row["loan_id"]: row["recommended_pool"] for row in ran.rows("powerfill_guide")}


IN_P: list[Row] = [pool("P"), posting("P", "A")]


class TestActions:
    """The eight actions, each by the smallest instance that shows it."""

    def test_joining(self) -> None:
        ran = run(desk(loan("A"), trade("T1"), pool("P"), relation("T1", "P")))
        assert guide(ran) == [("A", "T1", "P", "JOINING")]
        row = ran.allocated("A")
        assert (row["pool_action"], row["current_pool"], row["recommended_pool"]) == ("JOINING", None, "P")

    def test_remaining(self) -> None:
        # P keeps the loan although Q has more room
        ran = run(desk(loan("A"), trade("T1"), *IN_P, relation("T1", "P", 1), pool("Q"), relation("T1", "Q", 900_000)))
        assert guide(ran) == [("A", "T1", "P", "REMAINING")]

    def test_switching_has_a_row_for_either_side(self) -> None:
        # T2, to which P belongs, settles after the window, so A goes to T1. On T2 at 99 the loan would score 99; on T1 100.
        # Gain 100,000 * (100 - 99 - 0.03125) / 100 = 968.75.
        ran = run(
            desk(
                loan("A"),
                trade("T1"),
                trade("T2", price=99, settles=61),
                *IN_P,
                relation("T2", "P"),
                pool("Q"),
                relation("T1", "Q"),
            )
        )
        assert guide(ran) == [("A", "T1", "Q", "SWAPPED_IN"), ("A", "T2", "P", "SWAPPED_OUT")]
        into, out = ran.rows("pool_guide")
        assert (out["other_pool"], out["other_trade_id"], out["price"], out["score"]) == ("Q", "T1", 99, 99)
        assert (into["other_pool"], into["other_trade_id"], into["price"], into["score"]) == ("P", "T2", 100, 100)
        assert out["gain"] == into["gain"] == Decimal("968.75")
        assert ran.allocated("A")["pool_action"] == "SWITCHING"

    def test_the_gain_is_unset_where_the_old_trade_takes_no_part(self) -> None:
        rows = [*IN_P, relation("T2", "P"), pool("Q"), relation("T1", "Q")]
        ran = run(desk(loan("A"), trade("T1"), trade("T2", status="SETTLED"), *rows))
        assert guide(ran) == [("A", "T1", "Q", "SWAPPED_IN"), ("A", "T2", "P", "SWAPPED_OUT")]
        assert [(row["gain"], row["price"]) for row in ran.rows("pool_guide")] == [(None, 100), (None, None)]

    def test_switching_out_of_a_pool_without_a_trade(self) -> None:
        ran = run(desk(loan("A"), trade("T1"), *IN_P, pool("Q"), relation("T1", "Q")))
        assert guide(ran) == [("A", "", "P", "SWAPPED_OUT"), ("A", "T1", "Q", "SWAPPED_IN")]

    def test_leaving(self) -> None:
        # T1 has no room for A
        ran = run(desk(loan("A", 200_000), trade("T1"), *IN_P, relation("T1", "P")))
        assert guide(ran) == [("A", "T1", "P", "LEAVING")]
        (row,) = ran.rows("pool_guide")
        assert (row["current_pool"], row["recommended_pool"], row["recommended_trade_id"], row["price"]) == (
            "P",
            None,
            None,
            None,
        )

    def test_leaving_a_pool_without_a_trade_has_an_empty_key(self) -> None:
        ran = run(desk(loan("A", 0), *IN_P))
        assert guide(ran) == [("A", "", "P", "LEAVING")]

    @pytest.mark.parametrize("kind", ["CASH", "BULK"])
    def test_unpooled(self, kind: str) -> None:
        # also for a loan that has no current pool, or one that is related to the trade
        for rows in ([], [*IN_P, relation("T1", "P")]):
            ran = run(desk(loan("A"), instrument("X", kind), trade("T1"), *rows))
            assert guide(ran) == [("A", "T1", "", "UNPOOLED")]
            assert pools_of(ran) == {"A": None}

    def test_locked_keeps_its_pool_where_that_is_related(self) -> None:
        ran = run(desk(loan("A"), trade("T1"), lock("A", "T1"), *IN_P, relation("T1", "P", 1), pool("Q"), relation("T1", "Q")))
        assert guide(ran) == [("A", "T1", "P", "LOCKED")]

    def test_locked_elsewhere_or_without_a_pool_is_spread(self) -> None:
        rows = [relation("T2", "P"), pool("Q"), relation("T1", "Q")]
        ran = run(desk(loan("A"), trade("T1"), trade("T2", settles=61), lock("A", "T1"), *IN_P, *rows))
        assert guide(ran) == [("A", "T1", "Q", "LOCKED")]
        ran = run(desk(loan("A"), trade("T1"), lock("A", "T1"), pool("Q"), relation("T1", "Q")))
        assert guide(ran) == [("A", "T1", "Q", "LOCKED")]

    def test_locked_comes_before_unpooled_and_has_no_pool_there(self) -> None:
        ran = run(desk(loan("A"), instrument("X", "CASH"), trade("T1"), lock("A", "T1"), *IN_P, relation("T1", "P")))
        assert guide(ran) == [("A", "T1", "", "LOCKED")]
        assert pools_of(ran) == {"A": None}

    def test_a_held_loan_leaves_its_pool(self) -> None:
        ran = run(desk(loan("A"), trade("T1"), lock("A"), *IN_P, relation("T1", "P")))
        assert guide(ran) == [("A", "T1", "P", "LEAVING")]

    def test_a_loan_left_out_without_a_pool_is_not_in_the_guide(self) -> None:
        assert guide(run(desk(loan("A", 200_000), trade("T1")))) == []


class TestCurrentPool:
    """The latest posting to a FORMING pool, then the greatest pool name."""

    @pytest.mark.parametrize(
        ("postings", "current"),
        [
            ([posting("P", "A", -1), posting("Q", "A", -2)], "P"),
            ([posting("P", "A", -2), posting("Q", "A", -1)], "Q"),
            ([posting("P", "A", -1), posting("Q", "A", -1)], "Q"),
            ([posting("P", "A", -9), posting("OLD", "A", -1)], "P"),  # delivered pools do not count
            ([posting("P", "A", -9), posting("GONE", "A", -1)], "P"),  # nor do unknown ones
            ([posting("P", "A", -9), posting("P", "A", -1), posting("Q", "A", -5)], "P"),  # P was posted again
            ([], None),
        ],
    )
    def test_which_one_it_is(self, postings: list[Row], current: str | None) -> None:
        rows = [pool("P"), pool("Q"), pool("OLD", "DELIVERED"), relation("T1", "P"), relation("T1", "Q")]
        ran = run(desk(loan("A"), trade("T1"), *rows, *postings))
        assert ran.allocated("A")["current_pool"] == current

    def test_a_loan_posted_to_two_pools_of_one_trade_meets_it_once(self) -> None:
        # real data does this: it once made the guide fail on a duplicate key
        rows = [pool("P"), pool("Q"), relation("T1", "P"), relation("T1", "Q"), posting("P", "A"), posting("Q", "A")]
        ran = run(desk(loan("A"), trade("T1"), *rows))
        assert guide(ran) == [("A", "T1", "Q", "REMAINING")]
        (found,) = ran.told("DATA_QUALITY", "pscat_pool_loans")
        assert (found.count, found.message) == (1, "loans posted to more than one forming pool: the latest posting counts")


class TestSpread:
    """The others go, largest first, into the pool of their trade with the most room."""

    def test_the_largest_first_into_the_most_room(self) -> None:
        # P 100,000 and Q 90,000 of room. A 60,000 -> P (40,000 left); B 50,000 -> Q (40,000 left); C 30,000: a tie, P.
        ran = run(
            desk(
                loan("A", 60_000), loan("B", 50_000), loan("C", 30_000), trade("T1", 140_000),
                pool("P"), pool("Q"), relation("T1", "P", 100_000), relation("T1", "Q", 90_000),
            )
        )  # fmt: skip
        assert pools_of(ran) == {"A": "P", "B": "Q", "C": "P"}

    def test_of_equal_loans_the_smaller_id_goes_first(self) -> None:
        rows = [pool("P"), pool("Q"), relation("T1", "P", 50_000), relation("T1", "Q", 60_000)]
        ran = run(desk(loan("B", 50_000), loan("A", 50_000), trade("T1"), *rows))
        assert pools_of(ran) == {"A": "Q", "B": "P"}

    def test_a_pool_takes_more_than_its_room(self) -> None:
        ran = run(desk(loan("A"), trade("T1"), pool("P"), relation("T1", "P", 1)))
        assert pools_of(ran) == {"A": "P"}

    def test_loans_that_stay_take_room_first(self) -> None:
        # P 150,000 less B, which remains: 50,000; Q 60,000. A goes to Q although it is larger and comes first.
        ran = run(
            desk(
                loan("A", 110_000), loan("B"), trade("T1", 210_000), pool("P"), pool("Q"), posting("P", "B"),
                relation("T1", "P", 150_000), relation("T1", "Q", 60_000),
            )
        )  # fmt: skip
        assert pools_of(ran) == {"A": "Q", "B": "P"}

    @pytest.mark.parametrize("outside", [[loan("S"), shipped("S")], [loan("S", status="Started")], [loan("S", status="Gone")]])
    def test_out_of_scope_loans_take_room(self, outside: list[Row]) -> None:
        # P 150,000 less S (100,000): 50,000; Q 60,000
        rows = [pool("P"), pool("Q"), posting("P", "S"), relation("T1", "P", 150_000), relation("T1", "Q", 60_000)]
        assert pools_of(run(desk(loan("A"), trade("T1"), *outside, *rows))) == {"A": "Q"}

    def test_a_loan_that_leaves_takes_none(self) -> None:
        # L stays out of allocation, so that P has its 150,000 again
        rows = [pool("P"), pool("Q"), posting("P", "L"), relation("T1", "P", 150_000), relation("T1", "Q", 60_000)]
        assert pools_of(run(desk(loan("A"), loan("L"), lock("L"), trade("T1"), *rows))) == {"A": "P"}

    def test_an_out_of_scope_loan_sits_in_its_current_pool_alone(self) -> None:
        # S was posted to P, then to Q: Q 150,000 less 100,000; P keeps 60,000
        rows = [pool("P"), pool("Q"), posting("P", "S", -5), posting("Q", "S", -2)]
        relations = [relation("T1", "P", 60_000), relation("T1", "Q", 150_000)]
        ran = run(desk(loan("A"), loan("S", status="Started"), trade("T1"), *rows, *relations))
        assert pools_of(ran) == {"A": "P"}

    def test_a_pooled_trade_without_a_forming_pool_gets_a_proposed_one(self) -> None:
        rows = [pool("OLD", "DELIVERED"), relation("T1", "OLD"), relation("T1", "GONE")]
        ran = run(desk(loan("A", 60_000), loan("B", 40_000), trade("T1"), *rows))
        assert guide(ran) == [("A", "T1", "NEW-T1", "JOINING"), ("B", "T1", "NEW-T1", "JOINING")]

    def test_switching_into_a_proposed_pool(self) -> None:
        ran = run(desk(loan("A"), trade("T1"), trade("T2", settles=61), *IN_P, relation("T2", "P")))
        assert guide(ran) == [("A", "T1", "NEW-T1", "SWAPPED_IN"), ("A", "T2", "P", "SWAPPED_OUT")]

    def test_each_trade_has_its_own_pools(self) -> None:
        # notes steer A to T1 and B to T2 (different instruments); the larger room of the other trade's pool does not matter
        ran = run(
            desk(
                loan("A"), loan("B"), instrument("X"), instrument("Y"), constraint("CX", on="X"), constraint("CY", on="Y"),
                trade("T1"), trade("T2", on="Y", settles=30), pool("P"), pool("Q"),
                relation("T1", "P", 100_000), relation("T2", "Q", 900_000),
            )
        )  # fmt: skip
        assert pools_of(ran) == {"A": "P", "B": "Q"}


class TestPoolOfTwoTrades:
    """A pool can be related to several trades."""

    def test_a_loan_remains_whichever_of_them_it_gets(self) -> None:
        ran = run(desk(loan("A"), trade("T1", settles=61), trade("T2"), *IN_P, relation("T1", "P"), relation("T2", "P")))
        assert guide(ran) == [("A", "T2", "P", "REMAINING")]
        assert ran.allocated("A")["value"] == 100_000

    def test_room_is_counted_for_each_trade(self) -> None:
        # P for T1 120,000, for T2 250,000; Q for T2 100,000. A (T2) remains in P: room of P is 20,000 for T1, 150,000 for T2.
        # C (T2) goes to P all the same, which leaves 50,000 for T2 and takes nothing of T1's 20,000; B (T1) has only P.
        ran = run(
            desk(
                instrument("X"), instrument("Y"), constraint("CX", 1, on="X"), constraint("CY", 2, on="Y"),
                loan("A"), loan("B"), loan("C"), lock("A", "T2"), lock("B", "T1"), lock("C", "T2"),
                trade("T1"), trade("T2", 200_000, on="Y"), pool("P"), pool("Q"), posting("P", "A"),
                relation("T1", "P", 120_000), relation("T2", "P", 250_000), relation("T2", "Q", 100_000),
            )
        )  # fmt: skip
        assert pools_of(ran) == {"A": "P", "B": "P", "C": "P"}

    def test_leaving_names_the_first_trade_in_trade_order(self) -> None:
        # T1 settles first, but its instrument has no constraint, so it comes last; T2 and T3 follow their settlement
        ran = run(
            desk(
                loan("A", 0), instrument("X"), instrument("Y"), trade("T1", on="Y", settles=5), trade("T2", settles=30),
                trade("T3", settles=20), *IN_P, *(relation(name, "P") for name in ("T1", "T2", "T3")),
            )
        )  # fmt: skip
        assert guide(ran) == [("A", "T3", "P", "LEAVING")]

    def test_a_trade_that_takes_no_part_can_be_the_first(self) -> None:
        rows = [*IN_P, relation("T1", "P"), relation("T2", "P")]
        ran = run(desk(loan("A", 0), trade("T1", settles=5, status="SETTLED"), trade("T2", settles=30), *rows))
        assert guide(ran) == [("A", "T1", "P", "LEAVING")]

    def test_an_unknown_trade_is_no_trade(self) -> None:
        ran = run(desk(loan("A", 0), *IN_P, relation("GONE", "P")))
        assert guide(ran) == [("A", "", "P", "LEAVING")]


class TestBelowMinimum:
    """A recommended pool that stays under the instrument's min_pool_amount is flagged."""

    @pytest.mark.parametrize(("minimum", "below"), [(100_000, False), ("100000.01", True), (0, False)])
    def test_a_pool_and_a_proposed_pool(self, minimum: str | int, below: bool) -> None:
        for rows in ([pool("P"), relation("T1", "P")], []):
            ran = run(desk(loan("A"), instrument("X", min_pool=minimum), trade("T1"), *rows))
            assert ran.row("pool_guide", loan_id="A")["below_minimum"] is below

    def test_everything_that_ends_up_in_the_pool_counts(self) -> None:
        # A joins, R remains, S is out of scope: 210,000; without L, which leaves
        rows = [
            loan("A"), loan("R", 60_000), loan("S", 50_000, status="Started"), loan("L", 900_000),
            *(posting("P", name) for name in "RSL"), pool("P"), relation("T1", "P"), trade("T1", 160_000),
        ]  # fmt: skip
        at_minimum = run(desk(*rows, instrument("X", min_pool=210_000)))
        assert {row["below_minimum"] for row in at_minimum.rows("pool_guide")} == {False}
        under = run(desk(*rows, instrument("X", min_pool="210000.01")))
        assert {row["loan_id"]: row["below_minimum"] for row in under.rows("pool_guide")} == {"A": True, "R": True, "L": False}

    def test_where_no_pool_is_recommended_nothing_is_flagged(self) -> None:
        rows = [instrument("X", "CASH", min_pool=10**9), trade("T1"), loan("B", 200_000), *IN_P, posting("P", "B")]
        ran = run(desk(loan("A"), *rows))
        assert {row["below_minimum"] for row in ran.rows("pool_guide")} == {False}


def test_a_loan_locked_away_from_its_pool_names_the_pool_it_leaves() -> None:
    (row,) = run(desk(loan("A"), trade("T1"), lock("A", "T1"), *IN_P)).rows("pool_guide")
    assert (row["current_pool"], row["recommended_pool"], row["recommended_trade_id"]) == ("P", "NEW-T1", "T1")
    assert row["investor_instrument"] == "X"
