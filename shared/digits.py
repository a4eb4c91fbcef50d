"""How many digits exact numbers have, and the one rounding rule: what of `shared.money` needs no frames.

A process that only reads tables row by row imports this and not polars, which alone takes 30 MB.
"""

from decimal import MAX_EMAX, MIN_EMIN, ROUND_HALF_UP, Context, Decimal
from typing import NamedTuple

AMOUNT_PLACES = 2
PRICE_PLACES = 8
RATE_PLACES = 6


class Digits(NamedTuple):
    """A decimal of so many digits, `scale` of them after the point."""

    precision: int
    scale: int


AMOUNT_DIGITS = Digits(14, AMOUNT_PLACES)
"""Dollars: at most 999,999,999,999.99."""
PRICE_DIGITS = Digits(12, PRICE_PLACES)
"""Points: at most 9,999.99999999."""
RATE_DIGITS = Digits(10, RATE_PLACES)
"""Percent or ratio: at most 9,999.999999."""
TOTAL_DIGITS = Digits(20, AMOUNT_PLACES)
"""A sum of dollars."""

WIDE = Context(prec=80, Emax=MAX_EMAX, Emin=MIN_EMIN)
"""Holds every number that is in range of anything here; beyond it operations raise InvalidOperation."""


def round_half_away(value: Decimal, places: int) -> Decimal:
    """Round to `places` decimals, half away from zero."""
    return value.quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_UP, context=WIDE)
