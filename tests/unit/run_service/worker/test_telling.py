"""What leaves a worker: events with durations, progress at a bounded rate, and a log of a run that breaks."""

import time
from decimal import Decimal

import pytest

from services.run_service.application.ports import Happened, InputsRead, TableWritten
from services.run_service.domain.events import EventKind, PassCompleted, StepCompleted, StepProgress, StepStarted, Warned
from services.run_service.domain.findings import Code, warning
from services.run_service.domain.run import Step
from services.run_service.worker.stopping import WorkerStop
from services.run_service.worker.telling import TellingProgress


class Told:
    """What was told, and a clock that moves when asked."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.kinds: list[EventKind] = []
        self.time_s = 100.0
        monkeypatch.setattr(time, "monotonic", lambda: self.time_s)

    def __call__(self, message: Happened | InputsRead | TableWritten) -> None:
        assert isinstance(message, Happened)
        assert message.at_ns > 0
        self.kinds.append(message.kind)


def test_progress_is_told_at_most_ten_times_a_second_and_afresh_in_each_step(monkeypatch: pytest.MonkeyPatch) -> None:
    told = Told(monkeypatch)
    progress = TellingProgress(told)
    for step in (Step.CANDIDATE_BUILDER, Step.ALLOCATION):
        progress.step_started(step)
        for number in range(1000):
            progress.step_progress(step, number / 1000, "", {"candidates": number})
            told.time_s += 0.001
    by_step = [kind.step for kind in told.kinds if isinstance(kind, StepProgress)]
    assert 9 <= by_step.count(Step.CANDIDATE_BUILDER) <= 11
    assert 9 <= by_step.count(Step.ALLOCATION) <= 11


def test_a_step_lasted_from_its_start_to_its_completion(monkeypatch: pytest.MonkeyPatch) -> None:
    told = Told(monkeypatch)
    progress = TellingProgress(told)
    progress.step_started(Step.UE)
    told.time_s += 1.5
    progress.step_completed(Step.UE, 7)
    assert told.kinds == [StepStarted(Step.UE), StepCompleted(Step.UE, 7, 1.5)]


def test_warnings_and_passes_are_told_and_logged_under_their_step(monkeypatch: pytest.MonkeyPatch) -> None:
    told = Told(monkeypatch)
    progress = TellingProgress(told)
    progress.step_started(Step.ALLOCATION)
    progress.warning(warning(Code.LOCKDOWN, "pfill_lockdown", "unknown loans", ["L9", "L8"]))
    progress.pass_completed("exact_fit", Decimal("12.50"), None, 3)
    assert told.kinds[1:] == [
        Warned("LOCKDOWN", "unknown loans", 2, ("L8", "L9")),
        PassCompleted("exact_fit", Decimal("12.50"), None, 3),
    ]
    log = progress.log.table()
    assert log.select("sequence", "step", "pass", "code", "row_count", "examples").rows() == [
        (1, "allocation", None, "LOCKDOWN", 2, '["L8", "L9"]'),
        (2, "allocation", "exact_fit", "PASS", 3, "[]"),
    ]


def test_the_improvement_phase_has_its_seconds_from_its_own_start(monkeypatch: pytest.MonkeyPatch) -> None:
    told = Told(monkeypatch)
    stop = WorkerStop(lambda: False)
    assert not stop.time_is_up()
    told.time_s += 100
    stop.start_improvement(10.0)
    told.time_s += 9.9
    assert not stop.time_is_up()
    told.time_s += 0.1
    assert stop.time_is_up()
    unlimited = WorkerStop(lambda: False)
    unlimited.start_improvement(None)
    told.time_s += 1e6
    assert not unlimited.time_is_up()


def test_time_between_two_parts_of_the_improvement_phase_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    told = Told(monkeypatch)
    stop = WorkerStop(lambda: False)
    stop.start_improvement(10.0)
    told.time_s += 6
    stop.pause_improvement()
    told.time_s += 100
    assert not stop.time_is_up()
    stop.start_improvement(10.0)
    told.time_s += 3.9
    assert not stop.time_is_up()
    told.time_s += 0.2
    assert stop.time_is_up()


def test_the_improvement_is_told_at_most_four_times_a_second_and_other_passes_always(monkeypatch: pytest.MonkeyPatch) -> None:
    told = Told(monkeypatch)
    progress = TellingProgress(told)
    for _ in range(1000):
        progress.pass_completed("improve", Decimal(1), Decimal(2), 3)
        progress.pass_completed("construct", Decimal(1), Decimal(2), 3)
        told.time_s += 0.001
    names = [kind.name for kind in told.kinds if isinstance(kind, PassCompleted)]
    assert names.count("construct") == 1000
    assert 4 <= names.count("improve") <= 5
