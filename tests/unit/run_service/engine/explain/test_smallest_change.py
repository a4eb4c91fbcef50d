"""The smallest single change of each kind; every one is applied, and the candidate appears."""

import datetime as dt
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from services.run_service.engine.explain.changes import Change, ChangeKind
from services.run_service.engine.explain.explanation import LoanView
from services.run_service.engine.frames import RunInputs
from shared.money import scaled
from tests.instances.explained import changed, chosen_options, scores, viewed
from tests.instances.rows import AS_OF, Row, constraint, desk, grid, instrument, loan, lock, payup, rule, today, trade

FICO = rule("good", '{"field":"fico","op":"ge","value":680}')
NEEDS_FICO = constraint("C1", rule_name="good")
CASH = instrument("X", "CASH")


def day(offset: int) -> dt.date:
    return AS_OF + dt.timedelta(offset)


def smallest(data: RunInputs, **options: Any) -> Change | None:
    """The change for L1, which has no candidate; it does what it says."""
    view: LoanView = viewed(data, **options)
    assert view.candidates == ()
    change = view.smallest_change
    if change is not None:
        after = scores(changed(change, data, chosen_options(**options)), "L1")
        assert after[change.trade_id] == (change.constraint_id, scaled(change.score, 8))
    return change


def found(*rows: Row, **options: Any) -> tuple[Any, ...]:
    """Kind, field, values and size of the smallest change for L1."""
    change = smallest(desk(*rows), **options)
    assert change is not None
    return change.kind, change.field, change.before, change.after, change.relative


class TestFieldsOfTheLoan:
    def test_a_number_of_a_rule(self) -> None:
        assert found(loan("L1", fico=640), trade("T1"), FICO, NEEDS_FICO) == (ChangeKind.LOAN, "fico", 640, 680, Fraction(1, 16))

    @pytest.mark.parametrize(
        ("op", "value", "before", "after"),
        [
            ("gt", 680, 640, 681), ("lt", 680, 700, 679), ("le", 680, 700, 680), ("eq", 680, 640, 680), ("ne", 640, 640, 639),
            ("between", [660, 700], 640, 660), ("between", [660, 700], 720, 700), ("in", [600, 690], 640, 600),
            ("not_in", [640, 641], 640, 639), ("ge", "679.5", 640, 680),
        ],
    )  # fmt: skip
    def test_every_comparison(self, op: str, value: Any, before: int, after: int) -> None:
        text = str(value).replace("'", '"') if not isinstance(value, str) else f'"{value}"'
        of_fico = rule("good", f'{{"field":"fico","op":"{op}","value":{text}}}')
        assert found(loan("L1", fico=before), trade("T1"), of_fico, NEEDS_FICO)[1:4] == ("fico", before, after)

    def test_the_least_relative_change_of_several_pairs(self) -> None:
        amount = rule("small", '{"field":"loan_amount","op":"le","value":95000}')
        rows = [loan("L1", fico=640), trade("T1"), FICO, amount, NEEDS_FICO, constraint("C2", 9, rule_name="small")]
        assert found(*rows)[:4] == (ChangeKind.LOAN, "loan_amount", Decimal(100_000), Decimal(95_000))

    def test_one_value_that_settles_two_filters(self) -> None:
        # Neither the rule nor the size admits the loan: one amount suits both.
        small = rule("small", '{"field":"loan_amount","op":"lt","value":90000}')
        size = instrument("X", max_loan=80_000)
        assert found(loan("L1"), trade("T1"), small, size, constraint("C1", rule_name="small"))[1:4] == (
            "loan_amount", Decimal(100_000), Decimal(80_000),
        )  # fmt: skip

    def test_two_values_are_no_single_change(self) -> None:
        assert smallest(desk(loan("L1", fico=640), trade("T1"), FICO, NEEDS_FICO, instrument("X", max_loan=80_000))) is None

    def test_a_change_that_breaks_something_else_is_not_offered(self) -> None:
        # Into the window the note rate could go only where the rule does not follow.
        low = rule("low", '{"field":"note_rate","op":"lt","value":"6.2"}')
        window = instrument("X", coupon=6, window=("0.25", "1.125"))
        assert smallest(desk(loan("L1", note="6.1"), trade("T1"), low, window, constraint("C1", rule_name="low"))) is None

    def test_the_nearer_end_of_the_window(self) -> None:
        window = instrument("X", coupon=6, window=("0.25", "1.125"))
        assert found(loan("L1", note="6.1"), trade("T1"), window)[1:4] == ("note_rate", Decimal("6.1"), Decimal("6.25"))
        assert found(loan("L1", note="7.5"), trade("T1"), window)[1:4] == ("note_rate", Decimal("7.5"), Decimal("7.125"))

    def test_the_first_grid_row(self) -> None:
        assert found(loan("L1", note="5.9"), trade("T1"), grid("T1", 1, 6, 101), grid("T1", 2, "6.5", 102))[1:4] == (
            "note_rate", Decimal("5.9"), Decimal(6),
        )  # fmt: skip

    def test_a_category(self) -> None:
        states = rule("states", '{"field":"state","op":"in","value":["TX","CA"]}')
        assert found(loan("L1", state="NY"), trade("T1"), states, constraint("C1", rule_name="states")) == (
            ChangeKind.LOAN, "state", "NY", "TX", None,
        )  # fmt: skip

    def test_a_category_that_must_not_be_takes_what_is_usual_in_the_pipeline(self) -> None:
        not_ny = rule("not_ny", '{"field":"state","op":"ne","value":"NY"}')
        others = [loan("L2", state="CA"), loan("L3", state="FL"), loan("L4", state="FL"), loan("L5", state="NY")]
        assert found(loan("L1", state="NY"), *others, trade("T1"), not_ny, constraint("C1", rule_name="not_ny"))[3] == "FL"

    def test_a_truth(self) -> None:
        jumbo = rule("jumbo", '{"field":"high_balance","op":"eq","value":true}')
        rows = [trade("T1"), jumbo, constraint("C1", rule_name="jumbo")]
        assert found(loan("L1", high_balance=False), *rows)[1:4] == ("high_balance", False, True)

    def test_nothing_where_a_value_is_needed_comes_last(self) -> None:
        rows = [trade("T1"), FICO, NEEDS_FICO]
        assert found(loan("L1", fico=None), *rows) == (ChangeKind.LOAN, "fico", None, 680, None)
        size = rule("small", '{"field":"loan_amount","op":"le","value":1}')
        also = constraint("C2", 2, rule_name="small")
        assert found(loan("L1", fico=None), *rows, size, also)[1:4] == ("loan_amount", Decimal(100_000), Decimal(1))

    def test_a_group_whose_one_field_would_do(self) -> None:
        either = rule("either", '{"any":[{"field":"ltv","op":"le","value":70},{"field":"fico","op":"ge","value":760}]}')
        rows = [trade("T1"), either, constraint("C1", rule_name="either")]
        assert found(loan("L1", ltv="80", fico=740), *rows)[1:4] == ("fico", 740, 760)
        assert found(loan("L1", ltv="71", fico=640), *rows)[1:4] == ("ltv", Decimal(71), Decimal(70))

    def test_a_payup_that_lifts_the_price_over_the_floor(self) -> None:
        rows = [trade("T1", price="99"), CASH, payup("fico", 740, 850, 1)]
        assert found(loan("L1", fico=735), *rows, bx_price_floor="99.9")[1:4] == ("fico", 735, 740)

    def test_dates_count_in_days_of_the_settlement_window(self) -> None:
        change = found(loan("L1", closed=23), trade("T1", settles=20))
        assert change == (ChangeKind.LOAN, "close_date", day(23), day(20), Fraction(3, 60))
        locked = found(loan("L1", status="Locked", closed=None, lock_expires=23), trade("T1"), max_trade_settle_days=30)
        assert locked == (ChangeKind.LOAN, "lock_expiration_date", day(23), day(20), Fraction(3, 30))


