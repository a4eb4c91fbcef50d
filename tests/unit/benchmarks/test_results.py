"""Records kept apart and merged, and the parts of the Markdown."""

import json
from pathlib import Path

import pytest

from benchmarks.results import Measured, Record, Records, several_codes, spread, table


def record(what: str, seed: int = 1, **figures: object) -> Record:
    return {"input": "demo", "seed": seed, "what": what, **figures}


def test_a_measurement_replaces_its_own_record_and_keeps_the_others(tmp_path: Path) -> None:
    records = Records("table", tmp_path)
    records.put(record("2s", gain=1), "aaaa")
    records.put(record("10s", gain=2), "aaaa")
    again = Records("table", tmp_path)
    again.put(record("2s", gain=3), "bbbb")
    again.put(record("2s", seed=2, gain=4), "bbbb")
    kept = Records("table", tmp_path).all
    assert [(one["what"], one["seed"], one["gain"], one["code"]) for one in kept] == [
        ("10s", 1, 2, "aaaa"),
        ("2s", 1, 3, "bbbb"),
        ("2s", 2, 4, "bbbb"),
    ]
    assert json.loads((tmp_path / "table.json").read_text())["machine"]["cores"].isdigit()


def test_records_of_several_states_of_the_code_are_told() -> None:
    same = [record("2s", code="aaaa", measured_on="2026-11-20"), record("10s", code="aaaa", measured_on="2026-11-21")]
    assert several_codes(same) == []
    (line, _) = several_codes([*same, record("end", code="bbbb", measured_on="2026-11-22")])
    assert "aaaa on 2026-11-20" in line
    assert "bbbb on 2026-11-22" in line


@pytest.mark.parametrize(
    ("values", "text"),
    [([], "-"), ([2.0], "2.0"), ([1.04, 1.0], "1.0"), ([3.0, 1.0, 2.5], "2.5 (1.0 to 3.0)")],
)
def test_spread_is_the_median_with_the_range(values: list[float], text: str) -> None:
    assert spread(values, lambda value: f"{value:.1f}") == text


def test_table_and_row() -> None:
    assert table(("a", "b"), [("1", "2")]) == ["| a | b |", "| --- | --- |", "| 1 | 2 |"]
    assert Measured("step", "s", [3, 1, 2]).row() == "| step | 2.00 s | 1.00 to 3.00 | 3 |"
