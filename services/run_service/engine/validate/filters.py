"""Which filter of specification 01 section 7 stops a loan on a trade, by which constraint, and at what."""

import numpy as np
import polars as pl

from services.run_service.engine.book import Book, Instrument, gather
from services.run_service.engine.explain.checks import window
from services.run_service.engine.explain.values import shown
from services.run_service.engine.nearest import nearest_constraint
from services.run_service.engine.pricing import Pricer
from services.run_service.engine.reach import Stage
from services.run_service.engine.steps.candidates import how_far
from shared.money import AMOUNT_PLACES, RATE_PLACES, Int64Array, unscaled


def stopped_by_filters(book: Book, pricer: Pricer, loan: Int64Array, trade: Int64Array) -> pl.DataFrame:
    """A row per pair of a loan and a participating trade that it is no candidate of: rule, constraint_id and message.

    The constraint is the first whose rule takes the loan; where none does, the one that comes closest, null if there is none on
    the trade's instrument. None of the loans has a data error, is held or locked.
    """
    stage, constraint = np.zeros(len(loan), dtype=np.int64), np.zeros(len(loan), dtype=np.int64)
    for j, reach in how_far(book, pricer, set(trade.tolist())):
        here = np.nonzero(trade == j)[0]
        stage[here], constraint[here] = reach.stage[loan[here]], reach.constraint[loan[here]]
    condition = pl.Series("condition", [None] * len(loan), dtype=pl.String)
    unmatched, instrument = stage == Stage.NO_RULE_MATCH, np.array(book.trades.instrument, dtype=object)[trade]
    for name, constraints in book.constraints_by_instrument().items():
        here = np.nonzero(unmatched & (instrument == name))[0]
        if len(here):
            constraint[here], text = nearest_constraint(book, loan[here], constraints)
            condition = condition.scatter(here, text)
    ids = pl.Series([one.constraint_id for one in book.constraints], dtype=pl.String)
    judged = _facts(book, loan, trade).with_columns(
        pl.Series([one.name for one in Stage]).gather(stage).alias("rule"), gather(ids, constraint, "constraint_id"), condition
    )
    return judged.select("rule", "constraint_id", _message(book).alias("message"))


def _facts(book: Book, loan: Int64Array, trade: Int64Array) -> pl.DataFrame:
    """What messages tell of each pair, as text."""
    instruments = [book.instruments[name] for name in book.trades.instrument]
    own = book.loans.frame.select(
        "note_rate", "loan_amount", pl.coalesce("close_date", "lock_expiration_date").alias("eligible")
    )[loan]
    of_trades = pl.DataFrame(
        {
            "instrument": list(book.trades.instrument),
            "window": [_window(instrument) for instrument in instruments],
            "most": [_most(instrument) for instrument in instruments],
            "settles": book.trades.frame["settlement_date"],
        },
        schema_overrides={"instrument": pl.String, "window": pl.String, "most": pl.String},
    )
    return pl.concat([own, of_trades[trade]], how="horizontal").cast(pl.String)


def _window(instrument: Instrument) -> str:
    low, high = ("" if end is None else shown(unscaled(end, RATE_PLACES)) for end in window(instrument))
    return f"{low} to {high}"


def _most(instrument: Instrument) -> str:
    return "" if instrument.max_loan_amount is None else shown(unscaled(instrument.max_loan_amount, AMOUNT_PLACES))


def _message(book: Book) -> pl.Expr:
    options = book.options
    days = f"eligible_settle_buffer_days {options.eligible_settle_buffer_days}, max_eligible_days {options.max_eligible_days}"
    floor = "" if options.bx_price_floor is None else shown(options.bx_price_floor)
    no_rule = (
        pl.when(pl.col("constraint_id").is_null())
        .then(pl.format("no constraint is on {}", "instrument"))
        .otherwise(pl.format("closest is {}, which needs {}", "constraint_id", "condition"))
    )
    text = {
        Stage.NO_RULE_MATCH: no_rule,
        Stage.NOTE_RATE_WINDOW: pl.format("note rate {} is outside {} of {}", "note_rate", "window", "instrument"),
        Stage.LOAN_SIZE: pl.format("amount {} is over {} of {}", "loan_amount", "most", "instrument"),
        Stage.SETTLEMENT_WINDOW: pl.format("eligible {}, the trade settles {}; {}", "eligible", "settles", pl.lit(days)),
        Stage.NO_PRICE: pl.lit("it has no price on the trade"),
        Stage.BELOW_PRICE_FLOOR: pl.format("priced under {}", pl.lit(floor)),
    }
    message = pl.lit(None, dtype=pl.String)
    for stage, told in text.items():
        message = pl.when(pl.col("rule") == stage.name).then(told).otherwise(message)
    return message
