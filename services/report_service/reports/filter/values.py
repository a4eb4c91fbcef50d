"""The values of a filter as values of a column's type, exactly: any number of digits, any moment of any precision.

A column holds values of a grid (cents, whole numbers, days, microseconds) within a range. A literal need not be one of them: a
comparison with it is decided by the nearest ones below and above, or by the range, so that a database gets only values
that its column could hold.
"""

import datetime as dt
import re
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from typing import Any

import sqlalchemy as sa

from services.report_service.reports.filter.parse import FilterError, Value, shown
from shared.database.types import Exact, UtcDateTime

_NUMBER = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+))(?:[eE]([+-]?\d+))?", re.ASCII)
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_MOMENT = re.compile(r"(\d{4}-\d\d-\d\d)[Tt](\d\d:\d\d:\d\d)(?:\.(\d+))?(?:[Zz]|([+-]\d\d:\d\d))", re.ASCII)

_EXPONENT_LIMIT = 10_000
"""Beyond it an exponent changes nothing: a filter has fewer digits, so the number is out of every range or below every place."""
_WIDE = Context(prec=60)
_MICROSECOND = dt.timedelta(microseconds=1)
_FIRST, _LAST = (moment.replace(tzinfo=dt.UTC) for moment in (dt.datetime.min, dt.datetime.max))


@dataclass(frozen=True)
class Place:
    """Where a literal lies among a column's values: `floor` is the greatest not above it, `ceiling` the least not below it.

    The two are one where the literal is such a value. `side` is -1 below all values and 1 above all, where there are neither.
    """

    floor: Any = None
    ceiling: Any = None
    side: int = 0


BELOW_ALL, ABOVE_ALL = Place(side=-1), Place(side=1)


def place(value: Value, column: str, sql_type: sa.types.TypeEngine[Any]) -> Place:
    """Where the value lies among those of a column of type Exact, Integer, Date or UtcDateTime. Raises FilterError."""
    if isinstance(sql_type, Exact):
        largest = Decimal(10**sql_type.precision - 1).scaleb(-sql_type.scale, context=_WIDE)
        return _on_grid(_number(value, column), -largest, largest, sql_type.scale)
    if isinstance(sql_type, sa.Integer):
        bits = 63 if isinstance(sql_type, sa.BigInteger) else 31
        found = _on_grid(_number(value, column), Decimal(-(2**bits)), Decimal(2**bits - 1), 0)
        return found if found.side else Place(int(found.floor), int(found.ceiling))
    if isinstance(sql_type, sa.Date):
        return _date(value, column)
    if isinstance(sql_type, UtcDateTime):
        return _moment(value, column)
    raise TypeError(f"column {column}: values of {sql_type!r} have no order a filter knows")


def truth(value: Value, column: str) -> bool:
    """The value of a Boolean column. Raises FilterError."""
    if value.text not in ("true", "false"):
        raise _misfit(value, column, "true or false")
    return value.text == "true"


def _on_grid(number: Decimal, least: Decimal, greatest: Decimal, places: int) -> Place:
    if not least <= number <= greatest:
        return ABOVE_ALL if number > greatest else BELOW_ALL
    unit = Decimal(1).scaleb(-places)
    floor, ceiling = (number.quantize(unit, rounding=way, context=_WIDE) for way in (ROUND_FLOOR, ROUND_CEILING))
    return Place(floor, ceiling)


def _number(value: Value, column: str) -> Decimal:
    match = _NUMBER.fullmatch(value.text)
    if not match:
        raise _misfit(value, column, "a number, as in 250000.50")
    mantissa, exponent = match[1], int(match[2] or 0)
    return Decimal(f"{mantissa}E{max(-_EXPONENT_LIMIT, min(_EXPONENT_LIMIT, exponent))}")


def _date(value: Value, column: str) -> Place:
    wanted = "a date, as in 2026-04-17"
    if not _DATE.fullmatch(value.text):
        raise _misfit(value, column, wanted)
    try:
        date = dt.date.fromisoformat(value.text)
    except ValueError:
        raise _misfit(value, column, wanted) from None
    return Place(date, date)


def _moment(value: Value, column: str) -> Place:
    wanted = "a moment with its zone, as in 2026-04-17T08:30:00-04:00 or 2026-04-17T12:30:00Z"
    match = _MOMENT.fullmatch(value.text)
    if not match:
        raise _misfit(value, column, wanted)
    date, time, fraction, offset = match.groups(default="")
    try:
        local = dt.datetime.fromisoformat(f"{date}T{time}{offset or '+00:00'}")
    except ValueError:
        raise _misfit(value, column, wanted) from None
    since = local - _FIRST  # aware moments subtract across zones, also where the moment in UTC is before the year 1
    if not dt.timedelta(0) <= since <= _LAST - _FIRST:
        return BELOW_ALL if since < dt.timedelta(0) else ABOVE_ALL
    floor = _FIRST + since + int(fraction[:6].ljust(6, "0")) * _MICROSECOND
    has_more = fraction[6:].strip("0") != ""
    if has_more and floor == _LAST:
        return ABOVE_ALL
    return Place(floor, floor + _MICROSECOND if has_more else floor)


def _misfit(value: Value, column: str, wanted: str) -> FilterError:
    """The value is not of the column's type; of a wildcard it also says where there is one for every type."""
    message = f"{shown(value.text)!r} is no value of {column}, which takes {wanted}"
    return FilterError(value.position, f"{message}; {column}:* is true where {column} is set" if value.stars else message)
