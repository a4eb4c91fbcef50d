"""Errors as a command ends with them."""

import grpc
import pytest

from cli.exit_codes import CommandError, ExitCode, UsageError
from cli.failures import told
from shared.errors import FieldViolation, PreconditionViolation, Reason, invalid_field, tenant_unknown
from shared.rpc.server import AddressError
from shared.rpc.status import ReceivedError


def test_what_a_server_refuses_has_its_reason_and_particulars() -> None:
    error = ReceivedError(
        grpc.StatusCode.FAILED_PRECONDITION,
        "the tables of tenant 'acme' are not ready",
        Reason.PREFLIGHT_FAILED,
        {"omitted": "3"},
        preconditions=[PreconditionViolation("CONSTRAINTS", "constraint C1", "unknown rule; make it")],
        retry_after_s=2.0,
    )
    failure = told(error, [])
    assert failure.message == "the tables of tenant 'acme' are not ready (PREFLIGHT_FAILED)"
    assert [line.strip() for line in failure.lines] == [
        "CONSTRAINTS constraint C1: unknown rule; make it", "and 3 more", "try again in 2 s",
    ]  # fmt: skip
    assert failure.code == ExitCode.ERROR


def test_every_field_that_is_not_allowed_is_told() -> None:
    fields = [FieldViolation("options.seed", "must be an integer"), FieldViolation("options.scope", "must be a scope")]
    error = ReceivedError(grpc.StatusCode.INVALID_ARGUMENT, "2 fields", Reason.INVALID_FIELD, fields=fields)
    failure = told(error, [])
    assert [line.strip() for line in failure.lines] == ["options.seed: must be an integer", "options.scope: must be a scope"]
    assert failure.code == ExitCode.USAGE


@pytest.mark.parametrize(
    ("error", "message", "code"),
    [
        (CommandError("no"), "no", ExitCode.ERROR),
        (UsageError("no"), "no", ExitCode.USAGE),
        (tenant_unknown("x"), "there is no tenant 'x'; `powerfill tenants list` shows those of the registry (TENANT_UNKNOWN)", 1),
        (invalid_field("url", "must be a URL"), "url: must be a URL (INVALID_FIELD)", ExitCode.USAGE),
        (AddressError("in use"), "in use", ExitCode.ERROR),
        (PermissionError(13, "Permission denied", "/x"), "[Errno 13] Permission denied: '/x'", ExitCode.ERROR),
    ],
)
def test_errors_of_this_program(error: Exception, message: str, code: int) -> None:
    failure = told(error, [])
    assert (failure.message, failure.lines, failure.code) == (message, (), code)


def test_what_nobody_foresaw_says_how_to_see_more() -> None:
    failure = told(KeyError("a\nb"), ["run", "acme corp"])
    assert failure.message == "unexpected KeyError: 'a\\nb'"
    assert failure.lines[0].endswith("powerfill --debug run 'acme corp'")
    assert failure.code == ExitCode.ERROR
