"""The errors a caller can be told of: what is wrong, where, and what to do.

Application services raise these; `shared.rpc` turns them into gRPC statuses with rich details. Reasons are those of
powerfill.common.v1.ErrorReason (a test compares the two). Messages never hold SQL, URLs or stack traces.
"""

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

MAX_TOLD_RUN_ID = 64
"""Characters of a run id, which a client may send at any length, that a message repeats."""


class Reason(enum.StrEnum):
    """The documented reasons, as in powerfill.common.v1.ErrorReason without its prefix."""

    INVALID_FIELD = "INVALID_FIELD"
    REQUEST_ID_REUSED = "REQUEST_ID_REUSED"
    PAGE_TOKEN_INVALID = "PAGE_TOKEN_INVALID"  # noqa: S105 - a reason, not a secret
    TENANT_UNKNOWN = "TENANT_UNKNOWN"
    RUN_NOT_FOUND = "RUN_NOT_FOUND"
    RUN_EXPIRED = "RUN_EXPIRED"
    RUN_ACTIVE = "RUN_ACTIVE"
    RUN_NOT_ACTIVE = "RUN_NOT_ACTIVE"
    PREFLIGHT_FAILED = "PREFLIGHT_FAILED"
    SCHEMA_VERSION = "SCHEMA_VERSION"
    QUEUE_FULL = "QUEUE_FULL"
    TENANT_UNAVAILABLE = "TENANT_UNAVAILABLE"
    SHUTTING_DOWN = "SHUTTING_DOWN"
    UNAUTHENTICATED = "UNAUTHENTICATED"
    DATABASE_PERMISSION = "DATABASE_PERMISSION"
    NOT_YET = "NOT_YET"
    INTERNAL = "INTERNAL"
    RULE_INVALID = "RULE_INVALID"
    ETAG_STALE = "ETAG_STALE"
    CONFIG_NOT_FOUND = "CONFIG_NOT_FOUND"
    CONFIG_IN_USE = "CONFIG_IN_USE"
    ROLE_MISSING = "ROLE_MISSING"
    LOAN_NOT_FOUND = "LOAN_NOT_FOUND"
    RATE_LIMITED = "RATE_LIMITED"
    CONFIG_EXISTS = "CONFIG_EXISTS"
    RUN_NOT_COMPLETE = "RUN_NOT_COMPLETE"
    REPORT_CHANGED = "REPORT_CHANGED"


class Category(enum.StrEnum):
    """The gRPC status an error becomes, by name."""

    INVALID_ARGUMENT = "INVALID_ARGUMENT"
    NOT_FOUND = "NOT_FOUND"
    ALREADY_EXISTS = "ALREADY_EXISTS"
    ABORTED = "ABORTED"
    FAILED_PRECONDITION = "FAILED_PRECONDITION"
    RESOURCE_EXHAUSTED = "RESOURCE_EXHAUSTED"
    UNAVAILABLE = "UNAVAILABLE"
    UNAUTHENTICATED = "UNAUTHENTICATED"
    PERMISSION_DENIED = "PERMISSION_DENIED"
    UNIMPLEMENTED = "UNIMPLEMENTED"


@dataclass(frozen=True)
class FieldViolation:
    """What is wrong with one field of a request: its path as in the proto, and what it must be."""

    field: str
    description: str


@dataclass(frozen=True)
class PreconditionViolation:
    """A state of the tenant that must change first: its kind (a finding's code), what it is about, what to do."""

    kind: str
    subject: str
    description: str


class PowerFillError(Exception):
    """An error with a documented reason, its facts, and where it helps the violations or the time to wait."""

    def __init__(
        self,
        category: Category,
        reason: Reason,
        message: str,
        metadata: Mapping[str, str] | None = None,
        *,
        fields: Sequence[FieldViolation] = (),
        preconditions: Sequence[PreconditionViolation] = (),
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message)
        self.category = category
        self.reason = reason
        self.message = message
        self.metadata = dict(metadata or {})
        self.fields = tuple(fields)
        self.preconditions = tuple(preconditions)
        self.retry_after_s = retry_after_s


def invalid_fields(violations: Sequence[FieldViolation]) -> PowerFillError:
    """INVALID_ARGUMENT with its field violations."""
    message = "; ".join(f"{violation.field}: {violation.description}" for violation in violations)
    return PowerFillError(Category.INVALID_ARGUMENT, Reason.INVALID_FIELD, message, fields=violations)


def invalid_field(field: str, description: str) -> PowerFillError:
    """INVALID_ARGUMENT about one field."""
    return invalid_fields([FieldViolation(field, description)])


def tenant_unknown(tenant_id: str) -> PowerFillError:
    """NOT_FOUND: no tenant of that name."""
    return PowerFillError(
        Category.NOT_FOUND,
        Reason.TENANT_UNKNOWN,
        f"there is no tenant {tenant_id!r}; `powerfill tenants list` shows those of the registry",
        {"tenant_id": tenant_id},
    )


def tenant_unavailable(tenant_id: str, retry_after_s: float = 2.0) -> PowerFillError:
    """UNAVAILABLE: the tenant's database does not answer."""
    return PowerFillError(
        Category.UNAVAILABLE,
        Reason.TENANT_UNAVAILABLE,
        f"the database of tenant {tenant_id!r} does not answer; try again",
        {"tenant_id": tenant_id},
        retry_after_s=retry_after_s,
    )


def database_permission(tenant_id: str, what: str, problem: str = "") -> PowerFillError:
    """PERMISSION_DENIED: the database user may not write the object named, or may not do what `problem` says of it."""
    problem = problem or f"the database user of tenant {tenant_id!r} may not write {what}"
    return PowerFillError(
        Category.PERMISSION_DENIED,
        Reason.DATABASE_PERMISSION,
        f"{problem}; grant the right or use another user",
        {"tenant_id": tenant_id, "object": what},
    )


def schema_version(tenant_id: str, found: str, expected: str) -> PowerFillError:
    """FAILED_PRECONDITION: PowerFill's tables are missing or of another version."""
    return PowerFillError(
        Category.FAILED_PRECONDITION,
        Reason.SCHEMA_VERSION,
        f"the tables of tenant {tenant_id!r} are at revision {found or 'none'}, this version needs {expected}; "
        f"run `powerfill tenants migrate {tenant_id}`",
        {"tenant_id": tenant_id, "found": found, "expected": expected},
    )


def run_not_found(run_id: str, tenant_id: str) -> PowerFillError:
    """NOT_FOUND: no such run of this tenant. Of an id without end only its beginning is repeated."""
    told = run_id[:MAX_TOLD_RUN_ID]
    return PowerFillError(
        Category.NOT_FOUND,
        Reason.RUN_NOT_FOUND,
        f"there is no run {told!r}; `powerfill runs list {tenant_id}` shows them",
        {"run_id": told},
    )


def report_changed(row_count: int, rows: int) -> PowerFillError:
    """ABORTED: a report's rows changed while they were read, so that what came is not what its header promised."""
    return PowerFillError(
        Category.ABORTED,
        Reason.REPORT_CHANGED,
        f"the report changed while it was read: {rows} rows came instead of {row_count}; ask again",
        {"row_count": str(row_count), "rows": str(rows)},
    )


def not_yet(what: str, instead: str) -> PowerFillError:
    """UNIMPLEMENTED: part of the contract, not built yet."""
    return PowerFillError(Category.UNIMPLEMENTED, Reason.NOT_YET, f"{what} is not available yet; {instead}", {"what": what})
