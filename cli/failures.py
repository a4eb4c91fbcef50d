"""Errors as a command ends with them: one line, its particulars, and the exit code."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from cli.console import program
from cli.exit_codes import CommandError, ExitCode
from shared.errors import Category, PowerFillError
from shared.rpc.server import AddressError
from shared.rpc.status import ReceivedError


@dataclass(frozen=True)
class Told:
    """What is printed after `error:`, the lines under it, and the exit code."""

    message: str
    lines: tuple[str, ...]
    code: ExitCode


def told(error: Exception, arguments: Sequence[str]) -> Told:
    """How to tell an error of the command line with these arguments."""
    match error:
        case CommandError():
            return Told(error.message, error.lines, error.code)
        case ReceivedError():
            _, *lines = error.lines()
            return Told(_message(error.message, error.reason), tuple(lines), _code(error.code.name))
        case PowerFillError():
            lines = [f"{field.field}: {field.description}" for field in error.fields if field.description not in error.message]
            lines += [f"{item.kind} {item.subject}: {item.description}" for item in error.preconditions]
            return Told(_message(error.message, error.reason), tuple(lines), _code(error.category.value))
        case AddressError() | OSError():
            return Told(str(error), (), ExitCode.ERROR)
        case _:
            return unexpected(error, arguments)


def unexpected(error: Exception, arguments: Sequence[str]) -> Told:
    """What nobody foresaw: what it was, and how to see where."""
    again = shlex.join(["--debug", *arguments])
    text = " ".join(str(error).split())
    return Told(
        f"unexpected {type(error).__name__}{f': {text}' if text else ''}",
        (f"this is a defect of PowerFill; report it with what this prints: {program()} {again}",),
        ExitCode.ERROR,
    )


def _message(message: str, reason: str) -> str:
    return f"{message} ({reason})" if reason else message


def _code(status: str) -> ExitCode:
    return ExitCode.USAGE if status == Category.INVALID_ARGUMENT else ExitCode.ERROR
