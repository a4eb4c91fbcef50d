"""What the preflight checks look at: the shape of a tenant's tables and its policy, as values."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from services.run_service.domain.findings import Code, Severity


@dataclass(frozen=True)
class Constraint:
    """One line of the desk's policy. Fields that the table leaves null are empty."""

    constraint_id: str
    investor_instrument: str
    rule_name: str
    enabled: bool


@dataclass(frozen=True)
class Setting:
    """What a tenant sets for one check; no severity: its default."""

    enabled: bool = True
    severity: Severity | None = None


@dataclass(frozen=True)
class Survey:
    """A tenant as the preflight checks see it.

    `revision` is that of PowerFill's tables, empty without any; policy is read only where it is the expected one.
    `columns` holds the columns of every table of the lender's that exists, `rules` expressions by rule_name.
    """

    tenant_id: str
    revision: str
    expected_revision: str
    columns: Mapping[str, frozenset[str]]
    instruments: frozenset[str] = frozenset()
    constraints: tuple[Constraint, ...] = ()
    rules: Mapping[str, str] = field(default_factory=dict)
    enabled_limits: tuple[str, ...] = ()
    settings: Mapping[Code, Setting] = field(default_factory=dict)
