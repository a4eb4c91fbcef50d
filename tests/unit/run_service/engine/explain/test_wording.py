"""Explanations in words."""

import datetime as dt
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from services.run_service.engine.explain.changes import Action, Change, ChangeKind
from services.run_service.engine.explain.explanation import Failure
from services.run_service.engine.explain.wording import change_text, dollars, failure_text, points
from tests.instances.explained import explain
from tests.instances.rows import constraint, desk, instrument, loan, lock, rule, today, trade

BY_NOTE = instrument("X", coupon=6, buyup=1)


def test_an_allocated_loan_with_its_better_options() -> None:
    rows = [loan(name, 50_000, note="7") for name in ("A", "B")]
    data = desk(*rows, loan("L1"), BY_NOTE, trade("T1", tolerance="0.001"), trade("T2", price="99.9"), today(99))
    explained = explain(data, strategy="OPTIMAL")
    room = points(explained.ran.recap("T1")["room_value"])
    assert explained.text.split("\n\n") == [
        "Loan L1 ($100,000) went to T2 (X, settles 2026-05-07) under C1 at 100.40: number 2 of its 2 candidates by score, "
        "placed by OPTIMAL.",
        "Left out it is worth 99.375 (SYN-X-20260507 at 99.50, less the spread); it got 100.40.",
        "1 of its 2 candidates would pay more:\n"
        "- T1 pays 0.10 points more; it has no room for the loan ($100,000 of $100,100 is taken) "
        f"and a dollar of room there is worth {room} points; "
        "the loans on it that earn the least there are A ($50,000, 1.125 over being left out), "
        "B ($50,000, 1.125 over being left out).",
    ]


def test_a_loan_with_the_best_it_could_have() -> None:
    text = explain(desk(loan("L1"), trade("T1"))).text
    assert text.endswith("None of its 1 candidates pays more than what it got after the switch cost.")


def test_a_kickout_with_the_limit_and_what_would_have_helped() -> None:
    good = rule("good", '{"field":"fico","op":"ge","value":680}')
    text = explain(desk(loan("L1", fico=640), trade("T1"), good, constraint("C1", rule_name="good"))).text
    assert text.split("\n\n") == [
        "Loan L1 ($100,000) was left out, NO_RULE_MATCH: no constraint takes it; closest C1, which needs fico >= 680.",
        "It came furthest with constraint C1: fico is 640 and must be at least 680.",
        "The smallest single change that would have made it a candidate: its fico from 640 to 680 (6.25 %), which makes it a "
        "candidate of T1 under C1 at 100.00.",
    ]


def test_a_kickout_that_nothing_would_have_helped() -> None:
    assert explain(desk(loan("L1", closed=61))).text.endswith("No change of a single value would have made it a candidate.")


def test_a_locked_loan() -> None:
    data = desk(loan("L1"), trade("T1", price=90), trade("T2"), lock("L1", "T1", expires=3, reason="promised"))
    headline, _, rest = explain(data).text.split("\n\n")
    assert headline == "Loan L1 ($100,000) is on T1 at 90.00 by a lockdown (promised, until 2026-04-20)."
    assert rest == "Nothing else was considered for it: 1 of its 2 candidates would pay more."


def test_what_passes_missed_and_what_leaving_would_cost() -> None:
    both = [instrument("X"), instrument("Y"), constraint("C1", 1), constraint("C2", 2, on="Y")]
    missed = explain(desk(loan("L1"), trade("T1", tolerance=1), trade("T2", 300_000, on="Y", price="100.5"), *both)).text
    assert "T2 pays 0.50 points more and has room ($0 of $300,000): PASSES places loan by loan" in missed
    data = desk(loan("L1"), trade("T1"), trade("T2", 300_000, on="Y", price="100.1", tolerance=1), *both)
    short = explain(data, strategy="OPTIMAL", pair_off_cost={"TBA": "0.5"}).text
    assert "T2 pays 0.10 points more; its own trade would fall short and lose 0.50 points on it." in short
    strict = explain(data, strategy="OPTIMAL", priority_mode="STRICT").text
    assert "T2 pays 0.10 points more; its priority 2 comes later, and STRICT moves nothing that was placed." in strict


DAY = dt.date(2026, 5, 7)


