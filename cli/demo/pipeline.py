"""The demo's pipeline: loans with their attributes and dates, risk segments, and loans already shipped."""

import datetime as dt
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from cli.demo import settlement
from cli.demo.instruments import CONFORMING_LIMIT, HIGH_COST_LIMIT
from cli.demo.schema import conform

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

SHIPPED_SHARE = 0.13
SHIPPED_WITHIN_DAYS = 14
"""Purchased loans closed before these days, and how many of them have shipped since."""
AT_RISK_DAYS = 5
"""A lock that expires this soon puts its loan at risk."""


@dataclass(frozen=True)
class Product:
    """A loan programme: its share of the pipeline and where its note rates and amounts lie."""

    name: str
    group: str
    term_months: int
    share: float
    note_rate: float
    median_amount: float
    smallest: float = 40_000.0
    largest: float = CONFORMING_LIMIT


PRODUCTS = (
    Product("30Y CONF", "CONF30", 360, 0.555, 6.375, 305_000),
    Product("20Y CONF", "CONF20", 240, 0.040, 6.125, 270_000),
    Product("15Y CONF", "CONF15", 180, 0.115, 5.625, 215_000),
    Product("10Y CONF", "CONF10", 120, 0.008, 5.500, 175_000),
    Product("30Y SUPERCONF", "SUPER30", 360, 0.045, 6.500, 960_000, CONFORMING_LIMIT + 1, HIGH_COST_LIMIT),
    Product("30Y FHA", "GOVT30", 360, 0.120, 6.125, 265_000),
    Product("30Y VA", "GOVT30", 360, 0.080, 6.000, 330_000),
    Product("30Y USDA", "GOVT30", 360, 0.017, 6.125, 195_000),
    Product("30Y JUMBO", "JUMBO30", 360, 0.013, 6.625, 1_500_000, HIGH_COST_LIMIT + 1, 2_750_000.0),
)
GROUP_OF_PRODUCT = {product.name: product.group for product in PRODUCTS}

STATUS_SHARES = {"Started": 0.04, "Locked": 0.15, "Approved": 0.10, "DocsOut": 0.06, "Closed": 0.43, "Purchased": 0.22}
STATE_SHARES = {
    "CA": 0.135, "TX": 0.11, "FL": 0.10, "NY": 0.045, "IL": 0.045, "GA": 0.05, "NC": 0.055, "OH": 0.045, "PA": 0.045,
    "AZ": 0.055, "VA": 0.045, "NJ": 0.035, "MI": 0.04, "WA": 0.05, "CO": 0.045, "TN": 0.035, "MN": 0.025, "UT": 0.02,
    "SC": 0.02,
}  # fmt: skip
PROPERTY_SHARES = {"SF": 0.61, "PUD": 0.26, "CONDO": 0.115, "MH": 0.015}
OCCUPANCY_SHARES = {"P": 0.89, "S": 0.04, "I": 0.07}
PURPOSE_SHARES = {"PURCHASE": 0.68, "REFI": 0.14, "CASHOUT": 0.18}
LTV_SHARES = {60.0: 0.14, 70.0: 0.10, 75.0: 0.14, 80.0: 0.30, 85.0: 0.06, 90.0: 0.09, 95.0: 0.11, 97.0: 0.06}
"""Conventional loans crowd at the limits of pricing buckets; a loan lies up to 8 points under its bucket's limit."""
LOCK_DAYS_LEFT = {"Started": (20, 60), "Locked": (8, 50), "Approved": (4, 35), "DocsOut": (1, 14)}
"""Days from as_of until the lock of a loan not yet closed expires, by status."""


