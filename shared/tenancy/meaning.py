"""Values that connections and the kinds of databases exchange."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Timeouts:
    """How long a statement may take and how long it may wait for another's lock, in seconds."""

    statement_s: float
    lock_s: float


@dataclass(frozen=True)
class MissingTable:
    """A statement spoke of a table or column that is not there."""

    name: str
