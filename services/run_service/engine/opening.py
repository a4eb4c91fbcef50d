"""Opening the book: the input tables cleaned, ordered and taken apart into the arrays that the steps read.

Loans come in order of loan_id and trades in trade order, whatever the order of the rows, so that a smaller index wins every tie.
"""

from collections.abc import Callable, Mapping
from decimal import Decimal

import numpy as np
import polars as pl

from services.run_service.domain.errors import InputError
from services.run_service.domain.findings import Finding
from services.run_service.domain.options import Kind, LoanStatus, RunOptions, Scope
from services.run_service.domain.rules import Rule, RuleError, parse_rule
from services.run_service.engine.book import (
    Book,
    BoolArray,
    Constraint,
    Instrument,
    Int32Array,
    Loans,
    SyntheticTrades,
    Trades,
    current_pools,
)
from services.run_service.engine.frames import LOAN_FIELDS, RunInputs
from services.run_service.engine.quality import clean_tables
from services.run_service.engine.stop import Stop
from shared.money import divide_half_away, scaled, to_scaled

Warn = Callable[[Finding], None]
NO_DAY = np.int32(2**31 - 1)
NO_INDEX = np.int32(-1)


def open_book(inputs: RunInputs, options: RunOptions, warn: Warn, stop: Stop) -> Book:
    """Clean and order the inputs of a run, telling `warn` what is ignored.

    Raises InputError for a rule that does not parse, RunCancelledError after a cancel.
    """
    tables = clean_tables(inputs, options, warn, stop)
    stop.checkpoint()
    rules = _rules(tables["pfill_sec_rules"])
    instruments = _instruments(tables["pscat_instruments"])
    constraints = _constraints(tables["pfill_constraints"], rules)
    trades, trade_rank = _trades(tables, instruments, constraints, options)
    return Book(
        options=options,
        tables=tables,
        loans=lay_out_loans(tables, trades, options),
        instruments=instruments,
        constraints=constraints,
        rules=rules,
        trades=trades,
        synthetic=_synthetic_trades(tables["rmcat_todays_prices"], options),
        trade_rank=trade_rank,
    )


def _rules(frame: pl.DataFrame) -> dict[str, Rule]:
    rules = {}
    for name, expression in frame.select("rule_name", "expression").iter_rows():
        try:
            rules[name] = parse_rule(expression, LOAN_FIELDS)
        except RuleError as error:
            raise InputError(f"security rule {name!r}: {error}; correct its expression") from None
    return rules


def _instruments(frame: pl.DataFrame) -> dict[str, Instrument]:
    def units(value: Decimal | None, places: int) -> int | None:
        return None if value is None else scaled(value, places)

    return {
        row["investor_instrument"]: Instrument(
            name=row["investor_instrument"],
            investor=row["investor"] or "",
            kind=Kind(row["kind"]),
            coupon=units(row["coupon"], 6),
            low_over_coupon=units(row["min_note_over_coupon"], 6),
            high_over_coupon=units(row["max_note_over_coupon"], 6),
            fees=scaled(row["guaranty_fee"] + row["servicing_fee"], 6),
            buyup_multiple=scaled(row["buyup_multiple"], 6),
            buydown_multiple=scaled(row["buydown_multiple"], 6),
            min_pool_amount=units(row["min_pool_amount"], 2) or 0,
            max_loan_amount=units(row["max_loan_amount"], 2),
        )
        for row in frame.iter_rows(named=True)
    }


def _constraints(frame: pl.DataFrame, rules: Mapping[str, Rule]) -> tuple[Constraint, ...]:
    enabled = frame.filter(pl.col("enabled")).sort("priority", "constraint_id")
    constraints = tuple(
        Constraint(
            constraint_id=row["constraint_id"],
            priority=row["priority"],
            investor=row["investor"] or "",
            investor_instrument=row["investor_instrument"],
            rule_name=row["rule_name"] or "",
        )
        for row in enabled.iter_rows(named=True)
    )
    for constraint in constraints:
        if constraint.rule_name and constraint.rule_name not in rules:
            message = f"constraint {constraint.constraint_id!r} names the unknown security rule {constraint.rule_name!r}"
            raise InputError(f"{message}; create the rule or change the constraint")
    return constraints


