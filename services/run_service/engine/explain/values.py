"""Values of a loan's fields, of options and of tables, as an explanation shows and compares them."""

import datetime as dt
from decimal import Decimal
from fractions import Fraction

from shared.money import exact

Value = str | bool | int | Decimal | dt.date
"""What a field, an option or a cell of a table can hold; a missing one is None."""

MAX_SHOWN_PLACES = 12


def shown(value: Value | None) -> str:
    """A value as a person writes it: no zeros at the end of a number, `nothing` where it is missing."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return format(shortest(value), "f")
    return str(value)


def shortest(value: Decimal) -> Decimal:
    """The same number without zeros at its end."""
    number = exact(value, MAX_SHOWN_PLACES)
    return value if number is None else number


def relative_change(before: Value | None, after: Value | None, days_in_full: int) -> Fraction | None:
    """How large a change is: of a number |after - before| / |before|, of a date the days moved over `days_in_full`.

    None for what is no change of a number: from or to nothing, from 0, of a text.
    """
    if before is None or after is None or isinstance(before, (bool, str)) or isinstance(after, (bool, str)):
        return None
    if isinstance(before, dt.date) or isinstance(after, dt.date):
        if not (isinstance(before, dt.date) and isinstance(after, dt.date)):
            return None
        return Fraction(abs((after - before).days), max(1, days_in_full))
    if before == 0:
        return None
    return abs(Fraction(after) - Fraction(before)) / abs(Fraction(before))


def days_later(day: dt.date, days: int) -> dt.date:
    """The date so many days after a date, or the calendar's last or first one where it does not reach so far."""
    ordinal = min(max(day.toordinal() + days, dt.date.min.toordinal()), dt.date.max.toordinal())
    return dt.date.fromordinal(ordinal)
