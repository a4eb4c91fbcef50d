"""What the demo's desk sold each loan into: the demand from which open trades and forming pools are made.

A desk hedges loan by loan, in the coupon, pool story and month that paid most when the loan was locked. Trades made from
that demand can be filled, and the best allocation is near it without being it: prices have moved and lots are round.
"""

import datetime as dt
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from cli.demo.instruments import GROUPS, SIZE_TIERS, Group
from cli.demo.market import Market, best_execution, tightest_tier
from cli.demo.pipeline import GROUP_OF_PRODUCT
from shared.money import to_scaled

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

NONE = -1
FHLMC_SHARE = 0.45
TRADES_OF_FULL_VARIETY = 200
"""A desk with fewer open trades sells fewer kinds: the shares below, and Freddie Mac's, shrink with its trades."""
FRONT_SHARE = 0.55
"""Of the loans that can make the next settlement, how many were sold for it."""
TIER_SHARE = 0.80
"""Of the loans that a size tier takes, how many were sold in a specified pool."""
STORY_SHARE = 0.65
CASH_SHARE = 0.08
PREPARE_DAYS = 2
"""A loan is eligible this many days before the settlement it was sold for."""


@dataclass(frozen=True)
class Bucket:
    """Demand for one instrument (by position in the universe) on one settlement date."""

    instrument: int
    settles: dt.date


@dataclass(frozen=True)
class Hedges:
    """For each loan, in the order of the loan table: whether it is in scope, its amount, and where it was sold."""

    in_scope: Bools
    amount: Floats
    bucket: Ints
    """Position in `buckets`, or NONE."""
    buckets: tuple[Bucket, ...]


def hedge(market: Market, loan: pl.DataFrame, shipped: pl.DataFrame, open_trades: int, rng: np.random.Generator) -> Hedges:
    """Sell every in-scope loan forward, except ten-year loans: the desk waits with them for a day's cash price.

    `open_trades` is the number of trades that will carry the demand.
    """
    variety = min(1.0, open_trades / TRADES_OF_FULL_VARIETY)
    in_scope = (
        loan.select((pl.col("status_code") != "Started") & ~pl.col("loan_id").is_in(shipped["loan_id"].implode()))
        .to_series()
        .to_numpy()
    )
    group_name = loan["loan_instrument"].replace_strict(GROUP_OF_PRODUCT).to_numpy()
    amount = to_scaled(loan["loan_amount"]) / 100
    eligible = loan.select((pl.coalesce("close_date", "lock_expiration_date") - pl.lit(market.as_of)).dt.total_days()).to_series()
    days = eligible.to_numpy().astype(np.int64)
    buckets: dict[Bucket, int] = {}
    bucket = np.full(len(loan), NONE, dtype=np.int64)
    for group in GROUPS.values():
        if group.name == "CONF10":
            continue
        members = np.nonzero(in_scope & (group_name == group.name))[0]
        part = loan[members]
        instrument = _instruments(market, group, part, amount[members], variety=variety, rng=rng)
        month = _months(market, group, days[members], rng)
        dates = market.open_settlements(group)
        for key in np.unique(instrument * len(dates) + month):
            which, when = divmod(int(key), len(dates))
            here = members[(instrument == which) & (month == when)]
            bucket[here] = buckets.setdefault(Bucket(which, dates[when]), len(buckets))
    return Hedges(in_scope, amount, bucket, tuple(buckets))


def _instruments(
    market: Market, group: Group, loan: pl.DataFrame, amount: Floats, *, variety: float, rng: np.random.Generator
) -> Ints:
    """The instrument each of the group's loans was sold in, by position in the universe."""
    shelf = _Shelf(market, group)
    draw = rng.random(len(loan))
    agency = np.where(rng.random(len(loan)) < FHLMC_SHARE * variety, len(shelf.investors) - 1, 0)
    if not group.coupons:
        only: Ints = shelf.cell[agency, 0, 0]
        return only
    coupon, _ = best_execution(group, to_scaled(loan["note_rate"]) / 1e6)
    standard = np.zeros(len(loan), dtype=np.int64)
    label = standard
    if group.name == "CONF30":
        label = np.where(draw < STORY_SHARE * variety, _story(shelf, loan), label)
    if group.name in SIZE_TIERS:
        tiers = np.array([*(shelf.labels.index(f"MAX{tier}") for tier in SIZE_TIERS[group.name]), 0])
        tier = tiers[tightest_tier(group, amount)]
        label = np.where((tier > 0) & (draw < TIER_SHARE * variety), tier, label)
    if "CASH" in shelf.labels:
        label = np.where(draw > 1 - CASH_SHARE * variety, shelf.labels.index("CASH"), label)
    found = shelf.cell[agency, label, coupon]
    return np.where(found == NONE, shelf.cell[agency, standard, coupon], found)


class _Shelf:
    """The group's instruments by investor, label (the first is the standard security) and coupon; NONE where there is none.

    What has no coupon stands in every column.
    """

    def __init__(self, market: Market, group: Group) -> None:
        members = [(k, i) for k, i in enumerate(market.instruments) if i.group is group]
        self.investors = list(dict.fromkeys(i.investor for _, i in members))
        self.labels = list(dict.fromkeys(i.label for _, i in members))
        shape = (len(self.investors), len(self.labels), max(1, len(group.coupons)))
        self.cell = np.full(shape, NONE, dtype=np.int64)
        for k, instrument in members:
            row, layer = self.investors.index(instrument.investor), self.labels.index(instrument.label)
            column = slice(None) if instrument.coupon is None else group.coupons.index(instrument.coupon)
            self.cell[row, layer, column] = k


def _story(shelf: _Shelf, loan: pl.DataFrame) -> Ints:
    """The label of the most valuable pool story that each loan tells; 0 for none."""
    told = {
        "NY": pl.col("state") == "NY",
        "INVESTOR": pl.col("occupancy") == "I",
        "TX": pl.col("state") == "TX",
        "FL": pl.col("state") == "FL",
        "LOFICO": pl.col("fico") < 700,
        "2NDHOME": pl.col("occupancy") == "S",
    }
    tells = [loan.select(condition).to_series().to_numpy() for condition in told.values()]
    return np.select(tells, [shelf.labels.index(story) for story in told], 0).astype(np.int64)


def _months(market: Market, group: Group, eligible_days: Ints, rng: np.random.Generator) -> Ints:
    """Which of the group's open settlements each loan was sold for."""
    to_front = market.days_to(market.open_settlements(group)[0])
    several = len(market.open_settlements(group)) > 1
    front = (eligible_days + PREPARE_DAYS <= to_front) & (rng.random(len(eligible_days)) < FRONT_SHARE)
    return np.where(front | (not several), 0, 1).astype(np.int64)
