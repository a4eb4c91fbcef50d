"""A run's life: which state follows which, who may take a run up, and how it ends."""

import dataclasses
import datetime as dt
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest

from services.run_service.domain import life
from services.run_service.domain.events import (
    EventKind,
    Finished,
    PassCompleted,
    StatusChanged,
    StepCompleted,
    StepFailed,
    StepSkipped,
    StepStarted,
    Warned,
)
from services.run_service.domain.life import Change, Lease
from services.run_service.domain.options import RunOptions
from services.run_service.domain.outcome import Abandoned, Broke, Computed, Died, Outcome, Stopped
from services.run_service.domain.run import ACTIVE, Failure, Run, RunStatus, Step, is_legal
from shared.database.tables import ACTIVE_STATUSES

NOW = dt.datetime(2026, 4, 17, 12, tzinfo=dt.UTC)
MINE = Lease("mine", NOW + dt.timedelta(seconds=30))


def a_run(status: RunStatus = RunStatus.ALLOCATING, **given: Any) -> Run:
    values: dict[str, Any] = {
        "run_id": "r1", "tenant_id": "acme", "status": status, "requested_by": "desk",
        "options": RunOptions(as_of_date=dt.date(2026, 4, 17)), "submitted_at": NOW, "lease_owner": "mine",
        "lease_until": NOW + dt.timedelta(seconds=20),
    }  # fmt: skip
    return Run(**(values | given))


def moves(change: Change) -> list[StatusChanged]:
    return [kind for kind in change.kinds if isinstance(kind, StatusChanged)]


def worked(*kinds: EventKind, run: Run | None = None) -> Run:
    return life.record(run or a_run(RunStatus.PRE_PROCESSING), kinds, NOW).run


def test_the_active_states_are_those_of_the_databases_unique_index() -> None:
    assert tuple(status.value for status in ACTIVE) == ACTIVE_STATUSES


def test_a_run_passes_through_its_states_one_by_one_whatever_steps_are_skipped() -> None:
    change = life.record(
        a_run(RunStatus.PRE_PROCESSING), (StepStarted(Step.READ_INPUTS), StepSkipped(Step.UE, "nothing to rank")), NOW
    )
    assert change.kinds == (
        StepStarted(Step.READ_INPUTS),
        StatusChanged(RunStatus.PRE_PROCESSING, RunStatus.ALLOCATING),
        StatusChanged(RunStatus.ALLOCATING, RunStatus.POST_PROCESSING),
        StepSkipped(Step.UE, "nothing to rank"),
    )
    assert change.run.status == RunStatus.POST_PROCESSING
    assert [step["outcome"] for step in change.run.steps] == ["STARTED", "SKIPPED"]


def test_events_of_an_earlier_state_do_not_move_a_run_back() -> None:
    change = life.record(a_run(RunStatus.POST_PROCESSING), (StepStarted(Step.READ_INPUTS), Warned("DATA_QUALITY", "x")), NOW)
    assert moves(change) == []
    assert change.run.status == RunStatus.POST_PROCESSING


@pytest.mark.parametrize("outcome", [Computed({}), Stopped(), Broke("ue", "x"), Died(), Abandoned()])
@pytest.mark.parametrize("status", ACTIVE)
@pytest.mark.parametrize("cancelled", [False, True])
def test_every_ending_is_reached_by_legal_moves_and_told_the_same_in_row_and_event(
    status: RunStatus, outcome: Outcome, cancelled: bool
) -> None:
    change = life.conclude(a_run(status, cancel_requested=cancelled), outcome, NOW)
    path = moves(change)
    assert path[0].before == status
    assert path[-1].after == change.run.status
    assert all(is_legal(move.before, move.after) for move in path)
    assert all(one.after == other.before for one, other in pairwise(path))
    assert change.kinds[-1] == Finished(change.run.status, change.run.failure, change.run.summary)
    assert (change.run.ended_at, change.run.lease_owner, change.run.lease_until) == (NOW, "", None)
    assert (change.run.failure is None) == (change.run.status == RunStatus.COMPLETE)


