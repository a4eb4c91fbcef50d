"""The demo's trades: open ones made from the desk's hedges, years of settled ones, and the grids of cash commitments."""

import datetime as dt

import numpy as np
import numpy.typing as npt
import polars as pl

from cli.demo import settlement
from cli.demo.hedge import NONE, Hedges
from cli.demo.instruments import Instrument
from cli.demo.market import Market
from cli.demo.schema import conform, rows

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

COVER = 0.80
"""Open trades over the in-scope pipeline, in dollars."""
MOST_COVER = 0.95
"""The same within one bucket of demand: locks fall through."""
LOT = {"TBA": 1_000_000.0, "SPEC": 250_000.0, "CASH": 100_000.0, "BULK": 500_000.0}
TRADES_PER_DOLLAR = {"TBA": 1.0, "SPEC": 0.55, "CASH": 0.8, "BULK": 0.7}
"""How finely a kind's demand is cut into trades, against TBA."""
CROWDING = 0.6
"""Trades in a bucket grow with its demand to this power: more demand also means larger trades."""
TOLERANCES = {
    "TBA": (0.0001, 0.0025, 0.01),
    "SPEC": (0.01, 0.02, 0.02),
    "CASH": (0.025, 0.025, 0.05),
    "BULK": (0.05,) * 3,
}
FREDDIE_CASH_TOLERANCE_DOLLARS = 10_000.0
DEALERS = ("ALDER POINT", "BRANNOCK", "CORVANE", "DUNMORE", "ELLISBURG", "FARROW HILL", "GRANTLEY", "HOLT & VANE")
FORWARD_SHARE = 0.02
"""Open TBA trades beyond the settlement window."""
PARTIAL_SHARE = 0.04
"""Open trades partly paired off, and as many partly delivered."""
HISTORY_MONTHS = 36
CANCELLED_SHARE = 0.03

GRID_STEPS = {"FNMA": 5, "FHLMC": 17, "HARROWGATE": 7}
"""A Fannie Mae commitment names five consecutive pass-through rates; the bulk buyer bids for few."""
GRID_STEP = 0.125
GRID_SPECIALS = {125: 1.15, 200: 0.55}
"""Loans of at most this many thousand dollars have grid rows of their own, under a rule, better by these points."""


def open_trades(market: Market, hedges: Hedges, count: int, rng: np.random.Generator) -> pl.DataFrame:
    """`count` open trades: the columns of `pscat_trades` but for the id, in floats, with `kind` and `bucket` beside them.

    `bucket` is a position in the hedges' buckets, the demand that the trade was made to take.
    """
    sold = hedges.bucket != NONE
    if count and not sold.any():
        raise ValueError("no loan of this pipeline can be sold forward: ask for more loans")
    demand = np.bincount(hedges.bucket[sold], weights=hedges.amount[sold], minlength=len(hedges.buckets))
    kinds = [market.instruments[b.instrument].kind for b in hedges.buckets]
    appetite = demand**CROWDING * np.array([TRADES_PER_DOLLAR[kind] for kind in kinds])
    per_bucket = apportion(appetite, count)
    kept = per_bucket > 0
    in_scope = float(hedges.amount[hedges.in_scope].sum())
    cover = min(MOST_COVER, COVER * in_scope / max(1.0, float(demand[kept].sum())))

    bucket = np.repeat(np.arange(len(per_bucket)), per_bucket)
    kind = np.array(kinds)[bucket]
    weight = np.exp(0.5 * rng.standard_normal(count))
    share = weight / np.bincount(bucket, weights=weight, minlength=len(per_bucket))[bucket]
    lot = np.array([LOT[k] for k in kind.tolist()])
    amount = np.maximum(1, np.round(demand[bucket] * cover * share / lot)) * lot
    instrument = np.array([b.instrument for b in hedges.buckets], dtype=np.int64)[bucket]
    settles = np.array([b.settles for b in hedges.buckets], dtype="datetime64[D]")[bucket]
    settles = _spread_settlements(market, instrument, settles, rng)
    days_ago = rng.integers(1, 46, count)
    days = (settles - np.datetime64(market.as_of, "D")).astype(np.int64)
    dealer_edge = rng.integers(-1, 2, count) / 64
    price = market.quote(instrument, days, days_ago) + dealer_edge
    partial = rng.permutation(count)
    touched = round(PARTIAL_SHARE * count)
    paired_off, delivered = np.zeros(count), np.zeros(count)
    paired_off[partial[:touched]] = 0.25
    delivered[partial[touched : 2 * touched]] = rng.uniform(0.2, 0.6, touched)
    investor = np.array([i.investor for i in market.instruments])[instrument]
    counterparty = np.where(np.isin(kind, ["TBA", "SPEC"]), np.array(DEALERS)[rng.integers(0, len(DEALERS), count)], investor)
    return pl.DataFrame(
        {
            "bucket": bucket,
            "kind": kind,
            "counterparty": counterparty,
            "investor_instrument": np.array([i.name for i in market.instruments])[instrument],
            "trade_date": trade_dates(market.as_of, days_ago),
            "settlement_date": settles,
            "trade_amount": amount,
            "pair_off_amount": paired_off * amount,
            "delivered_amount": np.round(delivered * amount, 2),
            "price": pl.Series(price).fill_nan(None),
            "tolerance_pct": _tolerances(kind, investor, amount, rng),
            "status": np.full(count, "OPEN"),
            "is_phantom": np.zeros(count, dtype=bool),
        }
    )


