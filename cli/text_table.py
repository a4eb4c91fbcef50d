"""Tables of text that fit the terminal: as many columns as there is room for, the most important first."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len, set_cell_size
from rich.console import Console

from cli.console import plain, say

GAP = 2
"""Blanks between columns."""

MAX_CELL_WIDTH = 48
"""Longer texts are cut."""


@dataclass(frozen=True)
class Column:
    """A column: its heading, its cells, and whether they are figures, which stand to the right."""

    name: str
    cells: Sequence[str]
    is_figure: bool = False

    @property
    def width(self) -> int:
        """Terminal columns that the heading and every cell fit in, up to the most a cell may have."""
        return min(MAX_CELL_WIDTH, max(cell_len(self.name), max(map(cell_len, self.cells), default=0)))


def print_table(
    console: Console, columns: Sequence[Column], importance: Sequence[str] = (), *, width: int | None = None
) -> list[str]:
    """Print the columns that fit into `width` (None: all), in their order; gives the names of those that do not.

    `importance` names columns, the most important first; the others follow in their order. The first always fits.
    """
    clean = [Column(column.name, [plain(cell) for cell in column.cells], column.is_figure) for column in columns]
    chosen = clean if width is None else _fitting(clean, importance, width)
    widths = [column.width for column in chosen]
    say(console, _line([column.name for column in chosen], chosen, widths), style="bold")
    say(console, _line(["-" * width for width in widths], chosen, widths), style="dim")
    for cells in zip(*(column.cells for column in chosen), strict=True):
        console.out(_line(cells, chosen, widths), highlight=False)
    return [column.name for column in clean if column not in chosen]


def _fitting(columns: Sequence[Column], importance: Sequence[str], width: int) -> list[Column]:
    ranks = {name: rank for rank, name in enumerate(importance)}
    room, chosen = width + GAP, set[str]()
    for column in sorted(columns, key=lambda column: ranks.get(column.name, len(ranks))):
        if not chosen or column.width + GAP <= room:
            chosen.add(column.name)
            room -= column.width + GAP
    return [column for column in columns if column.name in chosen]


def _line(cells: Sequence[str], columns: Sequence[Column], widths: Sequence[int]) -> str:
    padded = [_padded(cell, width, column.is_figure) for cell, column, width in zip(cells, columns, widths, strict=True)]
    return (" " * GAP).join(padded).rstrip()


def _padded(cell: str, width: int, to_the_right: bool) -> str:
    length = cell_len(cell)
    if length > width:
        return set_cell_size(cell, width - 2) + ".."
    return " " * (width - length) + cell if to_the_right else cell + " " * (width - length)
