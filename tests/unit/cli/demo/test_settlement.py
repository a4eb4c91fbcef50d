"""The calendar: business days, one date a month and class, always far enough ahead to be notified."""

import datetime as dt
from itertools import pairwise

import numpy as np
import pytest

from cli.demo import settlement

DAYS = [dt.date(2026, 1, 1) + dt.timedelta(days=offset) for offset in range(0, 400, 3)]


def test_holidays_are_no_business_days() -> None:
    """2026: New Year's Day, Martin Luther King (19 January), Memorial Day (25 May), Thanksgiving (26 November)."""
    calendar = settlement.business_days(dt.date(2026, 4, 17))
    for day in ("2026-01-01", "2026-01-19", "2026-05-25", "2026-11-26", "2026-06-19", "2026-09-07", "2026-10-12"):
        assert not np.is_busday(day, busdaycal=calendar), day
    assert np.is_busday("2026-01-20", busdaycal=calendar)


def test_a_class_settles_on_its_business_day() -> None:
    """May 2026 begins on a Friday, its first holiday is the 25th: the ninth business day is the 13th, the sixteenth the 22nd."""
    as_of = dt.date(2026, 4, 17)
    assert settlement.upcoming(as_of, "A", 2)[0] == dt.date(2026, 5, 13)
    assert settlement.upcoming(as_of, "D", 2) == [dt.date(2026, 4, 22), dt.date(2026, 5, 22)]
    assert settlement.past(as_of, "A", 1) == [dt.date(2026, 3, 12)]


@pytest.mark.parametrize("settlement_class", sorted(settlement.BUSINESS_DAY_OF_CLASS))
def test_settlements_ahead_can_be_notified_and_come_monthly(settlement_class: str) -> None:
    for as_of in DAYS:
        dates = settlement.upcoming(as_of, settlement_class, 3)
        calendar = settlement.business_days(as_of)
        assert len(dates) == 3
        assert np.busday_count(as_of, dates[0], busdaycal=calendar) >= settlement.NOTICE_BUSINESS_DAYS
        assert (dates[0] - as_of).days < 40
        assert all(25 <= (later - sooner).days <= 38 for sooner, later in pairwise(dates))
        assert all(np.is_busday(day, busdaycal=calendar) for day in dates)


def test_classes_settle_one_after_the_other() -> None:
    assert [settlement.past(dt.date(2026, 4, 17), name, 1)[0].day for name in "ABCD"] == [12, 17, 19, 23]
