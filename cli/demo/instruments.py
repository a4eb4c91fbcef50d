"""What the demo lender can deliver: securities by coupon, specified pools, cash commitments and a bulk sale.

Windows, fees and size tiers are the market defaults of Fannie Mae's and Freddie Mac's public guides and of Ginnie Mae's
product page.
"""

from dataclasses import dataclass
from functools import lru_cache

import polars as pl

from cli.demo.schema import rows

CONFORMING_LIMIT = 832_750.0
"""FHFA's baseline loan limit of 2026, dollars."""
HIGH_COST_LIMIT = 1_249_125.0
"""FHFA's ceiling of 2026 for high-cost areas, dollars."""

AGENCIES = ("FNMA", "FHLMC")
SERVICING_FEE = 0.25
AGENCY_GUARANTY_FEE = 0.45
GINNIE_GUARANTY_FEE = 0.06
GINNIE_SERVICING_FEE = 0.19
UMBS_WINDOW = (0.25, 1.125)
GINNIE_WINDOW = (0.25, 0.75)
BUYUP_SHARE = 0.92
"""A bought-up point of servicing pays this share of what the same rate earns in a higher coupon; bought down it costs more."""
BUYDOWN_SHARE = 1.35
GINNIE_STRIP_SHARE = 0.75


@dataclass(frozen=True)
class Group:
    """Loans that deliver into the same securities, with the ladder of prices by coupon: a parabola through par."""

    name: str
    years: int
    settlement_class: str
    coupons: tuple[float, ...] = ()
    par_coupon: float = 0.0
    slope: float = 0.0
    """Points per percent of coupon, at the par coupon."""
    curvature: float = 0.0
    """Points taken off per squared percent away from it: higher coupons prepay."""
    basis: float = 0.0
    """Points against the standard security."""
    volatility: float = 1.0
    """How far the group moves when the market moves by a point."""

    def ladder(self, coupon: float) -> float:
        """Price in points of the coupon for settlement today."""
        distance = coupon - self.par_coupon
        return 100 + self.basis + self.slope * distance - self.curvature * distance * distance

    def slope_at(self, coupon: float) -> float:
        """Points per percent of coupon at this coupon."""
        return self.slope - 2 * self.curvature * (coupon - self.par_coupon)


GROUPS = {
    group.name: group
    for group in (
        Group("CONF30", 30, "A", (4.5, 5.0, 5.5, 6.0, 6.5, 7.0, 7.5), 5.45, 3.9, 0.55),
        Group("CONF20", 20, "B", (4.5, 5.0, 5.5, 6.0), 5.20, 3.4, 0.50, volatility=0.8),
        Group("CONF15", 15, "B", (4.0, 4.5, 5.0, 5.5, 6.0), 4.70, 3.1, 0.40, volatility=0.6),
        Group("CONF10", 10, "D", volatility=0.5),
        Group("SUPER30", 30, "A", (5.0, 5.5, 6.0, 6.5, 7.0), 5.45, 3.9, 0.55, basis=-0.75),
        Group("GOVT30", 30, "C", (4.5, 5.0, 5.5, 6.0, 6.5, 7.0), 5.40, 3.8, 0.50, basis=0.25),
        Group("JUMBO30", 30, "D"),
    )
}

SIZE_TIERS = {
    "CONF30": (85, 110, 125, 150, 175, 200, 225, 250, 275, 300),
    "CONF15": (110, 125, 150, 175, 200),
}
"""Maximum original balance of a specified pool, thousands of dollars."""
TIER_COUPONS = {"CONF30": (5.0, 5.5, 6.0, 6.5), "CONF15": (4.5, 5.0, 5.5)}
STORIES = ("NY", "TX", "FL", "LOFICO", "INVESTOR", "2NDHOME")
STORY_COUPONS = (5.5, 6.0, 6.5)


