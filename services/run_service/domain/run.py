"""A run: its states, the legal transitions between them, and the record that the audit keeps of it."""

import datetime as dt
import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from services.run_service.domain.options import RunOptions


class RunStatus(enum.StrEnum):
    """Where a run is in its life."""

    PENDING = "PENDING"
    PRE_PROCESSING = "PRE_PROCESSING"
    ALLOCATING = "ALLOCATING"
    POST_PROCESSING = "POST_PROCESSING"
    COMPLETE = "COMPLETE"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"


ACTIVE = (RunStatus.PENDING, RunStatus.PRE_PROCESSING, RunStatus.ALLOCATING, RunStatus.POST_PROCESSING)
"""The states in which a run blocks another of its tenant; the database's filtered unique index is built from it."""

TERMINAL = (RunStatus.COMPLETE, RunStatus.FAILED, RunStatus.CANCELLED)


def is_legal(before: RunStatus, after: RunStatus) -> bool:
    """Whether a run may go from one state to the other: one forward step, or an end other than COMPLETE from any active one.

    A restart by another worker goes back to PRE_PROCESSING.
    """
    if before not in ACTIVE:
        return False
    if after in (RunStatus.FAILED, RunStatus.CANCELLED, RunStatus.PRE_PROCESSING):
        return True
    order = (*ACTIVE, RunStatus.COMPLETE)
    return order.index(after) == order.index(before) + 1


class Step(enum.StrEnum):
    """The six steps in order, and what surrounds them."""

    READ_INPUTS = "read_inputs"
    BX_CASH_GRIDS = "bx_cash_grids"
    BX_SETTLE_AND_PRICE = "bx_settle_and_price"
    CANDIDATE_BUILDER = "candidate_builder"
    ALLOCATION = "allocation"
    POOL_GUIDE = "pool_guide"
    UE = "ue"
    WRITE_OUTPUTS = "write_outputs"


STATUS_OF_STEP: Mapping[Step, RunStatus] = {
    Step.READ_INPUTS: RunStatus.PRE_PROCESSING,
    Step.BX_CASH_GRIDS: RunStatus.PRE_PROCESSING,
    Step.BX_SETTLE_AND_PRICE: RunStatus.PRE_PROCESSING,
    Step.CANDIDATE_BUILDER: RunStatus.ALLOCATING,
    Step.ALLOCATION: RunStatus.ALLOCATING,
    Step.POOL_GUIDE: RunStatus.POST_PROCESSING,
    Step.UE: RunStatus.POST_PROCESSING,
    Step.WRITE_OUTPUTS: RunStatus.POST_PROCESSING,
}
"""The state a run is in while a step works."""


@dataclass(frozen=True)
class RunRef:
    """Which run of which tenant."""

    tenant_id: str
    run_id: str


@dataclass(frozen=True)
class Failure:
    """Where and why a run ended without a result."""

    step: str
    message: str


@dataclass(frozen=True)
class Run:
    """One run as recorded in `pfill_run_history`. Times are UTC; `summary` is the JSON object of specification 01 section 9.

    `steps` are the objects of `domain.steps`. `deaths` counts the workers and servers that ended while they worked on it;
    `input_counts` and `output_counts` are rows by table. `outputs_removed`: retention gave its outputs and inputs up.
    """

    run_id: str
    tenant_id: str
    status: RunStatus
    requested_by: str
    options: RunOptions
    submitted_at: dt.datetime
    started_at: dt.datetime | None = None
    ended_at: dt.datetime | None = None
    attempt: int = 1
    failure: Failure | None = None
    summary: Mapping[str, Any] = field(default_factory=dict)
    steps: tuple[Mapping[str, Any], ...] = ()
    replay_of: str = ""
    request_id: str = ""
    request_digest: str = ""
    last_sequence: int = 0
    cancel_requested: bool = False
    lease_owner: str = ""
    lease_until: dt.datetime | None = None
    deaths: int = 0
    input_counts: Mapping[str, int] = field(default_factory=dict)
    output_counts: Mapping[str, int] = field(default_factory=dict)
    outputs_removed: bool = False

    @property
    def ref(self) -> RunRef:
        """Which run it is."""
        return RunRef(self.tenant_id, self.run_id)

    @property
    def is_active(self) -> bool:
        """Whether it blocks another run of its tenant."""
        return self.status in ACTIVE
