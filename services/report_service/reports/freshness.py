"""How a report's run stands to the tenant's other runs: the verdict of specification 03, decided on values alone.

*Newer* means submitted later. A replay is never the current run: it makes no other run stale, in progress or superseded,
and its own rows are STALE beside the tenant's current run.
"""

import datetime as dt
import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


class RunStatus(enum.StrEnum):
    """Where a run is in its life, as recorded in `pfill_run_history`."""

    PENDING = "PENDING"
    PRE_PROCESSING = "PRE_PROCESSING"
    ALLOCATING = "ALLOCATING"
    POST_PROCESSING = "POST_PROCESSING"
    COMPLETE = "COMPLETE"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"

    @property
    def is_active(self) -> bool:
        """Whether the run has not ended."""
        return self not in (RunStatus.COMPLETE, RunStatus.FAILED, RunStatus.CANCELLED)


class Freshness(enum.StrEnum):
    """The seven verdicts; powerfill.report.v1.Freshness without its prefix (a test compares the two)."""

    CURRENT = "CURRENT"
    NEWER_IN_PROGRESS = "NEWER_IN_PROGRESS"
    STALE = "STALE"
    SUPERSEDED_BY_FAILURE = "SUPERSEDED_BY_FAILURE"
    IN_PROGRESS = "IN_PROGRESS"
    TERMINAL_EMPTY = "TERMINAL_EMPTY"
    NO_RUN_YET = "NO_RUN_YET"


@dataclass(frozen=True)
class ReportedRun:
    """The run a report answers for. `ended_at` is UTC; `options` and `summary` are JSON objects by the specification's names.

    `output_counts` are the rows of each output table, known once it is COMPLETE.
    """

    run_id: str
    status: RunStatus
    options: Mapping[str, Any]
    ended_at: dt.datetime | None = None
    failure_step: str = ""
    failure_message: str = ""
    summary: Mapping[str, Any] = field(default_factory=dict)
    output_counts: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class OtherRun:
    """Another run of the tenant that the verdict may speak of; `failure_step` is empty unless it failed or was cancelled."""

    run_id: str
    status: RunStatus
    failure_step: str = ""


@dataclass(frozen=True)
class Verdict:
    """The freshness of a report, and the other run it speaks of where it speaks of one."""

    freshness: Freshness
    other: OtherRun | None = None


def judge(run: ReportedRun | None, current: OtherRun | None, newer: OtherRun | None) -> Verdict:
    """The verdict on `run` (None: none was asked for and there is no complete one).

    `current` is the tenant's latest complete run, `newer` the attempt after it: the active one, else the latest that failed
    or was cancelled. Neither is ever a replay.
    """
    if run is None:
        return Verdict(Freshness.NO_RUN_YET)
    if run.status.is_active:
        return Verdict(Freshness.IN_PROGRESS)
    if run.status != RunStatus.COMPLETE:
        return Verdict(Freshness.TERMINAL_EMPTY)
    if current is None or current.run_id != run.run_id:
        return Verdict(Freshness.STALE, current)
    if newer is None:
        return Verdict(Freshness.CURRENT)
    return Verdict(Freshness.NEWER_IN_PROGRESS if newer.status.is_active else Freshness.SUPERSEDED_BY_FAILURE, newer)
