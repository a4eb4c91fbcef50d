"""`powerfill report` and `powerfill export` on a real run: typed, exact, whole, and the same bytes for the same content."""

import asyncio
import csv
import io
import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import openpyxl
import polars as pl
import pytest

from cli.export import EXPORTED
from cli.report_pages import REPORTS
from cli.report_text import IMPORTANCE
from services.run_service.domain.options import OPTION_NAMES
from services.run_service.rpc.mapping.summaries import SUMMARY_NAMES
from tests.integration.cli.shell import Shell

LOCAL = {"POWERFILL_SERVER": "", "POWERFILL_REPORT_SERVER": ""}


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def tables(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(directory.glob("*.parquet"))}


async def test_a_report_as_table_files_and_json(ran_shell: Shell, tmp_path: Path) -> None:
    table, text, saved, book, as_json, chosen = await asyncio.gather(
        ran_shell.run("report", "allocation_guide", "acme"),
        ran_shell.run("report", "allocation_guide", "acme", "--format", "csv"),
        ran_shell.run("report", "allocation_guide", "acme", "--format", "parquet", "--out", "new/guide.parquet"),
        ran_shell.run("report", "allocation_guide", "acme", "--format", "xlsx", "--out", "guide.xlsx"),
        ran_shell.run("report", "allocation_guide", "acme", "--json", "--limit", "2"),
        ran_shell.run("report", "kickouts", "acme", "--columns", "reason,loan_id", "--format", "csv"),
    )
    assert {table.code, text.code, saved.code, book.code, as_json.code, chosen.code} == {0}

    head, verdict, _, heading, *_ = table.out.splitlines()
    assert ": 4 rows" in head
    assert verdict.startswith("CURRENT: ")
    assert heading.startswith("loan_id ")
    assert "hidden for want of room" in table.out

    rows = pl.read_parquet(tmp_path / "new" / "guide.parquet")
    assert rows.columns == list(REPORTS["allocation_guide"].fields)
    assert (rows.schema["loan_amount"], rows.schema["score"]) == (pl.Decimal(14, 2), pl.Decimal(12, 8))
    assert rows["loan_amount"].to_list() == [Decimal("200000.00")] * 4
    assert saved.err.endswith("4 rows in new/guide.parquet\n")
    assert names(tmp_path / "new") == ["guide.parquet"]

    heading_line, *lines = csv.reader(io.StringIO(text.out, newline=""))
    assert heading_line == rows.columns
    assert [line[0] for line in lines] == rows["loan_id"].to_list()
    assert [line[2] for line in lines] == ["200000.00"] * 4
    assert text.err.startswith("allocation_guide of acme, run ")

    [sheet] = openpyxl.load_workbook(tmp_path / "guide.xlsx").worksheets
    assert [cell.value for cell in sheet["C"]] == ["loan_amount", 200_000, 200_000, 200_000, 200_000]

    assert [row["loan_id"] for row in as_json.json["rows"]] == rows["loan_id"].to_list()[:2]
    assert as_json.json["rows"][0]["loan_amount"] == "200000.00"
    assert (as_json.json["header"]["row_count"], as_json.json["header"]["freshness"]) == (4, "CURRENT")
    # Two loans too many for two trades of two loans each.
    assert chosen.out.splitlines() == ["loan_id,reason", "L005,NO_CAPACITY", "L006,NO_CAPACITY"]


@pytest.mark.parametrize("name", REPORTS)
async def test_every_report_as_table_and_as_json(ran_shell: Shell, name: str) -> None:
    table, as_json = await asyncio.gather(
        ran_shell.run("report", name, "acme", COLUMNS="100"), ran_shell.run("report", name, "acme", "--json")
    )
    assert (table.code, as_json.code, table.err, as_json.err) == (0, 0, "", "")
    document = as_json.json
    assert len(document["rows"]) == document["header"]["row_count"]
    assert all(list(row) == list(REPORTS[name].fields) for row in document["rows"])
    assert set(document) <= {"header", "rows", *REPORTS[name].beside}
    lines = table.out.splitlines()
    assert lines[0].startswith(f"{name} of acme, run ")
    if document["rows"]:
        rule = next(number for number, line in enumerate(lines) if line.startswith("---"))
        assert IMPORTANCE[name][0] in lines[rule - 1].split()
        assert 40 < max(map(len, lines[rule - 1 : rule + 1 + len(document["rows"])])) <= 100
    else:
        assert "note NOTHING_TO_REPORT: no rows: " in table.out


