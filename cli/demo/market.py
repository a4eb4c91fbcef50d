"""The demo's price model: a coupon ladder with time value, how the market got here, today's prices and payups."""

import datetime as dt

import numpy as np
import numpy.typing as npt
import polars as pl

from cli.demo import settlement
from cli.demo.instruments import (
    CONFORMING_LIMIT,
    GROUPS,
    HIGH_COST_LIMIT,
    SIZE_TIERS,
    Group,
    Instrument,
    fees,
    multiples,
    note_window,
    universe,
)
from cli.demo.schema import rows

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

TICKS = 64
"""Securities are quoted in sixty-fourths of a point."""
DROP_32NDS_A_MONTH = 5.5
DROP_PER_COUPON_32NDS = 1.0
DAILY_MOVE_POINTS = 0.07
HISTORY_DAYS = 1_200
CASH_MARGIN_POINTS = 0.10
"""What a cash window keeps against the security it will issue."""
SETTLEMENT_MONTHS = 3
WINDOW_DAYS = 60

PAYUP_32NDS = {85: 64, 110: 56, 125: 46, 150: 38, 175: 30, 200: 22, 225: 16, 250: 11, 275: 7, 300: 4}
STORY_PAYUP_32NDS = {"NY": 44, "INVESTOR": 24, "TX": 14, "FL": 10, "LOFICO": 8, "2NDHOME": 5}
SHORT_TERM_PAYUP_SHARE = 0.6
HIGH_BALANCE_32NDS = -28
"""What a high-balance loan loses in a standard security; a pool of nothing else loses a little less."""
FLAT_PRICES = {"CONF10": 100.0, "JUMBO30": 101.5}
"""Groups that have one price a day for every note rate, in points."""


class Market:
    """Prices of every instrument on one day, and the way they moved before it."""

    def __init__(self, as_of: dt.date, rng: np.random.Generator) -> None:
        self.as_of = as_of
        self.instruments = universe()
        self.settlements = {
            name: settlement.upcoming(as_of, name, SETTLEMENT_MONTHS) for name in settlement.BUSINESS_DAY_OF_CLASS
        }
        moves = rng.normal(0, DAILY_MOVE_POINTS, HISTORY_DAYS)
        self._level = np.concatenate([[0.0], np.cumsum(moves)])
        coupon = [i.coupon for i in self.instruments]
        self._front = np.array(
            [np.nan if c is None else i.group.ladder(c) for i, c in zip(self.instruments, coupon, strict=True)]
        )
        self._drop = np.array(
            [0.0 if c is None else daily_drop(i.group, c) for i, c in zip(self.instruments, coupon, strict=True)]
        )
        self._volatility = np.array([i.group.volatility for i in self.instruments])

    def days_to(self, settles: dt.date) -> int:
        """Calendar days from as_of."""
        return (settles - self.as_of).days

    def open_settlements(self, group: Group) -> list[dt.date]:
        """The group's coming settlement dates that a run's default window of 60 days reaches."""
        return [date for date in self.settlements[group.settlement_class] if self.days_to(date) <= WINDOW_DAYS]

    def quote(self, instrument: Ints, days: Ints, days_ago: Ints | int = 0) -> Floats:
        """Price in points, without payups, of each instrument (by position in the universe); NaN for what has no coupon.

        For settlement `days` days after as_of, as quoted `days_ago` days before it.
        """
        then = self._level[np.minimum(days_ago, HISTORY_DAYS)] * self._volatility[instrument]
        price: Floats = np.round((self._front[instrument] - self._drop[instrument] * days + then) * TICKS) / TICKS
        return price

    def cash_value(self, group: Group, note_rate: Floats, days: int) -> Floats:
        """What a cash window pays in points for loans of these note rates, settling in `days` days."""
        proxy = group if group.coupons else GROUPS["CONF30"]
        _, value = best_execution(proxy, note_rate)
        price: Floats = np.round((value - CASH_MARGIN_POINTS - days * daily_drop(proxy, proxy.par_coupon)) * 1_000) / 1_000
        return price


def daily_drop(group: Group, coupon: float) -> float:
    """Points by which a settlement one day later is cheaper: it gives up that day's coupon income."""
    return (DROP_32NDS_A_MONTH + DROP_PER_COUPON_32NDS * (coupon - group.par_coupon)) / 32 / 30


