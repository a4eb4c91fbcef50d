"""What a command's exit code says."""

import enum


class ExitCode(enum.IntEnum):
    """The exit codes of every command; those of a run go by its final status."""

    DONE = 0
    """It did what was asked; a run is COMPLETE."""
    ERROR = 1
    """A server or a tenant's database refused or does not answer."""
    USAGE = 2
    """The command line, an option of a run or a setting is not allowed."""
    FAILED = 3
    """The run is FAILED."""
    CANCELLED = 4
    """The run is CANCELLED."""
    RULE_BROKEN = 5
    """The allocation that was validated breaks a rule."""
    INTERRUPTED = 130
    """Stopped by Ctrl-C before the end was known."""


OF_A_RUN = "Exit code: 0 COMPLETE, 3 FAILED, 4 CANCELLED, 2 not allowed, 1 refused or unreachable, 130 interrupted."
"""The codes in words, for the help of commands that wait for a run."""

OF_A_REPLAY = "Exit code: 0 the same answer, 1 another answer, refused or unreachable; otherwise as for a run."
"""The codes in words, for the help of a replay."""


OF_A_VALIDATION = "Exit code: 0 no rule is broken, 5 some are, 2 not allowed (also the file), 1 refused or unreachable."
"""The codes in words, for the help of a validation."""


class CommandError(Exception):
    """Why a command cannot do what was asked: one line, further lines with particulars, and the exit code."""

    def __init__(self, message: str, *, lines: tuple[str, ...] = (), code: ExitCode = ExitCode.ERROR) -> None:
        super().__init__(message)
        self.message, self.lines, self.code = message, lines, code


class UsageError(CommandError):
    """The command line or a setting is not allowed."""

    def __init__(self, message: str, *, lines: tuple[str, ...] = ()) -> None:
        super().__init__(message, lines=lines, code=ExitCode.USAGE)


class LeftError(CommandError):
    """The user left before the end, which is no error; the message says what becomes of the run."""

    def __init__(self, message: str) -> None:
        super().__init__(message, code=ExitCode.INTERRUPTED)