async def test_the_run_overview_tells_of_all_runs(ran_shell: Shell) -> None:
    table, as_json = await asyncio.gather(
        ran_shell.run("report", "run_overview", "acme"), ran_shell.run("report", "run_overview", "acme", "--json")
    )
    assert "runs: 2 COMPLETE\n" in table.out
    assert "latest complete run " in table.out
    assert "Value and fill over time" in table.out
    assert as_json.json["status_distribution"] == [{"status": "COMPLETE", "run_count": 2}]
    assert len(as_json.json["trend"]) == 2
    assert as_json.json["latest_run"]["run_id"] == as_json.json["rows"][0]["run_id"]


async def test_a_filter_and_an_order(ran_shell: Shell) -> None:
    only = ("--filter", 'loan_id > "L001" AND loan_amount = 200000', "--order-by", "loan_id desc")
    as_json, text, table = await asyncio.gather(
        ran_shell.run("report", "allocation_guide", "acme", *only, "--json"),
        ran_shell.run("report", "allocation_guide", "acme", *only, "--format", "csv", "--columns", "loan_id"),
        ran_shell.run("report", "allocation_guide", "acme", *only),
    )
    chosen = [row["loan_id"] for row in as_json.json["rows"]]
    assert len(chosen) == 3
    assert chosen == sorted(chosen, reverse=True)
    assert text.out.splitlines() == ["loan_id", *chosen]
    assert ": 3 rows" in table.out.splitlines()[0]


async def test_a_mistake_in_a_filter_or_an_order_has_a_caret(ran_shell: Shell) -> None:
    """For a table as for a file."""
    mistaken, ordered = await asyncio.gather(
        ran_shell.run("report", "kickouts", "acme", "--filter", 'reason = "LIMIT" AND lone_id = 1'),
        ran_shell.run("report", "kickouts", "acme", "--order-by", "loan_id desc, lone_id", "--format", "csv"),
    )
    assert (mistaken.code, ordered.code, mistaken.out, ordered.out) == (2, 2, "", "")
    first, text, caret = mistaken.err.splitlines()
    assert first.startswith("error: filter: ")
    assert (text, caret) == ('  reason = "LIMIT" AND lone_id = 1', "                       ^")
    first, text, caret = ordered.err.splitlines()
    assert first.startswith("error: order_by: ")
    assert (text, caret) == ("  loan_id desc, lone_id", "                ^")


async def test_a_file_that_cannot_be_whole_is_none(ran_shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "old.csv").write_text("old")
    refused = await ran_shell.run("report", "kickouts", "acme", "--run", "nothing", "--format", "csv", "--out", "old.csv")
    assert (refused.code, "(RUN_NOT_FOUND)" in refused.err) == (1, True)
    assert (tmp_path / "old.csv").read_text() == "old"
    assert [name for name in names(tmp_path) if "csv" in name] == ["old.csv"]


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
    none, nothing, unknown, elsewhere = await asyncio.gather(
        shell.run("report", "kickouts", "acme", *servers),
        shell.run("export", "acme", "--out", "export", *servers),
        shell.run("export", "acme", "--out", "export", "--run", "nothing", *servers),
        shell.run("report", "kickouts", "acme", "--server", run_server),
    )
    assert (none.code, none.out.splitlines()[1]) == (0, "NO_RUN_YET: no complete run yet")
    assert (nothing.code, nothing.err) == (1, "error: acme has no complete run yet; `powerfill run acme` makes one\n")
    assert (unknown.code, "(RUN_NOT_FOUND)" in unknown.err) == (1, True)
    assert elsewhere.code == 1
    assert "does not serve this; name the right one with --server or --report-server" in elsewhere.err
    assert not [name for name in names(tmp_path) if "export" in name]


async def test_an_export_is_typed_whole_and_resolved(ran_shell: Shell, tmp_path: Path) -> None:
    done = await ran_shell.run("export", "acme", "--out", "out/export", "--json")
    assert done.code == 0
    assert list(done.json["rows"]) == list(EXPORTED)
    assert {name: done.json["rows"][name] for name in ("allocation_guide", "kickouts", "trade_recap")} == {
        "allocation_guide": 4, "kickouts": 2, "trade_recap": 2,
    }  # fmt: skip
    directory = tmp_path / "out" / "export"
    assert names(directory) == sorted([*(f"{name}.parquet" for name in EXPORTED), "run.json"])
    assert names(directory.parent) == ["export"]
    for name in EXPORTED:
        frame = pl.read_parquet(directory / f"{name}.parquet")
        assert (frame.columns, frame.height) == (list(REPORTS[name].fields), done.json["rows"][name])
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
