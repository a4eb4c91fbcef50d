"""A run's life as pure functions: the row as it stands goes in, the row as it shall stand and what happened come out.

A repository applies a change in one transaction, so that row, events and stored summary always agree.
"""

import dataclasses
import datetime as dt
import enum
from dataclasses import dataclass
from itertools import pairwise

from services.run_service.domain import steps
from services.run_service.domain.events import (
    EventKind,
    Finished,
    StatusChanged,
    StepFailed,
    StepSkipped,
    StepStarted,
    Warned,
)
from services.run_service.domain.outcome import Abandoned, Broke, Computed, Died, Outcome
from services.run_service.domain.run import ACTIVE, STATUS_OF_STEP, Failure, Run, RunStatus, Step, is_legal

MAX_DEATHS = 1
"""How many workers or servers a run may lose and still be started again."""

CANCELLED_MESSAGE = "cancelled by request"


class Interruption(enum.StrEnum):
    """Why a run starts again from the beginning; the code of the warning that tells it."""

    SERVER_STOPPED = "SERVER_STOPPED"
    SERVER_LOST = "SERVER_LOST"
    WORKER_LOST = "WORKER_LOST"


_TOLD = {
    Interruption.SERVER_STOPPED: "the server that worked on the run was stopped",
    Interruption.SERVER_LOST: "the server that worked on the run is gone",
    Interruption.WORKER_LOST: "the worker process of the run ended unexpectedly",
}


@dataclass(frozen=True)
class Lease:
    """The right to work on a run: whose, and until when (UTC)."""

    owner: str
    until: dt.datetime


@dataclass(frozen=True)
class Change:
    """A run as it shall be, and what happened, in order. `input_loan_ids` (JSON) is stored where it is given."""

    run: Run
    kinds: tuple[EventKind, ...] = ()
    input_loan_ids: str | None = None


def is_free(run: Run, now: dt.datetime) -> bool:
    """Whether it is active and nobody holds it: released, or the holder's lease has passed."""
    return run.is_active and (not run.lease_owner or run.lease_until is None or run.lease_until <= now)


def is_abandoned(run: Run, now: dt.datetime) -> bool:
    """Whether it is free and must end rather than start again."""
    if not is_free(run, now):
        return False
    lost = bool(run.lease_owner) and run.status != RunStatus.PENDING
    return run.cancel_requested or (lost and run.deaths >= MAX_DEATHS)


def claim(run: Run, lease: Lease, now: dt.datetime) -> Change | None:
    """Take up a run that waits: for the first time, after a server's stop, or after its loss. None: it is not to be had."""
    waits_here = run.status == RunStatus.PENDING and run.lease_owner == lease.owner
    if not (waits_here or is_free(run, now)) or is_abandoned(run, now):
        return None
    if run.status != RunStatus.PENDING:
        return restart(run, Interruption.SERVER_LOST if run.lease_owner else Interruption.SERVER_STOPPED, lease)
    taken = dataclasses.replace(
        run, status=RunStatus.PRE_PROCESSING, started_at=now, lease_owner=lease.owner, lease_until=lease.until
    )
    return Change(taken, (_move(run.status, taken.status),))


def restart(run: Run, interruption: Interruption, lease: Lease) -> Change:
    """Begin the next attempt from the start; all but a server's orderly stop count as a death."""
    attempt = run.attempt + 1
    again = dataclasses.replace(
        run,
        status=RunStatus.PRE_PROCESSING,
        attempt=attempt,
        deaths=run.deaths + (interruption != Interruption.SERVER_STOPPED),
        steps=(),
        lease_owner=lease.owner,
        lease_until=lease.until,
    )
    told = Warned(interruption.value, f"{_TOLD[interruption]}; attempt {attempt} starts from the beginning")
    moved = () if run.status == again.status else (_move(run.status, again.status),)
    return Change(again, (told, *moved))


