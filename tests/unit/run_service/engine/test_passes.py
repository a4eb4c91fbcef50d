"""Strategy PASSES, pass by pass (specification 01 section 8).

The instrument adds the note rate over 6 to the price, so that a loan of note 6.5 scores 100.5 on a trade at 100. A trade
without tolerance must be filled to the cent. DECOY is a trade at 101 with room for no loan: being every loan's best trade it
keeps exact_fit from placing anything on the other trades.
"""

from decimal import Decimal

import pytest

from tests.instances.execute import Ran, run
from tests.instances.rows import Row, constraint, desk, grid, instrument, loan, lock, rule, today, trade

NOTE_ADDS = instrument("X", coupon=6, buyup=1)
DECOY = trade("DECOY", 1_000, price=101)


def passed(*rows: Row, **options: object) -> Ran:
    """A run over these rows with the instrument X whose score is the price plus the note rate over 6."""
    names = {row.values["investor_instrument"] for row in rows if row.table == "pscat_instruments"}
    return run(desk(*rows, *([] if "X" in names else [NOTE_ADDS])), **options)


def placed(ran: Ran) -> dict[str, tuple[str, str]]:
    """Trade and pass of each allocated loan."""
    return {name: (trade_id, ran.passes[name]) for name, trade_id in ran.placement.items()}


class TestExactFit:
    """Trades in order take their own loans, best first, where the total lands in the band."""

    def test_best_first_each_that_fits_until_the_band_is_reached(self) -> None:
        # A 100,000 and B 60,000 are 160,000; C has the least score and finds no room
        ran = passed(
            loan("A", note="6.5"), loan("B", 60_000, note="6.4"), loan("C", 60_000, note="6.3"), trade("T1", 160_000)
        )  # fmt: skip
        assert placed(ran) == {"A": ("T1", "exact_fit"), "B": ("T1", "exact_fit")}
        assert ran.reasons == {"C": "NO_CAPACITY"}
        assert ran.recap("T1")["status"] == "FILLED"

    def test_one_that_does_not_fit_is_passed_over(self) -> None:
        ran = passed(
            loan("A", note="6.5"), loan("B", 90_000, note="6.4"), loan("C", 60_000, note="6.3"), trade("T1", 160_000)
        )  # fmt: skip
        assert placed(ran) == {"A": ("T1", "exact_fit"), "C": ("T1", "exact_fit")}

    @pytest.mark.parametrize(
        ("first", "second"),
        [
            (loan("A", note="6.5"), loan("B", note="6.4")),  # score
            (loan("A", 60_000), loan("B", 50_000)),  # amount, at one score
            (loan("A"), loan("B")),  # id, at one score and amount
        ],
    )
    def test_best_first_is_score_then_amount_then_id(self, first: Row, second: Row) -> None:
        # the trade takes A exactly and leaves no room for B
        room = first.values["loan_amount"]
        assert placed(passed(second, first, trade("T1", room))) == {"A": ("T1", "exact_fit")}

    def test_the_last_gives_way_to_the_first_that_lands_in_the_band(self) -> None:
        # A + B = 140,000 misses 150,000, C is passed over; without B, C and E land in the band and C scores better
        ran = passed(
            loan("A", note="6.5"), loan("B", 40_000, note="6.4"), loan("C", 50_000, note="6.3"), loan("D", 45_000, note="6.2"),
            loan("E", 50_000, note="6.1"), trade("T1", 150_000),
        )  # fmt: skip
        assert placed(ran) == {"A": ("T1", "exact_fit"), "C": ("T1", "exact_fit")}

    def test_nothing_is_committed_where_no_loan_lands_in_the_band(self) -> None:
        # A + B = 140,000; nothing makes 150,000 with A: what A and B get they get from best_fit
        ran = passed(loan("A", note="6.5"), loan("B", 40_000, note="6.4"), trade("T1", 150_000))
        assert placed(ran) == {"A": ("T1", "best_fit"), "B": ("T1", "best_fit")}
        assert ran.recap("T1")["status"] == "UNDERFILLED"

    def test_only_loans_whose_best_trade_it_is_are_its_own_full_or_not(self) -> None:
        # A fits T1 exactly, but pays more on T2, where it has no room
        ran = passed(loan("A"), trade("T1", 100_000), trade("T2", 50_000, price=101))
        assert placed(ran) == {"A": ("T1", "best_fit")}

    def test_of_equally_good_trades_the_first_in_trade_order_is_the_best(self) -> None:
        ran = passed(loan("A"), trade("T1", 100_000, settles=30), trade("T2", 100_000, settles=20))
        assert placed(ran) == {"A": ("T2", "exact_fit")}

    def test_locked_loans_count_into_the_total(self) -> None:
        ran = passed(loan("A"), loan("B", 50_000), trade("T1", 150_000), lock("B", "T1"))
        assert placed(ran) == {"A": ("T1", "exact_fit"), "B": ("T1", "LOCKED")}

    def test_locked_loans_alone_commit_nothing(self) -> None:
        # at least one must be added; D does not fit beside the locked loan, which fills the band alone
        ran = passed(loan("B", 50_000), loan("D"), trade("T1", 50_000), lock("B", "T1"))
        assert placed(ran) == {"B": ("T1", "LOCKED")}
        assert ran.reasons == {"D": "NO_CAPACITY"}

    def test_a_loan_taken_by_an_earlier_trade_is_not_free(self) -> None:
        # A's best trade is T1; T2 has no loan of its own
        ran = passed(loan("A"), trade("T1", 100_000), trade("T2", 100_000, settles=30))
        assert placed(ran) == {"A": ("T1", "exact_fit")}
        assert ran.recap("T2")["status"] == "EMPTY"


