"""Figures of groups of allocated loans, on a trade or in a pool: averages by amount, and how full the group is."""

import numpy as np
import polars as pl

from services.run_service.engine.frames import PERCENT
from services.run_service.engine.ledger import Ledger
from shared.money import PRICE, RATE, Int64Array, divide_half_away, from_scaled, grouped_mean, to_scaled

_PERCENT_LIMIT = 10**18 - 1
_VAST = 10**12


def percentages(parts: Int64Array, wholes: Int64Array, name: str) -> pl.Series:
    """100 * part / whole with 6 decimals; null where the whole is not positive or 12 digits before the point do not hold it."""
    units = [
        divide_half_away(part * 10**8, whole) if whole > 0 else _PERCENT_LIMIT
        for part, whole in zip(parts.tolist(), wholes.tolist(), strict=True)
    ]
    fits = np.array([abs(value) < _PERCENT_LIMIT for value in units], dtype=np.bool_)
    held = np.array([value if abs(value) < _PERCENT_LIMIT else 0 for value in units], dtype=np.int64)
    return from_scaled(held, PERCENT, fits, name)


def averages(ledger: Ledger, loans: Int64Array, group: Int64Array, count: int) -> list[pl.Series]:
    """Averages by amount of note rate, FICO, LTV, price and score in each of `count` groups, over the loans that have the figure.

    `group` is that of each of the loans, which are allocated. Null where a group has no such loan.
    """
    frame = ledger.book.loans.frame[loans]
    fico = frame["fico"].clip(-_VAST, _VAST)  # so that its millionths are within int64
    columns = [
        ("avg_note_rate", RATE, to_scaled(frame["note_rate"]), frame["note_rate"].is_not_null().to_numpy()),
        ("avg_fico", RATE, fico.fill_null(0).to_numpy() * 10**6, fico.is_not_null().to_numpy()),
        ("avg_ltv", RATE, to_scaled(frame["ltv"]), frame["ltv"].is_not_null().to_numpy()),
        ("avg_price", PRICE, ledger.price[loans], ledger.priced[loans]),
        ("avg_score", PRICE, ledger.score[loans], ledger.priced[loans]),
    ]
    means = []
    for name, dtype, values, known in columns:
        weights = np.where(known, ledger.book.loans.amount[loans], 0)
        mean, has = grouped_mean(group, weights, values, count)
        means.append(from_scaled(mean, dtype, has, name))
    return means
