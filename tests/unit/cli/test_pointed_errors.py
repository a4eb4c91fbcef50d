"""Errors about a filter or an order: a caret under the character they are about."""

import grpc
import pytest
from powerfill.report.v1.report_pb2 import ReportQuery

from cli import console
from cli.exit_codes import ExitCode, UsageError
from cli.pointed_errors import AFTER, BEFORE, pointed
from shared.errors import FieldViolation
from shared.rpc.status import ReceivedError


def refused(field: str, description: str) -> ReceivedError:
    message = f"{field}: {description}"
    return ReceivedError(grpc.StatusCode.INVALID_ARGUMENT, message, "INVALID_FIELD", fields=[FieldViolation(field, description)])


def told(error: ReceivedError, query: ReportQuery) -> UsageError:
    found = pointed(error, query)
    assert isinstance(found, UsageError)
    return found


@pytest.mark.parametrize("field", ["filter", "order_by"])
def test_a_caret_stands_under_the_character(field: str, capsys: pytest.CaptureFixture[str]) -> None:
    error = told(
        refused(f"query.{field}", "character 7: there is no column 'b'"), ReportQuery(filter="a = 1, b", order_by="a = 1, b")
    )
    console.print_error(error.message, error.lines)
    assert capsys.readouterr().err.splitlines() == [
        f"error: {field}: there is no column 'b'",
        "  a = 1, b",
        "         ^",
    ]
    assert error.code == ExitCode.USAGE


def test_wide_and_control_characters_keep_the_caret_in_its_place() -> None:
    error = told(refused("query.filter", "character 3: no"), ReportQuery(filter="株\t=x"))
    assert error.lines == ("  株\N{REPLACEMENT CHARACTER}=x", "      ^")


def test_of_a_long_text_the_part_around_the_character_is_shown() -> None:
    text = "".join(chr(ord("a") + number % 26) for number in range(400))
    error = told(refused("query.filter", "character 200: no"), ReportQuery(filter=text))
    shown, caret = error.lines
    assert shown == f"  {text[200 - BEFORE : 200 + AFTER]}"
    assert shown[caret.index("^")] == text[200]


def test_a_character_after_the_end_has_its_caret_there() -> None:
    assert told(refused("query.filter", "character 3: something is missing"), ReportQuery(filter="a =")).lines == (
        "  a =",
        "     ^",
    )


@pytest.mark.parametrize(
    ("field", "description"),
    [("query.read_mask", "character 3: no"), ("query.filter", "longer than 10000 characters"), ("report", "name one of ...")],
)
def test_other_errors_stay_as_they_are(field: str, description: str) -> None:
    error = refused(field, description)
    assert pointed(error, ReportQuery(filter="a = 1")) is error
