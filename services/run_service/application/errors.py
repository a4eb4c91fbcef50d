"""The errors of the run service's requests, each with its facts and the way out."""

from collections.abc import Sequence

from services.run_service.domain.findings import Finding, Severity
from services.run_service.domain.options import OptionsError
from services.run_service.domain.run import Run
from shared.errors import Category, FieldViolation, PowerFillError, PreconditionViolation, Reason, invalid_fields

RETRY_S = 2.0
MAX_TOLD_LOAN_ID = 100
"""Characters of a loan id, which a client may send at any length, that a message repeats."""


def invalid_options(error: OptionsError) -> PowerFillError:
    """INVALID_ARGUMENT naming each option, its value and its range."""
    return invalid_fields(
        [FieldViolation(f"options.{problem.field}", f"{problem.value!r} is not allowed; it must be {problem.allowed}")
         for problem in error.problems]
    )  # fmt: skip


def request_id_reused(run: Run) -> PowerFillError:
    """INVALID_ARGUMENT: the key belongs to a run with other options."""
    return PowerFillError(
        Category.INVALID_ARGUMENT,
        Reason.REQUEST_ID_REUSED,
        f"request_id {run.request_id!r} was used for run {run.run_id} with other options; use a new one",
        {"request_id": run.request_id, "run_id": run.run_id},
    )


def run_active(run: Run) -> PowerFillError:
    """ALREADY_EXISTS: one active run a tenant."""
    return PowerFillError(
        Category.ALREADY_EXISTS,
        Reason.RUN_ACTIVE,
        f"run {run.run_id} of tenant {run.tenant_id!r} is {run.status}; wait for its end or cancel it",
        {"run_id": run.run_id, "status": run.status.value},
    )


def run_not_active(run: Run) -> PowerFillError:
    """FAILED_PRECONDITION: nothing is left to cancel."""
    return PowerFillError(
        Category.FAILED_PRECONDITION,
        Reason.RUN_NOT_ACTIVE,
        f"run {run.run_id} is {run.status} and cannot be cancelled",
        {"run_id": run.run_id, "status": run.status.value},
    )


def inputs_expired(run_id: str) -> PowerFillError:
    """NOT_FOUND: the run's inputs are not stored any more, or never were."""
    return PowerFillError(
        Category.NOT_FOUND, Reason.RUN_EXPIRED, f"no inputs are stored for run {run_id!r}; choose a newer run", {"run_id": run_id}
    )


def outputs_expired(run_id: str) -> PowerFillError:
    """NOT_FOUND: retention removed the run's outputs."""
    message = f"the outputs of run {run_id!r} were removed by retention; choose a newer run"
    return PowerFillError(Category.NOT_FOUND, Reason.RUN_EXPIRED, message, {"run_id": run_id})


def run_not_complete(run: Run) -> PowerFillError:
    """FAILED_PRECONDITION: what was asked needs the result of a run, and this one has none."""
    runs = f"`powerfill runs list {run.tenant_id} --status COMPLETE`"
    return PowerFillError(
        Category.FAILED_PRECONDITION,
        Reason.RUN_NOT_COMPLETE,
        f"run {run.run_id} is {run.status} and has no result; choose a complete run, {runs} shows them",
        {"run_id": run.run_id, "status": run.status.value},
    )


def loan_not_found(loan_id: str, run_id: str, problem: str) -> PowerFillError:
    """NOT_FOUND: the run (empty: the latest complete one) did not decide about the loan, because of the problem."""
    told = loan_id[:MAX_TOLD_LOAN_ID]
    message = f"loan {told!r} is not part of {f'run {run_id}' if run_id else 'the latest complete run'}: {problem}"
    return PowerFillError(Category.NOT_FOUND, Reason.LOAN_NOT_FOUND, message, {"loan_id": told, "run_id": run_id})


def no_complete_run(tenant_id: str) -> PowerFillError:
    """NOT_FOUND: the latest complete run was asked for, and there is none."""
    message = f"tenant {tenant_id!r} has no complete run yet; `powerfill run {tenant_id}` makes one"
    return PowerFillError(Category.NOT_FOUND, Reason.RUN_NOT_FOUND, message, {"run_id": ""})


def preflight_failed(tenant_id: str, findings: Sequence[Finding]) -> PowerFillError:
    """FAILED_PRECONDITION with every finding that stops the run."""
    errors = [finding for finding in findings if finding.severity == Severity.ERROR]
    first = f"{errors[0].subject}: {errors[0].message}"
    more = f" (and {len(errors) - 1} more findings)" if len(errors) > 1 else ""
    return PowerFillError(
        Category.FAILED_PRECONDITION,
        Reason.PREFLIGHT_FAILED,
        f"tenant {tenant_id!r} is not ready: {first}{more}; `powerfill tenants check {tenant_id}` lists what to do",
        {"tenant_id": tenant_id, "error_count": str(len(errors))},
        preconditions=[
            PreconditionViolation(finding.code.value, finding.subject, f"{finding.message}; {finding.remedy}")
            for finding in errors
        ],
    )


def queue_full() -> PowerFillError:
    """RESOURCE_EXHAUSTED: no more runs can wait."""
    return PowerFillError(
        Category.RESOURCE_EXHAUSTED, Reason.QUEUE_FULL, "the queue of runs is full; try again later", retry_after_s=RETRY_S
    )


def shutting_down() -> PowerFillError:
    """UNAVAILABLE: this server is stopping."""
    return PowerFillError(Category.UNAVAILABLE, Reason.SHUTTING_DOWN, "this server is stopping; try again", retry_after_s=RETRY_S)
