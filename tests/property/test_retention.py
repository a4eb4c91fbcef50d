"""Who goes by retention, whatever runs there are."""

import dataclasses
import datetime as dt

from hypothesis import given
from hypothesis import strategies as st

from services.run_service.application.ports import StoredRun
from services.run_service.application.retention import expired
from services.run_service.domain.run import ACTIVE, RunStatus

NOON = dt.datetime(2026, 4, 17, 12, tzinfo=dt.UTC)


@st.composite
def histories(draw: st.DrawFn) -> list[StoredRun]:
    """Runs of one tenant in any order, at most one of them active, some replays of others, some marked."""
    count = draw(st.integers(0, 12))
    ended = [RunStatus.COMPLETE] * 3 + [RunStatus.FAILED, RunStatus.CANCELLED]
    runs = [
        StoredRun(
            run_id=f"r{number}",
            status=draw(st.sampled_from(ended)),
            submitted_at=NOON + dt.timedelta(minutes=draw(st.integers(0, 8))),
            replay_of=draw(st.sampled_from(["", "", "", f"r{draw(st.integers(0, count))}"])),
            is_marked=draw(st.sampled_from([False, False, False, True])),
        )
        for number in range(count)
    ]
    has_active: bool = draw(st.booleans())
    if runs and has_active:
        place = draw(st.integers(0, count - 1))
        runs[place] = dataclasses.replace(runs[place], status=draw(st.sampled_from(ACTIVE)), is_marked=False)
    return runs


def age(run: StoredRun) -> tuple[dt.datetime, str]:
    return run.submitted_at, run.run_id


@given(runs=histories(), keep=st.integers(1, 4))
def test_exactly_those_go_that_the_rule_names(runs: list[StoredRun], keep: int) -> None:
    unmarked = [run for run in runs if not run.is_marked]
    complete = sorted((run for run in unmarked if run.status == RunStatus.COMPLETE and not run.replay_of), key=age)[-keep:]
    active = [run for run in runs if run.status in ACTIVE]
    gone = {run.run_id for run in expired(runs, keep)}
    for run in runs:
        newer_replays = [other for other in unmarked if other.replay_of and other not in active and age(other) > age(run)]
        is_needed = run in active or any(other.replay_of == run.run_id for other in active)
        is_old = len(complete) == keep and age(run) < age(complete[0])
        one_too_many = bool(run.replay_of) and len(newer_replays) >= keep
        assert (run.run_id in gone) == (run.is_marked or ((is_old or one_too_many) and not is_needed)), run


@given(runs=histories(), keep=st.integers(1, 4))
def test_the_current_run_stays_and_a_second_look_finds_nothing_more(runs: list[StoredRun], keep: int) -> None:
    gone = expired(runs, keep)
    left = [run for run in runs if run not in gone]
    current = max((run for run in runs if run.status == RunStatus.COMPLETE and not run.replay_of), key=age, default=None)
    assert current is None or current.is_marked or current in left
    assert expired(left, keep) == []
    assert gone == sorted(gone, key=age)