def _days(dates: pl.Series, options: RunOptions, missing: np.int32 = NO_DAY) -> Int32Array:
    epoch = pl.Series([options.as_of_date], dtype=pl.Date).cast(pl.Int32)[0]
    return np.asarray((dates.cast(pl.Int32) - epoch).fill_null(int(missing)).to_numpy(), dtype=np.int32)


def _trades(
    tables: Mapping[str, pl.DataFrame],
    instruments: Mapping[str, Instrument],
    constraints: tuple[Constraint, ...],
    options: RunOptions,
) -> tuple[Trades, dict[str, int]]:
    priority: dict[str, int] = {}
    for constraint in constraints:
        priority.setdefault(constraint.investor_instrument, constraint.priority)
    last = max(priority.values(), default=0) + 1
    ranked = (
        tables["pscat_trades"]
        .with_columns(
            priority=pl.col("investor_instrument").replace_strict(priority, default=last, return_dtype=pl.Int64),
            need=pl.col("trade_amount") - pl.col("pair_off_amount") - pl.col("delivered_amount"),
        )
        .sort("priority", "settlement_date", "trade_id")
    )
    frame = ranked.filter(
        (pl.col("status") == "OPEN")
        & ~pl.col("is_phantom")
        & pl.col("investor_instrument").is_in(list(instruments))
        & (pl.col("need") > 0)
    )
    names = tuple(frame["investor_instrument"])
    need = to_scaled(frame["need"])
    band = np.array(
        [
            divide_half_away(tolerance * amount, 10**8)
            for tolerance, amount in zip(
                to_scaled(frame["tolerance_pct"]).tolist(), to_scaled(frame["trade_amount"]).tolist(), strict=True
            )
        ],
        dtype=np.int64,
    )
    settle_day = _days(frame["settlement_date"], options)
    market = _nearest_prices(frame, tables["rmcat_todays_prices"])
    own_price, has_own = to_scaled(frame["price"]), frame["price"].is_not_null().to_numpy()
    market_price, has_market = to_scaled(market), market.is_not_null().to_numpy()
    friction = np.array([scaled(options.pair_off_cost[instruments[name].kind], 8) for name in names], dtype=np.int64)
    above = np.where(has_own & has_market, np.maximum(0, market_price - own_price), 0)
    trades = Trades(
        frame=frame,
        instrument=names,
        need=need,
        lo=np.maximum(0, need - band),
        hi=need + band,
        settle_day=settle_day,
        in_window=(settle_day >= 0) & (settle_day <= options.max_trade_settle_days),
        own_price=own_price,
        has_own_price=has_own,
        market_price=market_price,
        has_market_price=has_market,
        pair_off=friction + above,
    )
    return trades, {trade_id: rank for rank, trade_id in enumerate(ranked["trade_id"])}


def _nearest_prices(trades: pl.DataFrame, prices: pl.DataFrame) -> pl.Series:
    """Today's price of each trade's instrument for the date nearest to its settlement; of two equally near the earlier."""
    nearest = (
        trades.select("trade_id", "investor_instrument", "settlement_date")
        .join(prices.rename({"settlement_date": "price_date"}).rename({"price": "market"}), on="investor_instrument")
        .with_columns(distance=(pl.col("settlement_date") - pl.col("price_date")).dt.total_days().abs())
        .sort("trade_id", "distance", "price_date")
        .unique("trade_id", keep="first", maintain_order=True)
    )
    return trades.select("trade_id").join(nearest.select("trade_id", "market"), on="trade_id", how="left", maintain_order="left")[
        "market"
    ]


