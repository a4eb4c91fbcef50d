"""Run generated and real tenants through the command line and have an independent checker judge every export.

    check_exports.py --shared DIR [--only NAME] [--seeds N,N,...] [--jobs N]

DIR holds tools/make_tenant.py, tools/check_export.py and data/fnma_loans.csv. Every case makes a tenant, migrates and loads it,
executes its runs, exports each and asks the checker, which must say "all checks hold"; and the reports must agree with each other
and with the tables (`reports_agree`). Ends with a table of the gains that the checker found, and exits 1 if a run failed. Cases
are judged side by side, so seconds are no measurement.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl

from benchmarks.checker import Verdict, ask
from benchmarks.inputs import AS_OF, NAMED_SEED, seeds_of
from benchmarks.results import table
from tests.acceptance.reports_agree import disagreements

POWERFILL = Path(sys.executable).with_name("powerfill")
STRICT = "priority_mode=STRICT"
PASSES = "strategy=PASSES"
EVERY_WAY: tuple[tuple[str, ...], ...] = ((), (STRICT,), (PASSES,))
EVERY_WAY_SOON: tuple[tuple[str, ...], ...] = (("time_limit=3",), (STRICT, "time_limit=3"), (PASSES,))
"""For large tenants: how good the optimiser is in more time is for the benchmarks to tell."""
SMALL = ("--loans", "3000", "--open-trades", "60", "--trades", "400", "--pools", "200")


@dataclass(frozen=True)
class Case:
    """One tenant, the option sets it is run with, and what is done to its tables before they are loaded."""

    name: str
    seed: int
    generator: tuple[str, ...] = ()
    runs: tuple[tuple[str, ...], ...] = EVERY_WAY
    change: Callable[[Path], None] | None = None


@dataclass(frozen=True)
class Judged:
    """A run of a case, and what the checker says of it."""

    case: Case
    options: tuple[str, ...]
    seconds: float
    verdict: Verdict

    def row(self) -> list[str]:
        """Its row of the table; percentages of the linear relaxation's gain, of the reported bound's, of the tiers'."""
        figures = self.verdict.figures
        names = ("gain_pct", "bound_gain_pct", "tiers_pct")
        gains = [f"{figures[name]:.3f}" if name in figures else "-" for name in names]
        verdict = "all hold" if self.verdict.holds else "FAILED"
        return [self.case.name, str(self.case.seed), " ".join(self.options), f"{self.seconds:.1f}", *gains, verdict]


def cases(shared: Path, seed: int) -> list[Case]:
    """The named profiles in every way to allocate; small dirty tenants with the other options, and with holes in the tables."""
    large = ("--loans", "12000", "--open-trades", "300")
    options = (
        ("price_mode=PRICE_ONLY",),
        ("scope=CLOSED_ONLY", PASSES),
        ("eligible_settle_buffer_days=5", "max_eligible_days=20"),
        ("bx_price_floor=101",),
        ("bx_price_floor=102.5", PASSES, "price_mode=PRICE_ONLY"),
        ("min_status=Purchased", "switch_cost=0.5", "unsold_discount=3"),
        ("max_trade_settle_days=30", "synthetic_spread=0", "pair_off_cost.TBA=1", "candidate_top_k=3"),
        ("min_status=Started", "scope=CLOSED_ONLY", "seed=5", "work_limit=1000000"),
        (STRICT, "switch_cost=0.5", "pair_off_cost.TBA=1", "bx_price_floor=101"),
        (STRICT, "price_mode=PRICE_ONLY", "max_trade_settle_days=30", "seed=5", "work_limit=1000000"),
    )
    return [
        Case("demo", seed),
        Case("dirty", seed, ("--profile", "dirty"), EVERY_WAY_SOON),
        Case("tight", seed, ("--profile", "tight", *large), EVERY_WAY_SOON),
        Case("bench", seed, ("--profile", "bench", *large), EVERY_WAY_SOON),
        Case("real-loans", seed, ("--loans-from", str(shared / "data" / "fnma_loans.csv")), EVERY_WAY_SOON),
        Case("small-bench", seed, ("--profile", "bench", "--loans", "3000", "--open-trades", "60")),
        Case("small-tight", seed, ("--profile", "tight", "--loans", "1500", "--open-trades", "60")),
        Case("holes", seed, ("--profile", "dirty", *SMALL), change=make_holes),
        Case("options", seed, ("--profile", "dirty", *SMALL), options),
    ]


def make_holes(tables: Path) -> None:
    """Drop optional columns, empty some needed values that are in no key, and relate one pool to two trades."""
    rewrite(tables, "loan", lambda frame: frame.drop("fico", "close_date"))
    rewrite(tables, "rmusr_payups", lambda frame: emptied(frame.drop("div_by"), payup=5, high_value=7))
    rewrite(tables, "pscat_trade_cash_grid", lambda frame: emptied(frame, rate=50, price=40))
    rewrite(tables, "rmcat_todays_prices", lambda frame: emptied(frame, price=9))
    rewrite(tables, "pscat_trades_pools_relation", lambda frame: emptied(related_to_two(frame), amount=12))


