"""The plot of docs/optimiser.md: how the gap to the linear relaxation's optimum closes over the seconds of improvement.

    build/peers/bin/python -m benchmarks.plots [--results DIR] [--to FILE]

Drawn from allocation.json of DIR (by default docs/benchmarks), which benchmarks.allocation writes, and, where it is there, from
gap.json, which benchmarks.gap writes. matplotlib is in the environment of the other solvers: `make bench-peers`.
"""

import argparse
import math
import statistics
import sys
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.allocation_report import TARGETS
from benchmarks.results import RESULTS, ROOT, Record, Records

PLOT = ROOT / "docs" / "optimiser.svg"
RUNS: Mapping[str, float] = {"2s": 2.0, "10s": 10.0, "end": math.inf}
"""What was measured, and its limit in seconds; each adds the seconds that those before it had not."""
FIRST_S = 0.1
"""Where the axis of seconds begins."""
MOMENTS = 100
"""At which a curve is looked at, evenly on a logarithmic axis."""
LEAST_PCT = 0.001
"""Of the relaxation's gain: what is proven under this is too little to be drawn."""
FLOOR_S = (2.0, 10.0)
"""The limits that the first two targets of an input are for."""
_OURS, _TARGET, _PROVEN = "#1f5f99", "#b3541e", "#444444"

Point = tuple[float, float]
"""Seconds of improvement, and the gap that remains then: percent of the relaxation's gain."""


@dataclass(frozen=True)
class Curve:
    """What an input's seeds have in common: at each moment the median of their gaps, the least and the greatest."""

    seeds: list[int]
    seconds: list[float]
    median: list[float]
    least: list[float]
    greatest: list[float]


@dataclass(frozen=True)
class Panel:
    """What is drawn of an input."""

    name: str
    curve: Curve
    proven_pct: float | None
    """No median gap is under this."""


def main() -> None:
    """Draw, and write the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, default=RESULTS, help="where allocation.json and gap.json are")
    parser.add_argument("--to", type=Path, default=PLOT, help="the file; its ending says which kind (default: %(default)s)")
    given = parser.parse_args()
    records, gaps = Records("allocation", given.results).all, Records("gap", given.results).all
    panels = [Panel(name, curve, proven_pct(name, gaps, curve.seeds)) for name in TARGETS if (curve := curve_of(name, records))]
    if not panels:
        sys.exit(f"no runs are in allocation.json of {given.results}: benchmarks.allocation measures them")
    draw(panels, given.to)


def remaining_pct(record: Record, value: str) -> float:
    """The gap of a value, percent of the relaxation's gain."""
    return 100 * (1 - (float(value) - float(record["baseline_value"])) / float(record["lp_gain"]))


def points_of(record: Record) -> list[Point]:
    """The gap over time of one run; the last point is its result, which counts at its limit: it ends moments later."""
    told = [(seconds, value) for seconds, value, _ in record["curve"]]
    result = record["phases_s"]["improvement"], record["value"]
    return [(min(RUNS[record["what"]], seconds), remaining_pct(record, value)) for seconds, value in (*told, result)]


def path_of(records: Sequence[Record]) -> list[Point]:
    """The gap over time of one tenant: of the shortest run, then of the next from where that ended."""
    path: list[Point] = []
    for what in RUNS:
        for record in records:
            if record["what"] == what and record.get("lp_gain"):
                known_s = path[-1][0] if path else -math.inf
                path += [point for point in points_of(record) if point[0] > known_s]
    return path


def at(path: Sequence[Point], seconds: float) -> float:
    """The gap at a moment that is not before the path's first; after its last it stays."""
    return path[bisect_right(path, seconds, key=lambda point: point[0]) - 1][1]