def test_a_computed_run_is_complete_with_its_summary_and_the_durations_of_its_steps() -> None:
    run = worked(StepStarted(Step.READ_INPUTS), StepCompleted(Step.READ_INPUTS, 11, 0.25), StepSkipped(Step.UE, "x"))
    change = life.conclude(run, Computed({"value": "1.00"}, {"pfill_powerfill_guide": 3}, '["L1"]'), NOW)
    assert change.run.status == RunStatus.COMPLETE
    assert change.run.summary == {"value": "1.00", "step_durations": {"read_inputs": 0.25}}
    assert change.run.output_counts == {"pfill_powerfill_guide": 3}
    assert change.input_loan_ids == '["L1"]'


def test_a_cancel_that_was_recorded_wins_even_over_a_result() -> None:
    run = dataclasses.replace(worked(StepStarted(Step.WRITE_OUTPUTS)), cancel_requested=True)
    for outcome in (Computed({"value": "1.00"}, {"pfill_powerfill_guide": 3}), Died(), Broke("ue", "x"), Stopped()):
        ended = life.conclude(run, outcome, NOW).run
        assert (ended.status, ended.failure and ended.failure.message) == (RunStatus.CANCELLED, "cancelled by request")
        assert (set(ended.summary), ended.output_counts) == ({"step_durations"}, {})


def test_a_cancelled_run_says_where_it_was_and_how_long_the_step_lasted() -> None:
    run = dataclasses.replace(worked(StepStarted(Step.ALLOCATION)), cancel_requested=True)
    ended = life.conclude(run, Stopped(), NOW + dt.timedelta(seconds=3)).run
    assert ended.failure == Failure("allocation", "cancelled by request")
    assert ended.steps[-1]["outcome"] == "STARTED"
    assert ended.steps[-1]["duration_s"] == 3.0
    assert ended.summary == {"step_durations": {"allocation": 3.0}}


def test_a_broken_step_fails_the_run_and_is_told_before_the_end() -> None:
    change = life.conclude(worked(StepStarted(Step.UE)), Broke("ue", "the reason"), NOW + dt.timedelta(seconds=1))
    assert change.run.failure == Failure("ue", "the reason")
    assert change.kinds[0] == StepFailed(Step.UE, "the reason")
    assert {**change.run.steps[-1], "started_at": ""} == {
        "step": "ue", "outcome": "FAILED", "row_count": 0, "duration_s": 1.0, "message": "the reason", "started_at": "",
    }  # fmt: skip


def test_a_run_that_dies_before_its_first_step_fails_without_a_step() -> None:
    change = life.conclude(a_run(RunStatus.PRE_PROCESSING, deaths=1), Died(), NOW)
    assert change.run.failure is not None
    assert change.run.failure.step == ""
    assert "abandoned" in change.run.failure.message
    assert not any(isinstance(kind, StepFailed) for kind in change.kinds)


def test_a_waiting_run_is_taken_up_by_the_server_that_queued_it() -> None:
    change = life.claim(a_run(RunStatus.PENDING), MINE, NOW)
    assert change is not None
    assert (change.run.status, change.run.started_at, change.run.lease_until) == (RunStatus.PRE_PROCESSING, NOW, MINE.until)
    assert change.kinds == (StatusChanged(RunStatus.PENDING, RunStatus.PRE_PROCESSING),)
    assert (change.run.attempt, change.run.deaths) == (1, 0)


@pytest.mark.parametrize(
    "run",
    [
        a_run(RunStatus.PENDING, lease_owner="another"),
        a_run(RunStatus.ALLOCATING),  # at work here already
        a_run(RunStatus.ALLOCATING, lease_owner="another"),
        a_run(RunStatus.COMPLETE, lease_owner="", lease_until=None),
        a_run(RunStatus.ALLOCATING, lease_owner="", lease_until=None, cancel_requested=True),
        a_run(RunStatus.ALLOCATING, lease_owner="gone", lease_until=NOW, deaths=1),
    ],
    ids=["another's", "at work here", "at work elsewhere", "ended", "to be cancelled", "lost twice"],
)
def test_a_run_that_is_held_ended_or_to_be_ended_is_not_taken_up(run: Run) -> None:
    assert life.claim(run, MINE, NOW) is None


