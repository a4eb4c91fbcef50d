"""Options of a run as a command line gives them, `NAME=VALUE`, into the message that the run service takes."""

import datetime as dt
from collections.abc import Sequence
from typing import Any

from powerfill.common.v1.run_options_pb2 import RunOptions

from cli.exit_codes import UsageError
from services.run_service.domain.options import (
    ALLOWED,
    MAX_TIME_LIMIT_S,
    OPTION_NAMES,
    POINTS_ALLOWED,
    OptionsError,
    parse_options,
)
from shared.rpc.options import options_to_proto

PARTS_OF = "pair_off_cost"
"""The option that is given by parts, one a kind of instrument."""

_ANY_DAY = dt.date(2000, 1, 1)


def described() -> list[str]:
    """Every option as a command line gives it, with its default and what it may be: one line each."""
    defaults = parse_options({}, _ANY_DAY).to_json()
    rows = []
    for name in OPTION_NAMES:
        if name == PARTS_OF:
            rows += [(f"{name}.{kind}", points, POINTS_ALLOWED) for kind, points in defaults[name].items()]
        elif name == "as_of_date":
            rows.append((name, "today", f"{ALLOWED[name]}; today is the tenant's"))
        else:
            default = defaults[name]
            rows.append((name, "none", f"{ALLOWED[name]}, or none") if default is None else (name, str(default), ALLOWED[name]))
    return [f"{name}={default}: {allowed}" for name, default, allowed in rows]


def parse(given: Sequence[str]) -> RunOptions:
    """The options given; the others stay unset and take their defaults, the day among them, in the run service.

    Raises UsageError naming every option that is not allowed, its value and what is.
    """
    values, problems = _split(given)
    try:
        allowed = parse_options(values, _ANY_DAY)
    except OptionsError as error:
        problems += [str(problem) for problem in error.problems]
    if problems:
        raise _refused(problems)
    resolved = allowed.to_json()
    wanted = {name: resolved[name] for name in values}
    if PARTS_OF in values:
        wanted[PARTS_OF] = {kind: resolved[PARTS_OF][kind] for kind in values[PARTS_OF]}
    if "time_limit" in wanted and wanted["time_limit"] is None:
        raise _refused([f"time_limit: 'none' is not allowed; it must be a decimal number of seconds up to {MAX_TIME_LIMIT_S}"])
    return options_to_proto(wanted)


def _split(given: Sequence[str]) -> tuple[dict[str, Any], list[str]]:
    """The options by name, those with parts as an object, and what is wrong with how they are written."""
    values: dict[str, Any] = {}
    problems: list[str] = []
    for item in given:
        path, separator, value = item.partition("=")
        name, dot, part = path.strip().partition(".")
        if not separator or not name:
            problems.append(f"{item!r} is not NAME=VALUE; the names are {', '.join(OPTION_NAMES)}")
        elif name not in OPTION_NAMES:
            problems.append(f"{path}: there is no such option (value {value!r}); the names are {', '.join(OPTION_NAMES)}")
        elif dot and name != PARTS_OF:
            problems.append(f"{path}: {name} has no parts (value {value!r}); write {name}=VALUE")
        elif not dot and name == PARTS_OF:
            problems.append(f"{name}: {value!r} is not allowed; give points by kind of instrument, for example {name}.TBA=0.05")
        elif (part in values.get(name, {})) if dot else (name in values):
            problems.append(f"{path}: {value!r} is given besides an earlier value; give it once")
        elif dot:
            values.setdefault(name, {})[part] = value
        else:
            values[name] = value
    return values, problems


def _refused(problems: list[str]) -> UsageError:
    """One problem makes the line; several follow it, one a line."""
    if len(problems) == 1:
        return UsageError(f"option {problems[0]}")
    return UsageError(f"{len(problems)} options are not allowed", lines=tuple(problems))
