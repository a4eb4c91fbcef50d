"""`powerfill`, the command line: which commands there are, and how every one of them ends."""

import importlib
import itertools
import re
import sys
import traceback
from typing import Annotated, Any

import typer
from typer.core import TyperGroup
from typer.exceptions import TyperException

from cli import debug
from cli.console import print_error, say, stderr
from cli.exit_codes import ExitCode, LeftError

COMMANDS = {
    "demo": ("cli.demo.command", "A demo tenant, both services, one run with live progress, and how to go on."),
    "serve": ("cli.serve", "Start the run service, the report service or both."),
    "tenants": ("cli.tenants", "Tenants and their databases: add, list, migrate, check, load, remove."),
    "run": ("cli.run", "Execute a run and wait for its end."),
    "runs": ("cli.runs", "Runs of a tenant: list, show, cancel, compare, replay."),
    "report": ("cli.report", "Print a report of a run, or write it to a file."),
    "export": ("cli.export", "Write every report of a run as Parquet, and run.json."),
    "explain": ("cli.explain", "Say why a loan went where it did."),
    "validate": ("cli.validate", "Check another system's allocation, and compare it with a run."),
}
"""Every command: the module whose `app` it is, imported when the command is used, and what it does."""


_SURROGATE = re.compile("[\ud800-\udfff]")
"""What Python puts in the place of bytes that are no text."""

_COMPLETION = ("install_completion", "show_completion")
"""Options that Typer gives every application, which commands are here."""


class _Commands(TyperGroup):
    """Shows the commands without importing them."""

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """The command meant, from its module."""
        name, _, rest = super().resolve_command(ctx, args)
        if name is None:
            return None, None, rest
        command = typer.main.get_command(importlib.import_module(COMMANDS[name][0]).app)
        command.name = name
        command.params = [one for one in command.params if one.name not in _COMPLETION]
        return name, command, rest


app = typer.Typer(
    cls=_Commands,
    add_completion=False,
    context_settings={"help_option_names": ["--help", "-h"]},
    epilog="Example: powerfill demo",
)


@app.callback(invoke_without_command=True)
def powerfill(
    context: typer.Context,
    with_debug: Annotated[
        bool, typer.Option("--debug", help="Print tracebacks, and the log of services hosted in this process.")
    ] = False,
) -> None:
    """PowerFill: which loan goes to which trade and into which pool, for the most money.

    Every command says more with --help.
    """
    if with_debug:
        debug.turn_on()
    if context.invoked_subcommand is None:
        sys.stdout.write(context.get_help() + "\n")


def _not_loaded() -> None:
    """Stands for a command in the list of commands; `_Commands` puts the command itself in its place."""
    raise AssertionError


for _name, (_, _help) in COMMANDS.items():
    app.command(_name, help=_help)(_not_loaded)


def main() -> None:
    """The entry point: what the command line says, then the exit code."""
    arguments = sys.argv[1:]
    if any(_SURROGATE.search(argument) for argument in arguments):
        print_error("an argument is not text in this system's encoding")
        sys.exit(ExitCode.USAGE)
    try:
        code = typer.main.get_command(app).main(arguments, prog_name="powerfill", standalone_mode=False)
    except TyperException as error:
        code = _tell_usage(error)
    except LeftError as error:
        say(stderr(), error.message)
        code = error.code
    except typer.Abort:
        code = ExitCode.INTERRUPTED
    except Exception as error:  # noqa: BLE001 - the outermost place: every error ends as one line
        if "--debug" in itertools.takewhile(lambda argument: argument.startswith("-"), arguments):
            traceback.print_exc()
        failure = importlib.import_module("cli.failures").told(error, arguments)  # imported here: it brings grpc
        print_error(failure.message, failure.lines)
        code = failure.code
    sys.exit(int(code) if isinstance(code, int) else ExitCode.DONE)


def _tell_usage(error: TyperException) -> int:
    """A command line that is not allowed: what is wrong, and where the help is."""
    context = getattr(error, "ctx", None)
    path = context.command_path if context else "powerfill"
    if type(error).__name__ == "NoArgsIsHelpError":
        sys.stdout.write(context.get_help() + "\n" if context else "")
    else:
        print_error(" ".join(error.format_message().split()), [f"`{path} --help` says what is allowed"])
    return error.exit_code


if __name__ == "__main__":
    main()
