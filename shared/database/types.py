"""Column types that mean the same on every database: exact decimals and moments in UTC."""

import datetime as dt
from decimal import ROUND_HALF_UP, Context, Decimal, InvalidOperation

import sqlalchemy as sa
from sqlalchemy.engine import Dialect
from sqlalchemy.sql.type_api import TypeEngine

FLOAT_EXACT_UNITS = 10**15
"""Below so many units of its last place (15 digits) a decimal survives a binary float: rounding to its scale restores it."""

SqliteNumber = float | bytes
"""What an exact decimal is on SQLite: a number, or its digits as bytes where a float cannot hold them."""

_WIDE = Context(prec=60)


class Exact(sa.types.TypeDecorator[Decimal]):
    """A decimal of `precision` digits, `scale` of them after the point; the same value comes back that went in.

    SQLite has no decimals. There a value is a REAL (or INTEGER) as long as a double restores it, which 15 digits always
    do, and its digits as a BLOB beyond; the columns are of NUMERIC affinity, so that outside tools see plain numbers.
    What is read rounds half away from zero to the scale; a float counts as the shortest decimal that prints it.
    """

    impl = sa.Numeric
    cache_ok = True

    def __init__(self, precision: int, scale: int) -> None:
        super().__init__(precision, scale)
        self.precision, self.scale = precision, scale

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Decimal]:
        """A bare NUMERIC on SQLite, where SQLAlchemy would otherwise convert through floats."""
        plain = _BareNumeric if dialect.name == "sqlite" else sa.Numeric
        return dialect.type_descriptor(plain(self.precision, self.scale))

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> object:
        """The value as its database takes it. Raises ValueError for what is not finite."""
        if value is None:
            return None
        number = Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
        if not number.is_finite():
            raise ValueError(f"{value!r} is not a finite number")
        return sqlite_number(number, self.scale) if dialect.name == "sqlite" else number

    def process_result_value(self, value: object, dialect: Dialect) -> Decimal | None:
        """The stored value as a decimal of the column's scale."""
        return self.from_text(value.decode("ascii") if isinstance(value, bytes) else None if value is None else str(value))

    def from_text(self, text: str | None) -> Decimal | None:
        """The number that `text` prints, rounded half away from zero to the scale. Raises ArithmeticError for what is none."""
        if text is None:
            return None
        number = Decimal(text)
        if not number.is_finite():
            raise InvalidOperation(f"{text} is not a finite number")
        return number.quantize(Decimal(1).scaleb(-self.scale), rounding=ROUND_HALF_UP, context=_WIDE)


class UtcDateTime(sa.types.TypeDecorator[dt.datetime]):
    """A moment with microseconds, stored as UTC without a zone, given and taken with one."""

    impl = sa.DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[dt.datetime]:
        """DATETIME2(6) on SQL Server, whose DATETIME rounds to 3 milliseconds; the dialect's own elsewhere."""
        if dialect.name == "mssql":
            from sqlalchemy.dialects.mssql import DATETIME2  # noqa: PLC0415 - a dialect is loaded only where it is used

            return dialect.type_descriptor(DATETIME2(6))  # type: ignore[no-untyped-call]
        return dialect.type_descriptor(sa.DateTime())

    def process_bind_param(self, value: dt.datetime | None, dialect: Dialect) -> dt.datetime | None:
        """Raises ValueError for a time without a zone."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value} has no time zone")
        return value.astimezone(dt.UTC).replace(tzinfo=None)

    def process_result_value(self, value: dt.datetime | None, dialect: Dialect) -> dt.datetime | None:
        """The stored moment, in UTC."""
        return None if value is None else value.replace(tzinfo=dt.UTC)


def sqlite_number(value: Decimal, scale: int) -> SqliteNumber:
    """A finite decimal as SQLite stores it: a float where that restores it, its digits as bytes where not."""
    exact = value == value.quantize(Decimal(1).scaleb(-scale), context=_WIDE)
    if exact and abs(value) < Decimal(FLOAT_EXACT_UNITS).scaleb(-scale):
        return float(value)
    return format(value, "f").encode("ascii") if exact else float(value)


class _BareNumeric(sa.Numeric[Decimal]):
    """NUMERIC(p, s) whose values pass through untouched."""

    def bind_processor(self, dialect: Dialect) -> None:
        return None

    def result_processor(self, dialect: Dialect, coltype: object) -> None:
        return None
