"""Cash grids: which row prices a loan (section 6.1), the slots of step 1 and the cash market map (section 9)."""

from decimal import Decimal

import pytest

from tests.instances.execute import run
from tests.instances.rows import Row, constraint, desk, grid, instrument, loan, payup, rule, today, trade

CASH = instrument("X", "CASH")
RULES = [
    rule("small", '{"field":"loan_amount","op":"le","value":100000}'),
    rule("new_york", '{"field":"state","op":"eq","value":"NY"}'),
]


def price_of(*rows: Row) -> Decimal | None:
    """The price of loan L1 on trade T1; None where the pair is no candidate."""
    found = run(desk(CASH, trade("T1", price="90"), *rows)).rows("loan2trade_candy_level_01", loan_id="L1")
    return found[0]["price"] if found else None


class TestRow:
    """The greatest rate at or under the note rate whose rule the loan passes; the lowest sequence on a tie."""

    LADDER = (grid("T1", 1, "6.5", 101), grid("T1", 2, 6, 100), grid("T1", 3, 7, 102))

    @pytest.mark.parametrize(("note", "price"), [("6", 100), ("6.499999", 100), ("6.5", 101), ("6.99", 101), ("8", 102)])
    def test_the_greatest_rate_at_or_under_the_note_rate(self, note: str, price: int) -> None:
        assert price_of(loan("L1", note=note), *self.LADDER) == price

    def test_under_the_least_rate_there_is_no_price_not_even_the_own(self) -> None:
        assert price_of(loan("L1", note="5.999999"), *self.LADDER) is None

    def test_of_rows_with_one_rate_the_lowest_sequence(self) -> None:
        assert price_of(loan("L1"), grid("T1", 7, 6, 103), grid("T1", 2, 6, 99), grid("T1", 5, 6, 104)) == 99

    def test_a_row_whose_rule_the_loan_fails_is_passed_over(self) -> None:
        # 6.5 is for New York alone; L1 is elsewhere and takes the row of 6
        rows = (grid("T1", 1, "6.5", 105, "new_york"), grid("T1", 2, 6, 100), *RULES)
        assert price_of(loan("L1", state="CA"), *rows) == 100
        assert price_of(loan("L1", state="NY"), *rows) == 105

    def test_on_a_tie_of_rates_the_sequence_decides_not_the_rule(self) -> None:
        rows = (grid("T1", 4, 6, 105, "small"), grid("T1", 3, 6, 100), grid("T1", 5, 6, 106, "new_york"), *RULES)
        assert price_of(loan("L1", state="NY"), *rows) == 100

    def test_on_a_tie_of_rates_the_lowest_sequence_the_loan_may_have(self) -> None:
        rows = (grid("T1", 1, 6, 105, "new_york"), grid("T1", 2, 6, 104, "small"), grid("T1", 3, 6, 103), *RULES)
        assert price_of(loan("L1", state="CA"), *rows) == 104
        assert price_of(loan("L1", 100_001, state="CA"), *rows, trade("T2")) == 103

    def test_an_empty_rule_name_is_no_rule(self) -> None:
        assert price_of(loan("L1"), grid("T1", 1, 6, 101, "")) == 101

    def test_no_row_the_loan_may_have(self) -> None:
        assert price_of(loan("L1", state="CA"), grid("T1", 1, 6, 101, "new_york"), *RULES) is None


class TestIgnoredRows:
    """Rows with an unknown rule or a null count as absent."""

    def test_with_all_rows_ignored_the_trade_has_its_own_price(self) -> None:
        ran = run(desk(CASH, trade("T1", price="90"), loan("L1"), grid("T1", 1, 6, 101, "gone"), grid("T1", 2, 6, None)))
        assert ran.candidate("L1", "T1")["price"] == 90
        assert sorted(found.count for found in ran.told("DATA_QUALITY", "pscat_trade_cash_grid")) == [1, 1]

    def test_the_other_rows_stand(self) -> None:
        assert price_of(loan("L1"), grid("T1", 1, "6.5", 200, "gone"), grid("T1", 2, 6, 101)) == 101

    def test_without_an_own_price_todays_price_follows(self) -> None:
        ran = run(desk(CASH, trade("T1", price=None), loan("L1"), grid("T1", 1, 6, 101, "gone"), today(97)))
        assert ran.candidate("L1", "T1")["price"] == 97


