"""`pfill_kickout_guide_01`: a row per in-scope loan left out, with the reason, the figures behind it and what to do."""

import numpy as np
import polars as pl

from services.run_service.domain.options import RunOptions
from services.run_service.engine.book import DATA_ERRORS, Book, BoolArray, at, gather
from services.run_service.engine.ledger import Ledger
from services.run_service.engine.nearest import nearest_constraint
from services.run_service.engine.reach import Stage
from services.run_service.engine.rows import BLOCK_LOANS, best_of_rows, spans
from services.run_service.engine.stop import Stop
from shared.money import PRICE, TOTAL, Int64Array, from_scaled, points_to_cents

NOT_WORTH_IT, NO_CAPACITY = "NOT_WORTH_IT", "NO_CAPACITY"


def kickouts(ledger: Ledger, stop: Stop, block_loans: int = BLOCK_LOANS) -> pl.DataFrame:
    """Why each loan got no trade, and what would help, in order of loan_id. Raises RunCancelledError after a cancel."""
    left_out = np.nonzero(ledger.trade < 0)[0]
    pays = worth_it(ledger)
    blocks = []
    for first, end in spans(len(left_out), block_loans):
        stop.checkpoint()
        blocks.append(_rows(ledger, left_out[first:end], pays))
    return pl.concat(blocks, rechunk=False)


def _rows(ledger: Ledger, loans: Int64Array, pays: BoolArray) -> pl.DataFrame:
    """The rows of some loans; `pays` is told by `worth_it`."""
    book, problem = ledger.book, ledger.problem
    best, synthetic = ledger.best[loans], ledger.best_synthetic[loans]
    best_score, has = at(ledger.candidates.score, best), best >= 0
    gap = np.maximum(0, best_score - problem.fallback[loans])
    cost = points_to_cents(np.where(has, book.loans.amount[loans], 0), np.where(has, gap, 0))
    nearest, condition = _nearest(ledger, loans)
    constraint_ids = pl.Series([c.constraint_id for c in book.constraints], dtype=pl.String)
    frame = book.loans.frame.select("loan_id", "loan_instrument", "loan_amount", "note_rate", "status_code")[loans]
    frame = frame.with_columns(
        _reasons(ledger, loans, pays),
        gather(constraint_ids, nearest, "nearest_constraint_id"),
        condition,
        gather(book.trades.ids, at(ledger.candidates.trade, best, missing=-1), "best_trade_id"),
        from_scaled(best_score, PRICE, has, "best_score"),
        from_scaled(cost, TOTAL, has, "opportunity_cost"),
        gather(book.synthetic.frame["syn_trade_id"], at(ledger.synthetic.trade, synthetic, missing=-1), "syn_trade_id"),
        from_scaled(at(ledger.synthetic.score, synthetic), PRICE, synthetic >= 0, "syn_score"),
    )
    return frame.with_columns(_details(ledger, loans, frame).alias("reason_detail"), _action().alias("recommended_action"))


def _reasons(ledger: Ledger, loans: Int64Array, pays: BoolArray) -> pl.Series:
    """The furthest stage; candidates are told apart by whether any trade pays more than the fallback."""
    names = pl.Series([stage.name for stage in Stage if stage is not Stage.CANDIDATE] + [NOT_WORTH_IT, NO_CAPACITY])
    stage = ledger.reach.stage[loans].astype(np.int64)
    return names.gather(np.where((stage == Stage.CANDIDATE) & pays[loans], int(Stage.CANDIDATE) + 1, stage)).alias("reason")


def worth_it(ledger: Ledger) -> BoolArray:
    """Loans with a candidate that pays more than their fallback after the switch cost."""
    problem = ledger.problem
    best_net = best_of_rows(problem.start, problem.net)
    return np.asarray((best_net >= 0) & (at(problem.net, best_net) > problem.fallback))


def _nearest(ledger: Ledger, loans: Int64Array) -> tuple[Int64Array, pl.Series]:
    """The constraint that came closest, and the condition of its rule that failed where no rule matched."""
    book = ledger.book
    nearest = ledger.reach.constraint[loans].astype(np.int64)
    unmatched = np.nonzero(ledger.reach.stage[loans] == Stage.NO_RULE_MATCH)[0]
    failed = pl.Series("failed_condition", [None] * len(loans), dtype=pl.String)
    if not len(unmatched) or not book.constraints:
        return nearest, failed
    nearest[unmatched], text = nearest_constraint(book, loans[unmatched], range(len(book.constraints)))
    return nearest, failed.scatter(unmatched, text)


