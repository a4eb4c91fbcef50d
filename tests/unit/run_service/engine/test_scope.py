"""Which loans a run decides about (specification 01 section 7): status, scope, shipped loans."""

import pytest

from tests.instances.execute import run
from tests.instances.rows import AS_OF, Row, desk, loan, shipped, trade

STATUSES = ["Started", "Locked", "Approved", "DocsOut", "Closed", "Purchased"]
PIPELINE = [loan(status, status=status) for status in STATUSES]


@pytest.mark.parametrize(
    ("scope", "min_status", "inside"),
    [
        ("CLOSED_AND_LOCKED", "Closed", ["Approved", "Closed", "DocsOut", "Locked", "Purchased"]),
        ("CLOSED_ONLY", "Closed", ["Closed", "Purchased"]),
        ("CLOSED_ONLY", "Purchased", ["Purchased"]),
        ("CLOSED_AND_LOCKED", "Purchased", ["Approved", "DocsOut", "Locked", "Purchased"]),  # Closed is neither
        ("CLOSED_ONLY", "DocsOut", ["Closed", "DocsOut", "Purchased"]),
        ("CLOSED_ONLY", "Started", sorted(STATUSES)),
    ],
)
def test_scope_and_least_status(scope: str, min_status: str, inside: list[str]) -> None:
    ran = run(desk(*PIPELINE, trade("T1", 1_000_000)), scope=scope, min_status=min_status)
    assert ran.result.in_scope_loan_ids.to_list() == inside
    assert ran.summary["in_scope_count"] == len(inside)
    assert ran.summary["in_scope_amount"] == f"{len(inside)}00000.00"


def test_a_shipped_loan_is_never_in_scope() -> None:
    ran = run(desk(loan("L1"), loan("L2"), shipped("L1"), shipped("L9"), trade("T1", 200_000)))
    assert ran.result.in_scope_loan_ids.to_list() == ["L2"]


@pytest.mark.parametrize("status", ["Withdrawn", "closed", "", None])
def test_an_unknown_status_is_out_of_scope_and_told(status: str | None) -> None:
    ran = run(desk(loan("L1"), loan("L2", status=status), trade("T1")), min_status="Started", scope="CLOSED_ONLY")
    assert ran.result.in_scope_loan_ids.to_list() == ["L1"]
    (found,) = ran.told("DATA_QUALITY", "loan")
    assert (found.count, found.examples) == (1, ("L2",))


@pytest.mark.parametrize(
    ("row", "detail"),
    [
        (loan("L1", None), "loan_amount"),
        (loan("L1", 0), "loan_amount"),
        (loan("L1", "-100000"), "loan_amount"),
        (loan("L1", note=None), "note_rate"),
        (loan("L1", product=None), "loan_instrument"),
        (loan("L1", product=""), "loan_instrument"),
        (loan("L1", closed=None, lock_expires=None), "close_date and lock_expiration_date"),
        (loan("L1", 0, note=None, product=""), "loan_amount"),  # the first of several
    ],
)
def test_a_loan_with_a_data_error_is_kicked_out_with_the_field(row: Row, detail: str) -> None:
    ran = run(desk(row, loan("L2", 50_000), trade("T1")))
    kickout = ran.kickout("L1")
    assert (kickout["reason"], kickout["reason_detail"]) == ("DATA_ERROR", f"missing or not positive: {detail}")
    assert kickout["recommended_action"] == "FIX_DATA"
    assert ran.placement == {"L2": "T1"}
    assert ran.summary["in_scope_count"] == 2


def test_the_amount_of_a_loan_without_one_does_not_count() -> None:
    ran = run(desk(loan("L1", "-100000"), loan("L2", None), loan("L3", 70_000), trade("T1")))
    assert ran.summary["in_scope_amount"] == "70000.00"


def test_a_loan_that_is_not_closed_may_fall_out() -> None:
    # 60,000 of the 160,000 allocated have no closing date yet
    rows = [loan("A"), loan("B", 60_000, status="Locked", closed=None, lock_expires=10)]
    summary = run(desk(*rows, trade("T1", 160_000))).summary
    assert (summary["allocated_amount"], summary["allocated_not_closed_amount"]) == ("160000.00", "60000.00")


def test_dates_of_data_are_days_from_as_of_date() -> None:
    # the trade settles in 20 days; seen from 30 days later it settled 10 days ago
    tables = desk(loan("L1"), trade("T1", settles=20))
    assert run(tables, as_of_date=AS_OF).placement == {"L1": "T1"}
    later = run(tables, as_of_date=AS_OF.replace(month=5))
    assert later.reasons == {"L1": "SETTLEMENT_WINDOW"}
    assert later.rows("trade_base") == []