class TestOptions:
    def test_trades_that_settle_too_late(self) -> None:
        rows = [loan("L1"), trade("T1", settles=90), trade("T2", settles=75)]
        assert found(*rows) == (ChangeKind.OPTION, "max_trade_settle_days", 60, 75, Fraction(15, 60))

    def test_the_buffer_before_the_settlement(self) -> None:
        assert found(loan("L1", closed=18), trade("T1"), eligible_settle_buffer_days=3) == (
            ChangeKind.LOAN, "close_date", day(18), day(17), Fraction(1, 60),
        )  # fmt: skip
        fixed = rule("fixed", f'{{"field":"close_date","op":"eq","value":"{day(18)}"}}')
        assert found(
            loan("L1", closed=18), trade("T1"), fixed, constraint("C1", rule_name="fixed"), eligible_settle_buffer_days=3
        ) == (ChangeKind.OPTION, "eligible_settle_buffer_days", 3, 2, Fraction(1, 3))  # fmt: skip

    def test_loans_that_may_close_too_late(self) -> None:
        expires = rule("expires", f'{{"field":"lock_expiration_date","op":"eq","value":"{day(15)}"}}')
        open_end = rule("open", '{"field":"close_date","op":"is_null"}')
        both = rule("both", '{"all":[{"field":"close_date","op":"is_null"},' + expires.values["expression"] + "]}")
        rows = [loan("L1", status="Locked", closed=None, lock_expires=15), trade("T1"), open_end, both]
        assert found(*rows, constraint("C1", rule_name="both"), max_eligible_days=10) == (
            ChangeKind.OPTION, "max_eligible_days", 10, 15, Fraction(1, 2),
        )  # fmt: skip
        assert found(*rows, constraint("C1", rule_name="open"), max_eligible_days=10)[1:4] == (
            "lock_expiration_date", day(15), day(10),
        )  # fmt: skip

    def test_the_price_floor(self) -> None:
        change = found(loan("L1"), CASH, trade("T1", price="99.75"), bx_price_floor=100)
        assert change == (ChangeKind.OPTION, "bx_price_floor", Decimal(100), Decimal("99.75"), Fraction(25, 10_000))


