"""What a reader of a report should know: codes with their text, among them why a report is empty."""

import enum
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.report_service.reports.freshness import OtherRun, ReportedRun, RunStatus
from shared.database.tables import OUTPUT_TABLES


class NoteCode(enum.StrEnum):
    """powerfill.report.v1.NoteCode without its prefix (a test compares the two)."""

    NO_RUN_YET = "NO_RUN_YET"
    RUN_IN_PROGRESS = "RUN_IN_PROGRESS"
    RUN_ENDED_WITHOUT_OUTPUT = "RUN_ENDED_WITHOUT_OUTPUT"
    NOTHING_TO_REPORT = "NOTHING_TO_REPORT"
    FILTER_MATCHES_NOTHING = "FILTER_MATCHES_NOTHING"
    UPSTREAM_COLUMN_MISSING = "UPSTREAM_COLUMN_MISSING"
    NO_SYNTHETIC_PRICES = "NO_SYNTHETIC_PRICES"
    NOT_IN_THIS_RUN = "NOT_IN_THIS_RUN"
    KEPT_FOR_DIAGNOSIS = "KEPT_FOR_DIAGNOSIS"


@dataclass(frozen=True)
class Note:
    """A code and the same in words, with names."""

    code: NoteCode
    text: str


_LOG = OUTPUT_TABLES["pfill_powerfill_log"]
_CODE_OF_FINDING: Mapping[str, NoteCode] = {
    "UPSTREAM_SCHEMA": NoteCode.UPSTREAM_COLUMN_MISSING,
    "NO_SYNTHETIC_PRICES": NoteCode.NO_SYNTHETIC_PRICES,
}
"""The findings of the run log that readers of a report are told of."""

UPSTREAM = frozenset({NoteCode.UPSTREAM_COLUMN_MISSING})
"""For reports that show prices or decisions: every optional column of the lender's goes into eligibility or price."""
SYNTHETIC = UPSTREAM | {NoteCode.NO_SYNTHETIC_PRICES}
"""For reports that show synthetic trades as well."""


async def logged(connection: AsyncConnection, run_id: str, codes: Iterable[NoteCode]) -> list[Note]:
    """The notes of these codes that the run's log holds, in its order."""
    wanted = set(codes)
    findings = [finding for finding, code in _CODE_OF_FINDING.items() if code in wanted]
    statement = (
        sa.select(_LOG.c.code, _LOG.c.message).where(_LOG.c.run_id == run_id, _LOG.c.code.in_(findings)).order_by(_LOG.c.sequence)
    )
    return [Note(_CODE_OF_FINDING[row.code], row.message) for row in await connection.execute(statement)]


def no_run_yet(attempt: OtherRun | None) -> Note:
    """Why a report without a run is empty; `attempt` is the tenant's active run, else its latest."""
    if attempt is None:
        state = "no run has been submitted"
    elif attempt.status.is_active:
        state = f"run {attempt.run_id} is {attempt.status}"
    else:
        state = f"run {attempt.run_id} ended {attempt.status}{_in_step(attempt.failure_step)}"
    return Note(NoteCode.NO_RUN_YET, f"no rows: there is no complete run yet; {state}")


def without_output(run: ReportedRun) -> Note:
    """Why a run that is not COMPLETE has no rows."""
    if run.status.is_active:
        return Note(NoteCode.RUN_IN_PROGRESS, f"no rows yet: run {run.run_id} is {run.status}")
    return Note(NoteCode.RUN_ENDED_WITHOUT_OUTPUT, f"no rows: run {run.run_id} {_ended(run)}")


def kept_for_diagnosis(run: ReportedRun) -> Note:
    """What the rows of a run are that failed or was cancelled."""
    text = f"no result: the rows are what run {run.run_id} left for diagnosis; it {_ended(run)}"
    return Note(NoteCode.KEPT_FOR_DIAGNOSIS, text)


def filter_matches_nothing(row_count: int) -> Note:
    """Why a filter over so many rows leaves none."""
    return Note(NoteCode.FILTER_MATCHES_NOTHING, f"no rows: none of {row_count} matches the filter")


def rows_not_recorded(run: ReportedRun) -> Note:
    """Why a run of an earlier version has no rows for a report that came after it."""
    text = f"no rows: run {run.run_id} was made by an earlier version, which did not record them; a new run or a replay does"
    return Note(NoteCode.NOT_IN_THIS_RUN, text)


def columns_not_recorded(run: ReportedRun, columns: Sequence[str]) -> Note:
    """Which columns are unset in the rows of a run of an earlier version."""
    text = f"run {run.run_id} was made by an earlier version, which did not record {', '.join(columns)}: they are unset"
    return Note(NoteCode.NOT_IN_THIS_RUN, text)


def nothing_to_report(why: str) -> Note:
    """Why a complete run has no rows for the report."""
    return Note(NoteCode.NOTHING_TO_REPORT, f"no rows: {why}")


def _ended(run: ReportedRun) -> str:
    how = "failed" if run.status == RunStatus.FAILED else "was cancelled"
    text = f"{how}{_in_step(run.failure_step)}"
    return f"{text}: {run.failure_message}" if run.failure_message else text


def _in_step(step: str) -> str:
    return f" in step {step}" if step else ""
