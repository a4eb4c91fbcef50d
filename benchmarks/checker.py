"""The independent checker `tools/check_export.py`: its verdict on an export, and the figures it prints."""

import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_NUMBER = r"(-?[\d,]+(?:\.\d+)?)"
_FIGURES = {
    "lp_optimum": rf"LP optimum \${_NUMBER};",
    "gain": rf"; gain {_NUMBER} of",
    "lp_gain": rf"; gain -?[\d,.]+ of {_NUMBER} =",
    "gain_pct": rf"; gain -?[\d,.]+ of -?[\d,.]+ = {_NUMBER} %",
    "bound_over_lp": rf"reported bound over LP {_NUMBER}",
    "bound_gain_pct": rf"gain {_NUMBER} % of the reported bound's",
    "tiers_pct": rf"STRICT: tiers .* = {_NUMBER} %",
}
"""What is looked for in the checker's output: dollars, and percentages of the LP optimum's gain, the bound's and the tiers'."""


@dataclass(frozen=True)
class Verdict:
    """What the checker says of an export."""

    holds: bool
    """It said "all checks hold"."""
    figures: Mapping[str, float]
    """Dollars and percentages by the names of `_FIGURES`, as far as they were printed."""
    complaints: str
    """The lines that are not "ok"; empty where all checks hold."""

    def to_json(self) -> dict[str, Any]:
        """For a record."""
        return {"checks_hold": self.holds, **self.figures}


def ask(shared: Path, tables: Path, export: Path, *, lp: bool) -> Verdict:
    """Have an export judged against the tables it came from; with `lp` against the linear relaxation too."""
    command: list[str | Path] = [sys.executable, shared / "tools" / "check_export.py", tables, export, *(["--lp"] if lp else [])]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return read_verdict(done.returncode, done.stdout, done.stderr)


def read_verdict(exit_code: int, output: str, errors: str) -> Verdict:
    """The verdict from what the checker printed."""
    holds = exit_code == 0 and "all checks hold" in output
    found = {name: re.search(pattern, output) for name, pattern in _FIGURES.items()}
    figures = {name: float(match[1].replace(",", "")) for name, match in found.items() if match}
    complaints = [line for line in (output + errors).splitlines() if not line.startswith("ok")]
    return Verdict(holds, figures, "" if holds else "\n".join(complaints))