def loan_table(as_of: dt.date, count: int, rng: np.random.Generator) -> pl.DataFrame:
    """`loan`: `count` loans in the order of their ids."""
    product = rng.choice(len(PRODUCTS), count, p=_normal([p.share for p in PRODUCTS]))
    name = np.array([p.name for p in PRODUCTS])[product]
    govt = np.array([p.group == "GOVT30" for p in PRODUCTS])[product]
    status = _pick(rng, STATUS_SHARES, count)
    occupancy = np.where(govt, "P", _pick(rng, OCCUPANCY_SHARES, count))
    fico = np.round(rng.normal(np.where(govt, 688, 752), np.where(govt, 46, 44)).clip(560, 830)).astype(np.int64)
    jumbo = np.array([p.group == "JUMBO30" for p in PRODUCTS])[product]
    ltv = _ltv(rng, count)
    ltv = np.where(govt, np.round(np.minimum(100.0, 96.5 + rng.normal(0, 2.5, count)), 3), ltv)
    ltv = np.where(jumbo, np.minimum(ltv, 80.0), ltv)
    ids = 4_100_000 + np.cumsum(rng.integers(1, 8, count))
    return conform(
        "loan",
        pl.DataFrame(
            {
                "loan_id": pl.Series(ids).cast(pl.String),
                "loan_instrument": name,
                "loan_amount": _amounts(rng, product, status),
                "note_rate": _note_rates(rng, product, fico, ltv, occupancy),
                "term_months": np.array([p.term_months for p in PRODUCTS])[product],
                "status_code": status,
                **_dates(as_of, rng, status),
                "fico": fico,
                "ltv": ltv,
                "dti": np.round(rng.normal(np.where(govt, 41, 36), 8.5).clip(4, 57), 3),
                "state": _pick(rng, STATE_SHARES, count),
                "property_type": _pick(rng, PROPERTY_SHARES, count),
                "occupancy": occupancy,
                "purpose": _pick(rng, PURPOSE_SHARES, count),
                "units": rng.choice(4, count, p=[0.965, 0.022, 0.008, 0.005]) + 1,
                "high_balance": name == "30Y SUPERCONF",
            }
        ).with_columns(loan_id=pl.format("LN{}", "loan_id")),
    )


def segment_table(as_of: dt.date, loan: pl.DataFrame, rng: np.random.Generator) -> pl.DataFrame:
    """`rmcat_loan`: the risk segment of nearly every loan."""
    soon = pl.lit(as_of + dt.timedelta(days=AT_RISK_DAYS))
    at_risk = pl.col("close_date").is_null() & (pl.col("lock_expiration_date") <= soon)
    known = rng.random(len(loan)) < 0.98
    return conform(
        "rmcat_loan",
        loan.filter(pl.Series(known)).select(
            "loan_id",
            segment_name=pl.when(at_risk)
            .then(pl.lit("at risk"))
            .when(pl.col("close_date").is_null())
            .then(pl.lit("pull-through"))
            .otherwise(pl.lit("funded")),
            risk_status=pl.when(at_risk).then(pl.lit("in_risk")).otherwise(pl.lit("out_of_risk")),
        ),
    )


def shipped_table(as_of: dt.date, loan: pl.DataFrame, rng: np.random.Generator) -> pl.DataFrame:
    """`loan_shipped`: some of the purchased loans, gone to an investor in the last weeks."""
    before = as_of - dt.timedelta(days=SHIPPED_WITHIN_DAYS)
    purchased = loan.filter((pl.col("status_code") == "Purchased") & (pl.col("close_date") < before))
    shipped = purchased.filter(pl.Series(rng.random(len(purchased)) < SHIPPED_SHARE))
    investor = np.where(rng.random(len(shipped)) < 0.55, "FNMA", "FHLMC")
    govt = shipped["loan_instrument"].replace_strict(GROUP_OF_PRODUCT).to_numpy() == "GOVT30"
    days_ago = rng.integers(1, SHIPPED_WITHIN_DAYS + 1, len(shipped))
    return conform(
        "loan_shipped",
        shipped.select("loan_id").with_columns(
            shipped_date=pl.Series(_business_day(as_of, -days_ago)),
            investor=pl.Series(np.where(govt, "GNMA", investor)),
        ),
    )


def _pick(rng: np.random.Generator, shares: dict[str, float], count: int) -> npt.NDArray[np.str_]:
    """`count` of the names, drawn by their shares."""
    picked: npt.NDArray[np.str_] = np.array(list(shares))[rng.choice(len(shares), count, p=_normal(list(shares.values())))]
    return picked