def test_a_grid_prices_any_kind_of_trade() -> None:
    assert run(desk(trade("T1", price=90), loan("L1"), grid("T1", 1, 6, 101))).candidate("L1", "T1")["price"] == 101


class TestFloor:
    """With bx_price_floor step 1 runs, and candidates of CASH trades priced under it are dropped."""

    TABLES = desk(
        CASH,
        loan("L1", note="6.5"),
        loan("L2", 50_000, note="6.75"),
        loan("L3", 70_000, note=6),
        loan("L4", 80_000, note="6.5", product="15YR"),
        trade("T1", 900_000, tolerance=1),
        trade("T2", 900_000, price=98, tolerance=1, settles=30),
        grid("T1", 1, "6.5", "100.5"),
        grid("T1", 2, 6, 98),
        payup("loan_amount", 0, 50_000, 1),
    )

    def test_without_a_floor_step_one_is_skipped_and_has_no_slots(self) -> None:
        ran = run(self.TABLES)
        assert [row["trade_id"] for row in ran.rows("cash_market_map")] == [None, None]
        assert ran.summary["candidate_count"] == 8

    def test_the_full_price_is_held_against_the_floor(self) -> None:
        # T1: L1 100.5, L2 101.5 with its payup, L3 98, L4 100.5; T2: 98 and L2 99: only T1 with L1, L2 and L4 is left
        ran = run(self.TABLES, bx_price_floor="100.5")
        assert {(row["loan_id"], row["trade_id"]) for row in ran.rows("loan2trade_candy_level_01")} == {
            ("L1", "T1"),
            ("L2", "T1"),
            ("L4", "T1"),
        }
        assert ran.reasons == {"L3": "BELOW_PRICE_FLOOR"}
        assert ran.kickout("L3")["reason_detail"].startswith("priced under 100.5 on trade")

    def test_the_slots_hold_the_grid_row_and_the_loans_that_fit(self) -> None:
        ran = run(self.TABLES, bx_price_floor="100.5")
        slots = [
            (row["loan_instrument"], row["slot_number"], row["trade_id"], row["rate"], row["sequence_number"], row["price"],
             row["loan_count"], row["loan_amount"])
            for row in ran.rows("cash_market_map")
        ]  # fmt: skip
        rate, price = Decimal("6.5"), Decimal("100.5")
        assert slots == [
            ("15YR", 1, "T1", rate, 1, price, 1, Decimal(80_000)),
            ("30YR", 1, "T1", rate, 1, price, 2, Decimal(150_000)),
        ]

    def test_a_floor_does_not_touch_other_kinds_or_synthetic_trades(self) -> None:
        ran = run(
            desk(instrument("X", "TBA"), instrument("C", "CASH"), loan("L1"), trade("T1", price=95), today(94, on="C"),
                 constraint("C1", on="X"), constraint("C2", on="C")),
            bx_price_floor=100,
        )  # fmt: skip
        assert ran.placement == {"L1": "T1"}
        assert ran.allocated("L1")["syn_score"] == 94


def test_the_cash_market_map_says_how_each_cash_instrument_is_priced() -> None:
    # A grid of a settled trade does not make an instrument NOTE_RATE; products of out-of-scope loans do not count.
    ran = run(
        desk(
            instrument("GRID", "CASH"),
            instrument("DAILY", "CASH"),
            instrument("NONE", "CASH"),
            instrument("SETTLED", "CASH"),
            instrument("TBA", "TBA"),
            loan("L1"),
            loan("L2", product="15YR"),
            loan("L3", product="40YR", status="Started"),
            trade("T1", on="GRID"),
            trade("T2", on="SETTLED", status="SETTLED"),
            grid("T1", 1, 6, 100),
            grid("T2", 1, 6, 100),
            today(99, on="GRID"),
            today(99, on="DAILY"),
        )
    )
    assert [
        (row["loan_instrument"], row["investor_instrument"], row["slot_number"], row["cash_grid_type"])
        for row in ran.rows("cash_market_map")
    ] == [
        (product, name, 0, how)
        for product in ("15YR", "30YR")
        for name, how in (("DAILY", "TODAYS_PRICE"), ("GRID", "NOTE_RATE"), ("NONE", "NONE"), ("SETTLED", "NONE"))
    ]