def emptied(frame: pl.DataFrame, **every: int) -> pl.DataFrame:
    """The frame with a null in every so many rows of each column named."""
    row = pl.int_range(pl.len())
    return frame.with_columns(pl.when(row % step != step - 1).then(name).alias(name) for name, step in every.items())


def related_to_two(relation: pl.DataFrame) -> pl.DataFrame:
    """The relation, with its first pool related to the last open trade as well."""
    first = relation.row(0, named=True)
    others = relation.filter(pl.col("trade_id").str.starts_with("T") & (pl.col("trade_id") != first["trade_id"]))
    return pl.concat([relation, relation.head(1).with_columns(trade_id=pl.lit(others["trade_id"][-1]))])


def rewrite(tables: Path, name: str, change: Callable[[pl.DataFrame], pl.DataFrame]) -> None:
    """Change one table's file."""
    path = tables / f"{name}.parquet"
    change(pl.read_parquet(path)).write_parquet(path)


def main() -> int:
    """Run the cases; the number of failures decides the exit code."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--shared", type=Path, default=Path("../shared"))
    arguments.add_argument("--only", default="", help="cases whose name has this text")
    arguments.add_argument("--seeds", default=str(NAMED_SEED), help="seeds of the generator")
    arguments.add_argument("--jobs", type=int, default=2, help="cases judged side by side")
    given = arguments.parse_args()
    shared = given.shared.resolve()
    chosen = [case for seed in seeds_of(given.seeds) for case in cases(shared, seed) if given.only in case.name]
    with ThreadPoolExecutor(given.jobs) as pool:
        judged = [one for found in pool.map(lambda case: judge(case, shared), chosen) for one in found]
    head = ("case", "seed", "options", "seconds", "% of LP", "% of bound", "% of tiers", "checks")
    print("\n".join(["", *table(head, [one.row() for one in judged]), ""]))
    failed = sum(not one.verdict.holds for one in judged)
    print(f"{len(judged) - failed} passed, {failed} failed")
    return 1 if failed or not judged else 0


def judge(case: Case, shared: Path) -> list[Judged]:
    """Make the tenant once, then a verdict a run."""
    with tempfile.TemporaryDirectory(prefix="powerfill-acceptance-") as directory:
        tables, registry = Path(directory) / "tables", Path(directory) / "registry.yaml"
        call([sys.executable, shared / "tools" / "make_tenant.py", tables, *case.generator, "--seed", str(case.seed)])
        if case.change:
            case.change(tables)
        database = f"sqlite+aiosqlite:///{directory}/desk.db"
        call([POWERFILL, "tenants", "add", "desk", "--url", database, "--registry", registry])
        call([POWERFILL, "tenants", "migrate", "desk", "--registry", registry])
        call([POWERFILL, "tenants", "load", "desk", "--from", tables, "--registry", registry])
        return [judge_run(case, options, tables, registry, shared) for options in case.runs]


def judge_run(case: Case, options: tuple[str, ...], tables: Path, registry: Path, shared: Path) -> Judged:
    """Execute one run, export it and ask the checker."""
    export = registry.with_name("export")
    started = time.monotonic()
    given = [part for option in (f"as_of_date={AS_OF}", *options) for part in ("--option", option)]
    try:
        call([POWERFILL, "run", "desk", "--registry", registry, *given])
        seconds = time.monotonic() - started
        call([POWERFILL, "export", "desk", "--out", export, "--registry", registry])
        verdict = ask(shared, tables, export, lp=True)
        if disagree := disagreements(tables, export):
            complaints = "\n".join([verdict.complaints, *(f"reports disagree: {line}" for line in disagree[:20])])
            verdict = replace(verdict, holds=False, complaints=complaints.strip())
    except CommandError as error:
        seconds, verdict = time.monotonic() - started, Verdict(holds=False, figures={}, complaints=str(error))
    label = f"{case.name} seed {case.seed} {' '.join(options)}".rstrip()
    print(f"{'ok  ' if verdict.holds else 'FAIL'} {label}\n{verdict.complaints}".rstrip(), flush=True)
    return Judged(case, options, seconds, verdict)


class CommandError(Exception):
    """A command failed; the text is what it said."""


def call(command: Sequence[str | Path]) -> None:
    """Run a command. Raises CommandError."""
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
    if done.returncode:
        raise CommandError(f"{' '.join(map(str, command))} exited with {done.returncode}\n{done.stdout}{done.stderr}")


if __name__ == "__main__":
    sys.exit(main())