class TestTradeOrder:
    """Lowest priority of an enabled constraint on the instrument, those without one last, settlement date, trade id."""

    def test_order_decides_who_takes_a_tie(self) -> None:
        # one loan, the same score everywhere: it goes to the first trade in order
        y_first = [constraint("CX", 2), constraint("CY", 1, on="Y"), instrument("Y", coupon=6, buyup=1)]
        assert passed(loan("A"), trade("T1", settles=10), trade("T2", on="Y", settles=20), *y_first).placement == {"A": "T2"}
        assert passed(loan("A"), trade("T2"), trade("T1")).placement == {"A": "T1"}

    def test_the_lowest_priority_of_an_instrument_counts_also_for_loans_of_another_constraint(self) -> None:
        # X has priority 1 by a constraint that A does not pass; A reaches X with priority 5 and Y with 3, at one score
        rows = [
            instrument("Y", coupon=6, buyup=1), rule("r", '{"field":"fico","op":"ge","value":700}'),
            constraint("C1", 1, rule_name="r"), constraint("C5", 5), constraint("C3", 3, on="Y"),
        ]  # fmt: skip
        ran = passed(loan("A", fico=600), trade("T1"), trade("T2", on="Y", settles=10), *rows)
        assert placed(ran) == {"A": ("T1", "exact_fit")}


class TestBestFit:
    """All pairs by (priority, score, amount, loan_id, trade order): placed if still free and under hi."""

    ROOM_FOR_ONE = trade("T1", 90_000, tolerance="0.34")
    """Band 59,400 to 120,600: one loan is enough, two are too many."""

    @pytest.mark.parametrize(
        ("first", "second"),
        [
            (loan("P", 70_000, note="6.1", fico=700), loan("A", 70_000, note="6.9", fico=600)),  # priority before score
            (loan("P", 60_000, note="6.9", fico=600), loan("A", 70_000, note="6.1", fico=600)),  # score before amount
            (loan("P", 70_000, fico=600), loan("A", 60_000, fico=600)),  # amount before id
            (loan("P", 70_000, fico=600), loan("Q", 70_000, fico=600)),  # id
        ],
    )
    def test_order_of_loans(self, first: Row, second: Row) -> None:
        policy = [
            rule("r", '{"field":"fico","op":"ge","value":700}'), constraint("C1", 1, rule_name="r"), constraint("C2", 2)
        ]  # fmt: skip
        ran = passed(second, first, self.ROOM_FOR_ONE, DECOY, *policy)
        assert placed(ran) == {"P": ("T1", "best_fit")}

    def test_trade_order_breaks_a_tie(self) -> None:
        ran = passed(loan("A", 60_000), trade("T1", settles=30), trade("T2", settles=20))
        assert placed(ran) == {"A": ("T2", "best_fit")}

    def test_a_loan_that_does_not_fit_its_better_trade_goes_to_the_next(self) -> None:
        # both are best on T2 at 100.5; A comes first by its score, B finds T2 full and takes T1
        ran = passed(loan("A", 70_000, note="6.9"), loan("B", 60_000, note="6.1"), trade("T1"), trade("T2", price="100.5"))
        assert placed(ran) == {"A": ("T2", "best_fit"), "B": ("T1", "best_fit")}

    def test_it_places_a_loan_at_a_loss_too(self) -> None:
        # score 100.5 against a fallback of 104.875 + 0.5: the passes do not ask
        ran = passed(loan("A", 60_000), trade("T1"), today(105))
        assert placed(ran) == {"A": ("T1", "best_fit")}