def best_execution(group: Group, note_rate: Floats) -> tuple[Ints, Floats]:
    """For loans of these note rates the coupon that pays most in the group's standard security, by position, and its price.

    The price is in points for settlement today, with the value of excess servicing. A note rate in no coupon's window takes the
    nearest coupon.
    """
    securities = [i for i in universe() if i.group is group and i.label in ("TBA", "HB") and i.investor != "FHLMC"]
    value = np.empty((len(note_rate), len(securities)))
    for column, security in enumerate(securities):
        coupon = security.coupon or 0.0
        buyup, buydown = multiples(security)
        low, high = note_window(security)
        excess = note_rate - coupon - sum(fees(security))
        outside = np.maximum(0, np.maximum(low - (note_rate - coupon), (note_rate - coupon) - high))
        value[:, column] = group.ladder(coupon) + excess * np.where(excess >= 0, buyup, buydown) - 100 * outside
    best = value.argmax(axis=1)
    return best, value[np.arange(len(note_rate)), best]


def payup_32nds(instrument: Instrument) -> int:
    """The payup of a specified pool: more for smaller loans and for higher coupons, which need the protection more."""
    tier = instrument.label.removeprefix("MAX")
    base = STORY_PAYUP_32NDS.get(instrument.label, 0) if not tier.isdigit() else PAYUP_32NDS[int(tier)]
    if not base or instrument.coupon is None:
        return 0
    protection = min(1.6, max(0.35, 0.7 + 0.35 * (instrument.coupon - instrument.group.par_coupon)))
    share = SHORT_TERM_PAYUP_SHARE if instrument.group.years < 20 else 1.0
    return max(1, round(base * protection * share))


def payup_table() -> pl.DataFrame:
    """`rmusr_payups`: specified pools in 32nds; cash windows by credit, in points."""
    records: list[dict[str, object]] = []

    def add(instrument: Instrument, attribute: str, low: float, high: float, *, payup: float, div_by: int | None = None) -> None:
        records.append(
            {
                "investor_instrument": instrument.name,
                "attribute": attribute,
                "low_value": low,
                "high_value": high,
                "payup": payup,
                "div_by": div_by,
            }
        )

    for instrument in universe():
        if payup := payup_32nds(instrument):
            if instrument.label == "LOFICO":
                add(instrument, "fico", 300, 699, payup=payup, div_by=32)
            else:
                add(instrument, "loan_amount", 0.01, instrument.max_loan_amount or CONFORMING_LIMIT, payup=payup, div_by=32)
        if instrument.label == "TBA" and instrument.group.name == "CONF30":
            add(instrument, "loan_amount", CONFORMING_LIMIT + 0.01, HIGH_COST_LIMIT, payup=HIGH_BALANCE_32NDS, div_by=32)
        if instrument.kind == "CASH":
            add(instrument, "fico", 760, 850, payup=0.03125)
            add(instrument, "ltv", 90.000001, 97, payup=-0.0625)
    return rows("rmusr_payups", records)


def todays_price_table(market: Market) -> pl.DataFrame:
    """`rmcat_todays_prices`: every security for its coming settlements; ten-year cash and the bulk bid have one price a day."""
    records: list[dict[str, object]] = []
    for position, instrument in enumerate(market.instruments):
        flat = FLAT_PRICES.get(instrument.group.name)
        if instrument.coupon is None and flat is None:
            continue
        for settles in market.settlements[instrument.group.settlement_class]:
            days = market.days_to(settles)
            quoted = market.quote(np.array([position]), np.array([days]))[0]
            price = quoted if flat is None else flat - days / 256
            records.append({"investor_instrument": instrument.name, "settlement_date": settles, "price": float(price)})
    return rows("rmcat_todays_prices", records)


def tightest_tier(group: Group, loan_amount: Floats) -> Ints:
    """Position of the smallest size tier of the group that takes each amount; the number of tiers where none does."""
    tiers = np.array(SIZE_TIERS.get(group.name, ()), dtype=np.float64) * 1_000
    return np.searchsorted(tiers, loan_amount, side="left").astype(np.int64)
