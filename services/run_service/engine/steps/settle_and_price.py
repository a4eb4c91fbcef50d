"""Step 2, bx_settle_and_price: what every trade still needs, and the cash market map.

Band, settlement and base price of the trades stand in the book (`book.Trades`); here they become the first columns of
`pfill_trade_base`, and `pfill_cash_market_map` is rebuilt: how each cash instrument is priced for each product.
"""

import polars as pl

from services.run_service.domain.options import Kind
from services.run_service.engine.book import Book
from services.run_service.engine.pricing import Pricer
from shared.money import PRICE, TOTAL, from_scaled


def trade_base(book: Book) -> pl.DataFrame:
    """A row per participating trade in trade order: identity, dates, amounts, band and pair-off points."""
    trades = book.trades
    kinds = [str(book.instruments[name].kind) for name in trades.instrument]
    investors = [book.instruments[name].investor for name in trades.instrument]
    return trades.frame.select(
        "trade_id",
        "counterparty",
        pl.Series("investor", investors, dtype=pl.String),
        "investor_instrument",
        pl.Series("kind", kinds, dtype=pl.String),
        "trade_date",
        "settlement_date",
        pl.col("price").alias("trade_price"),
        "trade_amount",
        "pair_off_amount",
        "delivered_amount",
        from_scaled(trades.need, TOTAL, name="need"),
        from_scaled(trades.lo, TOTAL, name="lo"),
        from_scaled(trades.hi, TOTAL, name="hi"),
        "tolerance_pct",
        from_scaled(trades.pair_off, PRICE, name="pair_off_points"),
    )


def cash_market_map(book: Book, pricer: Pricer, slots: pl.DataFrame) -> pl.DataFrame:
    """A row per (product in the pipeline, cash instrument), or per slot where step 1 ran, with the cash_grid_type.

    Slots are numbered from 1; a row without one has slot_number 0.

    NOTE_RATE: an open trade has a grid; TODAYS_PRICE: there is only a daily price; NONE: neither.
    """
    products = book.loans.frame.select("loan_instrument").filter(pl.col("loan_instrument").fill_null("") != "").unique()
    cash = sorted(name for name, instrument in book.instruments.items() if instrument.kind is Kind.CASH)
    gridded = {
        name
        for name, trade_id in zip(book.trades.instrument, book.trades.ids.to_list(), strict=True)
        if pricer.has_grid(trade_id)
    }
    daily = set(book.tables["rmcat_todays_prices"]["investor_instrument"])
    types = ["NOTE_RATE" if name in gridded else "TODAYS_PRICE" if name in daily else "NONE" for name in cash]
    market = pl.DataFrame(
        {"investor_instrument": cash, "cash_grid_type": types},
        schema={"investor_instrument": pl.String, "cash_grid_type": pl.String},
    )
    number = pl.int_range(1, pl.len() + 1, dtype=pl.Int64).over("loan_instrument", "investor_instrument")
    return (
        products.join(market, how="cross")
        .join(slots, on=["loan_instrument", "investor_instrument"], how="left")
        .sort("loan_instrument", "investor_instrument", "trade_id", "rate", "sequence_number")
        .with_columns(slot_number=pl.when(pl.col("trade_id").is_null()).then(pl.lit(0, dtype=pl.Int64)).otherwise(number))
    )
