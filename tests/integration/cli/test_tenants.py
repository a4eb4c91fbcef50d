"""`powerfill tenants`, from an empty registry to a loaded tenant, and every way it can be called wrongly."""

import datetime as dt
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from cli.demo.generate import demo_tables, write_tables
from cli.main import main
from cli.tenants import app, registry_path
from shared.database.files import LOADABLE
from shared.database.tables import SCHEMA_REVISION

COMMANDS = [str(command.name or command.callback.__name__) for command in app.registered_commands if command.callback]
SECRET = "h7ks-9Qz"


@dataclass(frozen=True)
class Outcome:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Command = Callable[..., Outcome]


@pytest.fixture
def tenants(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """`powerfill tenants ...` with a POWERFILL_HOME of its own."""
    monkeypatch.setenv("POWERFILL_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("POWERFILL_REGISTRY", raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("cli.local.configure_logging", lambda **_: None)  # the process, and its log, are those of all tests

    def call(*arguments: str | Path) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["powerfill", "tenants", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        assert "Traceback" not in said.out + said.err
        return Outcome(int(ended.value.code or 0), said.out, said.err)

    return call


@pytest.fixture
def acme(tenants: Command) -> str:
    """The tenant acme, migrated."""
    assert tenants("add", "acme", "--url", "sqlite+aiosqlite:///acme.db").code == 0
    assert tenants("migrate", "acme").code == 0
    return "acme"


def files(folder: Path, **contents: str) -> Path:
    folder.mkdir()
    for name, text in contents.items():
        (folder / f"{name}.csv").write_text(text)
    return folder


def test_from_nothing_to_a_loaded_tenant(tenants: Command, tmp_path: Path) -> None:
    assert tenants("list").out.startswith("there are no tenants in ")
    assert "`powerfill tenants migrate acme`" in tenants("add", "acme", "--url", "sqlite+aiosqlite:///acme.db").out
    assert not (tmp_path / "acme.db").exists()
    listed = tenants("list").out
    assert "acme" in listed
    assert "America/New_York" in listed
    assert tenants("migrate", "acme").out == (
        f"acme: revision none -> {SCHEMA_REVISION}; created 11 input tables, the database was empty\n"
    )
    assert tenants("migrate", "acme").out == f"acme: at revision {SCHEMA_REVISION} already\n"
    loaded = tenants("load", "acme", "--from", files(tmp_path / "in", loan_shipped="loan_id,shipped_date,investor\nL1,,\nL2,,\n"))
    assert (loaded.code, loaded.err) == (0, "")
    assert "loan_shipped" in loaded.out
    checked = tenants("check", "acme")
    *_, revision, warning, ready = checked.out.splitlines()
    assert (checked.code, checked.err, revision, ready) == (0, "", f"revision {SCHEMA_REVISION}", "acme is ready")
    assert warning == (
        "warning: CONSTRAINTS pfill_constraints: no constraint is enabled, so no loan can be allocated; enable a constraint"
    )
    assert tenants("remove", "acme").code == 0
    assert (tmp_path / "acme.db").exists()
    assert tenants("list", "--json").json == {"tenants": []}


def test_the_demos_tables_load(tenants: Command, acme: str, tmp_path: Path) -> None:
    """With the dirty rows of a lender's tables: they are for the run to judge."""
    tables = demo_tables(dt.date(2026, 4, 17), loans=500, open_trades=20, trades=100, pools=60)
    write_tables(tables, tmp_path / "in")
    loaded = tenants("load", acme, "--from", "in", "--json").json
    assert loaded["row_counts"] == {name: tables[name].height for name in LOADABLE if name in tables}
    state = tenants("check", acme, "--json").json
    rows = {table["name"]: table["row_count"] for table in state["tables"]}
    assert {name: rows[name] for name in tables} == {name: frame.height for name, frame in tables.items()}
    assert rows["pfill_config_audit"] == 1


def test_json(tenants: Command, tmp_path: Path) -> None:
    kept = ("--time-zone", "Europe/Paris", "--keep-runs", "3")
    added = tenants("add", "acme", "--url", "sqlite+aiosqlite:///acme.db", *kept, "--json").json
    described = {"tenant_id": "acme", "database": f"SQLite {tmp_path / 'acme.db'}", "time_zone": "Europe/Paris", "keep_runs": 3}
    assert added == described
    assert tenants("list", "--json").json == {"tenants": [described]}
    migrated = tenants("migrate", "--all", "--json").json
    assert migrated["errors"] == []
    assert migrated["migrations"][0]["after"] == SCHEMA_REVISION
    assert len(migrated["migrations"][0]["created_lender_tables"]) == 11
    source = files(tmp_path / "in", pfill_carry_cost="investor_instrument,from_day,to_day,annual_rate_pct\na,0,30,0.9\n")
    loaded = tenants("load", "acme", "--from", source, "--json").json
    assert (loaded["tenant_id"], loaded["row_counts"]) == ("acme", {"pfill_carry_cost": 1})
    state = tenants("check", "acme", "--json").json
    assert (state["revision"], state["expected_revision"], state["errors"]) == (SCHEMA_REVISION, SCHEMA_REVISION, [])
    assert tenants("remove", "acme", "--json").json == {"tenant_id": "acme"}


def test_a_registry_of_ones_own(tenants: Command, tmp_path: Path) -> None:
    other = tmp_path / "other" / "registry.yaml"
    assert tenants("add", "acme", "--url", "sqlite+aiosqlite:///acme.db", "--registry", other).code == 0
    assert [tenant["tenant_id"] for tenant in tenants("list", "--json", "--registry", other).json["tenants"]] == ["acme"]
    assert tenants("list", "--json").json == {"tenants": []}


def test_where_the_registry_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert registry_path(tmp_path / "mine.yaml") == tmp_path / "mine.yaml"
    monkeypatch.setenv("POWERFILL_HOME", str(tmp_path))
    assert registry_path(None) == tmp_path / "tenants.yaml"
    monkeypatch.delenv("POWERFILL_HOME")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    assert registry_path(None).name == "tenants.yaml"
    assert registry_path(None).parent.name == "powerfill"


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example_and_json(tenants: Command, command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    shown = tenants(command, "--help")
    assert shown.code == 0
    assert f"Example: powerfill tenants {command}" in shown.out
    assert "--json" in shown.out
    assert "--registry" in shown.out


def test_the_commands() -> None:
    assert COMMANDS == ["add", "list", "migrate", "check", "load", "remove"]


@pytest.mark.parametrize(
    "arguments", [["check", "nobody"], ["migrate", "nobody"], ["load", "nobody", "--from", "."], ["remove", "nobody"]]
)
def test_an_unknown_tenant(tenants: Command, arguments: list[str]) -> None:
    ended = tenants(*arguments)
    assert (ended.code, ended.out) == (1, "")
    assert ended.err.startswith("error: there is no tenant 'nobody'; `powerfill tenants list` shows")
    assert ended.err.count("\n") == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ["migrate"],
        ["migrate", "acme", "--all"],
        ["load", "acme"],
        ["add", "acme"],
        ["check"],
        ["nonsense"],
        ["list", "--nonsense"],
        ["add", "a b", "--url", "sqlite+aiosqlite:///acme.db"],
        ["add", "acme", "--url", "sqlite:///acme.db"],
        ["add", "acme", "--url", "sqlite+aiosqlite:///:memory:"],
        ["add", "acme", "--url", "sqlite+aiosqlite:///acme.db", "--time-zone", "Nowhere/City"],
        ["add", "acme", "--url", "sqlite+aiosqlite:///acme.db", "--keep-runs", "0"],
        ["add", "acme", "--url", "sqlite+aiosqlite:///acme.db", "--keep-runs", "many"],
    ],
)
def test_a_command_line_that_is_not_allowed(tenants: Command, tmp_path: Path, arguments: list[str]) -> None:
    ended = tenants(*arguments)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith("error: ")
    assert not (tmp_path / "home").exists()


def test_a_tenant_that_is_there_already(tenants: Command, acme: str) -> None:
    ended = tenants("add", acme, "--url", "sqlite+aiosqlite:///other.db")
    assert (ended.code, ended.out) == (1, "")
    assert "there is a tenant 'acme' already" in ended.err


def test_a_bad_file_is_one_line_and_changes_nothing(tenants: Command, acme: str, tmp_path: Path) -> None:
    good = files(tmp_path / "good", loan_shipped="loan_id,shipped_date,investor\nL1,,\n")
    assert tenants("load", acme, "--from", good).code == 0
    bad = files(tmp_path / "bad", loan_shipped="loan_id,shipped_date,investor\nL2,,\nL2,,\n")
    ended = tenants("load", acme, "--from", bad)
    assert ended.code == 2
    assert ended.out == ""
    assert ended.err.startswith("error: loan_shipped.csv: column loan_id, row 2: duplicate key: L2 is there already, in row 1")
    assert ended.err.count("\n") == 1
    rows = {table["name"]: table["row_count"] for table in tenants("check", acme, "--json").json["tables"]}
    assert (rows["loan_shipped"], rows["pfill_config_audit"]) == (1, 1)


def test_nan_in_a_parquet_file(tenants: Command, acme: str, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    prices = {"investor_instrument": ["a"], "settlement_date": [dt.date(2026, 5, 13)], "price": [float("nan")]}
    pl.DataFrame(prices).write_parquet(tmp_path / "in" / "rmcat_todays_prices.parquet")
    ended = tenants("load", acme, "--from", "in")
    assert ended.code == 2
    assert "rmcat_todays_prices.parquet: column price, row 1: nan is not a finite number" in ended.err


def test_an_unmigrated_tenant_is_not_ready(tenants: Command, tmp_path: Path) -> None:
    tenants("add", "acme", "--url", "sqlite+aiosqlite:///acme.db")
    missing = tenants("check", "acme")
    assert missing.code == 1
    assert "acme.db does not exist; `powerfill tenants migrate acme` creates it" in missing.err
    assert not (tmp_path / "acme.db").exists()
    (tmp_path / "acme.db").touch()
    empty = tenants("check", "acme", "--json")
    assert empty.code == 1
    assert empty.json["revision"] is None
    assert empty.json["errors"][0].startswith("PowerFill's tables are at revision none")
    refused = tenants("load", "acme", "--from", files(tmp_path / "in", loan_shipped="loan_id,shipped_date,investor\n"))
    assert refused.code == 1
    assert "run `powerfill tenants migrate acme`" in refused.err


def test_one_tenant_that_cannot_be_migrated_stops_no_other(tenants: Command, tmp_path: Path) -> None:
    (tmp_path / "text.db").write_text("no database at all" * 100)
    for name in ("before", "text", "z-after"):
        tenants("add", name, "--url", f"sqlite+aiosqlite:///{name}.db")
    ended = tenants("migrate", "--all", "--json")
    assert ended.code == 1
    assert [migration["tenant_id"] for migration in ended.json["migrations"]] == ["before", "z-after"]
    assert [(error["tenant_id"], error["reason"]) for error in ended.json["errors"]] == [("text", "TENANT_UNAVAILABLE")]
    assert ended.err == "error: the database of tenant 'text' does not answer: its file is no SQLite database\n"


def test_a_password_is_never_shown(tenants: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACME_PASSWORD", SECRET)
    said = [tenants("add", "acme", "--url", f"postgresql+asyncpg://desk:{SECRET}@db.internal/acme")]
    said.append(tenants("add", "birch", "--url", "postgresql+asyncpg://desk:${ACME_PASSWORD}@db.internal/birch", "--json"))
    said += [
        tenants("list"),
        tenants("list", "--json"),
        tenants("check", "acme"),
        tenants("migrate", "--all"),
        tenants("remove", "acme"),
    ]
    assert SECRET not in "".join(outcome.out + outcome.err for outcome in said)
    assert "db.internal/acme" in said[2].out
    assert "a tenant on PostgreSQL is not available yet" in said[4].err


def test_a_registry_that_is_no_registry(tenants: Command, tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "tenants.yaml").write_text(f"tenants: [\n{SECRET}")
    ended = tenants("list")
    assert (ended.code, ended.out) == (1, "")
    assert ended.err.startswith("error: the tenant registry tenants.yaml cannot be used: line ")
    assert SECRET not in ended.err
