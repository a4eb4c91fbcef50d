"""A comparison in the words of a desk."""

from typing import Any

import pytest
from google.type.decimal_pb2 import Decimal as DecimalMessage
from powerfill.run.v1.comparison_pb2 import (
    CellChange,
    ColumnChange,
    InputTableChange,
    LoanMove,
    MoveReason,
    MoveTotal,
    OptionChange,
    TradeFill,
    TradeFillChange,
)
from powerfill.run.v1.run_service_pb2 import CompareRunsResponse

from cli.comparison import print_comparison, signed


def exact(text: str) -> DecimalMessage:
    return DecimalMessage(value=text)


def fill(amount: str, percent: str, status: str, pair_off: str) -> TradeFill:
    return TradeFill(allocated_amount=exact(amount), fill_pct=exact(percent), status=status, pair_off_dollars=exact(pair_off))


def parts(**given: str) -> dict[str, Any]:
    names = (
        "value_difference", "by_inputs", "by_market", "by_data", "by_options", "by_decision", "by_moves", "by_pair_off",
        "value_a", "value_b",
    )  # fmt: skip
    return {name: exact(given.get(name, "0.00")) for name in names}


def test_runs_that_do_not_differ(capsys: pytest.CaptureFixture[str]) -> None:
    print_comparison(CompareRunsResponse(**parts(value_a="10.00", value_b="10.00")), "a", "b")
    assert capsys.readouterr().out.splitlines() == [
        "run b against run a: value $0.00 ($10.00 -> $10.00)",
        "  new inputs    $0.00  (market $0.00, data $0.00)",
        "  new options   $0.00",
        "  new decision  $0.00  (loans that moved $0.00, pair-off $0.00)",
        "options: no option differs",
        "inputs: both runs read the same",
        "loans: none moved",
        "trades: none is filled otherwise",
    ]


def test_a_narrow_terminal_shows_what_matters_most(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "36")
    move = LoanMove(
        loan_id="L1", from_trade_id="T1", to_trade_id="T2", dollars=exact("1.00"), loan_amount=exact("1000000.00"),
        reason=MoveReason.MOVE_REASON_EQUAL,
    )  # fmt: skip
    print_comparison(CompareRunsResponse(**parts(), moved_count=1, moved_amount=exact("1.00"), moves=[move]), "a", "b")
    lines = capsys.readouterr().out.splitlines()
    assert "loan  from  to   earns  why" in lines
    assert "hidden for want of room (3): amount, points from, points to; --json has them" in lines


def test_everything_that_differs(capsys: pytest.CaptureFixture[str]) -> None:
    response = CompareRunsResponse(
        **parts(
            value_difference="1400.00", by_inputs="1000.00", by_market="1200.00", by_data="-200.00", by_decision="400.00",
            by_moves="400.00", value_a="100.00", value_b="1500.00",
        ),
        options=[OptionChange(name="switch_cost", a="0.03125", b="0.5")],
        inputs=[
            InputTableChange(
                table="rmcat_todays_prices", added=1, changed=812, added_keys=["X/2026-05-14"],
                columns=[ColumnChange(column="price", count=812, average_move=exact("0.03125000"))],
                examples=[CellChange(key="Y/2026-05-14", column="price", before="100", after="1" * 50)],
            ),
            InputTableChange(
                table="pfill_constraints", removed=4, changed=1, removed_keys=["C1", "C2", "C3", "C4"],
                columns=[ColumnChange(column="rule_name", count=1)],
                examples=[CellChange(key="C9", column="rule_name", after="jumbo")],
            ),
        ],
        moved_count=2, moved_amount=exact("300000.00"),
        move_totals=[
            MoveTotal(
                reason=MoveReason.MOVE_REASON_BETTER_HERE, count=2, amount=exact("300000.00"), dollars=exact("400.00")
            )
        ],
        moves=[
            LoanMove(
                loan_id="L1", loan_amount=exact("200000.00"), from_trade_id="T1", from_points=exact("100.00000000"),
                to_points=exact("100.25000000"), dollars=exact("500.00"), reason=MoveReason.MOVE_REASON_BETTER_HERE,
            )
        ],
        trades=[
            TradeFillChange(
                trade_id="T1", investor_instrument="X", a=fill("400000.00", "100", "FILLED", "0.00"),
                b=fill("200000.00", "50", "UNDERFILLED", "62.50"),
            ),
            TradeFillChange(trade_id="T2", investor_instrument="X", a=fill("1.00", "1", "EMPTY", "31.25")),
        ],
    )  # fmt: skip
    print_comparison(response, "a", "b")
    assert capsys.readouterr().out.splitlines() == [
        "run b against run a: value +$1,400.00 ($100.00 -> $1,500.00)",
        "  new inputs    +$1,000.00  (market +$1,200.00, data -$200.00)",
        "  new options        $0.00",
        "  new decision    +$400.00  (loans that moved +$400.00, pair-off $0.00)",
        "options",
        "  switch_cost  0.03125 -> 0.5",
        "inputs",
        "  rmcat_todays_prices: 1 added; 812 changed: price 812 (on average +0.03125)",
        "    added X/2026-05-14",
        f"    Y/2026-05-14: price 100 -> {'1' * 46}..",
        "  pfill_constraints: 4 removed; 1 changed: rule_name 1",
        "    removed C1, C2, C3 ...",
        "    C9: rule_name nothing -> jumbo",
        "2 loans moved, $300,000.00",
        "why          loans       amount     earns",
        "-----------  -----  -----------  --------",
        "BETTER_HERE      2  $300,000.00  +$400.00",
        "",
        "loan       amount  from  to  points from  points to     earns  why",
        "----  -----------  ----  --  -----------  ---------  --------  -----------",
        "L1    $200,000.00  T1    -        100.00     100.25  +$500.00  BETTER_HERE",
        "1 of 2 moves; --max-moves lists more",
        "2 trades are filled otherwise",
        "trade  instrument  allocated a  allocated b  fill % a  fill % b  status                 pair-off change",
        "-----  ----------  -----------  -----------  --------  --------  ---------------------  ---------------",
        "T1     X           $400,000.00  $200,000.00    100.00     50.00  FILLED -> UNDERFILLED          +$62.50",
        "T2     X                 $1.00            -      1.00         -  EMPTY -> -                     -$31.25",
    ]


@pytest.mark.parametrize(("amount", "told"), [("1", "+$1.00"), ("0.00", "$0.00"), ("-1234.5", "-$1,234.50")])
def test_dollars_with_their_sign(amount: str, told: str) -> None:
    assert signed(amount) == told
