"""A table shows the most important columns that fit, in their own order, and names the others."""

import pytest
from rich.console import Console

from cli.text_table import MAX_CELL_WIDTH, Column, print_table

COLUMNS = [
    Column("loan", ["L1", "L2"]),
    Column("reason", ["NO_CAPACITY", "LIMIT"]),
    Column("cost", ["7,460.00", ""], is_figure=True),
]


def printed(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return capsys.readouterr().out.splitlines()


def test_all_columns_fit(capsys: pytest.CaptureFixture[str]) -> None:
    assert print_table(Console(width=80), COLUMNS, width=80) == []
    assert printed(capsys) == [
        "loan  reason           cost",
        "----  -----------  --------",
        "L1    NO_CAPACITY  7,460.00",
        "L2    LIMIT",
    ]


def test_what_does_not_fit_is_hidden_by_importance(capsys: pytest.CaptureFixture[str]) -> None:
    # "loan" takes 4 and "cost" 8, with 2 between: 14 of 20; "reason" would need 13 more.
    assert print_table(Console(width=20), COLUMNS, ("loan", "cost", "reason"), width=20) == ["reason"]
    assert printed(capsys)[0] == "loan      cost"


@pytest.mark.parametrize("width", [1, 14, 26, 27, 40])
def test_no_line_is_wider_than_the_terminal(width: int, capsys: pytest.CaptureFixture[str]) -> None:
    hidden = print_table(Console(width=width), COLUMNS, ("loan",), width=width)
    lines = printed(capsys)
    assert max(map(len, lines)) <= max(width, len("loan"))
    assert len(hidden) + len(lines[0].split()) == len(COLUMNS)


def test_all_columns_however_wide(capsys: pytest.CaptureFixture[str]) -> None:
    assert print_table(Console(width=10), COLUMNS) == []
    assert "NO_CAPACITY" in capsys.readouterr().out


def test_long_and_wide_and_hostile_cells_keep_the_columns_straight(capsys: pytest.CaptureFixture[str]) -> None:
    cells = ["x" * 100, "\N{CJK UNIFIED IDEOGRAPH-4E00}" * 3, "a\x1b[2Jb"]
    print_table(Console(width=80), [Column("text", cells), Column("n", ["1", "2", "3"], is_figure=True)], width=80)
    long, wide, hostile = printed(capsys)[2:]
    assert long == "x" * (MAX_CELL_WIDTH - 2) + ".." + "  1"
    assert wide.endswith(" 2")
    assert "\x1b" not in hostile