def test_a_run_left_by_a_stopped_server_is_the_next_attempt_and_no_death() -> None:
    change = life.claim(a_run(RunStatus.ALLOCATING, lease_owner="", lease_until=None, deaths=1), MINE, NOW)
    assert change is not None
    assert (change.run.attempt, change.run.deaths, change.run.lease_owner) == (2, 1, "mine")
    assert [type(kind) for kind in change.kinds] == [Warned, StatusChanged]
    assert isinstance(change.kinds[0], Warned)
    assert change.kinds[0].code == "SERVER_STOPPED"


def test_a_run_left_by_a_lost_server_is_the_next_attempt_and_one_death() -> None:
    left = worked(StepStarted(Step.CANDIDATE_BUILDER), run=a_run(RunStatus.PRE_PROCESSING, lease_owner="gone", lease_until=NOW))
    change = life.claim(left, MINE, NOW)
    assert change is not None
    assert (change.run.status, change.run.attempt, change.run.deaths) == (RunStatus.PRE_PROCESSING, 2, 1)
    assert change.run.steps == ()
    assert change.kinds[-1] == StatusChanged(RunStatus.ALLOCATING, RunStatus.PRE_PROCESSING)


def test_a_waiting_run_of_a_lost_server_is_taken_up_without_a_death() -> None:
    change = life.claim(a_run(RunStatus.PENDING, lease_owner="gone", lease_until=NOW, deaths=1), MINE, NOW)
    assert change is not None
    assert (change.run.attempt, change.run.deaths) == (1, 1)


@pytest.mark.parametrize(
    ("run", "expected"),
    [
        (a_run(lease_owner="gone", lease_until=NOW, deaths=1), True),
        (a_run(lease_owner="gone", lease_until=NOW, deaths=0), False),
        (a_run(lease_owner="", lease_until=None, deaths=1), False),
        (a_run(lease_owner="", lease_until=None, cancel_requested=True), True),
        (a_run(RunStatus.PENDING, lease_owner="gone", lease_until=NOW, deaths=1), False),
        (a_run(deaths=1, cancel_requested=True), False),
    ],
    ids=["lost twice", "lost once", "released", "released and cancelled", "never started", "held"],
)
def test_which_runs_the_sweep_ends(run: Run, expected: bool) -> None:
    assert life.is_abandoned(run, NOW) is expected


def test_a_dead_worker_is_replaced_once() -> None:
    first = life.settle(a_run(), Died(), MINE, NOW, is_stopping=False)
    assert (first.run.status, first.run.attempt, first.run.deaths) == (RunStatus.PRE_PROCESSING, 2, 1)
    second = life.settle(first.run, Died(), MINE, NOW, is_stopping=False)
    assert second.run.status == RunStatus.FAILED


def test_a_server_that_stops_leaves_its_run_but_not_a_cancelled_one() -> None:
    left = life.settle(a_run(), Died(), MINE, NOW, is_stopping=True)
    assert (left.run.is_active, left.run.lease_owner, left.kinds) == (True, "", ())
    cancelled = life.settle(a_run(cancel_requested=True), Died(), MINE, NOW, is_stopping=True)
    assert cancelled.run.status == RunStatus.CANCELLED
    complete = life.settle(a_run(), Computed({}), MINE, NOW, is_stopping=True)
    assert complete.run.status == RunStatus.COMPLETE


def test_events_other_than_steps_leave_the_steps_alone() -> None:
    run = worked(StepStarted(Step.ALLOCATION), PassCompleted("exact_fit", Decimal(1), None, 2))
    assert len(run.steps) == 1


@pytest.mark.parametrize("status", [RunStatus.COMPLETE, RunStatus.FAILED, RunStatus.CANCELLED])
def test_a_run_that_ended_does_not_end_again(status: RunStatus) -> None:
    with pytest.raises(ValueError, match=f"cannot go from {status}"):
        life.conclude(a_run(status), Broke("ue", "x"), NOW)