def record(run: Run, kinds: tuple[EventKind, ...], at: dt.datetime) -> Change:
    """What a worker tells: the events, each status change before the step that brings it, and the row's steps and status."""
    told: list[EventKind] = []
    status, reports = run.status, run.steps
    for kind in kinds:
        if isinstance(kind, (StepStarted, StepSkipped)):
            moves = _moves(status, STATUS_OF_STEP[kind.step])
            told += moves
            status = moves[-1].after if moves else status
        told.append(kind)
        reports = steps.after_event(reports, kind, at)
    return Change(dataclasses.replace(run, status=status, steps=reports), tuple(told))


def release(run: Run) -> Change:
    """Leave an active run to whoever comes next."""
    return Change(dataclasses.replace(run, lease_owner="", lease_until=None))


def ask_to_cancel(run: Run) -> Change:
    """Record that an active run shall end."""
    return Change(dataclasses.replace(run, cancel_requested=True))


def settle(run: Run, outcome: Outcome, lease: Lease, now: dt.datetime, *, is_stopping: bool) -> Change:
    """What follows from an attempt's outcome: left to the next server, begun again, or ended."""
    if isinstance(outcome, Died) and not run.cancel_requested:
        if is_stopping:
            return release(run)
        if run.deaths < MAX_DEATHS:
            return restart(run, Interruption.WORKER_LOST, lease)
    return conclude(run, outcome, now)


def conclude(run: Run, outcome: Outcome, now: dt.datetime) -> Change:
    """The ending of an active run: status, failure, summary, steps and last event, decided here and nowhere else.

    A cancel that was recorded before the end wins over everything, because whoever asked was told that it would.
    """
    status = _final_status(run, outcome)
    step = outcome.step if isinstance(outcome, Broke) else steps.current_step(run.steps)
    told: list[EventKind] = []
    failure = None
    if status == RunStatus.CANCELLED:
        failure = Failure(step, CANCELLED_MESSAGE)
    elif status == RunStatus.FAILED:
        failure = Failure(step, outcome.message if isinstance(outcome, Broke) else _abandoned(outcome))
        told += [StepFailed(Step(step), failure.message)] if step else []
    reports = run.steps
    for kind in told:
        reports = steps.after_event(reports, kind, now)
    reports = steps.cut_short(reports, now)
    computed = outcome if isinstance(outcome, Computed) and status == RunStatus.COMPLETE else Computed({})
    summary = {**computed.summary, "step_durations": steps.durations(reports)}
    told += _moves(run.status, status) if status == RunStatus.COMPLETE else [_move(run.status, status)]
    ended = dataclasses.replace(
        run,
        status=status,
        failure=failure,
        summary=summary,
        steps=reports,
        output_counts=computed.output_counts,
        ended_at=now,
        lease_owner="",
        lease_until=None,
    )
    return Change(ended, (*told, Finished(status, failure, summary)), computed.input_loan_ids)


def _final_status(run: Run, outcome: Outcome) -> RunStatus:
    if run.cancel_requested:
        return RunStatus.CANCELLED
    return RunStatus.COMPLETE if isinstance(outcome, Computed) else RunStatus.FAILED


def _abandoned(outcome: Outcome) -> str:
    lost = Interruption.SERVER_LOST if isinstance(outcome, Abandoned) else Interruption.WORKER_LOST
    return f"abandoned: {_TOLD[lost]}, for the second time; submit it again, and tell the operator if it ends like this again"


def _moves(before: RunStatus, after: RunStatus) -> list[StatusChanged]:
    """The single steps of the life from one status to a later one; none if it is there already."""
    order = (*ACTIVE, RunStatus.COMPLETE)
    path = order[order.index(before) : order.index(after) + 1]
    return [_move(one, next_one) for one, next_one in pairwise(path)]


def _move(before: RunStatus, after: RunStatus) -> StatusChanged:
    if not is_legal(before, after):
        raise ValueError(f"a run cannot go from {before} to {after}")
    return StatusChanged(before, after)