@pytest.mark.parametrize(
    ("stage", "field", "value", "op", "limits", "option", "text"),
    [
        ("NO_RULE_MATCH", "fico", None, "ge", (Decimal(680),), "", "fico is missing and must be at least 680"),
        ("NO_RULE_MATCH", "state", "NY", "not_in", ("NY", "FL"), "", "state is NY and must not be one of NY, FL"),
        ("NO_RULE_MATCH", "state", "NY", "in", ("CA",), "", "state is NY and must be one of CA"),
        ("NO_RULE_MATCH", "close_date", DAY, "is_null", (), "", "close_date is 2026-05-07 and must not be given"),
        ("NO_RULE_MATCH", "high_balance", False, "eq", (True,), "", "high_balance is false and must be true"),
        ("NO_RULE_MATCH", "", None, "", (), "", "it needs a or b"),
        ("NO_RULE_MATCH", "fico", 640, "", (), "", "it needs a or b, and fico is 640"),
        ("NO_OPEN_TRADE", "investor_instrument", "X", "", (), "", "there is no open trade of X"),
        ("NO_PRICE", "price", None, "not_null", (), "", "there is no price"),
        (
            "SETTLEMENT_WINDOW", "settlement_date", DAY, "le", (DAY,), "max_trade_settle_days",
            "settlement_date is 2026-05-07 and must be on or before 2026-05-07, set by max_trade_settle_days",
        ),
        (
            "NOTE_RATE_WINDOW", "note_rate", Decimal("6.1"), "between", (Decimal("6.25"), Decimal(7)), "",
            "note_rate is 6.1 and must be between 6.25 and 7",
        ),
    ],
)  # fmt: skip
def test_what_fails(stage: str, field: str, value: Any, op: str, limits: tuple[Any, ...], option: str, text: str) -> None:
    assert failure_text(Failure(stage, field, value, op, limits, "a or b", option)) == text


def a_change(kind: ChangeKind, field: str, before: Any, after: Any, **given: Any) -> Change:
    found = {"subject": "S", "relative": None, "trade_id": "T1", "constraint_id": "C1", "score": Decimal("101.5"), **given}
    return Change(kind, field=field, before=before, after=after, **found)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (a_change(ChangeKind.LOCKDOWN, "lockdown", "why", None, action=Action.REMOVE), "release its lockdown"),
        (a_change(ChangeKind.LOAN, "state", "NY", "CA"), "its state from NY to CA"),
        (a_change(ChangeKind.LOAN, "fico", None, 700), "its fico, which is missing, given as 700, for example"),
        (a_change(ChangeKind.LOAN, "fico", 640, 680, relative=Fraction(1, 16)), "its fico from 640 to 680 (6.25 %)"),
        (
            a_change(ChangeKind.OPTION, "bx_price_floor", Decimal(100), Decimal("99.999"), relative=Fraction(1, 10**5)),
            "the option bx_price_floor from 100 to 99.999 (under 0.01 %)",
        ),
        (
            a_change(ChangeKind.TRADE, "trade", None, DAY, action=Action.ADD),
            "a trade of S that settles on 2026-05-07 or later, within the window",
        ),
        (
            a_change(ChangeKind.TRADE, "settlement_date", DAY, DAY, table="pscat_trades"),
            "settlement_date of S from 2026-05-07 to 2026-05-07",
        ),
        (
            a_change(ChangeKind.PRICE, "price", None, Decimal(100), action=Action.ADD, key={"settlement_date": DAY}),
            "a today's price of S for 2026-05-07",
        ),
        (
            a_change(
                ChangeKind.PRICE, "price", Decimal(99), Decimal(100), table="rmcat_todays_prices", key={"settlement_date": DAY}
            ),
            "today's price of S for 2026-05-07 from 99 to 100",
        ),
        (
            a_change(ChangeKind.PRICE, "price", Decimal(99), Decimal(100), table="pscat_trades", key={"trade_id": "S"}),
            "the price of S from 99 to 100",
        ),
        (
            a_change(
                ChangeKind.PRICE, "price", Decimal(99), Decimal(100), table="pscat_trade_cash_grid", key={"sequence_number": 7}
            ),
            "the price of S, grid row 7, from 99 to 100",
        ),
    ],
)
def test_what_would_change(change: Change, text: str) -> None:
    assert change_text(change) == f"{text}, which makes it a candidate of T1 under C1 at 101.50"


def test_figures() -> None:
    assert [points(Decimal(text)) for text in ("101", "0.41", "-0.00005", "1234.56789")] == [
        "101.00",
        "0.41",
        "-0.0001",
        "1,234.5679",
    ]
    assert [dollars(Decimal(text)) for text in ("4998000.00", "-5", "0.01")] == ["$4,998,000", "-$5", "$0.01"]
