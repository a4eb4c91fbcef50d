"""A finding: what a preflight check or a run found in a tenant's data, for a person to act on."""

import enum
from dataclasses import dataclass

MAX_EXAMPLES = 5


class Severity(enum.StrEnum):
    """What a finding means for a run: an ERROR stops it before it starts."""

    WARNING = "WARNING"
    ERROR = "ERROR"


class Code(enum.StrEnum):
    """The checks of specification 01 section 10, and what only a run can find."""

    SCHEMA_VERSION = "SCHEMA_VERSION"
    UPSTREAM_SCHEMA = "UPSTREAM_SCHEMA"
    CONSTRAINTS = "CONSTRAINTS"
    PRIORITIES = "PRIORITIES"
    CARRY_COVERAGE = "CARRY_COVERAGE"
    OPEN_TRADES = "OPEN_TRADES"
    PRICES = "PRICES"
    LOCKDOWN = "LOCKDOWN"
    DATA_QUALITY = "DATA_QUALITY"
    NO_SYNTHETIC_PRICES = "NO_SYNTHETIC_PRICES"
    OVERFILLED_BY_LOCKS = "OVERFILLED_BY_LOCKS"


@dataclass(frozen=True)
class Finding:
    """One thing found: which check, how bad, about what, how many rows with some of their keys, and what to do."""

    code: Code
    severity: Severity
    subject: str
    message: str
    count: int = 0
    examples: tuple[str, ...] = ()
    remedy: str = ""


def warning(code: Code, subject: str, message: str, keys: list[str], remedy: str = "") -> Finding:
    """A WARNING about the rows with these keys."""
    return Finding(code, Severity.WARNING, subject, message, len(keys), tuple(sorted(keys)[:MAX_EXAMPLES]), remedy)
