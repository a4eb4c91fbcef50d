"""The Markdown made from records."""

from pathlib import Path
from typing import Any

import pytest

from benchmarks import allocation, allocation_report, run, run_report
from benchmarks.allocation_report import below_target
from benchmarks.results import Record, Records
from benchmarks.run_report import costs_us, total_us

KINDS = [case.kind for case in allocation.CASES]


def ours(what: str, gain_pct: float, name: str = "demo", seed: int = 1, **figures: Any) -> Record:
    phases = dict.fromkeys(allocation_report.PHASES, 1.0)
    values = {"value": "150", "baseline_value": "100", "upper_bound": "200", "ended_by": "CONVERGED", "candidate_count": 1000}
    judged = {"checks_hold": True, "gain_pct": gain_pct, "lp_gain": 99.0, "bound_over_lp": 1.0}
    memory = {"peak_gib": 0.5, "peak_by": "GNU time"}
    return {"input": name, "seed": seed, "what": what, "phases_s": phases, **values, **judged, **memory, **figures}


def solved(what: str, **figures: Any) -> Record:
    return {"input": "demo", "seed": 1, "what": what, "seconds": 2.0, "violation": "", "peak_by": "GNU time", **figures}


def rows(lines: list[str], first_cell: str) -> list[list[str]]:
    return [line.strip("| ").split(" | ") for line in lines if line.startswith(f"| {first_cell} |")]


@pytest.fixture
def records(tmp_path: Path) -> Records:
    return Records("ours", tmp_path)


@pytest.fixture
def peers(tmp_path: Path) -> Records:
    return Records("peers", tmp_path)


def test_allocation_rows(records: Records, peers: Records) -> None:
    for record in (
        ours("passes", 5.0), ours("2s", 99.8), ours("2s", 99.9, seed=2), ours("10s", 99.95), ours("end", 99.96),
        ours("strict", 80.0, tiers_pct=99.5), ours("30s", 0, "100k"), ours("300s", 0, "1M"),
    ):  # fmt: skip
        records.put(record, "code")
    for record in (solved("highs-lp", lp_gain=99.0), solved("highs-mip", gain=49.5), solved("cp-sat", gain=None)):
        peers.put(record, "code")
    lines = allocation_report.report(KINDS, records, peers)
    gains, others = rows(lines, "demo (defaults)")[:2]
    spread = "99.850 % (99.800 % to 99.900 %)"
    assert gains[1:] == ["2", "1,000", "5.000 %", spread, "99.85 %", "99.950 %", "99.92 %", "99.960 %", "99.98 %"]
    assert others[1:] == ["1", "2.0 s", "100.000 %", "50.000 %", "-; no solution for 1 of 1"]
    first, second = rows(lines, "demo")
    assert first[2:] == [
        "all hold", "5.000 %", "99.800 %", "99.950 %", "99.960 %", "1.0 s, CONVERGED", "50.000 %", "1.0101 %", "99.500 %",
    ]  # fmt: skip
    assert second[2:5] == ["all hold", "-", "99.900 %"]
    (large,) = rows(lines, "100k")
    assert large[1:7] == ["1", "1,000", "50.000 %", "97 %", "99 %", "CONVERGED"]


def test_a_failed_check_is_told_of_its_tenant(records: Records, peers: Records) -> None:
    records.put(ours("2s", 99.9, checks_hold=False), "code")
    records.put(ours("10s", 99.99), "code")
    assert rows(allocation_report.report(KINDS, records, peers), "demo")[0][2] == "FAILED: 2s"


def test_what_misses_its_target_is_listed() -> None:
    good = [ours("2s", 99.85), ours("10s", 99.92), ours("passes", 5.0), ours("end", 99.0), ours("strict", 80.0)]
    assert below_target(good) == []
    large = ours("30s", 0, "100k")
    (_, _, small_line, large_line, _) = below_target([*good, ours("2s", 99.849), large])
    assert small_line == "- demo seed 1, 2s: 99.849 %, target 99.85 %"
    assert large_line == "- 100k seed 1, 30s: 50.000 %, target 97 %"


def test_every_target_is_of_an_input_that_is_measured() -> None:
    assert {kind.name for kind in KINDS} == allocation_report.TARGETS.keys() | allocation_report.LARGE_TARGETS.keys()
    measured = {case.kind.name for case in run.CASES}
    assert measured == run_report.TARGETS.keys() | run_report.GROWTH.keys()


def whole(name: str, candidates: int, seconds: float, *following: float) -> Record:
    steps = {"read_inputs": 1.0, "candidate_builder": 2.0, "allocation": 4.0, "write_outputs": 0.5, "ue": 0.25}
    figures = {"candidate_count": candidates, "passes_s": 1.5, "peak_gib": 1.0, "database_gib": 0.25}
    values = {"value": "1003.00", "baseline_value": "1000.00", "upper_bound": "1004.00"}
    return {
        **values,
        "input": name,
        "seed": 1,
        "what": "sqlite",
        "first_s": seconds,
        "next_s": following,
        "steps_s": steps,
        **figures,
    }


def test_costs_of_a_candidate_sum_up_to_the_total() -> None:
    record = whole("growth-10k", 1_000_000, 9.0)
    costs = costs_us(record)
    assert costs == {"read": 1.0, "step 3": 2.0, "PASSES": 1.5, "bound": 2.5, "write": 0.5, "else": 1.5}
    assert sum(costs.values()) == total_us(record) == 9.0
    assert total_us(whole("growth-10k", 1_000_000, 9.0, 8.0)) == 8.0


def test_run_rows(records: Records) -> None:
    for record in (
        whole("demo", 1000, 7.0, 5.0, 6.0, 5.5),
        whole("growth-10k", 10**6, 9.0),
        whole("growth-30k", 3 * 10**6, 30.0),
    ):
        records.put(record, "code")
    lines = run_report.report([case.kind for case in run.CASES], records)
    first, steps = rows(lines, "demo tenant, improvement limited to 2 s")
    assert first[1:] == ["1", "7.0 s", "5.5 s (5.0 s to 6.0 s)", "6 s", "1.00 GiB", "-", "0.25 GiB", "75.00 %", "not yet"]
    assert steps[2:] == ["1,000", "1.0 s", "2.0 s", "4.0 s", "0.0 s", "0.2 s", "0.5 s"]
    assert rows(lines, "10,000")[0][-4:] == ["9.00", "1.00", "1.00 GiB", "1,074"]
    assert rows(lines, "30,000")[0][-4:-2] == ["10.00", "1.11"]
