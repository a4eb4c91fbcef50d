"""The freshness verdict, decided on values: the seven verdicts and which one holds where several could."""

from collections.abc import Mapping
from typing import Any

import pytest
from powerfill.common.v1 import run_status_pb2
from powerfill.report.v1 import report_pb2

from services.report_service.reports import notes
from services.report_service.reports.freshness import Freshness, OtherRun, ReportedRun, RunStatus, Verdict, judge
from services.run_service.domain import run as domain
from shared.database import tables
from shared.rpc.values import enum_numbers

ACTIVE = [status for status in RunStatus if status.is_active]
ENDED_BADLY = [RunStatus.FAILED, RunStatus.CANCELLED]


def a_run(run_id: str = "R1", status: RunStatus = RunStatus.COMPLETE, options: Mapping[str, Any] | None = None) -> ReportedRun:
    return ReportedRun(run_id, status, options or {})


CURRENT = OtherRun("R1", RunStatus.COMPLETE)


def test_no_run_yet_without_a_run() -> None:
    assert judge(None, None, None) == Verdict(Freshness.NO_RUN_YET)
    assert judge(None, None, OtherRun("R1", RunStatus.PENDING)) == Verdict(Freshness.NO_RUN_YET)


def test_current_when_nothing_newer_was_attempted() -> None:
    assert judge(a_run(), CURRENT, None) == Verdict(Freshness.CURRENT)


@pytest.mark.parametrize("status", ACTIVE)
def test_newer_in_progress_names_the_active_run(status: RunStatus) -> None:
    newer = OtherRun("R2", status)
    assert judge(a_run(), CURRENT, newer) == Verdict(Freshness.NEWER_IN_PROGRESS, newer)


@pytest.mark.parametrize("status", ENDED_BADLY)
def test_superseded_by_failure_names_the_failed_run_and_its_step(status: RunStatus) -> None:
    newer = OtherRun("R2", status, "allocation")
    assert judge(a_run(), CURRENT, newer) == Verdict(Freshness.SUPERSEDED_BY_FAILURE, newer)


@pytest.mark.parametrize("newer", [None, OtherRun("R3", RunStatus.ALLOCATING), OtherRun("R3", RunStatus.FAILED, "ue")])
def test_stale_names_the_current_run_whatever_was_attempted_since(newer: OtherRun | None) -> None:
    current = OtherRun("R2", RunStatus.COMPLETE)
    assert judge(a_run("R1"), current, newer) == Verdict(Freshness.STALE, current)


def test_a_complete_replay_without_any_complete_run_is_stale() -> None:
    """The run it replays was abandoned after its inputs were stored, so the tenant has no current run."""
    assert judge(a_run("REPLAY"), None, OtherRun("R1", RunStatus.FAILED)) == Verdict(Freshness.STALE)


@pytest.mark.parametrize("status", ACTIVE)
def test_in_progress_before_everything_else(status: RunStatus) -> None:
    assert judge(a_run("R2", status), CURRENT, OtherRun("R2", status)) == Verdict(Freshness.IN_PROGRESS)


@pytest.mark.parametrize("status", ENDED_BADLY)
def test_terminal_empty_before_everything_else(status: RunStatus) -> None:
    assert judge(a_run("R2", status), CURRENT, OtherRun("R3", RunStatus.PENDING)) == Verdict(Freshness.TERMINAL_EMPTY)


def test_run_states_are_those_of_the_run_service_the_contract_and_the_unique_index() -> None:
    assert list(RunStatus) == [str(status) for status in domain.RunStatus]
    assert tuple(map(str, ACTIVE)) == tuple(map(str, domain.ACTIVE)) == tables.ACTIVE_STATUSES
    assert set(enum_numbers(run_status_pb2.RunStatus.DESCRIPTOR)) == set(RunStatus)


def test_verdicts_and_notes_are_those_of_the_contract() -> None:
    assert set(enum_numbers(report_pb2.Freshness.DESCRIPTOR)) == set(Freshness)
    assert set(enum_numbers(report_pb2.NoteCode.DESCRIPTOR)) == set(notes.NoteCode)