class TestFillRemaining:
    """Trades below their band add, then replace one of their loans by a larger free one; one sweep."""

    def test_a_loan_is_replaced_by_a_larger_one_that_fits(self) -> None:
        # best_fit puts A (70,000) on T1, B (100,000) does not fit beside it; B alone fills T1
        ran = passed(loan("A", 70_000, note="6.5"), loan("B", note="6.4"), trade("T1"), DECOY)
        assert placed(ran) == {"B": ("T1", "fill_remaining")}
        assert ran.reasons == {"A": "NO_CAPACITY"}

    def test_by_the_one_that_fills_most_then_score_then_id(self) -> None:
        # C, D and E have 95,000, B and F less; D and E score better than C, D has the smaller id
        ran = passed(
            loan("A", 70_000, note="6.9"), loan("B", 90_000, note="6.4"), loan("C", 95_000, note="6.1"),
            loan("D", 95_000, note="6.3"), loan("E", 95_000, note="6.3"), loan("F", 101_000, note="6.4"), trade("T1"), DECOY,
        )  # fmt: skip
        assert placed(ran) == {"D": ("T1", "fill_remaining")}
        assert ran.recap("T1")["status"] == "UNDERFILLED"

    def test_the_loan_with_the_least_score_gives_way_first(self) -> None:
        # 30,000 + 30,000 on T1; C (60,000) and either of them make 90,000: B, with the lesser score, goes
        ran = passed(
            loan("A", 30_000, note="6.5"),
            loan("B", 30_000, note="6.2"),
            loan("C", 60_000, note="6.1"),
            trade("T1", 90_000),
            DECOY,
        )
        assert placed(ran) == {"A": ("T1", "best_fit"), "C": ("T1", "fill_remaining")}

    def test_at_one_score_the_smaller_then_the_smaller_id(self) -> None:
        # B, the smaller, gives way to C: 40,000 + 60,000
        ran = passed(
            loan("A", 40_000, note="6.2"), loan("B", 30_000, note="6.2"), loan("C", 60_000, note="6.1"), trade("T1"), DECOY
        )
        assert placed(ran) == {"A": ("T1", "best_fit"), "C": ("T1", "fill_remaining")}
        # A and B are alike: A gives way
        ran = passed(
            loan("A", 40_000, note="6.2"), loan("B", 40_000, note="6.2"), loan("C", 60_000, note="6.1"), trade("T1"), DECOY
        )
        assert placed(ran) == {"B": ("T1", "best_fit"), "C": ("T1", "fill_remaining")}

    def test_a_trade_is_done_as_soon_as_it_is_in_its_band(self) -> None:
        # tolerance 40 %: lo 60,000 is reached by A (70,000); B would fill more
        ran = passed(loan("A", 70_000, note="6.5"), loan("B", note="6.4"), trade("T1", tolerance="0.4"), DECOY)
        assert placed(ran) == {"A": ("T1", "best_fit")}
        assert ran.recap("T1")["status"] == "FILLED"

    def test_a_locked_loan_is_never_replaced(self) -> None:
        ran = passed(loan("A", 70_000, note="6.5"), loan("B", note="6.4"), trade("T1"), DECOY, lock("A", "T1"))
        assert placed(ran) == {"A": ("T1", "LOCKED")}

    def test_the_replaced_one_is_added_to_a_later_trade_below_its_band(self) -> None:
        # T1 swaps B for C as above; T2 (after T1, needs 30,000) had room for B alone and takes it now
        ran = passed(
            loan("A", 30_000, note="6.5"), loan("B", 30_000, note="6.2"), loan("C", 60_000, note="6.1"),
            trade("T1", 90_000), DECOY, trade("T2", 30_000, price=99, settles=30),
        )  # fmt: skip
        assert placed(ran) == {"A": ("T1", "best_fit"), "B": ("T2", "fill_remaining"), "C": ("T1", "fill_remaining")}

    def test_the_replaced_one_can_come_back_in_place_of_another(self) -> None:
        # best_fit: Q 30,000 and P 50,000 on T1 (110,000). P (least score) gives way to R: 90,000. Then Q gives way to P: 110,000.
        # P is on T1 by fill_remaining, which took it off and put it back.
        ran = passed(
            loan("P", 50_000, note="6.1"),
            loan("Q", 30_000, note="6.2"),
            loan("R", 60_000, note="6.05"),
            trade("T1", 110_000),
            DECOY,
        )
        assert placed(ran) == {"P": ("T1", "fill_remaining"), "R": ("T1", "fill_remaining")}