@dataclass(frozen=True)
class Instrument:
    """Something the lender can deliver or sell; `label` says which kind of pool within its group."""

    name: str
    investor: str
    kind: str
    group: Group
    label: str
    coupon: float | None = None
    max_loan_amount: float | None = None

    @property
    def ginnie(self) -> bool:
        """Whether Ginnie Mae's window and fees apply."""
        return self.investor == "GNMA"


@lru_cache
def universe() -> tuple[Instrument, ...]:
    """Every instrument of the demo, by group, then agency, then label, then coupon."""
    found: list[Instrument] = []
    for group in GROUPS.values():
        if group.name == "GOVT30":
            found += [Instrument(f"GNMA II 30 {c:.1f}", "GNMA", "TBA", group, "TBA", c) for c in group.coupons]
        elif group.name == "JUMBO30":
            found.append(Instrument("BULK 30 JUMBO", "HARROWGATE", "BULK", group, "BULK"))
        else:
            for agency in AGENCIES:
                found += _agency(group, agency)
    return tuple(found)


def _agency(group: Group, agency: str) -> list[Instrument]:
    head = f"{agency} {group.years}"
    if group.name == "SUPER30":
        return [Instrument(f"{head} HB {c:.1f}", agency, "SPEC", group, "HB", c) for c in group.coupons]
    found = [Instrument(f"{head} UMBS {c:.1f}", agency, "TBA", group, "TBA", c) for c in group.coupons]
    for tier in SIZE_TIERS.get(group.name, ()):
        found += [
            Instrument(f"{head} MAX{tier} {c:.1f}", agency, "SPEC", group, f"MAX{tier}", c, tier * 1_000.0)
            for c in TIER_COUPONS[group.name]
        ]
    for story in STORIES if group.name == "CONF30" else ():
        found += [Instrument(f"{head} {story} {c:.1f}", agency, "SPEC", group, story, c) for c in STORY_COUPONS]
    return [*found, Instrument(f"{head} CASH", agency, "CASH", group, "CASH")]


def instrument_table() -> pl.DataFrame:
    """`pscat_instruments`."""
    return rows("pscat_instruments", [_record(instrument) for instrument in universe()])


def note_window(instrument: Instrument) -> tuple[float, float]:
    """Least and greatest note rate over the coupon, percent."""
    return GINNIE_WINDOW if instrument.ginnie else UMBS_WINDOW


def fees(instrument: Instrument) -> tuple[float, float]:
    """Guaranty and servicing fee, percent; a whole-loan sale has no guaranty fee."""
    if instrument.ginnie:
        return GINNIE_GUARANTY_FEE, GINNIE_SERVICING_FEE
    return (0.0 if instrument.coupon is None else AGENCY_GUARANTY_FEE), SERVICING_FEE


def multiples(instrument: Instrument) -> tuple[float, float]:
    """Points for a percent of servicing above (buy-up) and below (buy-down) the coupon's need, in steps of 0.05."""
    if instrument.coupon is None:
        return 0.0, 0.0
    slope = instrument.group.slope_at(instrument.coupon)
    buyup = GINNIE_STRIP_SHARE if instrument.ginnie else BUYUP_SHARE
    return round(20 * buyup * slope) / 20, round(20 * BUYDOWN_SHARE * slope) / 20


def _record(instrument: Instrument) -> dict[str, object]:
    guaranty_fee, servicing_fee = fees(instrument)
    buyup, buydown = multiples(instrument)
    low, high = note_window(instrument) if instrument.coupon is not None else (None, None)
    return {
        "investor_instrument": instrument.name,
        "investor": instrument.investor,
        "kind": instrument.kind,
        "term_months": instrument.group.years * 12,
        "coupon": instrument.coupon,
        "min_note_over_coupon": low,
        "max_note_over_coupon": high,
        "guaranty_fee": guaranty_fee,
        "servicing_fee": servicing_fee,
        "buyup_multiple": buyup,
        "buydown_multiple": buydown,
        "min_pool_amount": 25_000.0 if instrument.ginnie else 1_000_000.0,
        "max_loan_amount": instrument.max_loan_amount or (2_500_000.0 if instrument.kind == "BULK" else None),
    }
