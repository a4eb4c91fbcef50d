"""Where an export may go, and what it holds."""

import json
from pathlib import Path

import pytest

from cli.exit_codes import UsageError
from cli.export import EXPORTED, FILES, refuse_strangers

RUN = {"run_id": "r1", "options": {}, "summary": {}}


def test_a_free_path_and_an_empty_directory_are_fine(tmp_path: Path) -> None:
    refuse_strangers(tmp_path / "new")
    refuse_strangers(tmp_path)


def test_an_earlier_export_is_fine(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text(json.dumps(RUN))
    (tmp_path / "pool_switching.parquet").write_bytes(b"")
    refuse_strangers(tmp_path)
    assert "pool_switching.parquet" in FILES


@pytest.mark.parametrize("run_file", ["{}", "[]", "no json", json.dumps({"run_id": "r1"}), None])
def test_parquet_without_the_run_is_no_export(tmp_path: Path, run_file: str | None) -> None:
    (tmp_path / "kickouts.parquet").write_bytes(b"")
    if run_file is not None:
        (tmp_path / "run.json").write_text(run_file)
    with pytest.raises(UsageError, match=r"has no run\.json of one"):
        refuse_strangers(tmp_path)


def test_other_files_are_never_removed(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text(json.dumps(RUN))
    (tmp_path / "notes.txt").write_text("keep me")
    with pytest.raises(UsageError, match=r"holds 'notes\.txt'"):
        refuse_strangers(tmp_path)


def test_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("")
    with pytest.raises(UsageError, match="is a file"):
        refuse_strangers(tmp_path / "out")


def test_an_export_holds_what_a_run_decided() -> None:
    assert EXPORTED == (
        "allocation_guide", "kickouts", "trade_recap", "pool_switching", "pool_candidates", "existing_disposition",
        "pooling_guide", "cash_trade_slotting", "synthetic_opportunities", "constraint_blocks",
    )  # fmt: skip
