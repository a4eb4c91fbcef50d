"""The command line as a whole: what there is, what it costs to start, and how mistakes end."""

import importlib
import subprocess
import sys
import time

import pytest
import typer

from cli.main import COMMANDS, main
from cli.run_options import described

HEAVY = ("grpc", "polars", "sqlalchemy", "numba", "services", "pydantic")


def run_main(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr("sys.argv", ["powerfill", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)


def commands() -> list[tuple[str, ...]]:
    """Every command with its path."""
    paths: list[tuple[str, ...]] = []
    for name, (module, _) in COMMANDS.items():
        command = typer.main.get_command(importlib.import_module(module).app)
        paths += [(name, part) for part in getattr(command, "commands", {})] or [(name,)]
    return paths


def test_help_is_fast_and_imports_nothing_heavy() -> None:
    code = "import sys; sys.argv = ['powerfill', '--help']\nimport atexit, cli.main\n"
    code += "atexit.register(lambda: print(sorted(sys.modules), file=sys.stderr))\ncli.main.main()"
    began_s = time.monotonic()
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env={"PYTHONPATH": "."})
    took_s = time.monotonic() - began_s
    for name, (_, help_text) in COMMANDS.items():
        assert name in ended.stdout
        assert help_text.split()[0] in ended.stdout
    assert not [name for name in HEAVY if f"'{name}'" in ended.stderr]
    assert took_s < 3.0  # half a second on a machine that has nothing else to do


@pytest.mark.parametrize("path", commands(), ids=" ".join)
def test_every_command_has_help_with_an_example_and_json(
    path: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_main(monkeypatch, *path, "--help") == 0
    text = capsys.readouterr().out
    assert f"Example: powerfill {' '.join(path)}" in " ".join(text.split())
    assert "--json" in text


def test_the_help_of_run_lists_the_options_of_a_run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    assert run_main(monkeypatch, "run", "--help") == 0
    lines = [line.strip() for line in capsys.readouterr().out.splitlines()]
    missing = [line for line in described() if line not in lines]
    assert not missing


def test_without_a_command_there_is_help(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_main(monkeypatch) == 0
    assert "Usage: powerfill" in capsys.readouterr().out
    assert run_main(monkeypatch, "runs") == 2
    assert "Usage: powerfill runs" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["runn"], "No such command 'runn'"),
        (["run"], "Missing argument 'ID'"),
        (["run", "acme", "--nothing"], "No such option"),
        (["run", "acme", "-o", "sed=1"], "option sed: there is no such option (value '1'); the names are as_of_date, scope"),
        (["run", "acme", "--server", "here"], "--server 'here' is not HOST:PORT or unix:PATH"),
        (["run", "a/b"], "'a/b' cannot be a tenant"),
        (["report", "guide", "acme"], "there is no report 'guide'; there are allocation_guide, kickouts"),
        (["report", "kickouts", "acme", "--columns", "loan_id,pool"], "kickouts has no column 'pool'; it has loan_id"),
        (["report", "kickouts", "acme", "--format", "parquet"], "--format parquet needs --out FILE"),
        (["report", "kickouts", "acme", "--out", "a.txt"], "--out needs --format csv, parquet or xlsx"),
        (["report", "kickouts", "acme", "--format", "xlsx"], "--format xlsx needs --out FILE"),
        (["report", "kickouts", "acme", "--format", "csv", "--limit", "1"], "--limit is for tables and --json"),
        (["report", "kickouts", "acme", "--json", "--format", "csv"], "--json prints the report"),
        (["runs", "list", "acme", "--status", "DONE"], "--status 'DONE' is no status; it must be one of PENDING"),
        (["export", "acme", "--out", "/dev/null"], "/dev/null is a file"),
        (["serve", "--run-address", "0.0.0.0:7301"], "'0.0.0.0:7301' is not a loopback address"),
        (["serve", "--report-address", "7302"], "'7302' is not HOST:PORT"),
        (["run", "acme", "-o", "seed=\udcff"], "not text"),
    ],
)
def test_mistakes_are_one_line_and_exit_code_2(
    arguments: list[str], message: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_main(monkeypatch, *arguments) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    first, *more = printed.err.splitlines()
    assert first.startswith("error: ")
    assert message in first
    assert all(line.startswith("  ") for line in more)


def test_a_setting_that_cannot_be_is_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("POWERFILL_QUEUE_SIZE", "many")
    assert run_main(monkeypatch, "serve", "run") == 2
    assert "error: POWERFILL_QUEUE_SIZE is not allowed" in capsys.readouterr().err


def test_a_defect_is_one_line_and_a_traceback_only_with_debug(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("by 0")

    monkeypatch.setattr("cli.export.refuse_strangers", broken)
    assert run_main(monkeypatch, "export", "acme", "--out", "x") == 1
    assert capsys.readouterr().err.splitlines() == [
        "error: unexpected ZeroDivisionError: by 0",
        "  this is a defect of PowerFill; report it with what this prints: powerfill --debug export acme --out x",
    ]
    assert run_main(monkeypatch, "--debug", "export", "acme", "--out", "x") == 1
    assert "Traceback" in capsys.readouterr().err
