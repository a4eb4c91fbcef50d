"""Runs as rows of `pfill_run_history`."""

import datetime as dt
import json
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from services.run_service.domain.options import parse_options
from services.run_service.domain.run import ACTIVE, Failure, Run, RunStatus
from shared.database.tables import AUDIT_TABLES

HISTORY = AUDIT_TABLES["pfill_run_history"]

COLUMNS = tuple(column for column in HISTORY.columns if column.name != "input_loan_ids")
"""What a Run is made of; the list of loans can be long and is only ever written."""

IS_ACTIVE = HISTORY.c.status.in_([status.value for status in ACTIVE])


def is_run(tenant_id: str, run_id: str) -> sa.ColumnElement[bool]:
    """The row of one run of one tenant."""
    return sa.and_(HISTORY.c.run_id == run_id, HISTORY.c.tenant_id == tenant_id)


def run_row(run: Run) -> dict[str, Any]:
    """The row of a run, but for `outputs_removed`, which retention alone writes."""
    return {
        "run_id": run.run_id,
        "tenant_id": run.tenant_id,
        "status": run.status.value,
        "requested_by": run.requested_by,
        "options": json.dumps(run.options.to_json()),
        "input_counts": json.dumps(dict(run.input_counts)),
        "output_counts": json.dumps(dict(run.output_counts)),
        "submitted_at_utc": run.submitted_at,
        "started_at_utc": run.started_at,
        "ended_at_utc": run.ended_at,
        "failure_step": run.failure.step if run.failure else "",
        "failure_message": run.failure.message if run.failure else "",
        "summary": json.dumps(dict(run.summary)),
        "steps": json.dumps([dict(step) for step in run.steps]),
        "replay_of": run.replay_of,
        "request_id": run.request_id or None,
        "request_digest": run.request_digest,
        "attempt": run.attempt,
        "deaths": run.deaths,
        "cancel_requested": run.cancel_requested,
        "lease_owner": run.lease_owner,
        "lease_until_utc": run.lease_until,
        "last_sequence": run.last_sequence,
    }


def run_of(row: Mapping[str, Any]) -> Run:
    """The run of a row."""
    options = json.loads(row["options"])
    status = RunStatus(row["status"])
    ended_badly = status in (RunStatus.FAILED, RunStatus.CANCELLED)
    return Run(
        run_id=row["run_id"],
        tenant_id=row["tenant_id"],
        status=status,
        requested_by=row["requested_by"],
        options=parse_options(options, dt.date.fromisoformat(options["as_of_date"])),
        submitted_at=row["submitted_at_utc"],
        started_at=row["started_at_utc"],
        ended_at=row["ended_at_utc"],
        attempt=row["attempt"],
        failure=Failure(row["failure_step"], row["failure_message"]) if ended_badly else None,
        summary=json.loads(row["summary"]),
        steps=tuple(json.loads(row["steps"])),
        replay_of=row["replay_of"],
        request_id=row["request_id"] or "",
        request_digest=row["request_digest"],
        last_sequence=row["last_sequence"],
        cancel_requested=row["cancel_requested"],
        lease_owner=row["lease_owner"],
        lease_until=row["lease_until_utc"],
        deaths=row["deaths"],
        input_counts=json.loads(row["input_counts"]),
        output_counts=json.loads(row["output_counts"]),
        outputs_removed=row["outputs_removed"],
    )
