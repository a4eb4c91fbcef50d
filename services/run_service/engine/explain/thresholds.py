"""The values of a loan's field at which something begins or ends to hold: what a smallest change of the field can lead to.

Whether a loan is a candidate changes only there, with one exception: where a price floor decides, a note rate moves the price
with every step, by the value of excess servicing. Note rates are tried where a window, a rule, a grid row or a payup begins or
ends.
"""

import datetime as dt
from collections.abc import Iterator, Sequence
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

import polars as pl

from services.run_service.engine.book import Book
from services.run_service.engine.explain.checks import Checks, conditions, window
from services.run_service.engine.explain.values import Value, days_later
from services.run_service.engine.frames import LOAN_FIELDS
from shared.money import AMOUNT_PLACES, RATE_PLACES, unscaled

USUAL_VALUES = 20
"""So many of the values most often met in the pipeline are tried for a text, and where a field is empty."""

_MOST_INTEGER = 2**63 - 1
_DATA_ERROR_FIELDS = {
    "loan_amount": ("loan_amount",),
    "note_rate": ("note_rate",),
    "loan_instrument": ("loan_instrument",),
    "close_date and lock_expiration_date": ("close_date", "lock_expiration_date"),
}


def changeable_fields(book: Book, checks: Checks) -> dict[str, list[Value]]:
    """The fields on which it depends whether the book's one loan is a candidate, each with its thresholds in order of policy.

    Of a loan that lacks something only the fields that it lacks, those first that it should have.
    """
    thresholds: dict[str, dict[Value, None]] = {field: {} for field in _lacking(checks)}
    for field, value in _thresholds(book):
        if checks.loan and field not in thresholds:
            continue
        own = thresholds.setdefault(field, {})
        if value is not None:
            own[value] = None
    thresholds.pop("loan_id", None)  # it says which loan it is
    return {field: list(values) for field, values in thresholds.items()}


def alternatives(
    field: str, current: Value | None, thresholds: Sequence[Value], pipeline: pl.Series, *, usual_first: bool
) -> list[Value | None]:
    """Other values of a field than the current one that are worth trying, each once.

    Values on either side of every threshold; nothing at all; and, in the place of nothing or of a text, what is usual in the
    pipeline, whose values the series holds.
    """
    dtype = LOAN_FIELDS[field]
    near: list[Value | None] = [value for threshold in thresholds for value in _neighbours(threshold, dtype)]
    usual = _usual(pipeline) if current is None or dtype == pl.String else []
    booleans = [True, False] if dtype == pl.Boolean else []
    listed = [*usual, *near, *booleans] if usual_first else [*near, *booleans, *usual, None]
    return [value for value in dict.fromkeys(listed) if value != current]


def _lacking(checks: Checks) -> tuple[str, ...]:
    """The fields of which one must be given, of a loan that lacks one thing."""
    return _DATA_ERROR_FIELDS.get(checks.loan[0].field, ()) if checks.loan else ()


def _thresholds(book: Book) -> Iterator[tuple[str, Value | None]]:
    """Fields with their thresholds; None where a field matters without one."""
    options = book.options
    traded = set(book.trades.instrument)
    policy = [constraint for constraint in book.constraints if constraint.investor_instrument in traded]
    names = dict.fromkeys(constraint.investor_instrument for constraint in policy)
    own_trades = pl.Series([name in names for name in book.trades.instrument], dtype=pl.Boolean)
    trades = book.trades.frame.filter(own_trades)
    grids = book.tables["pscat_trade_cash_grid"].join(trades, on="trade_id", how="semi", maintain_order="left")
    rules = [constraint.rule_name for constraint in policy] + grids["syntax_name"].drop_nulls().to_list()
    for name in dict.fromkeys(rules):
        if name:
            for condition in conditions(book.rules[name]):
                yield condition.field, None
                yield from ((condition.field, value) for value in condition.values)
    for name in names:
        instrument = book.instruments[name]
        yield from (("note_rate", unscaled(end, RATE_PLACES)) for end in window(instrument) if end is not None)
        if instrument.max_loan_amount is not None:
            yield "loan_amount", unscaled(instrument.max_loan_amount, AMOUNT_PLACES)
    yield from (("note_rate", rate) for rate in grids["rate"].unique(maintain_order=True))
    for settles in trades["settlement_date"].unique(maintain_order=True):
        for field in ("close_date", "lock_expiration_date"):
            yield field, days_later(settles, -options.eligible_settle_buffer_days)
    if options.max_eligible_days:
        yield "lock_expiration_date", days_later(options.as_of_date, options.max_eligible_days)
    if options.bx_price_floor is not None:
        payups = book.tables["rmusr_payups"].filter(pl.col("investor_instrument").is_in(list(names)))
        for field, low, high in payups.select("attribute", "low_value", "high_value").iter_rows():
            yield field, low
            yield field, high


def _neighbours(threshold: Value, dtype: pl.DataType) -> Iterator[Value]:
    """The values of a type at a threshold and on either side of it."""
    if isinstance(threshold, Decimal):
        yield from _numbers(threshold, dtype)
    elif isinstance(threshold, dt.date):
        yield from (days_later(threshold, days) for days in (0, -1, 1))
    else:
        yield threshold


def _numbers(threshold: Decimal, dtype: pl.DataType) -> Iterator[Value]:
    scale = dtype.scale if isinstance(dtype, pl.Decimal) else 0
    below = int(threshold.scaleb(scale).to_integral_value(ROUND_FLOOR))
    above = int(threshold.scaleb(scale).to_integral_value(ROUND_CEILING))
    most = 10 ** (dtype.precision or 38) - 1 if isinstance(dtype, pl.Decimal) else _MOST_INTEGER
    for units in (below, above, below - 1, above + 1):
        if abs(units) <= most:
            yield unscaled(units, scale) if scale else units


def _usual(pipeline: pl.Series) -> list[Value]:
    """What the pipeline has most often, of equally frequent ones the smaller first; amounts and the like above nothing."""
    known = pipeline.drop_nulls().alias("value")
    known = known.filter(known > 0) if known.dtype.is_numeric() else known
    counted = known.value_counts(name="times").sort("times", "value", descending=[True, False])
    values: list[Value] = counted["value"].head(USUAL_VALUES).to_list()
    return values
