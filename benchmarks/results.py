"""What every benchmark shares: the machine described, medians with ranges, results as Markdown and JSON under docs/benchmarks."""

import json
import os
import platform
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

RESULTS = Path(__file__).resolve().parent.parent / "docs" / "benchmarks"


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


def machine() -> dict[str, str]:
    """What the figures were measured on."""
    memory_gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "cores": str(len(os.sched_getaffinity(0))),
        "memory": f"{memory_gib:.0f} GiB",
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        **{name: version(name) for name in ("polars", "numpy", "numba", "highspy")},
    }


def publish(name: str, title: str, about: str, rows: Sequence[Measured], facts: Mapping[str, str]) -> None:
    """Print the results and write them to docs/benchmarks/NAME.md and .json."""
    described = ", ".join(f"{key} {value}" for key, value in machine().items())
    lines = [
        f"# {title}",
        "",
        about,
        "",
        f"Measured on: {described}.",
        "",
        "| what | median | range | times |",
        "| --- | --- | --- | --- |",
        *(row.row() for row in rows),
        "",
        *(f"- {key}: {value}" for key, value in facts.items()),
        "",
    ]
    text = "\n".join(lines)
    print(text)
    RESULTS.mkdir(parents=True, exist_ok=True)
    (RESULTS / f"{name}.md").write_text(text)
    figures = [{"name": row.name, "unit": row.unit, "median": row.median, "values": list(row.values)} for row in rows]
    (RESULTS / f"{name}.json").write_text(
        json.dumps({"machine": machine(), "figures": figures, "facts": dict(facts)}, indent=2) + "\n"
    )
