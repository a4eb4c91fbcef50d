"""What commands print: consoles, figures as people read them, tables of figures, JSON and errors."""

import json
import os
import re
import shlex
import shutil
import sys
from collections.abc import Iterable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

WIDTH_ELSEWHERE = 120
"""Columns of a line where the output is no terminal and COLUMNS is not set."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def stdout() -> Console:
    """Where results go: no colour and no markup unless it is a terminal."""
    return _console(stderr=False)


def stderr() -> Console:
    """Where errors and remarks go."""
    return _console(stderr=True)


def plain(text: str) -> str:
    """Text of a lender's or a server's on one line, without what a terminal would obey."""
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text)


def say(console: Console, text: str = "", style: str = "") -> None:
    """Print one line as it is, however wide the terminal."""
    console.print(Text(plain(text), style=style), soft_wrap=True)


def print_error(message: str, lines: Iterable[str] = ()) -> None:
    """One line `error: ...` and its particulars, to stderr; they are indented by two blanks, which they may have already."""
    console = stderr()
    console.print(Text.assemble(("error:", "bold red"), " ", plain(message)), soft_wrap=True)
    for line in lines:
        say(console, f"  {line.removeprefix('  ').rstrip()}")


def print_json(value: Any, *, indent: int | None = 2) -> None:
    """One JSON value to stdout; `indent` None puts it on one line. A reader sees it at once."""
    sys.stdout.write(json.dumps(value, indent=indent, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def money(amount: Decimal | str | None) -> str:
    """Dollars with thousands separators; `-` where unset."""
    if amount is None or amount == "":
        return "-"
    dollars = Decimal(amount)
    return f"{'-' if dollars < 0 else ''}${abs(dollars):,.2f}"


def number(value: Decimal) -> str:
    """An exact decimal with thousands separators and at least two places, without further zeros at the end."""
    whole, _, places = f"{value:,f}".partition(".")
    return f"{whole}.{places.rstrip('0').ljust(2, '0')}"


def count(value: int) -> str:
    """A count with thousands separators."""
    return f"{value:,}"


def seconds(value: float) -> str:
    """A length of time."""
    if value < 60:
        return f"{value:.1f} s"
    minutes, rest = divmod(round(value), 60)
    return f"{minutes} min {rest:02d} s"


def figures(rows: Sequence[tuple[str, str]], indent: str = "  ") -> list[str]:
    """Lines of a name and its figures, the figures one under the other."""
    width = max((len(name) for name, _ in rows), default=0)
    return [f"{indent}{name.ljust(width)}  {text}" for name, text in rows]


def program() -> str:
    """How this program is called from a shell: `powerfill` where the shell would find this one, its path otherwise."""
    name = "powerfill"
    found, called = shutil.which(name), Path(sys.argv[0])
    if called.name != name or (found and called.exists() and Path(found).samefile(called)):
        return name
    return shlex.quote(sys.argv[0])


def _console(*, stderr: bool) -> Console:
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() or "COLUMNS" in os.environ else WIDTH_ELSEWHERE
    return Console(stderr=stderr, width=width, highlight=False, markup=False, emoji=False)
