"""A few broken rows, as every lender's tables have: each kind a handful, none of them stops a run."""

import numpy as np
import polars as pl

from cli.demo.schema import conform, rows

Tables = dict[str, pl.DataFrame]

NO_RATE, ZERO_AMOUNT, NEGATIVE_AMOUNT = 5, 3, 2
NO_DATES, NO_CLOSE_DATE, UNKNOWN_PRODUCT, UNKNOWN_STATUS, NO_SCORE = 4, 4, 4, 6, 5
DOUBLE_POSTINGS, PHANTOM_TRADES = 4, 4
LOANS_A_BROKEN_ROW, TRADES_A_BROKEN_ROW = 250, 25
"""A smaller tenant gets one row of a kind for as many rows as this, at least one, at most the handful above."""

UNKNOWN_INSTRUMENT = "FNMA 45 UMBS 9.5"
UNKNOWN_LOAN, UNKNOWN_TRADE, UNKNOWN_POOL, UNKNOWN_RULE = "LN0000000", "TR000000", "PL0000000", "cash_loan_le_50k"


def soil(tables: Tables, rng: np.random.Generator) -> Tables:
    """The tables with dirt in them; rows of clean tables keep their place, new rows stand at the end."""
    return {
        **tables,
        "loan": _loans(tables["loan"], rng),
        "pscat_trades": _trades(tables, rng),
        "pscat_trade_cash_grid": _grid(tables["pscat_trade_cash_grid"]),
        "pscat_pool_loans": _postings(tables),
        "rmcat_todays_prices": _prices(tables["rmcat_todays_prices"]),
        "rmusr_payups": _payups(tables),
        "pfill_lockdown": _lockdowns(tables),
    }