def settled_trades(market: Market, count: int, rng: np.random.Generator) -> pl.DataFrame:
    """`count` trades of past months, delivered in full but for what was paired off, or cancelled.

    The columns are those of `open_trades`; `bucket` is NONE.
    """
    instrument = rng.integers(0, len(market.instruments), count)
    months = rng.integers(0, HISTORY_MONTHS, count)
    classes = sorted({i.group.settlement_class for i in market.instruments})
    dates = np.array([settlement.past(market.as_of, name, HISTORY_MONTHS) for name in classes], dtype="datetime64[D]")
    class_of = np.array([classes.index(i.group.settlement_class) for i in market.instruments])
    settles = dates[class_of[instrument], months]
    traded_before = rng.integers(15, 60, count)
    days_ago = (np.datetime64(market.as_of, "D") - settles).astype(np.int64) + traded_before
    kind = np.array([i.kind for i in market.instruments])[instrument]
    investor = np.array([i.investor for i in market.instruments])[instrument]
    amount = rng.integers(1, 25, count) * np.array([LOT[k] for k in kind.tolist()])
    cancelled = rng.random(count) < CANCELLED_SHARE
    paired_off = np.where(rng.random(count) < 0.05, 0.1, 0.0) * amount
    dealer = np.array(DEALERS)[rng.integers(0, len(DEALERS), count)]
    return pl.DataFrame(
        {
            "bucket": np.full(count, NONE, dtype=np.int64),
            "kind": kind,
            "counterparty": np.where(np.isin(kind, ["TBA", "SPEC"]), dealer, investor),
            "investor_instrument": np.array([i.name for i in market.instruments])[instrument],
            "trade_date": trade_dates(market.as_of, days_ago),
            "settlement_date": settles,
            "trade_amount": amount,
            "pair_off_amount": np.where(cancelled, 0.0, paired_off),
            "delivered_amount": np.where(cancelled, 0.0, amount - paired_off),
            "price": pl.Series(market.quote(instrument, traded_before, days_ago)).fill_nan(None),
            "tolerance_pct": _tolerances(kind, investor, amount, rng),
            "status": np.where(cancelled, "CANCELLED", "SETTLED"),
            "is_phantom": np.zeros(count, dtype=bool),
        }
    )


def number(trades: pl.DataFrame) -> pl.DataFrame:
    """The trades with ids, by trade date: the desk numbers them as it makes them."""
    return (
        trades.sort("trade_date", maintain_order=True)
        .with_row_index("trade_id", offset=200_001)
        .with_columns(trade_id=pl.format("TR{}", "trade_id"))
    )


def trade_table(trades: pl.DataFrame) -> pl.DataFrame:
    """`pscat_trades`."""
    return conform("pscat_trades", trades)


