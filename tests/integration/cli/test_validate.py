"""`powerfill validate` on a real run: an allocation from CSV and from Parquet, and the differences as a file."""

import asyncio
from decimal import Decimal
from pathlib import Path

import polars as pl

from cli.exit_codes import ExitCode
from tests.integration.cli.shell import Shell

LOCAL = {"POWERFILL_SERVER": "", "POWERFILL_REPORT_SERVER": ""}


async def own_allocation(shell: Shell, tmp_path: Path) -> pl.DataFrame:
    """What the latest run decided, with its prices."""
    await shell.run("report", "allocation_guide", "acme", "--format", "parquet", "--out", "guide.parquet")
    return pl.read_parquet(tmp_path / "guide.parquet").select("loan_id", "trade_id", "price")


async def test_the_runs_own_allocation_from_either_file_and_with_or_without_a_server(ran_shell: Shell, tmp_path: Path) -> None:
    own = await own_allocation(ran_shell, tmp_path)
    own.write_parquet(tmp_path / "own.parquet")
    own.write_csv(tmp_path / "own.csv")
    text, as_json, local = await asyncio.gather(
        ran_shell.run("validate", "acme", "--allocation", "own.parquet"),
        ran_shell.run("validate", "acme", "--allocation", "own.csv", "--json"),
        ran_shell.run("validate", "acme", "--allocation", "own.csv", "--json", **LOCAL),
    )
    assert (text.code, as_json.code, local.code) == (0, 0, 0), text.err + as_json.err + local.err
    headline, *_ = text.out.splitlines()
    assert headline.startswith("own.parquet breaks no rule and is worth as much as run ")
    assert "every loan is where the run has it" in text.out
    assert "all 4 prices are PowerFill's" in text.out
    assert as_json.json == local.json
    assert (as_json.json["violation_count"], as_json.json["value_difference"]) == (0, "0.00")


async def test_an_allocation_that_breaks_rules_and_earns_less(ran_shell: Shell, tmp_path: Path) -> None:
    own = await own_allocation(ran_shell, tmp_path)
    first = own.row(0, named=True)
    rows = [
        "loan_id,trade_id,price",
        f"{first['loan_id']},{first['trade_id']},{first['price'] + 1}",
        "L006,T1,",
        "=cmd|calc,T1,",
        "L002,",
    ]
    rows[-1] = "L002,,"
    (tmp_path / "present.csv").write_text("\n".join(rows) + "\n")
    done = await ran_shell.run("validate", "acme", "--allocation", "present.csv", "--out", "out/differences.csv")
    assert done.code == ExitCode.RULE_BROKEN, done.err
    lines = done.out.splitlines()
    assert lines[0].startswith("present.csv breaks 1 rule; without those placements it is worth $")
    assert " less than run " in lines[0]
    assert [line for line in lines if line.startswith("  LOAN_UNKNOWN: 1 ")]
    assert "    row 3: =cmd|calc, T1: the run's inputs have no such loan" in lines
    assert [line for line in lines if "2 loans there (1 row without a trade), 4 in the run" in line]
    assert "1 of 1 prices differ, by $2,000.00: there less here" in lines
    for reason in ("LEFT_OUT_THERE", "LEFT_OUT_HERE"):
        assert [line for line in lines if line.startswith(reason)]

    as_json = await ran_shell.run("validate", "acme", "--allocation", "present.csv", "--json")
    assert as_json.code == ExitCode.RULE_BROKEN
    written = pl.read_csv(tmp_path / "out" / "differences.csv", infer_schema=False)
    assert written.height == as_json.json["difference_count"]
    assert done.err == f"{written.height} of {written.height} differences in out/differences.csv\n"
    assert sum(map(Decimal, written["difference"])) == Decimal(as_json.json["loan_difference"])
    assert written["loan_id"].to_list() == [row["loan_id"] for row in as_json.json["differences"]]
    assert Decimal(as_json.json["value_difference"]) < 0


async def test_a_file_that_is_no_allocation_and_a_run_that_is_not_there(ran_shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "bad.csv").write_text("loan_id,trade_id,price\nL1,T1,dear\n")
    (tmp_path / "good.csv").write_text("loan_id,trade_id\nL001,T1\n")
    bad, none, unknown = await asyncio.gather(
        ran_shell.run("validate", "acme", "--allocation", "bad.csv"),
        ran_shell.run("validate", "acme"),
        ran_shell.run("validate", "acme", "--allocation", "good.csv", "--run", "nothing"),
    )
    assert (bad.code, bad.err) == (2, "error: bad.csv: column price, row 1: 'dear' is not a number\n")
    assert none.code == 2
    assert (unknown.code, "(RUN_NOT_FOUND)" in unknown.err) == (1, True)