def _normal(shares: list[float]) -> Floats:
    weights = np.array(shares)
    total: Floats = weights / weights.sum()
    return total


def _ltv(rng: np.random.Generator, count: int) -> Floats:
    top = np.array(list(LTV_SHARES))[rng.choice(len(LTV_SHARES), count, p=_normal(list(LTV_SHARES.values())))]
    below = np.where(rng.random(count) < 0.55, 0.0, rng.uniform(0, 8, count))
    ltv: Floats = np.round(top - below, 3)
    return ltv


def _amounts(rng: np.random.Generator, product: npt.NDArray[np.int64], status: npt.NDArray[np.str_]) -> Floats:
    """Dollars: a locked amount is a multiple of $500, a closed one of $50, a purchased one has amortised to the cent."""
    median = np.array([p.median_amount for p in PRODUCTS])[product]
    smallest = np.array([p.smallest for p in PRODUCTS])[product]
    largest = np.array([p.largest for p in PRODUCTS])[product]
    spread = np.where(smallest > CONFORMING_LIMIT, 0.12, 0.52)
    drawn = median * np.exp(spread * rng.standard_normal(len(product)))
    inside = (drawn >= smallest) & (drawn <= largest)
    drawn = np.where(inside, drawn, rng.uniform(np.maximum(smallest, 0.6 * median), np.minimum(largest, 1.3 * median)))
    step = np.where(np.isin(status, ["Closed", "Purchased"]), 50.0, 500.0)
    original = np.clip(np.round(drawn / step) * step, np.ceil(smallest / 50) * 50, np.floor(largest / 50) * 50)
    amortises = (status == "Purchased") & (smallest <= CONFORMING_LIMIT)  # a high-balance loan must stay over its limit
    paid: Floats = original * rng.uniform(0.0005, 0.003, len(product)) * amortises
    amounts: Floats = np.round(original - paid, 2)
    return amounts


def _note_rates(
    rng: np.random.Generator,
    product: npt.NDArray[np.int64],
    fico: npt.NDArray[np.int64],
    ltv: Floats,
    occupancy: npt.NDArray[np.str_],
) -> Floats:
    """Percent in eighths: the programme's level, more for weaker credit and investors, and when it was locked."""
    level = np.array([p.note_rate for p in PRODUCTS])[product]
    risk = (745 - fico) / 500 + (ltv - 78) / 200 + 0.375 * (occupancy == "I")
    drawn: Floats = level + risk + rng.normal(0, 0.36, len(product))
    eighths: Floats = np.rint(drawn * 8)
    return eighths / 8


def _business_day(as_of: dt.date, offset_days: npt.NDArray[np.int64]) -> npt.NDArray[np.datetime64]:
    """The dates `offset_days` calendar days from as_of, or the business day before."""
    days = settlement.business_days(as_of)
    return np.busday_offset(np.datetime64(as_of, "D") + offset_days, 0, roll="backward", busdaycal=days)


def _dates(as_of: dt.date, rng: np.random.Generator, status: npt.NDArray[np.str_]) -> dict[str, pl.Series]:
    """Lock, expiration and close: a closed loan's lock outlived its closing, another's ends soon or has just ended."""
    count = len(status)
    closed = np.isin(status, ["Closed", "Purchased"])
    close_offset = -rng.integers(0, 32, count)
    left = np.zeros(count, dtype=np.int64)
    for name, (low, high) in LOCK_DAYS_LEFT.items():
        left = np.where(status == name, rng.integers(low, high, count), left)
    left = np.where(closed, close_offset + rng.integers(2, 20, count), left)
    left = np.where(~closed & (rng.random(count) < 0.01), -rng.integers(1, 4, count), left)
    term = rng.choice([30, 45, 60], count, p=[0.45, 0.35, 0.20])
    lock_offset = np.minimum(left - term, np.where(closed, close_offset - 5, -1))
    expires = np.datetime64(as_of, "D") + left
    close_date = pl.Series(_business_day(as_of, close_offset))
    return {
        "lock_date": pl.Series(_business_day(as_of, lock_offset)),
        "lock_expiration_date": pl.Series(expires),
        "close_date": close_date.set(pl.Series(~closed), None),
    }
