"""The Markdown of benchmarks/allocation.py, made from its records."""

from collections.abc import Callable, Mapping, Sequence

from benchmarks.inputs import Input
from benchmarks.results import Record, Records, described, several_codes, spread, table

TARGETS: Mapping[str, tuple[str, str, str]] = {
    "demo": ("99.85", "99.92", "99.98"),
    "bench": ("99.85", "99.92", "99.98"),
    "tight": ("99.75", "99.88", "99.97"),
    "real-loans": ("99.85", "99.90", "99.97"),
}
"""By input: percent of the relaxation's gain in 2 s, in 10 s, and the stretch (specification 04 section 1)."""
LARGE_TARGETS: Mapping[str, tuple[str, str]] = {"100k": ("97", "99"), "1M": ("95", "98")}
"""By input: percent of the reported bound's gain, and the stretch."""
PHASES = ("opening", "candidates", "passes", "bound", "improvement", "tables", "all")

ABOUT = """\
Inputs are tenants of the generator by profile and seed; a figure is the median over the seeds, with the range behind it.
*Gain* is value over leaving every unlocked loan out; 100 % is the optimum of the linear relaxation, which no integer solution
reaches, computed by the independent checker (HiGHS), which also checks every rule on every result. Seconds of a limit are
wall time of the improvement phase alone. Every result comes from a process of its own, kernels loaded."""
PEERS_ABOUT = """\
On the same model: unlocked loans, all their candidates, the room that lockdowns leave. HiGHS LP is the relaxation solved to
its end, MIP and CP-SAT have 60 s for the whole model after it is built. Two threads each, other settings the solvers' own.
CP-SAT takes integers: amounts and bands are cents, shortfalls whole dollars, gains 1e-7 dollars. The solutions are evaluated
in exact arithmetic; percent of the same relaxation's gain."""
PHASES_ABOUT = """\
Seconds of the run limited to 10 s by phase, in process: `opening` is everything before step 3, `candidates` step 3, `passes`
the value PASSES would have reached, `bound` the rest of step 4 before the improvement phase, `tables` everything after step
4."""
LARGE_ABOUT = """\
Gain as a share of the reported bound's, (value - baseline_value) / (upper_bound - baseline_value); peak memory of the
process, inputs and output tables included."""


def report(kinds: Sequence[Input], ours: Records, peers: Records) -> list[str]:
    """The lines of the document."""
    cells = _Cells(ours.all)
    solved = _Cells(peers.all)
    with_lp = [kind for kind in kinds if kind.name in TARGETS and cells.of(kind.name)]
    compared = [kind for kind in kinds if kind.name in TARGETS and solved.of(kind.name)]
    machine = ours.machine or peers.machine
    lines = ["# Allocation", "", *ABOUT.splitlines(), "", described(machine), "", *several_codes(ours.all)]
    lines += table(
        ("input", "seeds", "candidates", "PASSES", "in 2 s", "target", "in 10 s", "target", "to its end", "stretch"),
        [_gains_row(kind, cells) for kind in with_lp],
    )
    lines += ["", *below_target(ours.all)]
    lines += ["## Other solvers", "", *PEERS_ABOUT.splitlines(), "", *several_codes(peers.all)]
    lines += table(
        ("input", "seeds", "HiGHS LP", "HiGHS LP of the checker's", "HiGHS MIP", "OR-tools CP-SAT"),
        [_peers_row(kind, solved, cells) for kind in compared],
    )
    lines += ["", "## Large inputs", "", *LARGE_ABOUT.splitlines(), ""]
    head: Sequence[str] = ("input", "seed", "candidates", "gain", "target", "stretch", "ended by", *PHASES, "peak GiB", "checks")
    lines += table(head, [_large_row(one) for name in LARGE_TARGETS for one in cells.of(name)])
    lines += ["", "## Phases", "", *PHASES_ABOUT.splitlines(), ""]
    lines += table(
        ("input", "seeds", *PHASES, "peak GiB"), [_phases_row(kind, cells) for kind in with_lp if cells.of(kind.name, "10s")]
    )
    lines += [
        "",
        "## Every tenant",
        "",
        "Percent of the relaxation's gain; STRICT in 10 s, of the sum of its tiers' relaxations.",
        "",
    ]
    head = (
        "input",
        "seed",
        "checks",
        "PASSES",
        "in 2 s",
        "in 10 s",
        "to its end",
        "after",
        "of its bound",
        "bound over LP",
        "STRICT",
    )
    lines += table(head, [_tenant_row(kind.name, seed, cells) for kind in with_lp for seed in cells.seeds(kind.name)])
    lines += ["", _memory_by([*ours.all, *peers.all])]
    return lines


class _Cells:
    """Figures of the records by input and what was measured."""

    def __init__(self, records: Sequence[Record]) -> None:
        self._records = records

    def of(self, name: str, what: str = "", seed: int | None = None) -> list[Record]:
        """The records of an input."""
        return [
            one for one in self._records if one["input"] == name and what in ("", one["what"]) and seed in (None, one["seed"])
        ]

    def seeds(self, name: str) -> list[int]:
        """The seeds there are of an input."""
        return sorted({one["seed"] for one in self.of(name)})

    def spread(self, name: str, what: str, figure: str, shown: Callable[[float], str]) -> str:
        """Median and range of a figure over the seeds."""
        return spread([one[figure] for one in self.of(name, what) if one.get(figure) is not None], shown)

    def one(self, name: str, seed: int, what: str, figure: str, shown: Callable[[float], str]) -> str:
        """The figure of one tenant."""
        return spread([one[figure] for one in self.of(name, what, seed) if one.get(figure) is not None], shown)


