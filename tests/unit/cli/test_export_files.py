"""Where an export may go, and that the same rows give the same bytes."""

import hashlib
import json
from pathlib import Path

import polars as pl
import pytest

from cli.exit_codes import UsageError
from cli.export import FILES, refuse_strangers, write_parquet

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


def test_the_same_rows_in_any_order_give_the_same_bytes(tmp_path: Path) -> None:
    rows = pl.DataFrame(
        {"loan_id": [f"L{number}" for number in range(3000)], "price": [f"{number}.25" for number in range(3000)]}
    ).with_columns(pl.col("price").cast(pl.Decimal(12, 8)))
    digests = set()
    for number, frame in enumerate((rows, rows.reverse(), rows.sample(fraction=1, shuffle=True, seed=1), rows.rechunk())):
        path = tmp_path / f"{number}.parquet"
        write_parquet(frame, ("loan_id",), path)
        digests.add(hashlib.sha256(path.read_bytes()).hexdigest())
        assert pl.read_parquet(path).equals(rows.sort("loan_id"))
        assert pl.read_parquet_schema(path) == {"loan_id": pl.String, "price": pl.Decimal(12, 8)}
    assert len(digests) == 1
