"""The demo's settlement calendar: business days, and one settlement date a month for each class of securities.

The industry publishes these dates; the demo must work on any day, so it puts each class on a business day of the month
near the published pattern (class A around the 13th, D around the 23rd).
"""

import calendar
import datetime as dt
from functools import lru_cache

import numpy as np

BUSINESS_DAY_OF_CLASS = {"A": 9, "B": 12, "C": 14, "D": 16}
"""Class A: 30-year UMBS; B: 15- and 20-year UMBS; C: Ginnie Mae; D: everything else."""

NOTICE_BUSINESS_DAYS = 2
"""Pools are notified this many business days before settlement: nothing more can go to a nearer settlement."""


def business_days(as_of: dt.date) -> np.busdaycalendar:
    """Weekdays that are no federal holiday, from three years before `as_of` to one year after."""
    days = [day for year in range(as_of.year - 3, as_of.year + 2) for day in _federal_holidays(year)]
    return np.busdaycalendar(holidays=np.array(days, dtype="datetime64[D]"))


def upcoming(as_of: dt.date, settlement_class: str, months: int) -> list[dt.date]:
    """The class's next `months` settlement dates that can still be notified, nearest first."""
    days = business_days(as_of)
    notified = np.busday_offset(as_of, NOTICE_BUSINESS_DAYS, roll="forward", busdaycal=days)
    dates = (_monthly(as_of, settlement_class, offset, days) for offset in range(months + 2))
    return [date for date in dates if np.datetime64(date) > notified][:months]


def past(as_of: dt.date, settlement_class: str, months: int) -> list[dt.date]:
    """The class's settlement dates of the `months` months before that of `as_of`, latest first."""
    days = business_days(as_of)
    return [_monthly(as_of, settlement_class, -offset, days) for offset in range(1, months + 1)]


def _monthly(as_of: dt.date, settlement_class: str, month_offset: int, days: np.busdaycalendar) -> dt.date:
    year, month = divmod(as_of.year * 12 + as_of.month - 1 + month_offset, 12)
    first = np.busday_offset(dt.date(year, month + 1, 1), 0, roll="forward", busdaycal=days)
    settles = np.busday_offset(first, BUSINESS_DAY_OF_CLASS[settlement_class] - 1, busdaycal=days)
    return dt.date.fromisoformat(str(settles))


@lru_cache
def _federal_holidays(year: int) -> tuple[dt.date, ...]:
    return (
        dt.date(year, 1, 1),
        _weekday_of(year, 1, calendar.MONDAY, 3),
        _weekday_of(year, 2, calendar.MONDAY, 3),
        _weekday_of(year, 5, calendar.MONDAY, -1),
        dt.date(year, 6, 19),
        dt.date(year, 7, 4),
        _weekday_of(year, 9, calendar.MONDAY, 1),
        _weekday_of(year, 10, calendar.MONDAY, 2),
        dt.date(year, 11, 11),
        _weekday_of(year, 11, calendar.THURSDAY, 4),
        dt.date(year, 12, 25),
    )


def _weekday_of(year: int, month: int, weekday: int, which: int) -> dt.date:
    """The first (1), second (2) ... or last (-1) such weekday of a month."""
    days = [week[weekday] for week in calendar.monthcalendar(year, month) if week[weekday]]
    return dt.date(year, month, days[which - 1 if which > 0 else which])
