"""Trades that are filled otherwise than they were, as the recaps of two runs have them."""

import polars as pl

from services.run_service.engine.compare.comparison import FILL

IDENTITY = ("investor_instrument", "settlement_date")


def filled_otherwise(a: pl.DataFrame, b: pl.DataFrame) -> pl.DataFrame:
    """The trades of two recaps (rows of `pfill_trade_base`) that differ in a column of FILL, or that only one of them has.

    Columns: trade_id, those of IDENTITY (of b, or of a where b lacks the trade), in_a, in_b, then those of FILL of a and, with
    the suffix `_b`, of b; null where that run's recap lacks the trade. Those whose allocated amount differs most come first.
    """
    columns = ["trade_id", *IDENTITY, *FILL]
    both = (
        a.select(*columns, pl.lit(value=True).alias("in_a"))
        .join(b.select(*columns, pl.lit(value=True).alias("in_b")), on="trade_id", how="full", suffix="_b", coalesce=True)
        .with_columns(pl.col("in_a", "in_b").fill_null(value=False))
    )
    differs = [pl.col(column).ne_missing(pl.col(f"{column}_b")) for column in FILL]
    amount, amount_b = (pl.col(column).fill_null(0) for column in ("allocated_amount", "allocated_amount_b"))
    return (
        both.filter(pl.any_horizontal(*differs, pl.col("in_a") != pl.col("in_b")))
        .with_columns(size=(amount_b - amount).abs())
        .sort("size", "trade_id", descending=[True, False])
        .select(
            "trade_id",
            *(pl.coalesce(f"{column}_b", column).alias(column) for column in IDENTITY),
            "in_a",
            "in_b",
            *FILL,
            *(f"{column}_b" for column in FILL),
        )
    )