class TestPricesAndTrades:
    def test_a_price_that_is_missing(self) -> None:
        change = smallest(desk(loan("L1"), trade("T1", price=None)))
        assert change is not None
        assert (change.kind, change.subject, change.before, change.relative) == (ChangeKind.PRICE, "X", None, None)
        assert change.key["settlement_date"] == day(20)

    def test_a_missing_price_is_given_above_the_floor(self) -> None:
        rows = [loan("L1"), trade("T1", price=None), CASH, payup("loan_amount", 0, 200_000, -3)]
        assert found(*rows, bx_price_floor=99)[3] == Decimal(102)

    @pytest.mark.parametrize(
        ("rows", "table"),
        [
            ([trade("T1", price="110")], "pscat_trades"),
            ([trade("T1", price=None), today("110"), today("1", 40)], "rmcat_todays_prices"),
            ([trade("T1"), grid("T1", 7, 6, "110"), grid("T1", 8, 7, "1")], "pscat_trade_cash_grid"),
        ],
    )
    def test_a_price_under_the_floor_goes_up_where_that_is_less_than_the_floor_going_down(
        self, rows: list[Row], table: str
    ) -> None:
        # The loan's price is 10 under the base: relative to that, what is missing is less.
        change = smallest(desk(loan("L1"), CASH, payup("loan_amount", 0, 200_000, -10), *rows), bx_price_floor=101)
        assert change is not None
        assert (change.kind, change.table, change.before, change.after) == (ChangeKind.PRICE, table, Decimal(110), Decimal(111))
        assert change.relative == Fraction(1, 110)

    def test_a_trade_in_the_past(self) -> None:
        assert found(loan("L1", closed=-9), trade("T1", settles=-3)) == (
            ChangeKind.TRADE, "settlement_date", day(-3), day(0), Fraction(3, 60),
        )  # fmt: skip

    def test_a_trade_that_is_not_there(self) -> None:
        change = smallest(desk(loan("L1", closed=4)), eligible_settle_buffer_days=2)
        assert change is not None
        assert (change.kind, change.subject, change.field, change.after) == (ChangeKind.TRADE, "X", "trade", day(6))
        assert change.trade_id == "NEW-X"

    def test_a_trade_that_could_not_settle_in_time_does_not_help(self) -> None:
        assert smallest(desk(loan("L1", closed=61))) is None
        late = loan("L1", status="Locked", closed=None, lock_expires=15)
        assert smallest(desk(late), max_eligible_days=10) is None

    def test_a_trade_comes_before_another_kind_of_loan(self) -> None:
        other = rule("other", '{"field":"loan_instrument","op":"eq","value":"15YR"}')
        rows = [instrument("X"), instrument("Y"), constraint("C1"), constraint("C2", on="Y", rule_name="other"), other]
        assert found(loan("L1"), trade("T1", on="Y"), *rows)[:2] == (ChangeKind.TRADE, "trade")

    def test_a_trade_of_an_unknown_instrument_does_not_help(self) -> None:
        assert smallest(desk(loan("L1"), constraint("C1", on="NOWHERE"))) is None


class TestTheLoanItself:
    def test_a_lockdown_is_released(self) -> None:
        change = smallest(desk(loan("L1"), trade("T1"), lock("L1", reason="fraud review"), lock("L1", "T?", expires=3)))
        assert change is not None
        assert (change.kind, change.before, change.trade_id) == (ChangeKind.LOCKDOWN, "fraud review", "T1")

    def test_releasing_a_lockdown_that_is_not_all_is_no_single_change(self) -> None:
        assert smallest(desk(loan("L1", fico=640), trade("T1"), FICO, NEEDS_FICO, lock("L1"))) is None

    @pytest.mark.parametrize(
        ("missing", "field"),
        [
            ({"amount": None}, "loan_amount"), ({"amount": 0}, "loan_amount"), ({"amount": -5}, "loan_amount"),
            ({"note": None}, "note_rate"), ({"product": ""}, "loan_instrument"), ({"closed": None}, "close_date"),
        ],
    )  # fmt: skip
    def test_missing_data_is_given_as_is_usual(self, missing: dict[str, Any], field: str) -> None:
        kind, name, _, after, relative = found(loan("L1", **missing), loan("L2"), trade("T1"))
        assert (kind, name, relative) == (ChangeKind.LOAN, field, None)
        assert after == loan("L2").values[field] or after == Decimal(loan("L2").values[field])

    def test_two_things_missing_are_no_single_change(self) -> None:
        assert smallest(desk(loan("L1", amount=0, note=None), trade("T1"))) is None

    def test_a_loan_that_is_locked_to_a_trade_once_its_data_are_there(self) -> None:
        assert found(loan("L1", note=None), loan("L2"), trade("T1"), lock("L1", "T1"))[1] == "note_rate"
