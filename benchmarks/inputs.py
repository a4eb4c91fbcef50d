"""The inputs that the benchmarks measure: tenants made by `tools/make_tenant.py` of a directory beside the project."""

import datetime as dt
import hashlib
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.results import ROOT

MADE = ROOT / "build" / "benchmarks" / "inputs"
AS_OF = dt.date(2026, 4, 17)
"""The day the generator makes its tables for."""
NAMED_SEED = 20260417
"""The generator's default: the inputs that the targets name have it."""
SEEDS = (NAMED_SEED, 1, 2, 3)
"""The named inputs, and three other seeds of each."""
REAL_LOANS = "data/fnma_loans.csv"


@dataclass(frozen=True)
class Input:
    """A kind of tenant; with a seed it is one tenant."""

    name: str
    title: str
    generator: tuple[str, ...] = ()
    """Arguments of the generator besides directory and seed; REAL_LOANS stands for that file's path."""

    def arguments(self, shared: Path, seed: int) -> list[str]:
        """The generator's arguments after the directory."""
        given = [str(shared / part) if part == REAL_LOANS else part for part in self.generator]
        return [*given, "--seed", str(seed)]


def bench(loans: int, open_trades: int, profile: str = "bench") -> tuple[str, ...]:
    """Generator arguments of a clean, dense tenant."""
    return ("--profile", profile, "--loans", str(loans), "--open-trades", str(open_trades))


def made(kind: Input, seed: int, shared: Path, directory: Path = MADE) -> Path:
    """The directory with the tenant's tables, made unless it is there from an earlier time with the same generator."""
    tool = shared / "tools" / "make_tenant.py"
    if not tool.exists():
        sys.exit(f"{tool} does not exist; --shared names the directory that holds tools/make_tenant.py and {REAL_LOANS}")
    generator = hashlib.sha256(tool.read_bytes() + " ".join(kind.generator).encode()).hexdigest()[:8]
    tables = directory / f"{kind.name}-{seed}-{generator}"
    if not tables.exists():
        unfinished = tables.with_name(f"{tables.name}.unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.parent.mkdir(parents=True, exist_ok=True)
        command: list[str | Path] = [sys.executable, tool, unfinished, *kind.arguments(shared.resolve(), seed)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        unfinished.rename(tables)
    return tables


def chosen(kinds: Sequence[Input], only: str) -> list[Input]:
    """The inputs named, separated by commas; all of them for an empty text. Exits for a name that is none."""
    names = [name for name in only.split(",") if name]
    known = {kind.name: kind for kind in kinds}
    unknown = [name for name in names if name not in known]
    if unknown:
        sys.exit(f"{unknown[0]} is no input of this table; choose among {', '.join(known)}")
    return [known[name] for name in names] or list(kinds)


def seeds_of(text: str) -> list[int]:
    """Seeds separated by commas."""
    return [int(part) for part in text.split(",")]
