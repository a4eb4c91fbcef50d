"""`powerfill report` and `powerfill export` on a real run: typed, exact, whole, and the same bytes for the same content."""

import asyncio
import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import polars as pl

from cli.report_pages import EXPORTED, REPORTS
from services.run_service.domain.options import OPTION_NAMES
from services.run_service.rpc.mapping.summaries import SUMMARY_NAMES
from tests.integration.cli.shell import Shell

LOCAL = {"POWERFILL_SERVER": "", "POWERFILL_REPORT_SERVER": ""}


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def tables(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(directory.glob("*.parquet"))}


async def test_a_report_as_table_csv_parquet_and_json(ran_shell: Shell, tmp_path: Path) -> None:
    table, csv, saved, as_json, chosen = await asyncio.gather(
        ran_shell.run("report", "allocation_guide", "acme"),
        ran_shell.run("report", "allocation_guide", "acme", "--format", "csv"),
        ran_shell.run("report", "allocation_guide", "acme", "--format", "parquet", "--out", "guide.parquet"),
        ran_shell.run("report", "allocation_guide", "acme", "--json", "--limit", "2"),
        ran_shell.run("report", "kickouts", "acme", "--columns", "reason,loan_id", "--format", "csv"),
    )
    assert {table.code, csv.code, saved.code, as_json.code, chosen.code} == {0}

    head, verdict, _, heading, *_ = table.out.splitlines()
    assert ": 4 rows" in head
    assert verdict.startswith("CURRENT: ")
    assert heading.startswith("loan_id ")
    assert "hidden for want of room" in table.out

    rows = pl.read_parquet(tmp_path / "guide.parquet")
    assert rows.schema == pl.Schema(REPORTS["allocation_guide"].columns)
    assert rows["loan_amount"].to_list() == [Decimal("200000.00")] * 4
    assert csv.out == rows.write_csv()
    assert csv.err.startswith("allocation_guide of acme, run ")
    assert [row["loan_id"] for row in as_json.json["rows"]] == rows["loan_id"].to_list()[:2]
    assert as_json.json["rows"][0]["loan_amount"] == "200000.00"
    assert (as_json.json["header"]["row_count"], as_json.json["header"]["freshness"]) == (4, "CURRENT")
    # Two loans too many for two trades of two loans each.
    assert chosen.out.splitlines() == ["loan_id,reason", "L005,NO_CAPACITY", "L006,NO_CAPACITY"]


async def test_without_a_server_the_services_are_hosted_by_the_command(ran_shell: Shell, tmp_path: Path) -> None:
    served, local, exported = await asyncio.gather(
        ran_shell.run("report", "trade_recap", "acme", "--format", "csv"),
        ran_shell.run("report", "trade_recap", "acme", "--format", "csv", "--local"),
        ran_shell.run("export", "acme", "--out", "local", **LOCAL),
    )
    assert (local.code, exported.code, exported.err) == (0, 0, "")
    assert local.out == served.out
    await ran_shell.run("export", "acme", "--out", "served")
    assert tables(tmp_path / "local") == tables(tmp_path / "served")
    assert len(tables(tmp_path / "local")) == len(EXPORTED)


async def test_reports_beside_a_run_that_failed(ran_shell: Shell, behave: Callable[[str], None]) -> None:
    behave("refuse")
    failed = await ran_shell.run("run", "acme", "--json")
    run_id = failed.json["run_id"]
    beside, own, refused = await asyncio.gather(
        ran_shell.run("report", "trade_recap", "acme"),
        ran_shell.run("report", "trade_recap", "acme", "--run", run_id),
        ran_shell.run("export", "acme", "--out", "export", "--run", run_id),
    )
    assert f"SUPERSEDED_BY_FAILURE: the latest complete run, but a newer attempt did not complete (run {run_id}" in beside.out
    assert "TERMINAL_EMPTY" in own.out
    assert "FAILED in allocation: loan L1 has no amount; correct it" in own.out
    assert refused.code == 1
    assert f"run {run_id} is FAILED in allocation: loan L1 has no amount; correct it; only a complete run" in refused.err


async def test_what_cannot_be_read(shell: Shell, run_server: str, report_server: str, tmp_path: Path) -> None:
    servers = ("--server", run_server, "--report-server", report_server)
    none, nothing, unknown, later, elsewhere = await asyncio.gather(
        shell.run("report", "kickouts", "acme", *servers),
        shell.run("export", "acme", "--out", "export", *servers),
        shell.run("export", "acme", "--out", "export", "--run", "nothing", *servers),
        shell.run("report", "pool_switching", "acme", *servers),
        shell.run("report", "kickouts", "acme", "--server", run_server),
    )
    assert (none.code, none.out.splitlines()[1]) == (0, "NO_RUN_YET: no complete run yet: no rows")
    assert (nothing.code, nothing.err) == (1, "error: acme has no complete run yet; `powerfill run acme` makes one\n")
    assert (unknown.code, "(RUN_NOT_FOUND)" in unknown.err) == (1, True)
    assert (later.code, later.err.startswith("error: GetPoolSwitching is not available yet")) == (1, True)
    assert elsewhere.code == 1
    assert "does not serve this; name the right one with --server or --report-server" in elsewhere.err
    assert not [name for name in names(tmp_path) if "export" in name]


async def test_an_export_is_typed_whole_and_resolved(ran_shell: Shell, tmp_path: Path) -> None:
    done = await ran_shell.run("export", "acme", "--out", "out/export", "--json")
    assert done.code == 0
    assert done.json["rows"] == {"allocation_guide": 4, "kickouts": 2, "trade_recap": 2}
    directory = tmp_path / "out" / "export"
    assert names(directory) == sorted([*(f"{name}.parquet" for name in EXPORTED), "run.json"])
    assert names(directory.parent) == ["export"]
    for name in EXPORTED:
        frame = pl.read_parquet(directory / f"{name}.parquet")
        assert frame.schema == pl.Schema(REPORTS[name].columns)
        assert frame.equals(frame.sort(REPORTS[name].key))
    assert pl.read_parquet(directory / "allocation_guide.parquet")["current_pool"].null_count() == 4

    written = json.loads((directory / "run.json").read_text())
    shown = await ran_shell.run("runs", "show", "acme", written["run_id"], "--json")
    assert written == shown.json
    assert tuple(written["options"]) == OPTION_NAMES
    assert (written["options"]["bx_price_floor"], written["options"]["min_status"]) == (None, "Closed")
    assert (written["options"]["as_of_date"], written["options"]["pair_off_cost"]["TBA"]) == ("2026-04-17", "0.03125")
    assert tuple(written["summary"]) == SUMMARY_NAMES
    assert set(written["summary"]["step_durations"]) >= {"candidate_builder", "allocation"}


async def test_the_same_content_gives_the_same_bytes(ran_shell: Shell, tmp_path: Path) -> None:
    listed = await ran_shell.run("runs", "list", "acme", "--json")
    second, first = (run["run_id"] for run in listed.json)
    assert first != second
    await ran_shell.run("export", "acme", "--out", "one", "--run", first)
    await ran_shell.run("export", "acme", "--out", "two")
    assert tables(tmp_path / "one") == tables(tmp_path / "two")

    replaced = await ran_shell.run("export", "acme", "--out", "one")
    assert (replaced.code, "STALE" in replaced.out) == (0, False)
    assert json.loads((tmp_path / "one" / "run.json").read_text())["run_id"] == second
    assert names(tmp_path / "one") == names(tmp_path / "two")
