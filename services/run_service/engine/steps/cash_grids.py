"""Step 1, bx_cash_grids: price every in-scope loan on every cash trade's grid and drop prices under the floor.

Only with the option bx_price_floor. What is left are the slots of the cash slotting report: for a product and a grid row of a
trade, the loans that fit and their amount.
"""

import numpy as np
import polars as pl

from services.run_service.domain.options import Kind
from services.run_service.engine.book import Book
from services.run_service.engine.pricing import Pricer
from services.run_service.engine.stop import Stop
from shared.money import AMOUNT_PLACES, PRICE, TOTAL, from_scaled, scaled

SLOT_SCHEMA = {
    "loan_instrument": pl.String(),
    "investor_instrument": pl.String(),
    "trade_id": pl.String(),
    "rate": pl.Decimal(10, 6),
    "sequence_number": pl.Int64(),
    "price": PRICE,
    "syntax_name": pl.String(),
    "loan_count": pl.Int64(),
    "loan_amount": TOTAL,
}


def cash_slots(book: Book, pricer: Pricer, stop: Stop) -> pl.DataFrame:
    """The slots (columns of SLOT_SCHEMA; `price` is the grid row's), or none where the options have no floor."""
    floor = book.options.bx_price_floor
    slots = [pl.DataFrame(schema=SLOT_SCHEMA)]
    if floor is None:
        return slots[0]
    loans = np.nonzero(book.loans.data_error == 0)[0]
    products = book.loans.frame["loan_instrument"]
    for trade, name in enumerate(book.trades.instrument):
        stop.checkpoint()
        trade_id = book.trades.ids[trade]
        instrument = book.instruments[name]
        if instrument.kind is not Kind.CASH or not pricer.has_grid(trade_id):
            continue
        grid = pricer.grid_of(trade_id)
        row = pricer.grid_row(grid, loans)
        base = np.where(row >= 0, grid.price[row], 0)
        price, priced = pricer.price(base, row >= 0, pricer.adjustment(instrument, loans))
        fits = priced & (price >= scaled(floor, 8))
        fitting = pl.DataFrame(
            {
                "row": row[fits].astype(np.uint32),
                "loan_instrument": products.gather(loans[fits]),
                "cents": book.loans.amount[loans[fits]],
            }
        )
        counted = fitting.group_by("row", "loan_instrument").agg(loan_count=pl.len().cast(pl.Int64), cents=pl.col("cents").sum())
        slots.append(
            counted.join(grid.frame.with_row_index("row"), on="row").select(
                "loan_instrument",
                pl.lit(name).alias("investor_instrument"),
                "trade_id",
                "rate",
                "sequence_number",
                "price",
                "syntax_name",
                "loan_count",
                pl.col("cents").map_batches(_total, return_dtype=TOTAL).alias("loan_amount"),
            )
        )
    return pl.concat(slots).sort("loan_instrument", "investor_instrument", "trade_id", "rate", "sequence_number")


def _total(cents: pl.Series) -> pl.Series:
    return from_scaled(cents.to_numpy(), pl.Decimal(TOTAL.precision, AMOUNT_PLACES))
