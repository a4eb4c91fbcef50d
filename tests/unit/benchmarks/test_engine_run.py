"""The phases of a measured run, and what it leaves for the checker."""

import itertools
import json
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from benchmarks.engine_run import Timeline, load, measured_run, thinned, write_export
from services.run_service.domain.options import parse_options
from services.run_service.domain.run import Step
from tests.instances.execute import run
from tests.instances.named import knapsack_of_six
from tests.instances.rows import AS_OF


def test_phases_by_what_happened_when(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each look at the clock is one second: 0 start, 1-2 step 3, 3 step 4, 4 PASSES, 5 construction, 6 improvement, 10 end."""
    seconds = itertools.count()
    monkeypatch.setattr("benchmarks.engine_run.time.perf_counter", lambda: float(next(seconds)))
    timeline = Timeline()
    timeline.step_started(Step.CANDIDATE_BUILDER)
    timeline.step_completed(Step.CANDIDATE_BUILDER, 1)
    timeline.step_started(Step.ALLOCATION)
    timeline.pass_completed("passes", Decimal(1), None, 1)
    timeline.pass_completed("construct", Decimal(2), Decimal(9), 1)
    timeline.stop.start_improvement(None)
    timeline.pass_completed("improve", Decimal(3), Decimal(9), 1)
    timeline.pass_completed("improve", Decimal(4), Decimal(9), 1)
    timeline.step_completed(Step.ALLOCATION, 1)
    assert timeline.phases(10.0) == {
        "opening": 1,
        "candidates": 1,
        "passes": 1,
        "bound": 2,
        "improvement": 3,
        "tables": 1,
        "all": 10,
    }
    assert timeline.curve == [(1, "3", "9"), (2, "4", "9")]


def test_a_measured_run_tells_every_figure() -> None:
    record = measured_run(knapsack_of_six(), parse_options({"time_limit": "2"}, AS_OF), None)
    assert record["value"] == "238650.00"
    assert record["candidate_count"] == 6
    phases = record["phases_s"]
    assert sum(seconds for name, seconds in phases.items() if name != "all") == pytest.approx(phases["all"], abs=0.01)


def test_passes_have_no_improvement_phase() -> None:
    record = measured_run(knapsack_of_six(), parse_options({"strategy": "PASSES"}, AS_OF), None)
    assert record["phases_s"]["improvement"] == 0
    assert record["ended_by"] is None


def test_an_export_has_what_the_checker_reads(tmp_path: Path) -> None:
    options = parse_options({"strategy": "PASSES"}, AS_OF)
    result = run(knapsack_of_six()).result
    write_export(result, options, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {
        "allocation_guide.parquet", "kickouts.parquet", "trade_recap.parquet", "run.json",
    }  # fmt: skip
    told = json.loads((tmp_path / "run.json").read_text())
    assert told["options"]["as_of_date"] == AS_OF.isoformat()
    assert told["summary"] == result.summary
    assert pl.read_parquet(tmp_path / "kickouts.parquet").equals(result.tables["pfill_kickout_guide_01"])


def test_tables_are_loaded_as_a_database_would_give_them(tmp_path: Path) -> None:
    for name, frame in knapsack_of_six().tables.items():
        frame.write_parquet(tmp_path / f"{name}.parquet")
    assert run(load(tmp_path)).summary == run(knapsack_of_six()).summary


def test_a_curve_is_thinned_to_its_ends_and_some_between() -> None:
    points = [(float(second), str(second), "") for second in range(100)]
    kept = thinned(points, 5)
    assert [seconds for seconds, _, _ in kept] == [0, 25, 50, 74, 99]
    assert thinned(points[:3], 5) == points[:3]
