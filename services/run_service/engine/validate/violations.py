"""Every hard rule that placements break (specification 01 sections 7, 8 and 11).

A placement is judged by its loan, by its trade and by its loan's lockdown; where these have nothing against it, by the filters
that every candidate passes, the first that stops it. A later placement of a loan is judged by nothing else. Limits need no
judging: no run is complete where one is enabled.
"""

import datetime as dt
from collections.abc import Sequence

import numpy as np
import polars as pl

from services.run_service.engine.book import DATA_ERRORS, Book, BoolArray, SmallArray, gather
from services.run_service.engine.compare.revalue import Terms
from services.run_service.engine.frames import INPUT_TABLES
from services.run_service.engine.pricing import Pricer
from services.run_service.engine.validate.filters import stopped_by_filters
from services.run_service.engine.validate.placing import Placing, Resolved
from services.run_service.engine.validate.validation import VIOLATIONS, HardRule
from shared.money import TOTAL, Int64Array, from_scaled

_Case = tuple[HardRule, pl.Expr, pl.Expr]
"""A rule, when a placement breaks it, and what is told of that."""


def of_placements(
    terms: Terms, pricer: Pricer, raw_trades: pl.DataFrame, placements: pl.DataFrame, resolved: Resolved
) -> tuple[pl.DataFrame, BoolArray]:
    """What single placements break (columns of VIOLATIONS), and which placements break anything.

    `raw_trades` are the rows of pscat_trades before they were cleaned.
    """
    rows = _with_facts(terms.book, raw_trades, placements, resolved)
    judged = [_first_broken(rows, cases) for cases in (_LOAN_CASES, _trade_cases(terms.book), _LOCK_CASES)]
    breaks = np.zeros(len(rows), dtype=np.bool_)
    for broken in judged:
        breaks[broken["position"].to_numpy()] = True
    taken = terms.candidates(placements.filter(pl.Series(resolved.is_first)))
    refused = np.nonzero(~breaks & ~resolved.obeys_lock)[0]
    refused = refused[taken[resolved.loan[refused]] < 0]
    breaks[refused] = True
    stopped = stopped_by_filters(terms.book, pricer, resolved.loan[refused], resolved.trade[refused])
    own = rows.select("loan_id", "trade_id", "position")[refused]
    judged.append(pl.concat([own, stopped], how="horizontal").select(*VIOLATIONS))
    return pl.concat(judged), breaks


def of_all_together(book: Book, resolved: Resolved, placing: Placing, fill: Int64Array) -> pl.DataFrame:
    """What is no single placement's (columns of VIOLATIONS): locked loans that are not placed, trades filled beyond their band.

    `placing` takes every placement as it is, `fill` is the cents it puts on each trade.
    """
    return pl.concat([_locked_missing(book, resolved), _overfilled(book, placing, fill)])


def in_order(violations: pl.DataFrame) -> pl.DataFrame:
    """By rule, then by position."""
    return violations.sort(_rank(), "position", "loan_id", "trade_id", nulls_last=True)


def first_of_each_rule(violations: pl.DataFrame, most: int) -> pl.DataFrame:
    """At most so many, and of every rule that is broken some; in order."""
    number = pl.int_range(pl.len()).over("rule")
    return in_order(violations.sort(number, _rank()).head(most))


def _rank() -> pl.Expr:
    """The place of a row's rule among all rules."""
    return pl.col("rule").replace_strict({rule.value: place for place, rule in enumerate(HardRule)}, return_dtype=pl.Int64)


