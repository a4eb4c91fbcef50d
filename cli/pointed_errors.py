"""Errors about a filter or an order, with the text and a caret under the character that they are about."""

import re

from powerfill.report.v1.report_pb2 import ReportQuery
from rich.cells import cell_len

from cli.console import plain
from cli.exit_codes import UsageError
from shared.rpc.status import ReceivedError

POINTED = ("query.filter", "query.order_by")
"""The fields whose violations begin with the character they are about."""

BEFORE, AFTER = 60, 30
"""Characters shown on either side of the one."""

_CHARACTER = re.compile(r"character (\d+): (.*)", re.DOTALL)


def pointed(error: ReceivedError, query: ReportQuery) -> Exception:
    """The error with a caret where it says which character of the query it is about; the same error otherwise."""
    for violation in error.fields:
        about = _CHARACTER.fullmatch(violation.description)
        if violation.field in POINTED and about is not None:
            name = violation.field.removeprefix("query.")
            return UsageError(f"{name}: {about[2]}", lines=_caret(getattr(query, name), int(about[1])))
    return error


def _caret(text: str, position: int) -> tuple[str, str]:
    """The text around a character, and a caret under it."""
    first = max(0, position - BEFORE)
    before = plain(text[first:position])
    return f"  {before}{plain(text[position : position + AFTER])}", f"  {' ' * cell_len(before)}^"
