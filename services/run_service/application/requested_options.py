"""What a request for a run asks for: the options resolved, and a digest that tells it from another request."""

import datetime as dt
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from services.run_service.application.errors import invalid_options
from services.run_service.domain.options import OptionsError, RunOptions, parse_options


@dataclass(frozen=True)
class RequestedRun:
    """The resolved options, a digest of what was asked for, and for a replay the run that is executed again.

    Two requests with one digest ask for the same. A day that was not given is no part of it: a request that is repeated
    after midnight is still the same request.
    """

    options: RunOptions
    digest: str
    replay_of: str = ""


def requested_options(given: Mapping[str, Any], now: dt.datetime, time_zone: ZoneInfo) -> RequestedRun:
    """Options by name; the default day is today in the tenant's time zone. Raises INVALID_FIELD naming each that is wrong."""
    try:
        options = parse_options(given, now.astimezone(time_zone).date())
    except OptionsError as error:
        raise invalid_options(error) from None
    asked = options.to_json() | ({} if given.get("as_of_date") is not None else {"as_of_date": None})
    return RequestedRun(options, _digest(_canonical(asked)))


def replay_digest(run_id: str) -> str:
    """The digest of a request to execute this run again; no request with options has it."""
    return _digest({"replay_of": run_id})


def _digest(asked: Any) -> str:
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()


def _canonical(value: Any) -> Any:
    """One spelling a value: 0.50 and 0.5 are the same."""
    if isinstance(value, dict):
        return {key: _canonical(item) for key, item in value.items()}
    if isinstance(value, str):
        try:
            return f"{Decimal(value).normalize():f}"
        except ArithmeticError:
            return value
    return value
