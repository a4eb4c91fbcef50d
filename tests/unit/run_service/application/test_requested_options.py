"""What a request asks for, and when two requests ask for the same."""

import datetime as dt
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from services.run_service.application.requested_options import replay_digest, requested_options
from shared.errors import PowerFillError, Reason

NEW_YORK = ZoneInfo("America/New_York")
EVENING = dt.datetime(2026, 4, 18, 2, 30, tzinfo=dt.UTC)  # 22:30 on the 17th in New York


def digest(given: dict[str, Any], now: dt.datetime = EVENING) -> str:
    return requested_options(given, now, NEW_YORK).digest


def test_the_day_is_that_of_the_desk() -> None:
    assert requested_options({}, EVENING, NEW_YORK).options.as_of_date == dt.date(2026, 4, 17)
    assert requested_options({}, EVENING, ZoneInfo("Europe/Zurich")).options.as_of_date == dt.date(2026, 4, 18)


def test_a_request_that_names_no_day_is_the_same_on_the_next() -> None:
    assert digest({}) == digest({}, EVENING + dt.timedelta(days=1))
    assert digest({"as_of_date": "2026-04-17"}) != digest({"as_of_date": "2026-04-18"})
    assert digest({"as_of_date": "2026-04-17"}) != digest({})


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ({"switch_cost": "0.50"}, {"switch_cost": "0.5"}, True),
        ({"scope": "CLOSED_AND_LOCKED"}, {}, True),
        ({"pair_off_cost": {"TBA": "0.03125"}}, {}, True),
        ({"seed": 1}, {"seed": 2}, False),
        ({"time_limit": None}, {}, False),
        ({"pair_off_cost": {"TBA": "1"}}, {"pair_off_cost": {"CASH": "1"}}, False),
    ],
)
def test_two_requests_are_the_same_when_their_values_are(one: dict[str, Any], other: dict[str, Any], same: bool) -> None:
    assert (digest(one) == digest(other)) is same


def test_every_wrong_option_is_named_under_options() -> None:
    with pytest.raises(PowerFillError) as raised:
        requested_options({"seed": -1, "no_such": 1, "as_of_date": "0001-01-01"}, EVENING, NEW_YORK)
    assert raised.value.reason == Reason.INVALID_FIELD
    assert {violation.field for violation in raised.value.fields} == {"options.seed", "options.no_such", "options.as_of_date"}


def test_a_replay_is_told_from_every_other_request() -> None:
    assert replay_digest("r1") == replay_digest("r1")
    assert len({replay_digest("r1"), replay_digest("r2"), digest({})}) == 3
