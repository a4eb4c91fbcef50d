"""What every benchmark shares: the machine described, medians with ranges, results as Markdown and JSON under docs/benchmarks."""

import datetime as dt
import hashlib
import json
import os
import platform
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "docs" / "benchmarks"

FIGURES = (
    "candidate_count", "in_scope_count", "allocated_count", "value", "baseline_value", "upper_bound", "bound_kind", "gap_bp",
    "passes_value", "ended_by", "work_done",
)  # fmt: skip
"""What a record keeps of a run's summary."""

Record = Mapping[str, Any]
"""One measurement as JSON; `input`, `seed` and `what` say of what."""


@dataclass(frozen=True)
class Measured:
    """Repeated measurements of one thing."""

    name: str
    unit: str
    values: Sequence[float]

    @property
    def median(self) -> float:
        """The figure to quote."""
        return statistics.median(self.values)

    def row(self) -> str:
        """A row of the Markdown table."""
        low, high = min(self.values), max(self.values)
        return f"| {self.name} | {self.median:.2f} {self.unit} | {low:.2f} to {high:.2f} | {len(self.values)} |"


def spread(values: Sequence[float], shown: Callable[[float], str]) -> str:
    """Median and, where they differ from it, smallest and greatest value: `99.91 (99.90 to 99.93)`; a dash for none."""
    if not values:
        return "-"
    middle, low, high = shown(statistics.median(values)), shown(min(values)), shown(max(values))
    return middle if low == high else f"{middle} ({low} to {high})"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """The lines of a Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return [f"| {' | '.join(cells)} |" for cells in lines]


def machine() -> dict[str, str]:
    """What the figures are measured on."""
    memory_gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "processor": _processor(),
        "cores": str(len(os.sched_getaffinity(0))),
        "memory": f"{memory_gib:.0f} GiB",
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        **{name: version(name) for name in ("polars", "numpy", "numba", "highspy")},
    }


def _processor() -> str:
    names = [line.partition(":")[2].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line]
    return names[0] if names else platform.machine()


def described(facts: Mapping[str, str]) -> str:
    """The machine in a sentence."""
    return f"Measured on: {', '.join(f'{key} {value}' for key, value in facts.items())}."


def code_digest() -> str:
    """Eight digits that change with any file of the services and of what they share: which code was measured."""
    digest = hashlib.sha256()
    for path in sorted([*(ROOT / "services").rglob("*.py"), *(ROOT / "shared").rglob("*.py")]):
        digest.update(f"{path.relative_to(ROOT)}\0".encode() + path.read_bytes())
    return digest.hexdigest()[:8]


class Records:
    """Measurements in docs/benchmarks/NAME.json, one of each (input, seed, what); `put` replaces one and keeps the others.

    So the parts of a table can be measured apart. Every record says when and on which state of the code it was measured.
    """

    def __init__(self, name: str, directory: Path = RESULTS) -> None:
        self._path = directory / f"{name}.json"
        found: dict[str, Any] = json.loads(self._path.read_bytes()) if self._path.exists() else {}
        self.machine: Mapping[str, str] = found.get("machine", {})
        self._records: list[Record] = found.get("records", [])

    @property
    def all(self) -> Sequence[Record]:
        """Every record, in the order of their keys."""
        return self._records

    def put(self, record: Record, code: str) -> None:
        """Add a measurement, and write the file."""
        others = [other for other in self._records if _key(other) != _key(record)]
        measured = {**record, "code": code, "measured_on": dt.datetime.now(dt.UTC).date().isoformat()}
        self._records = sorted([*others, measured], key=_key)
        self.machine = machine()
        self._path.parent.mkdir(parents=True, exist_ok=True)
        lines = ",\n".join(f"  {json.dumps(one)}" for one in self._records)
        self._path.write_text(f'{{"machine": {json.dumps(self.machine)},\n "records": [\n{lines}\n]}}\n')


def _key(record: Record) -> tuple[str, int, str]:
    return record["input"], record["seed"], record["what"]


def several_codes(records: Sequence[Record]) -> list[str]:
    """A line for the Markdown where the records were not all measured on one state of the code."""
    codes = sorted({(one["measured_on"], one["code"]) for one in records})
    if len({code for _, code in codes}) < 2:
        return []
    told = ", ".join(f"{code} on {day}" for day, code in codes)
    return [f"The rows were measured on several states of the code ({told}); the JSON says which is which.", ""]


def write_markdown(name: str, lines: Sequence[str], directory: Path = RESULTS) -> None:
    """Print the lines and write them to NAME.md."""
    text = "\n".join(lines).rstrip("\n") + "\n"
    print(text)
    directory.mkdir(parents=True, exist_ok=True)
    (directory / f"{name}.md").write_text(text)


def publish(name: str, title: str, about: str, rows: Sequence[Measured], facts: Mapping[str, str]) -> None:
    """Print the results of a script that measures all of its table at once, and write them as Markdown and JSON."""
    lines = [f"# {title}", "", about, "", described(machine()), ""]
    lines += table(("what", "median", "range", "times"), ())
    lines += [*(row.row() for row in rows), "", *(f"- {key}: {value}" for key, value in facts.items())]
    write_markdown(name, lines)
    figures = [{"name": row.name, "unit": row.unit, "median": row.median, "values": list(row.values)} for row in rows]
    write_json(name, {"figures": figures, "facts": dict(facts)})


def write_json(name: str, figures: Record) -> None:
    """Write the results of a script that measures all of its table at once, with the machine, to NAME.json."""
    (RESULTS / f"{name}.json").write_text(json.dumps({"machine": machine(), **figures}, indent=2) + "\n")