def _with_facts(book: Book, raw_trades: pl.DataFrame, placements: pl.DataFrame, resolved: Resolved) -> pl.DataFrame:
    """The placements, with all that judging them by loan, trade and lockdown takes."""
    loans, at_loan = book.loans, np.maximum(resolved.loan, 0)
    in_scope, takes_part = pl.Series("in_scope", resolved.loan >= 0), pl.Series("takes_part", resolved.trade >= 0)
    locked = np.where(resolved.loan >= 0, _of(loans.locked_trade, at_loan), -1)
    shipped = book.tables["loan_shipped"].select("loan_id", "shipped_date", pl.lit(value=True).alias("is_shipped"))
    holds = book.tables["pfill_lockdown"].unique("loan_id", keep="last", maintain_order=True).select("loan_id", "reason")
    return (
        placements.select("loan_id", "trade_id", pl.int_range(pl.len(), dtype=pl.Int64).alias("position"))
        .with_columns(
            in_scope,
            takes_part,
            pl.Series("is_first", resolved.is_first),
            pl.Series("obeys_lock", resolved.obeys_lock),
            pl.Series("data_error", DATA_ERRORS).gather(_of(loans.data_error, at_loan).astype(np.int64)),
            pl.Series("is_held", _of(loans.held, at_loan).astype(np.bool_)),
            gather(book.trades.ids, locked, "lock_trade_id"),
            pl.Series("in_window", _of(book.trades.in_window, np.maximum(resolved.trade, 0)).astype(np.bool_)),
        )
        .join(book.tables["loan"].select("loan_id", pl.col("status_code").fill_null("-")), on="loan_id", how="left")
        .join(shipped, on="loan_id", how="left")
        .join(holds, on="loan_id", how="left")
        .join(_why_apart(book, raw_trades), on="trade_id", how="left")
        .sort("position")
    )


def _of(values: SmallArray | BoolArray, index: Int64Array) -> Int64Array:
    """The values at these indices; zeros where there are none at all."""
    return values[index].astype(np.int64) if len(values) else np.zeros(len(index), dtype=np.int64)


def _why_apart(book: Book, raw_trades: pl.DataFrame) -> pl.DataFrame:
    """trade_id, settlement_date, and why the trade takes no part, for every trade of the inputs, whether or not it does."""
    needed = list(INPUT_TABLES["pscat_trades"].needed)
    known = pl.Series(list(book.instruments), dtype=pl.String).implode()
    open_amount = pl.col("trade_amount") - pl.col("pair_off_amount") - pl.col("delivered_amount")
    why = (
        pl.when(pl.any_horizontal(pl.col(needed).is_null()))
        .then(pl.lit(f"it lacks {' or '.join(needed)}"))
        .when(pl.col("status") != "OPEN")
        .then(pl.format("its status is {}", "status"))
        .when("is_phantom")
        .then(pl.lit("it is a phantom"))
        .when(~pl.col("investor_instrument").is_in(known))
        .then(pl.format("its instrument {} is unknown", "investor_instrument"))
        .when(pl.col("tolerance_pct") < 0)
        .then(pl.lit("its tolerance is negative"))
        .when(open_amount <= 0)
        .then(pl.lit("nothing of it is open"))
    )
    distinct = raw_trades.drop_nulls("trade_id").unique("trade_id", keep="first", maintain_order=True)
    return distinct.select("trade_id", "settlement_date", why.fill_null("it takes no part").alias("why_apart"))


_IS_FIRST = pl.col("is_first")
_LOAN_CASES: Sequence[_Case] = (
    (HardRule.LOAN_REPEATED, ~_IS_FIRST, pl.lit("the loan is placed more than once; its first placement counts")),
    (
        HardRule.LOAN_UNKNOWN,
        ~pl.col("in_scope") & pl.col("status_code").is_null(),
        pl.lit("the run's inputs have no such loan"),
    ),
    (
        HardRule.LOAN_NOT_IN_SCOPE,
        ~pl.col("in_scope") & pl.col("is_shipped").fill_null(value=False),
        pl.format("shipped on {}", pl.col("shipped_date").cast(pl.String).fill_null("a day not told")),
    ),
    (HardRule.LOAN_NOT_IN_SCOPE, ~pl.col("in_scope"), pl.format("its status {} is not in scope", "status_code")),
    (HardRule.LOAN_DATA_ERROR, pl.col("data_error") != "", pl.format("missing or not positive: {}", "data_error")),
    (
        HardRule.LOAN_HELD,
        pl.col("is_held"),
        pl.format("held by a lockdown: {}", pl.col("reason").fill_null("no reason given")),
    ),
)
_LOCK_CASES: Sequence[_Case] = (
    (
        HardRule.LOCKED_ELSEWHERE,
        _IS_FIRST & pl.col("in_scope") & pl.col("lock_trade_id").is_not_null() & ~pl.col("obeys_lock"),
        pl.format("a lockdown puts it on {}", "lock_trade_id"),
    ),
)