def percent(value: float) -> str:
    """With three decimals: the differences are in the second."""
    return f"{value:.3f} %"


def _count(value: float) -> str:
    return f"{value:,.0f}"


def _seconds(value: float) -> str:
    return f"{value:.1f} s"


def _gains_row(kind: Input, cells: _Cells) -> list[str]:
    fast, slow, stretch = TARGETS[kind.name]
    candidates = cells.spread(kind.name, "2s", "candidate_count", _count)
    gains = {what: cells.spread(kind.name, what, "gain_pct", percent) for what in ("passes", "2s", "10s", "end")}
    seeds = str(len(cells.seeds(kind.name)))
    parts = [kind.title, seeds, candidates, gains["passes"], gains["2s"], f"{fast} %", gains["10s"], f"{slow} %"]
    return [*parts, gains["end"], f"{stretch} %"]


def _peers_row(kind: Input, peers: _Cells, ours: _Cells) -> list[str]:
    optimum = {one["seed"]: one["lp_gain"] for one in peers.of(kind.name, "highs-lp")}
    checkers = {one["seed"]: one["lp_gain"] for one in ours.of(kind.name) if one.get("lp_gain")}
    agreeing = [100 * gain / checkers[seed] for seed, gain in optimum.items() if seed in checkers]
    cells = [kind.title, str(len(optimum)), peers.spread(kind.name, "highs-lp", "seconds", _seconds), spread(agreeing, percent)]
    for what in ("highs-mip", "cp-sat"):
        records = [one for one in peers.of(kind.name, what) if one["seed"] in optimum]
        found = [100 * one["gain"] / optimum[one["seed"]] for one in records if one["gain"] is not None]
        notes = sorted({one["violation"] for one in records if one["violation"]})
        notes += [f"no solution for {len(records) - len(found)} of {len(records)}"] if len(found) < len(records) else []
        cells.append("; ".join([spread(found, percent), *notes]))
    return cells


def _large_row(record: Record) -> list[str]:
    target, stretch = LARGE_TARGETS[record["input"]]
    phases = [f"{record['phases_s'][phase]:.1f}" for phase in PHASES]
    checks = "not judged" if "checks_hold" not in record else "all hold" if record["checks_hold"] else "FAILED"
    parts = [record["input"], str(record["seed"]), _count(record["candidate_count"]), percent(bound_gain_pct(record))]
    return [*parts, f"{target} %", f"{stretch} %", record["ended_by"], *phases, f"{record['peak_gib']:.2f}", checks]


def below_target(records: Sequence[Record]) -> list[str]:
    """Every result under its target, as a list; empty where there is none."""
    missed = []
    for one in records:
        target, gain = _target(one), one.get("gain_pct")
        if one["input"] in LARGE_TARGETS:
            gain = bound_gain_pct(one)
        if target and gain is not None and gain < float(target):
            missed.append(f"- {one['input']} seed {one['seed']}, {one['what']}: {percent(gain)}, target {target} %")
    return ["Below target:", "", *missed, ""] if missed else []


def _target(record: Record) -> str:
    """Percent to be reached at the least; empty where only the stretch is asked for, or nothing."""
    if record["input"] in LARGE_TARGETS:
        return LARGE_TARGETS[record["input"]][0]
    in_2_s, in_10_s, _ = TARGETS[record["input"]]
    return {"2s": in_2_s, "10s": in_10_s}.get(record["what"], "")


def bound_gain_pct(record: Record) -> float:
    """Gain as percent of the reported bound's."""
    baseline = float(record["baseline_value"])
    return 100 * (float(record["value"]) - baseline) / (float(record["upper_bound"]) - baseline)


def _phases_row(kind: Input, cells: _Cells) -> list[str]:
    records = cells.of(kind.name, "10s")
    phases = [spread([one["phases_s"][phase] for one in records], lambda value: f"{value:.2f}") for phase in PHASES]
    return [kind.title, str(len(records)), *phases, spread([one["peak_gib"] for one in records], lambda value: f"{value:.2f}")]


def _tenant_row(name: str, seed: int, cells: _Cells) -> list[str]:
    records = cells.of(name, seed=seed)
    failed = [one["what"] for one in records if not one["checks_hold"]]
    gains = [cells.one(name, seed, what, "gain_pct", percent) for what in ("passes", "2s", "10s", "end")]
    after, own, over = "-", "-", "-"
    for end in cells.of(name, "end", seed):
        after = f"{end['phases_s']['improvement']:.1f} s, {end['ended_by']}"
        own = percent(bound_gain_pct(end))
        over = f"{100 * end['bound_over_lp'] / end['lp_gain']:.4f} %"
    checks = f"FAILED: {', '.join(failed)}" if failed else "all hold"
    return [name, str(seed), checks, *gains, after, own, over, cells.one(name, seed, "strict", "tiers_pct", percent)]


def _memory_by(records: Sequence[Record]) -> str:
    ways = sorted({one["peak_by"] for one in records})
    return f"Peak memory by {', '.join(ways)}: the most resident memory of the process." if ways else ""