class TestOrphans:
    """What is free again goes, the largest first, to its best trade with room."""

    def test_a_replaced_loan_goes_where_there_is_room(self) -> None:
        # T2 is in its band already (lo 0) and has room for 40,000
        ran = passed(
            loan("A", 30_000, note="6.5"), loan("B", 30_000, note="6.2"), loan("C", 60_000, note="6.1"),
            trade("T1", 90_000), DECOY, trade("T2", 20_000, price=99, settles=30, tolerance=1),
        )  # fmt: skip
        assert placed(ran) == {"A": ("T1", "best_fit"), "B": ("T2", "orphan_handling"), "C": ("T1", "fill_remaining")}

    def test_the_largest_first(self) -> None:
        # T1 (105,000) swaps B1 (30,000) for D (60,000), then B2 (35,000) for C (45,000). T2 has room for one of B1 and B2.
        ran = passed(
            loan("B1", 30_000, note="6.2"), loan("B2", 35_000, note="6.3"), loan("C", 45_000, note="6.1"),
            loan("D", 60_000, note="6.05"), trade("T1", 105_000), DECOY, trade("T2", 20_000, price=99, settles=30, tolerance=1),
        )  # fmt: skip
        assert placed(ran) == {
            "B2": ("T2", "orphan_handling"),
            "C": ("T1", "fill_remaining"),
            "D": ("T1", "fill_remaining"),
        }
        assert ran.reasons == {"B1": "NO_CAPACITY"}

    def test_to_the_trade_with_the_best_score_that_has_room(self) -> None:
        # B is free again; T3 pays more than T2, both have room for it
        ran = passed(
            loan("A", 30_000, note="6.5"), loan("B", 30_000, note="6.2"), loan("C", 60_000, note="6.1"),
            trade("T1", 90_000), DECOY, trade("T2", 20_000, price=98, settles=25, tolerance=1),
            trade("T3", 20_000, price=99, settles=30, tolerance=1),
        )  # fmt: skip
        assert placed(ran)["B"] == ("T3", "orphan_handling")


class TestUnderfilled:
    """What is missing below the band is paired off: friction of the kind, and today's price above the own, no credit."""

    @pytest.mark.parametrize(
        ("own", "market", "points", "dollars"),
        [
            (100, "100.5", "0.53125", "185.94"),  # 35,000 * 0.53125 / 100 = 185.9375
            (100, "99", "0.03125", "10.94"),  # no credit for a trade above the market
            (100, None, "0.03125", "10.94"),
            (None, "100.5", "0.03125", "10.94"),
        ],
    )
    def test_pair_off(self, own: int | None, market: str | None, points: str, dollars: str) -> None:
        # need 150,000, tolerance 10 %: lo 135,000, one loan of 100,000: 35,000 short
        prices = [] if market is None else [today(market, 25)]
        grids = [grid("T1", 1, 6, 100)] if own is None else []
        ran = passed(loan("A"), trade("T1", 150_000, tolerance="0.1", price=own), *prices, *grids)
        recap = ran.recap("T1")
        assert (recap["status"], recap["shortfall"]) == ("UNDERFILLED", 35_000)
        assert (recap["pair_off_points"], recap["pair_off_dollars"]) == (Decimal(points), Decimal(dollars))
        assert ran.summary["total_pair_off"] == dollars
        assert (ran.summary["trades_filled"], ran.summary["trades_underfilled"]) == (0, 1)

    @pytest.mark.parametrize(("kind", "points"), [("TBA", "0.03125"), ("SPEC", "0.25"), ("CASH", "0.125"), ("BULK", "0.25")])
    def test_friction_by_kind(self, kind: str, points: str) -> None:
        assert run(desk(instrument("X", kind), trade("T1"))).recap("T1")["pair_off_points"] == Decimal(points)
        ran = run(desk(instrument("X", kind), trade("T1")), pair_off_cost={kind: "1.5"})
        assert ran.recap("T1")["pair_off_dollars"] == 1_500

    def test_within_the_tolerance_nothing_is_paired_off(self) -> None:
        ran = passed(loan("A"), trade("T1", 125_000, tolerance="0.2"))
        assert (ran.recap("T1")["shortfall"], ran.recap("T1")["status"]) == (0, "FILLED")