def _trade_cases(book: Book) -> Sequence[_Case]:
    first = book.options.as_of_date
    last = first + dt.timedelta(book.options.max_trade_settle_days)
    return (
        (
            HardRule.TRADE_UNKNOWN,
            _IS_FIRST & ~pl.col("takes_part") & pl.col("why_apart").is_null(),
            pl.lit("the run's inputs have no such trade"),
        ),
        (HardRule.TRADE_TAKES_NO_PART, _IS_FIRST & ~pl.col("takes_part"), pl.col("why_apart")),
        (
            HardRule.TRADE_OUTSIDE_WINDOW,
            _IS_FIRST & pl.col("takes_part") & ~pl.col("in_window") & ~pl.col("obeys_lock"),
            pl.format(
                "settles {}, outside {} to {}", pl.col("settlement_date").cast(pl.String), pl.lit(str(first)), pl.lit(str(last))
            ),
        ),
    )


def _first_broken(rows: pl.DataFrame, cases: Sequence[_Case]) -> pl.DataFrame:
    """The placements for which one of the cases holds, by the first that does."""
    rule = message = pl.lit(None, dtype=pl.String)
    for broken, condition, told in reversed(cases):
        rule = pl.when(condition).then(pl.lit(broken.value)).otherwise(rule)
        message = pl.when(condition).then(told).otherwise(message)
    judged = rows.with_columns(rule.alias("rule"), message.alias("message"), pl.lit(None, dtype=pl.String).alias("constraint_id"))
    return judged.filter(pl.col("rule").is_not_null()).select(*VIOLATIONS)


def _locked_missing(book: Book, resolved: Resolved) -> pl.DataFrame:
    is_placed = np.zeros(len(book.loans), dtype=np.bool_)
    is_placed[resolved.loan[resolved.loan >= 0]] = True
    missing = np.nonzero((book.loans.locked_trade >= 0) & ~is_placed)[0]
    return _about(
        HardRule.LOCKED_MISSING,
        book.loans.frame["loan_id"].gather(missing),
        gather(book.trades.ids, book.loans.locked_trade[missing].astype(np.int64), "trade_id"),
        pl.lit("a lockdown puts it on the trade, and it is not placed"),
    )


def _overfilled(book: Book, placing: Placing, fill: Int64Array) -> pl.DataFrame:
    """A fill that lockdowns alone put over the band is allowed; a loan more on it is not."""
    has_others = np.zeros(len(book.trades), dtype=np.bool_)
    has_others[placing.trade[(placing.trade >= 0) & ~placing.by_lock]] = True
    over = np.nonzero((fill > book.trades.hi) & has_others)[0]
    figures = [from_scaled(cents[over], TOTAL).cast(pl.String) for cents in (fill, book.trades.hi, fill - book.trades.hi)]
    message = pl.format("{} on it, at most {}: over by {}", *(pl.lit(figure) for figure in figures))
    return _about(
        HardRule.TRADE_OVERFILLED, pl.Series([None] * len(over), dtype=pl.String), book.trades.ids.gather(over), message
    )


def _about(rule: HardRule, loan_ids: pl.Series, trade_ids: pl.Series, message: pl.Expr) -> pl.DataFrame:
    rows = pl.DataFrame([loan_ids.alias("loan_id"), trade_ids.alias("trade_id")])
    told = rows.with_columns(
        rule=pl.lit(rule.value),
        position=pl.lit(None, dtype=pl.Int64),
        constraint_id=pl.lit(None, dtype=pl.String),
        message=message,
    )
    return told.select(*VIOLATIONS)
