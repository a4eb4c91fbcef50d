"""Figures as people read them, and what may reach a terminal."""

from decimal import Decimal

import pytest

from cli import console


@pytest.mark.parametrize(
    ("amount", "text"),
    [("3896556050.68", "$3,896,556,050.68"), (Decimal("-1234.5"), "-$1,234.50"), ("0", "$0.00"), ("", "-"), (None, "-")],
)
def test_money(amount: Decimal | str | None, text: str) -> None:
    assert console.money(amount) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("100.71147260", "100.7114726"),
        ("101.00000000", "101.00"),
        ("-0.00000001", "-0.00000001"),
        ("1234567", "1,234,567.00"),
        ("0E-8", "0.00"),
        ("1E+3", "1,000.00"),
    ],
)
def test_numbers_stay_exact(value: str, text: str) -> None:
    assert console.number(Decimal(value)) == text
    assert Decimal(text.replace(",", "")) == Decimal(value)


@pytest.mark.parametrize(("value", "text"), [(0.04, "0.0 s"), (59.94, "59.9 s"), (125.0, "2 min 05 s")])
def test_seconds(value: float, text: str) -> None:
    assert console.seconds(value) == text


def test_errors_are_one_line_and_their_particulars(capsys: pytest.CaptureFixture[str]) -> None:
    console.print_error("no such\ntenant \x1b[31mred", ["  first", "second"])
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err == "error: no such\N{REPLACEMENT CHARACTER}tenant \N{REPLACEMENT CHARACTER}[31mred\n  first\n  second\n"


def test_long_lines_are_not_broken_and_markup_is_text(capsys: pytest.CaptureFixture[str]) -> None:
    text = "[bold]" + "x" * 400
    console.say(console.stdout(), text)
    assert capsys.readouterr().out == text + "\n"


def test_the_program_is_called_as_the_user_called_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["/somewhere else/.venv/bin/powerfill", "demo"])
    monkeypatch.setenv("PATH", "/nowhere")
    assert console.program() == "'/somewhere else/.venv/bin/powerfill'"
