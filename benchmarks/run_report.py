"""The Markdown of benchmarks/run.py, made from its records."""

import statistics
from collections.abc import Mapping, Sequence

from benchmarks.inputs import Input
from benchmarks.results import Record, Records, described, several_codes, spread, table

TARGETS: Mapping[str, tuple[str, str]] = {"demo": ("6 s", "-"), "100k": ("90 s", "8 GB"), "1M": ("15 min", "20 GiB")}
"""By input: time and memory (specification 04 section 2)."""
GROWTH: Mapping[str, int] = {"growth-10k": 10_000, "growth-30k": 30_000, "growth-100k": 100_000, "growth-300k": 300_000}
"""Loans, by input."""
STEPS = ("read_inputs", "candidate_builder", "allocation", "pool_guide", "ue", "write_outputs")
"""The steps that take time; step 1 is skipped without a floor, step 2 prices trades alone."""

ABOUT = """\
A whole run is `ExecuteRun` over gRPC on a tenant in SQLite until the event `finished`: read, six steps, write, commit. Inputs
are tenants of the generator by profile and seed; a figure is the median over the seeds (and over the runs, where a tenant has
several), with the range behind it. "First" is the first run after the server's start, "next" those after it. The database is
the file after all of them. Memory is the most resident memory (VmHWM) of every process of the service, its idle worker's too,
summed: no less than what they held together at one time. The gain is in percent of the gain of the bound that the run
proves. PostgreSQL: not yet; that database comes with a later issue."""
GROWTH_ABOUT = """\
The `bench` profile with 1,000 open trades at every size, so that the candidates of a loan stay as many and all candidates
grow with the loans, as between the inputs of the targets; trades in proportion would square the candidates. The improvement
phase is limited to 0 s, so that what is left is what grows: microseconds a candidate. `PASSES` is its value beside OPTIMAL
(computed up to 20 million candidates), `bound` the rest of step 4, `else` everything outside the steps named, the making of
the output tables above all. `of the smallest` compares totals with the first row's."""


def report(kinds: Sequence[Input], records: Records) -> list[str]:
    """The lines of the document."""
    lines = ["# A whole run", "", *ABOUT.splitlines(), "", described(records.machine), "", *several_codes(records.all)]
    measured = [(kind, [one for one in records.all if one["input"] == kind.name]) for kind in kinds]
    rows = [(kind, found) for kind, found in measured if found and kind.name in TARGETS]
    head: Sequence[str] = ("input", "seeds", "first", "next", "target", "memory", "target", "database", "gain", "PostgreSQL")
    lines += table(head, [_run_row(kind, found) for kind, found in rows])
    lines += ["", "## Steps", "", "Seconds of each step of a tenant's last run.", ""]
    lines += table(("input", "seeds", "candidates", *STEPS), [_steps_row(kind, found) for kind, found in rows])
    lines += ["", "## Growth", "", *GROWTH_ABOUT.splitlines(), ""]
    grown = [(kind, found) for kind, found in measured if found and kind.name in GROWTH]
    base = [total_us(one) for one in grown[0][1]] if grown else []
    head = ("loans", "seeds", "candidates", "read", "step 3", "PASSES", "bound", "write", "else", "total")
    head = (*head, "of the smallest", "memory", "bytes a candidate")
    lines += table(head, [_growth_row(kind, found, base) for kind, found in grown])
    return lines


def _run_row(kind: Input, records: Sequence[Record]) -> list[str]:
    seconds, memory = TARGETS[kind.name]
    first = spread([one["first_s"] for one in records], _seconds)
    following = spread([value for one in records for value in one["next_s"]], _seconds)
    held, stored = (spread([one[name] for one in records], _gib) for name in ("peak_gib", "database_gib"))
    gain = spread([gain_pct(one) for one in records], lambda value: f"{value:.2f} %")
    return [kind.title, str(len(records)), first, following, seconds, held, memory, stored, gain, "not yet"]


def _steps_row(kind: Input, records: Sequence[Record]) -> list[str]:
    steps = [spread([one["steps_s"].get(step, 0.0) for one in records], _seconds) for step in STEPS]
    return [kind.title, str(len(records)), spread([one["candidate_count"] for one in records], _count), *steps]


def _growth_row(kind: Input, records: Sequence[Record], base_us: Sequence[float]) -> list[str]:
    parts = [costs_us(one) for one in records]
    costs = [spread([part[name] for part in parts], _us) for name in ("read", "step 3", "PASSES", "bound", "write", "else")]
    totals = [total_us(one) for one in records]
    ratio = spread([total / statistics.median(base_us) for total in totals], lambda value: f"{value:.2f}")
    held = [one["peak_gib"] * 2**30 / one["candidate_count"] for one in records]
    candidates = spread([one["candidate_count"] for one in records], _count)
    start = [f"{GROWTH[kind.name]:,}", str(len(records)), candidates, *costs, spread(totals, _us), ratio]
    return [*start, spread([one["peak_gib"] for one in records], _gib), spread(held, _count)]


def gain_pct(record: Record) -> float:
    """The last run's gain over leaving every unlocked loan out, in percent of its proven bound's."""
    value, least, most = (float(record[name]) for name in ("value", "baseline_value", "upper_bound"))
    return 100 * (value - least) / (most - least)


def total_us(record: Record) -> float:
    """Microseconds a candidate of the whole last run; the improvement phase was limited to none."""
    seconds: float = record["next_s"][-1] if record["next_s"] else record["first_s"]
    return 1e6 * seconds / int(record["candidate_count"])


def costs_us(record: Record) -> dict[str, float]:
    """Microseconds a candidate by part; the parts sum up to the total."""
    steps = record["steps_s"]
    parts_s = {
        "read": steps["read_inputs"],
        "step 3": steps["candidate_builder"],
        "PASSES": record["passes_s"],
        "bound": steps["allocation"] - record["passes_s"],
        "write": steps["write_outputs"],
    }
    parts = {name: 1e6 * seconds / record["candidate_count"] for name, seconds in parts_s.items()}
    return parts | {"else": total_us(record) - sum(parts.values())}


def _seconds(value: float) -> str:
    return f"{value:.1f} s"


def _gib(value: float) -> str:
    return f"{value:.2f} GiB"


def _us(value: float) -> str:
    return f"{value:.2f}"


def _count(value: float) -> str:
    return f"{value:,.0f}"
