"""The figures of a run out of the JSON of its history."""

import datetime as dt
import json

import pytest

from services.report_service.reports.run_figures import FIGURES, figures

MOMENT = dt.datetime(2026, 4, 17, tzinfo=dt.UTC)


def test_a_run_that_came_nowhere_has_no_figures() -> None:
    assert figures("{}", "{}", None, None) == dict.fromkeys(FIGURES)


def test_figures_that_are_null_in_the_summary_are_unset() -> None:
    summary = json.dumps({"upper_bound": None, "gap_amount": None, "gap_bp": None, "value": "1.00", "baseline_value": "3.5"})
    found = figures('{"as_of_date": "2026-04-17", "strategy": "PASSES"}', summary, MOMENT, None)
    assert {name: figure for name, figure in found.items() if figure is not None} == {
        "as_of_date": dt.date(2026, 4, 17), "strategy": "PASSES", "value": "1.00", "baseline_value": "3.50", "gain": "-2.50",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("filled", "short", "percent"),
    [(1, 2, "33.333333"), (2, 1, "66.666667"), (0, 3, "0.000000"), (3, 0, "100.000000"), (0, 0, None)],
)
def test_percentages_round_half_away_and_are_unset_without_a_whole(filled: int, short: int, percent: str | None) -> None:
    summary = json.dumps({"trades_filled": filled, "trades_underfilled": short})
    assert figures("{}", summary, None, None)["trades_filled_pct"] == percent


def test_a_run_lasts_from_its_start_to_its_end() -> None:
    ended = MOMENT + dt.timedelta(seconds=2.5)
    assert figures("{}", "{}", MOMENT, ended)["duration"] == dt.timedelta(seconds=2.5)
