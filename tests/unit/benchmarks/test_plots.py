"""The curves of the plot: gaps by hand, one path of several runs, medians over seeds."""

import pytest

from benchmarks import plots
from benchmarks.allocation import METHODS
from benchmarks.plots import at, curve_of, path_of, points_of, proven_pct
from benchmarks.results import Record


def run(what: str, ended_s: float, *gaps: tuple[float, float], seed: int = 1, name: str = "demo") -> Record:
    """A run whose gap was so many percent of the relaxation's gain, 1,000, after so many seconds; the last when it ended."""
    values = [str(500 + 1000 * (1 - pct / 100)) for _, pct in gaps]
    curve = [[seconds, value, "1500"] for (seconds, _), value in zip(gaps, values, strict=True)]
    figures = {"baseline_value": "500", "lp_gain": 1000.0, "value": values[-1], "phases_s": {"improvement": ended_s}}
    return {"input": name, "seed": seed, "what": what, "curve": curve, **figures}


def test_the_runs_are_among_those_that_are_measured() -> None:
    limits = {what: f"time_limit={limit_s:g}" for what, limit_s in plots.RUNS.items()}
    assert limits.pop("end") == "time_limit=inf"
    assert all(METHODS[what] == (option,) for what, option in limits.items())
    assert METHODS["end"] == ("time_limit=none",)


def test_a_gap_is_what_is_missing_of_the_relaxations_gain() -> None:
    points = points_of(run("end", 2.1, (0.5, 8.0), (1.0, 0.25)))
    assert [seconds for seconds, _ in points] == [0.5, 1.0, 2.1]
    assert [pct for _, pct in points] == pytest.approx([8.0, 0.25, 0.25])


def test_what_a_run_finds_counts_at_its_limit() -> None:
    points = points_of(run("2s", 2.2, (1.9, 8.0), (2.1, 4.0)))
    assert [seconds for seconds, _ in points] == [1.9, 2.0, 2.0]
    assert at(points, 2.0) == pytest.approx(4.0)


def test_a_longer_run_adds_what_came_after_the_shorter() -> None:
    short = run("2s", 2.1, (0.5, 8.0), (1.5, 1.0))
    longer = run("10s", 10.1, (0.6, 9.0), (2.05, 1.5), (3.0, 0.5))
    strict = run("strict", 10.0, (0.1, 99.0))
    path = path_of([strict, longer, short])
    assert [seconds for seconds, _ in path] == [0.5, 1.5, 2.0, 2.05, 3.0, 10.0]
    assert [pct for _, pct in path] == pytest.approx([8, 1, 1, 1.5, 0.5, 0.5])


def test_a_run_that_no_relaxation_judges_has_no_path() -> None:
    assert path_of([{**run("10s", 10.0, (1.0, 1.0)), "lp_gain": None}]) == []
    assert path_of([{"what": "passes"}]) == []


@pytest.mark.parametrize(("seconds", "pct"), [(1.0, 8.0), (1.9, 8.0), (2.0, 4.0), (99.0, 4.0)])
def test_a_gap_stays_until_the_next_is_known(seconds: float, pct: float) -> None:
    assert at([(1.0, 8.0), (2.0, 4.0)], seconds) == pct


def test_a_curve_is_the_median_of_the_seeds_within_their_range() -> None:
    records = [
        run("10s", 8.0, (0.2, 9.0), (4.0, 3.0), seed=1), run("10s", 10.0, (0.5, 5.0), (4.0, 2.0), seed=2),
        run("10s", 10.0, (0.1, 4.0), (4.0, 1.0), seed=3), run("10s", 10.0, (0.01, 50.0), name="bench"),
    ]  # fmt: skip
    curve = curve_of("demo", records)
    assert curve is not None
    assert curve.seeds == [1, 2, 3]
    assert [curve.seconds[0], curve.seconds[-1]] == [0.5, 10]
    assert sorted(curve.seconds) == curve.seconds
    assert (curve.median[0], curve.least[0], curve.greatest[0]) == pytest.approx((5, 4, 9))
    assert (curve.median[-1], curve.least[-1], curve.greatest[-1]) == pytest.approx((2, 1, 3))
    assert curve_of("tight", records) is None


@pytest.mark.parametrize("ended_s", [2.7, 3.1, 9.3])
def test_a_curve_ends_with_the_result_and_shows_what_was_found_at_a_limit(ended_s: float) -> None:
    curve = curve_of("demo", [run("2s", 2.1, (0.3, 9.0), (2.05, 3.0)), {**run("end", ended_s, (2.5, 2.0)), "value": "1499"}])
    assert curve is not None
    assert curve.seconds[-1] == ended_s
    assert curve.median[-1] == pytest.approx(0.1)
    assert dict(zip(curve.seconds, curve.median, strict=True))[2.0] == pytest.approx(3)


def test_what_is_proven_is_drawn_where_it_is_of_the_same_seeds() -> None:
    gaps = [
        {"input": "demo", "seed": seed, "integrality": dollars, "lp_gain": 1000.0}
        for seed, dollars in ((1, 1.0), (2, 4.0), (3, 2.0))
    ]
    assert proven_pct("demo", gaps, [1, 2, 3]) == pytest.approx(0.2)
    assert proven_pct("demo", gaps, [1]) == pytest.approx(0.1)
    assert proven_pct("demo", gaps, [1, 4]) is None
    assert proven_pct("bench", gaps, [1]) is None
