"""Run generated and real tenants through the command line and have an independent checker judge every export.

    check_exports.py --shared DIR [--only NAME] [--seed N]

DIR holds tools/make_tenant.py, tools/check_export.py and data/fnma_loans.csv. Every case makes a tenant, migrates and loads it,
executes its runs, exports each and asks the checker, which must say "all checks hold". Exits 1 if a case fails.
"""

import argparse
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

POWERFILL = Path(sys.executable).with_name("powerfill")
AS_OF = "as_of_date=2026-04-17"  # the day the generator makes its tables for
BOTH: tuple[tuple[str, ...], ...] = ((), ("strategy=PASSES",))
SMALL = ("--loans", "3000", "--open-trades", "60", "--trades", "400", "--pools", "200")


@dataclass(frozen=True)
class Case:
    """One tenant, the option sets it is run with, and what is done to its tables before they are loaded."""

    name: str
    generator: tuple[str, ...]
    runs: tuple[tuple[str, ...], ...] = BOTH
    change: Callable[[Path], None] | None = None


def cases(shared: Path, seed: int) -> list[Case]:
    """The named profiles with both strategies, and small dirty tenants: with the other options, and with holes in the tables."""
    own_seed = ("--seed", str(seed))
    options = (
        ("price_mode=PRICE_ONLY",),
        ("scope=CLOSED_ONLY", "strategy=PASSES"),
        ("eligible_settle_buffer_days=5", "max_eligible_days=20"),
        ("bx_price_floor=101",),
        ("bx_price_floor=102.5", "strategy=PASSES", "price_mode=PRICE_ONLY"),
        ("min_status=Purchased", "switch_cost=0.5", "unsold_discount=3"),
        ("max_trade_settle_days=30", "synthetic_spread=0", "pair_off_cost.TBA=1", "candidate_top_k=3"),
        ("min_status=Started", "scope=CLOSED_ONLY", "seed=5", "work_limit=1000000"),
    )
    return [
        Case("demo", own_seed),
        Case("dirty", ("--profile", "dirty", *own_seed)),
        Case("tight", ("--profile", "tight", "--loans", "12000", "--open-trades", "300", *own_seed)),
        Case("real-loans", ("--loans-from", str(shared / "data" / "fnma_loans.csv"), *own_seed)),
        Case("small-bench", ("--profile", "bench", "--loans", "3000", "--open-trades", "60", *own_seed)),
        Case("small-tight", ("--profile", "tight", "--loans", "1500", "--open-trades", "60", *own_seed)),
        Case("holes", ("--profile", "dirty", *SMALL, *own_seed), change=make_holes),
        Case("options", ("--profile", "dirty", *SMALL, *own_seed), options),
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
    arguments.add_argument("--only", default="")
    arguments.add_argument("--seed", type=int, default=20260417)
    given = arguments.parse_args()
    failures = 0
    passed = 0
    for case in cases(given.shared.resolve(), given.seed):
        if given.only in case.name:
            with tempfile.TemporaryDirectory(prefix="powerfill-acceptance-") as directory:
                for verdict in judge(case, given.shared.resolve() / "tools", Path(directory)):
                    passed += verdict
                    failures += not verdict
    print(f"{passed} passed, {failures} failed")
    return 1 if failures else 0


def judge(case: Case, tools: Path, directory: Path) -> list[bool]:
    """Make the tenant once, then a verdict a run."""
    tables = directory / "tables"
    call([sys.executable, tools / "make_tenant.py", tables, *case.generator])
    if case.change:
        case.change(tables)
    registry = directory / "registry.yaml"
    call([POWERFILL, "tenants", "add", "desk", "--url", f"sqlite+aiosqlite:///{directory / 'desk.db'}", "--registry", registry])
    call([POWERFILL, "tenants", "migrate", "desk", "--registry", registry])
    call([POWERFILL, "tenants", "load", "desk", "--from", tables, "--registry", registry])
    return [judge_run(case, options, tables, registry, tools) for options in case.runs]


def judge_run(case: Case, options: Sequence[str], tables: Path, registry: Path, tools: Path) -> bool:
    """Execute one run, export it and ask the checker."""
    export = registry.with_name("export")
    started = time.monotonic()
    given = [part for option in (AS_OF, *options) for part in ("--option", option)]
    call([POWERFILL, "run", "desk", "--registry", registry, *given])
    duration_s = time.monotonic() - started
    call([POWERFILL, "export", "desk", "--out", export, "--registry", registry])
    checked = subprocess.run(
        [sys.executable, tools / "check_export.py", tables, export, "--lp"], capture_output=True, text=True, check=False
    )
    holds = checked.returncode == 0 and "all checks hold" in checked.stdout
    gain = re.search(r"gain [\d,.-]+ of [\d,.-]+ = ([\d.-]+ %)", checked.stdout)
    label = f"{case.name} {' '.join(options)}".strip()
    print(f"{'ok  ' if holds else 'FAIL'} {label}: {duration_s:.1f} s, gain {gain[1] if gain else 'unknown'}", flush=True)
    if not holds:
        print("\n".join(line for line in (checked.stdout + checked.stderr).splitlines() if not line.startswith("ok")))
    return holds


def call(command: Sequence[str | Path]) -> None:
    """Run a command; its output is shown if it fails."""
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))} exited with {done.returncode}\n{done.stdout}{done.stderr}")


if __name__ == "__main__":
    sys.exit(main())