def curve_of(name: str, records: Sequence[Record]) -> Curve | None:
    """The curve of an input, from the moment from which all its seeds have a value; None where nothing is measured."""
    mine = [one for one in records if one["input"] == name]
    paths = {seed: path_of([one for one in mine if one["seed"] == seed]) for seed in sorted({one["seed"] for one in mine})}
    paths = {seed: path for seed, path in paths.items() if path}
    if not paths:
        return None
    first, last = max(FIRST_S, *(path[0][0] for path in paths.values())), max(path[-1][0] for path in paths.values())
    spaced = [first * (last / first) ** (step / MOMENTS) for step in range(1, MOMENTS)]
    moments = [first, *sorted(moment for moment in {*spaced, *RUNS.values()} if first < moment < last), last]
    gaps = [[at(path, moment) for path in paths.values()] for moment in moments]
    middle = [statistics.median(gap) for gap in gaps]
    return Curve(list(paths), moments, middle, [min(gap) for gap in gaps], [max(gap) for gap in gaps])


def proven_pct(name: str, gaps: Sequence[Record], seeds: Sequence[int]) -> float | None:
    """What the median of the seeds' gaps is never under: the median of what is proven for them, percent of the relaxation's gain.

    None unless it is proven for all of them.
    """
    proven = {one["seed"]: 100 * one["integrality"] / one["lp_gain"] for one in gaps if one["input"] == name}
    return statistics.median(proven[seed] for seed in seeds) if proven.keys() >= set(seeds) else None


def draw(panels: Sequence[Panel], file: Path) -> None:
    """Write the plot, the same bytes for the same figures."""
    import matplotlib as mpl  # type: ignore[import-not-found]  # noqa: PLC0415 - only in the peers' environment

    mpl.use("agg")
    mpl.rcParams.update({"svg.hashsalt": "powerfill", "font.size": 9, "axes.spines.top": False, "axes.spines.right": False})
    from matplotlib import pyplot as plt  # noqa: PLC0415 - after the choice of the backend, in the same environment

    rows = (len(panels) + 1) // 2
    figure, grid = plt.subplots(
        rows, min(2, len(panels)), figsize=(8, 0.8 + 2.7 * rows), sharex=True, sharey=True, squeeze=False, layout="constrained"
    )
    for panel, axes in zip(panels, grid.flat, strict=False):
        _draw_panel(panel, axes)
    for axes in grid.flat[len(panels) :]:
        axes.set_visible(False)
    figure.supxlabel("seconds of improvement", fontsize=9)
    figure.supylabel("gap, % of the relaxation's gain", fontsize=9)
    handles = {label: handle for axes in grid.flat for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)}
    figure.legend(handles.values(), handles.keys(), loc="outside upper center", ncols=len(handles), frameon=False)
    figure.savefig(file, metadata={"Date": None} if file.suffix == ".svg" else None, dpi=150)


def _draw_panel(panel: Panel, axes: Any) -> None:
    curve = panel.curve
    *floors, stretch = (100 - float(target) for target in TARGETS[panel.name])
    count = len(curve.seeds)
    axes.set_title(f"{panel.name}, {count} {'seed' if count == 1 else 'seeds'}", loc="left", fontsize=9)
    axes.loglog()
    if count > 1:
        axes.fill_between(
            curve.seconds, curve.least, curve.greatest, step="post", color=_OURS, alpha=0.2, lw=0, label="all seeds"
        )
    axes.plot(curve.seconds, curve.median, drawstyle="steps-post", color=_OURS, lw=1.5, label="median")
    axes.plot(FLOOR_S, floors, "v", color=_TARGET, ms=6, clip_on=False, label="floor in 2 s, in 10 s")
    axes.axhline(stretch, color=_TARGET, lw=1, ls="--", label="stretch")
    if panel.proven_pct and panel.proven_pct > LEAST_PCT:
        axes.axhline(panel.proven_pct, color=_PROVEN, lw=1, ls=":", label="no allocation is under (proven)")
    axes.grid(which="major", color="0.9", lw=0.6)
    for axis in (axes.xaxis, axes.yaxis):
        axis.get_major_locator().set_params(subs=(1, 2, 5))
        axis.set_major_formatter("{x:g}")
    axes.minorticks_off()


if __name__ == "__main__":
    main()