def _details(ledger: Ledger, loans: Int64Array, frame: pl.DataFrame) -> pl.Expr:
    """The reason with this loan's own figures."""
    book, options = ledger.book, ledger.book.options
    reached = _reached(ledger, loans)
    eligible = book.loans.frame.select(pl.coalesce("close_date", "lock_expiration_date").alias("day"))["day"].gather(loans)
    c = {name: pl.lit(series) for name, series in reached.items()}
    detail: dict[str, pl.Expr] = {
        "DATA_ERROR": pl.format("missing or not positive: {}", c["data_error"]),
        "LOCKED_OUT": pl.format("held by a lockdown: {}", c["lock_reason"]),
        "NO_RULE_MATCH": pl.format(
            "no constraint takes it; closest {}, which needs {}", _text("nearest_constraint_id"), _text("failed_condition")
        ),
        "NO_OPEN_TRADE": pl.format("no open trade of {}", c["instrument"]),
        "NOTE_RATE_WINDOW": pl.format("note rate {} is outside {} of {}", _text("note_rate"), c["window"], c["instrument"]),
        "LOAN_SIZE": pl.format("amount {} is over {} of {}", _text("loan_amount"), c["max_loan_amount"], c["instrument"]),
        "SETTLEMENT_WINDOW": pl.format(
            "eligible {}, trade {} settles {}", pl.lit(eligible.cast(pl.String)), c["trade"], c["settles"]
        ),
        "NO_PRICE": pl.format("no price on trade {}", c["trade"]),
        "BELOW_PRICE_FLOOR": pl.format("priced under {} on trade {}", pl.lit(_floor(options)), c["trade"]),
        NOT_WORTH_IT: pl.format(
            "best trade {} at {} does not pay more than the fallback {}",
            _text("best_trade_id"),
            _text("best_score"),
            c["fallback"],
        ),
        NO_CAPACITY: pl.format(
            "every trade that pays is full; best {} at {}, fallback {}",
            _text("best_trade_id"),
            _text("best_score"),
            c["fallback"],
        ),
    }
    expression = pl.lit("")
    for reason, text in detail.items():
        expression = pl.when(pl.col("reason") == reason).then(text).otherwise(expression)
    return expression


def _text(column: str) -> pl.Expr:
    return pl.col(column).cast(pl.String).fill_null("-")


def _reached(ledger: Ledger, loans: Int64Array) -> dict[str, pl.Series]:
    """Texts about the instrument and trade each loan came furthest with."""
    book = ledger.book
    constraint, trade = ledger.reach.constraint[loans], ledger.reach.trade[loans]
    names = [c.investor_instrument for c in book.constraints]
    windows = [_window(book, name) for name in names]
    sizes = [_size(book, name) for name in names]
    reasons = book.tables["pfill_lockdown"].unique("loan_id", keep="last", maintain_order=True).select("loan_id", "reason")
    lock_reason = book.loans.frame.select("loan_id")[loans].join(reasons, on="loan_id", how="left", maintain_order="left")[
        "reason"
    ]
    return {
        "data_error": pl.Series(DATA_ERRORS).gather(book.loans.data_error[loans].astype(np.int64)),
        "lock_reason": lock_reason.fill_null("no reason given"),
        "instrument": gather(pl.Series(names, dtype=pl.String), constraint, "instrument").fill_null("-"),
        "window": gather(pl.Series(windows, dtype=pl.String), constraint, "window").fill_null("-"),
        "max_loan_amount": gather(pl.Series(sizes, dtype=pl.String), constraint, "size").fill_null("-"),
        "trade": gather(book.trades.ids, trade, "trade").fill_null("-"),
        "settles": gather(book.trades.frame["settlement_date"], trade, "settles").cast(pl.String).fill_null("-"),
        "fallback": from_scaled(ledger.problem.fallback[loans], PRICE).cast(pl.String),
    }


def _window(book: Book, name: str) -> str:
    instrument = book.instruments.get(name)
    if instrument is None or instrument.coupon is None:
        return "-"
    low, high = instrument.low_over_coupon, instrument.high_over_coupon
    ends = ["" if over is None else f"{(instrument.coupon + over) / 1e6:g}" for over in (low, high)]
    return f"{ends[0]} to {ends[1]}"


def _size(book: Book, name: str) -> str:
    instrument = book.instruments.get(name)
    return "-" if instrument is None or instrument.max_loan_amount is None else f"{instrument.max_loan_amount / 100:.2f}"


def _floor(options: RunOptions) -> str:
    return "-" if options.bx_price_floor is None else format(options.bx_price_floor, "f")


def _action() -> pl.Expr:
    """What the desk can do: data, holds and rules first; then a new trade where the market has one; then time."""
    sellable = pl.col("syn_trade_id").is_not_null()
    can_wait = pl.col("reason").is_in(["NO_OPEN_TRADE", "SETTLEMENT_WINDOW", "NO_PRICE", "BELOW_PRICE_FLOOR", NO_CAPACITY])
    return (
        pl.when(pl.col("reason") == "DATA_ERROR").then(pl.lit("FIX_DATA"))
        .when(pl.col("reason") == "LOCKED_OUT").then(pl.lit("RELEASE_HOLD"))
        .when(pl.col("reason") == "NO_RULE_MATCH").then(pl.lit("CHANGE_RULE"))
        .when(sellable).then(pl.lit("NEW_TRADE"))
        .when(can_wait).then(pl.lit("WAIT"))
        .otherwise(pl.lit("NONE"))
    )  # fmt: skip