def handful(most: int, available: int, rows_each: int) -> int:
    """How many rows of a kind to break."""
    return min(most, max(1, available // rows_each), available)


def _loans(loan: pl.DataFrame, rng: np.random.Generator) -> pl.DataFrame:
    closed = np.nonzero(loan["close_date"].is_not_null().to_numpy())[0]
    line = iter(rng.permutation(closed).tolist())

    def hit(most: int) -> pl.Expr:
        wanted = handful(most, len(loan), LOANS_A_BROKEN_ROW)
        taken = [row for row, _ in zip(line, range(wanted), strict=False)]
        return pl.int_range(pl.len()).is_in(taken)

    no_dates = hit(NO_DATES)
    amount = pl.col("loan_amount")
    return loan.with_columns(
        note_rate=pl.when(hit(NO_RATE)).then(None).otherwise(pl.col("note_rate")),
        loan_amount=pl.when(hit(ZERO_AMOUNT))
        .then(pl.lit(0).cast(amount_type := loan["loan_amount"].dtype))
        .when(hit(NEGATIVE_AMOUNT))
        .then(-amount)
        .otherwise(amount)
        .cast(amount_type),
        close_date=pl.when(no_dates | hit(NO_CLOSE_DATE)).then(None).otherwise(pl.col("close_date")),
        lock_expiration_date=pl.when(no_dates).then(None).otherwise(pl.col("lock_expiration_date")),
        loan_instrument=pl.when(hit(UNKNOWN_PRODUCT)).then(pl.lit("40Y MODIFIED")).otherwise(pl.col("loan_instrument")),
        status_code=pl.when(hit(UNKNOWN_STATUS)).then(pl.lit("Withdrawn")).otherwise(pl.col("status_code")),
        fico=pl.when(hit(NO_SCORE)).then(None).otherwise(pl.col("fico")),
    )


def _trades(tables: Tables, rng: np.random.Generator) -> pl.DataFrame:
    """Phantom trades, one delivered past its amount and one of an instrument nobody set up, all open."""
    trade = tables["pscat_trades"]
    kept = set(tables["pfill_lockdown"]["trade_id"].drop_nulls()) | set(tables["pscat_trade_cash_grid"]["trade_id"])
    line = rng.permutation(np.nonzero((trade["status"] == "OPEN").to_numpy())[0]).tolist()
    free = [row for row in line if trade["trade_id"][row] not in kept]
    phantoms = handful(PHANTOM_TRADES, len(free), TRADES_A_BROKEN_ROW)
    row = pl.int_range(pl.len())
    over, unknown = row.is_in(free[phantoms : phantoms + 1]), row.is_in(free[phantoms + 1 : phantoms + 2])
    return conform(
        "pscat_trades",
        trade.with_columns(
            is_phantom=row.is_in(free[:phantoms]),
            pair_off_amount=pl.when(over).then(pl.col("trade_amount") * 0).otherwise(pl.col("pair_off_amount")),
            delivered_amount=pl.when(over).then(pl.col("trade_amount") + 250_000).otherwise(pl.col("delivered_amount")),
            investor_instrument=pl.when(unknown).then(pl.lit(UNKNOWN_INSTRUMENT)).otherwise(pl.col("investor_instrument")),
        ),
    )


def _grid(grid: pl.DataFrame) -> pl.DataFrame:
    """A row at a price nobody would pay, under a rule that was deleted."""
    broken = grid.head(1).with_columns(
        sequence_number=pl.lit(0, pl.Int64),
        price=pl.lit(200).cast(grid["price"].dtype),
        syntax_name=pl.lit(UNKNOWN_RULE),
    )
    return pl.concat([grid, broken])


def _postings(tables: Tables) -> pl.DataFrame:
    """Loans posted again to another pool of the same trade, a posting of an unknown loan and one to an unknown pool."""
    posting, relation = tables["pscat_pool_loans"], tables["pscat_trades_pools_relation"]
    siblings = relation.select("trade_id", "pool_name").join(
        relation.select("trade_id", other="pool_name"), on="trade_id", maintain_order="left_right"
    )
    siblings = siblings.filter(pl.col("pool_name") != pl.col("other")).unique("pool_name", keep="first", maintain_order=True)
    forming = tables["pscat_pools"].filter(pl.col("pool_status") == "FORMING").select("pool_name")
    again = (
        posting.join(forming, on="pool_name", how="semi", maintain_order="left")
        .join(siblings, on="pool_name", maintain_order="left")
        .unique("pool_name", keep="first", maintain_order=True)
        .head(handful(DOUBLE_POSTINGS, len(posting), LOANS_A_BROKEN_ROW // 5))
        .select(pool_name="other", loan_id="loan_id", posted_date="posted_date")
    )
    first = posting.head(1)
    nowhere = [first.with_columns(loan_id=pl.lit(UNKNOWN_LOAN)), first.with_columns(pool_name=pl.lit(UNKNOWN_POOL))]
    return pl.concat([posting, again, *nowhere])


def _prices(prices: pl.DataFrame) -> pl.DataFrame:
    return pl.concat([prices, prices.head(1).with_columns(investor_instrument=pl.lit(UNKNOWN_INSTRUMENT))])


def _payups(tables: Tables) -> pl.DataFrame:
    """A payup divided by nothing and one on a field that is no number."""
    instrument = tables["pscat_instruments"]["investor_instrument"][0]
    broken: list[dict[str, object]] = [
        {"attribute": "fico", "low_value": 300, "high_value": 850, "payup": 5, "div_by": 0},
        {"attribute": "state", "low_value": 0, "high_value": 1, "payup": 5, "div_by": 32},
    ]
    return pl.concat(
        [tables["rmusr_payups"], rows("rmusr_payups", [{"investor_instrument": instrument, **row} for row in broken])]
    )


def _lockdowns(tables: Tables) -> pl.DataFrame:
    """A lock of a loan and a lock on a trade that are in no table."""
    locked = tables["pfill_lockdown"]["loan_id"]
    closed = tables["loan"].filter(pl.col("close_date").is_not_null() & ~pl.col("loan_id").is_in(locked.implode()))
    broken: list[dict[str, object]] = [{"loan_id": UNKNOWN_LOAN, "reason": "loan renumbered in the origination system"}]
    broken += [
        {"loan_id": loan_id, "trade_id": UNKNOWN_TRADE, "reason": "promised to dealer"} for loan_id in closed["loan_id"].head(1)
    ]
    return pl.concat([tables["pfill_lockdown"], rows("pfill_lockdown", broken)])
