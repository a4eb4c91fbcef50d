"""The verdict on an allocation in the words of a desk."""

from pathlib import Path
from typing import Any

import polars as pl
import pytest
from google.type.decimal_pb2 import Decimal as DecimalMessage
from powerfill.run.v1 import preflight_pb2, validation_pb2
from powerfill.run.v1.run_service_pb2 import ValidateAllocationResponse

from cli.allocation_file import AllocationFile
from cli.validate import csv_of, print_verdict

FILE = Path("present.csv")
GIVEN = AllocationFile(pl.DataFrame({"loan_id": ["A", "B"], "trade_id": ["T", "U"]}), 0, pl.Series([1, 4]))


def told(number: str) -> DecimalMessage:
    return DecimalMessage(value=number)


def verdict(**given: Any) -> ValidateAllocationResponse:
    values: dict[str, Any] = {
        "run_id": "r1", "value": told("990.00"), "value_of_allowed": told("990.00"), "run_value": told("1000.00"),
        "value_difference": told("-10.00"), "value_difference_bp": told("-1.2500"), "loan_difference": told("-9.99"),
        "pair_off_difference": told("0.00"), "rounding": told("-0.01"), "upper_bound": told("1001.00"),
        "gap_amount": told("11.00"), "gap_bp": told("1.3750"), "run_gap_amount": told("1.00"), "run_gap_bp": told("0.1250"),
        "placement_count": 2, "placed_count": 2, "run_placed_count": 1,
    }  # fmt: skip
    return ValidateAllocationResponse(**(values | given))


def lines_of(answer: ValidateAllocationResponse, capsys: pytest.CaptureFixture[str]) -> list[str]:
    print_verdict(FILE, GIVEN, answer)
    return capsys.readouterr().out.splitlines()


def test_an_allocation_that_is_allowed_with_both_gaps_and_the_parts_of_the_difference(capsys: pytest.CaptureFixture[str]) -> None:
    assert lines_of(verdict(), capsys) == [
        "present.csv breaks no rule and is worth $10.00 less than run r1",
        "  placed            2 loans there, 1 in the run",
        "  value there       $990.00, $11.00 under the upper bound (1.375 bp of the balance in scope)",
        "  value of the run  $1,000.00, $1.00 under the upper bound (0.125 bp of the balance in scope)",
        "  difference        -$10.00, -1.25 bp of the balance in scope: loans -$9.99, pair-off $0.00, rounding -$0.01",
        "  upper bound       $1,001.00",
        "",
        "every loan is where the run has it",
    ]


def test_rules_that_are_broken_are_told_by_the_rows_of_the_file(capsys: pytest.CaptureFixture[str]) -> None:
    rules = validation_pb2.HardRule
    broken = [
        validation_pb2.Violation(
            rule=rules.HARD_RULE_LOAN_HELD, loan_id="B", trade_id="U", position=1, message="held by a lockdown: \x1b[2Jaudit"
        ),
        validation_pb2.Violation(rule=rules.HARD_RULE_TRADE_OVERFILLED, trade_id="U", message="2.00 on it, at most 1.00"),
    ]
    findings = [
        preflight_pb2.Finding(code="LOAN_HELD", count=1, message="loans that are held", remedy="release them"),
        preflight_pb2.Finding(code="TRADE_OVERFILLED", count=1, message="trades too full", remedy="take loans off them"),
    ]
    lines = lines_of(
        verdict(
            violation_count=2, violations=findings, violation_details=broken, value=told("1002.00"), gap_amount=told("-1.00"),
            gap_bp=told("-0.1250"),
        ),
        capsys,
    )  # fmt: skip
    assert lines[0] == "present.csv breaks 2 rules; without those placements it is worth $10.00 less than run r1"
    assert "  value there                $1,002.00, $1.00 over the upper bound (0.125 bp of the balance in scope)" in lines
    assert "  without what breaks rules  $990.00" in lines
    assert lines[lines.index("rules broken") :][1:5] == [
        "  LOAN_HELD: 1 loans that are held; release them",
        "    row 4: B, U: held by a lockdown: \N{REPLACEMENT CHARACTER}[2Jaudit",
        "  TRADE_OVERFILLED: 1 trades too full; take loans off them",
        "    U: 2.00 on it, at most 1.00",
    ]


def test_differences_and_prices_are_shown_as_far_as_there_is_room(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "50")
    reason = validation_pb2.DifferenceReason.DIFFERENCE_REASON_WORSE_PRICE
    row = validation_pb2.LoanDifference(
        loan_id="A", loan_amount=told("100.00"), trade_id="T", run_trade_id="U", points=told("99"), run_points=told("100"),
        value=told("99.00"), run_value=told("100.00"), difference=told("-1.00"), reason=reason,
    )  # fmt: skip
    price = validation_pb2.PriceDifference(
        loan_id="A", trade_id="T", loan_amount=told("100.00"), price=told("99.5"), run_price=told("99"), difference=told("0.5"),
        dollars=told("0.50"),
    )  # fmt: skip
    total = validation_pb2.DifferenceTotal(reason=reason, count=12, difference=told("-1.00"))
    lines = lines_of(
        verdict(
            difference_count=12, differences=[row] * 12, difference_totals=[total], compared_price_count=3,
            price_difference_count=1, price_difference_dollars=told("0.50"), price_differences=[price],
        ),
        capsys,
    )  # fmt: skip
    assert "12 loans are not where the run has them" in lines
    assert "WORSE_PRICE     12      -$1.00" in lines
    heading = lines.index("the 10 largest, there less here") + 1
    assert lines[heading].split() == ["loan", "there", "here", "difference", "reason", "detail"]
    assert lines[heading + 2].split() == ["A", "T", "U", "-$1.00", "WORSE_PRICE"]
    assert [line for line in lines if line.startswith("hidden for want of room (3): amount, points there, points here")]
    assert "1 of 3 prices differ, by $0.50: there less here" in lines


def test_the_file_of_differences_has_every_field_and_no_formula() -> None:
    row = validation_pb2.LoanDifference(loan_id="=A1", trade_id="", run_trade_id="+U", difference=told("-1.00"))
    heading, line = csv_of([row]).decode().splitlines()
    cells = dict(zip(heading.split(","), line.split(","), strict=True))
    assert list(cells) == list(validation_pb2.LoanDifference.DESCRIPTOR.fields_by_name)
    assert (cells["loan_id"], cells["trade_id"], cells["run_trade_id"], cells["difference"]) == ("'=A1", "", "'+U", "-1.00")