def grid_table(market: Market, trades: pl.DataFrame, rng: np.random.Generator) -> pl.DataFrame:
    """`pscat_trade_cash_grid`: prices by note rate of every open trade without a price of its own."""
    by_name = {i.name: i for i in market.instruments}
    records: list[dict[str, object]] = []
    priced_by_grid = trades.filter((pl.col("status") == "OPEN") & pl.col("price").is_null())
    for trade in priced_by_grid.iter_rows(named=True):
        instrument = by_name[trade["investor_instrument"]]
        rates = _grid_rates(instrument, rng)
        days = market.days_to(trade["settlement_date"])
        base = market.cash_value(instrument.group, rates, days) + round(float(rng.normal(0, 0.06)), 3)
        specials = GRID_SPECIALS.items() if instrument.kind == "CASH" else ()
        levels = [
            *((grid_rule_name(tier), better) for tier, better in specials),
            (None, 0.0),
        ]  # of a rate's rows the first that applies counts
        cells = [(rate, price + better, rule) for rate, price in zip(rates, base, strict=True) for rule, better in levels]
        records += [
            {
                "trade_id": trade["trade_id"],
                "sequence_number": sequence,
                "rate": float(rate),
                "price": round(float(price), 3),
                "syntax_name": rule,
            }
            for sequence, (rate, price, rule) in enumerate(cells, start=1)
        ]
    return rows("pscat_trade_cash_grid", records)


def grid_rule_name(tier: int) -> str:
    """The rule that rows for loans of at most `tier` thousand dollars name."""
    return f"cash_loan_le_{tier}k"


def apportion(weights: Floats, count: int) -> Ints:
    """`count` split in proportion to the weights: whole shares first, then the largest remainders."""
    if not len(weights):
        return np.zeros(0, dtype=np.int64)
    quota = weights / weights.sum() * count
    shares: Ints = np.floor(quota).astype(np.int64)
    rest = np.argsort(-(quota - shares), kind="stable")[: count - int(shares.sum())]
    shares[rest] += 1
    return shares


def trade_dates(as_of: dt.date, days_ago: Ints) -> npt.NDArray[np.datetime64]:
    """The dates that many calendar days before as_of, or the business day before."""
    days = settlement.business_days(as_of)
    return np.busday_offset(np.datetime64(as_of, "D") - days_ago, 0, roll="backward", busdaycal=days)


def _spread_settlements(
    market: Market, instrument: Ints, settles: npt.NDArray[np.datetime64], rng: np.random.Generator
) -> npt.NDArray[np.datetime64]:
    """Cash and bulk settle on any business day; a few TBA trades settle in the month beyond the window."""
    count = len(instrument)
    kind = np.array([i.kind for i in market.instruments])[instrument]
    offset = rng.integers(4, 34, count)
    days = settlement.business_days(market.as_of)
    any_day = np.busday_offset(np.datetime64(market.as_of, "D"), offset, roll="forward", busdaycal=days)
    last = np.array([market.settlements[i.group.settlement_class][-1] for i in market.instruments], dtype="datetime64[D]")
    forward = (kind == "TBA") & (rng.random(count) < FORWARD_SHARE)
    return np.where(np.isin(kind, ["CASH", "BULK"]), any_day, np.where(forward, last[instrument], settles))


def _tolerances(kind: npt.NDArray[np.str_], investor: npt.NDArray[np.str_], amount: Floats, rng: np.random.Generator) -> Floats:
    """As a share of the trade. Freddie Mac's cash window gives at least $10,000."""
    choice = rng.integers(0, 3, len(kind))
    tolerance = np.array([TOLERANCES[k][c] for k, c in zip(kind.tolist(), choice.tolist(), strict=True)])
    least = np.round(FREDDIE_CASH_TOLERANCE_DOLLARS / amount, 8)
    freddie = (kind == "CASH") & (investor == "FHLMC")
    given: Floats = np.where(freddie, np.maximum(0.025, least), tolerance)
    return given


def _grid_rates(instrument: Instrument, rng: np.random.Generator) -> Floats:
    """Note rates of the grid's rows, ascending in eighths, about where the group's loans are."""
    middle = {"CONF30": 6.375, "CONF20": 6.125, "CONF15": 5.625, "JUMBO30": 6.75}[instrument.group.name]
    steps = GRID_STEPS[instrument.investor]
    lowest = middle - GRID_STEP * (steps // 2 + int(rng.integers(0, 3)))
    return lowest + GRID_STEP * np.arange(steps, dtype=np.float64)
