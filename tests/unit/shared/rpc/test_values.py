import datetime as dt
from decimal import Decimal

import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp
from google.type.date_pb2 import Date
from google.type.decimal_pb2 import Decimal as DecimalMessage
from hypothesis import given
from hypothesis import strategies as st
from powerfill.common.v1.run_status_pb2 import RunStatus

from shared.errors import PowerFillError, Reason
from shared.rpc import values


@given(st.decimals(allow_nan=False, allow_infinity=False, places=8, min_value=-(10**12), max_value=10**12))
def test_a_decimal_comes_back_exactly_and_without_exponent(number: Decimal) -> None:
    message = values.decimal_to_proto(number)
    assert "E" not in message.value.upper()
    assert values.decimal_from_proto(message, "field") == number


@pytest.mark.parametrize("text", ["0.00000001", "1E-8", "+2.50", "-3", ".5", "7.", "1e400"])
def test_what_google_type_decimal_allows_is_a_number(text: str) -> None:
    assert values.decimal_from_proto(DecimalMessage(value=text), "field") == Decimal(text)


@pytest.mark.parametrize(
    "text", ["", " ", "NaN", "-Infinity", "none", "1_000", " 1", "1 ", "\u0661", "1,5", "0x10", "1e99999", ".", "+", "9" * 65]
)
def test_other_texts_are_refused_with_the_field(text: str) -> None:
    with pytest.raises(PowerFillError) as caught:
        values.decimal_from_proto(DecimalMessage(value=text), "options.switch_cost")
    assert caught.value.reason == Reason.INVALID_FIELD
    assert caught.value.fields[0].field == "options.switch_cost"
    assert "9" * 65 not in str(caught.value)


def test_dates() -> None:
    assert values.date_from_proto(values.date_to_proto(dt.date(2026, 2, 28)), "day") == dt.date(2026, 2, 28)
    assert values.date_text(Date(year=2026, month=2, day=30)) == "2026-02-30"


@pytest.mark.parametrize("date", [Date(), Date(year=2026, month=2, day=30), Date(year=-1, month=1, day=1), Date(year=2026)])
def test_what_is_no_day_is_refused(date: Date) -> None:
    with pytest.raises(PowerFillError, match=r"as_of_date: .* is not a day of the calendar"):
        values.date_from_proto(date, "as_of_date")


@given(st.datetimes(timezones=st.just(dt.UTC)))
def test_a_moment_comes_back_exactly(moment: dt.datetime) -> None:
    assert values.timestamp_from_proto(values.timestamp_to_proto(moment), "at") == moment


def test_a_time_without_zone_is_utc() -> None:
    assert values.timestamp_to_proto(dt.datetime(1970, 1, 2)) == Timestamp(seconds=86_400)


def test_a_moment_between_microseconds_counts_as_the_next_one() -> None:
    assert values.timestamp_from_proto(Timestamp(seconds=1, nanos=1), "at").microsecond == 1
    assert values.timestamp_from_proto(Timestamp(seconds=1, nanos=1000), "at").microsecond == 1


def test_the_last_nanosecond_of_year_9999_is_a_moment() -> None:
    assert values.timestamp_from_proto(Timestamp(seconds=253_402_300_799, nanos=999_999_999), "at").year == 9999


@pytest.mark.parametrize(
    ("seconds", "nanos"), [(253_402_300_800, 0), (-62_135_596_801, 0), (0, -1), (0, 1_000_000_000), (2**63 - 1, 0), (-(2**63), 0)]
)
def test_what_is_no_moment_is_refused(seconds: int, nanos: int) -> None:
    with pytest.raises(PowerFillError, match="submitted_from"):
        values.timestamp_from_proto(Timestamp(seconds=seconds, nanos=nanos), "submitted_from")


@pytest.mark.parametrize("seconds", [0.0, 0.000001, 1.5, 86_400.25, -0.25])
def test_durations_come_back(seconds: float) -> None:
    assert values.duration_from_proto(values.duration_to_proto(seconds)) == pytest.approx(seconds)


def test_a_negative_duration_has_one_sign() -> None:
    assert values.duration_to_proto(-1.5) == Duration(seconds=-1, nanos=-500_000_000)


def test_enum_words_have_no_prefix_and_no_unspecified() -> None:
    words = values.enum_words(RunStatus.DESCRIPTOR)
    assert words[5] == "COMPLETE"
    assert 0 not in words
    assert values.enum_numbers(RunStatus.DESCRIPTOR)["PRE_PROCESSING"] == 2
