"""How an attempt at a run went, as its worker tells it or as its silence does."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Computed:
    """Everything is computed and written. `output_counts` are rows by table, `input_loan_ids` the in-scope loans as JSON."""

    summary: Mapping[str, Any]
    output_counts: Mapping[str, int] = field(default_factory=dict)
    input_loan_ids: str | None = None


@dataclass(frozen=True)
class Stopped:
    """The worker stopped because it was asked to."""


@dataclass(frozen=True)
class Broke:
    """A step ended with an error; the message holds no internals."""

    step: str
    message: str


@dataclass(frozen=True)
class Died:
    """The worker process ended, or was ended, before it could tell how it went."""


@dataclass(frozen=True)
class Abandoned:
    """The server that worked on the run is gone, and so was the one before it."""


Outcome = Computed | Stopped | Broke | Died | Abandoned
