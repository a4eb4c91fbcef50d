"""Every kind of event survives its row."""

import datetime as dt
import json
from decimal import Decimal
from typing import get_args

import pytest

from services.run_service.domain.events import (
    Accepted,
    EventKind,
    Finished,
    PassCompleted,
    RunEvent,
    StatusChanged,
    StepCompleted,
    StepFailed,
    StepProgress,
    StepSkipped,
    StepStarted,
    Warned,
)
from services.run_service.domain.run import Failure, RunStatus, Step
from services.run_service.repositories.event_rows import event_of, event_row

AT = dt.datetime(2026, 4, 17, 12, 0, 0, 123456, tzinfo=dt.UTC)

KINDS: list[EventKind] = [
    Accepted("desk"),
    StatusChanged(RunStatus.PENDING, RunStatus.PRE_PROCESSING),
    StepStarted(Step.UE),
    StepProgress(Step.ALLOCATION, 0.5, "half", {"candidates": 12}),
    StepCompleted(Step.ALLOCATION, 3, 0.25),
    StepSkipped(Step.BX_CASH_GRIDS, "no bx_price_floor"),
    StepFailed(Step.POOL_GUIDE, "broke"),
    PassCompleted("exact_fit", Decimal("12.30"), None, 4),
    PassCompleted("improve", Decimal("12.30"), Decimal("13.00"), 4),
    Warned("DATA_QUALITY", "rows that point nowhere", 7, ("L1", "L2")),
    Finished(RunStatus.COMPLETE, None, {"value": "12.30", "step_durations": {"ue": 0.5}}),
    Finished(RunStatus.FAILED, Failure("ue", "broke"), {}),
]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: type(kind).__name__)
def test_an_event_comes_back_as_it_went(kind: EventKind) -> None:
    event = RunEvent("r1", 7, AT, 2, kind)
    row = event_row(event)
    assert event_of(row) == event
    json.loads(row["payload"])


def test_no_kind_is_forgotten() -> None:
    assert {type(kind) for kind in KINDS} == set(get_args(EventKind))