def _synthetic_trades(prices: pl.DataFrame, options: RunOptions) -> SyntheticTrades:
    days = _days(prices["settlement_date"], options)
    frame = (
        prices.with_columns(day=pl.Series(days, dtype=pl.Int32))
        .filter(pl.col("day").is_between(0, options.max_trade_settle_days))
        .sort("settlement_date", "investor_instrument")
        .with_columns(syn_trade_id=pl.format("SYN-{}-{}", "investor_instrument", pl.col("settlement_date").dt.strftime("%Y%m%d")))
    )
    return SyntheticTrades(
        frame=frame.select("syn_trade_id", "investor_instrument", "settlement_date", "price"),
        instrument=tuple(frame["investor_instrument"]),
        settle_day=frame["day"].to_numpy().astype(np.int32),
        price=to_scaled(frame["price"]),
    )


def in_scope(loans: pl.DataFrame, shipped: pl.DataFrame, options: RunOptions) -> pl.DataFrame:
    """The loans a run decides about, in order of loan_id (specification 01 section 7)."""
    statuses = list(LoanStatus)
    reached = statuses[statuses.index(options.min_status) :]
    if options.scope is Scope.CLOSED_AND_LOCKED:
        reached += [LoanStatus.LOCKED, LoanStatus.APPROVED, LoanStatus.DOCS_OUT]
    gone = pl.col("loan_id").is_in(shipped["loan_id"].implode())
    return loans.filter(pl.col("status_code").is_in([str(status) for status in reached]) & ~gone).sort("loan_id")


def lay_out_loans(tables: Mapping[str, pl.DataFrame], trades: Trades, options: RunOptions) -> Loans:
    """The in-scope loans of the cleaned tables, with what lockdowns and postings say of them."""
    frame = in_scope(tables["loan"], tables["loan_shipped"], options)
    eligible = frame.select(pl.coalesce("close_date", "lock_expiration_date").alias("day"))["day"]
    amount = to_scaled(frame["loan_amount"])
    data_error = np.zeros(len(frame), dtype=np.int8)
    for code, wrong in (
        (4, eligible.is_null().to_numpy()),
        (3, (frame["loan_instrument"].fill_null("") == "").to_numpy()),
        (2, frame["note_rate"].is_null().to_numpy()),
        (1, amount <= 0),
    ):
        data_error[wrong] = code
    held, locked_trade = _lockdowns(frame["loan_id"], tables["pfill_lockdown"], trades, data_error > 0)
    return Loans(
        frame=frame,
        amount=amount.copy(),  # kernels want arrays of their own: what polars lends is read-only, another type to the compiler
        note=to_scaled(frame["note_rate"]).copy(),
        eligible_day=_days(eligible, options),
        has_close_date=frame["close_date"].is_not_null().to_numpy().copy(),
        data_error=data_error,
        held=held,
        locked_trade=locked_trade,
        current_pool=_current_pools(frame["loan_id"], tables),
    )


def _lockdowns(loan_ids: pl.Series, lockdowns: pl.DataFrame, trades: Trades, unusable: BoolArray) -> tuple[BoolArray, Int32Array]:
    """Who is held and who is locked to which trade; of several locks one to a participating trade wins, then the greatest id."""
    places = pl.DataFrame({"trade_id": trades.ids, "place": pl.Series(range(len(trades)), dtype=pl.Int32)})
    by_loan = (
        lockdowns.join(places, on="trade_id", how="left")
        .sort("loan_id", pl.col("place").is_not_null(), "trade_id", nulls_last=False)
        .unique("loan_id", keep="last", maintain_order=True)
        .select("loan_id", "place")
        .with_columns(locked=pl.lit(value=True))
    )
    found = loan_ids.to_frame("loan_id").join(by_loan, on="loan_id", how="left", maintain_order="left")
    place = found["place"].fill_null(-1).to_numpy().astype(np.int32)
    place[unusable] = NO_INDEX
    return found["locked"].fill_null(value=False).to_numpy() & (place < 0) & ~unusable, place


def _current_pools(loan_ids: pl.Series, tables: Mapping[str, pl.DataFrame]) -> pl.Series:
    """A loan's latest posting to a FORMING pool, then the greatest pool name."""
    latest = current_pools(tables)
    return loan_ids.to_frame("loan_id").join(latest, on="loan_id", how="left", maintain_order="left")["pool_name"]
