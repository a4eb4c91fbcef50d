"""Prices a desk would believe: a rising ladder, a discount for time, equal agencies, payups by tier."""

import datetime as dt

import numpy as np
import polars as pl
import pytest

from cli.demo.instruments import GROUPS, universe
from cli.demo.market import Market, best_execution

Tables = dict[str, pl.DataFrame]


@pytest.fixture(scope="module")
def quotes(clean: Tables) -> pl.DataFrame:
    """Today's prices with the instrument's attributes, of what has a coupon."""
    return clean["rmcat_todays_prices"].join(clean["pscat_instruments"].drop_nulls("coupon"), on="investor_instrument")


def test_a_higher_coupon_costs_more(quotes: pl.DataFrame) -> None:
    standard = quotes.filter(pl.col("kind") == "TBA").sort("investor", "term_months", "settlement_date", "coupon")
    steps = standard.with_columns(step=pl.col("price").diff().over("investor", "term_months", "settlement_date")).drop_nulls(
        "step"
    )
    assert len(steps) > 50
    assert (steps["step"] > 0).all()


def test_a_later_settlement_costs_less(quotes: pl.DataFrame) -> None:
    by_date = quotes.sort("investor_instrument", "settlement_date")
    steps = by_date.with_columns(step=pl.col("price").diff().over("investor_instrument")).drop_nulls("step")
    assert steps["investor_instrument"].n_unique() == quotes["investor_instrument"].n_unique()
    assert (steps["step"] < 0).all()


def test_both_agencies_deliver_at_one_price(quotes: pl.DataFrame) -> None:
    umbs = quotes.filter((pl.col("kind") == "TBA") & (pl.col("investor") != "GNMA"))
    prices = umbs.group_by("term_months", "coupon", "settlement_date").agg(pl.col("price").n_unique(), pl.len())
    assert (prices["len"] == 2).all()
    assert (prices["price"] == 1).all()


def test_securities_are_quoted_in_sixty_fourths_near_par(quotes: pl.DataFrame) -> None:
    prices = quotes["price"].cast(pl.Float64)
    assert ((prices * 64) % 1 == 0).all()
    assert prices.is_between(90, 112).all()


def test_windows_are_those_of_the_programmes(clean: Tables) -> None:
    bounded = clean["pscat_instruments"].drop_nulls("coupon").with_columns(pl.selectors.decimal().cast(pl.Float64))
    window = bounded.select("investor", "min_note_over_coupon", "max_note_over_coupon").unique().sort("investor").rows()
    assert window == [("FHLMC", 0.25, 1.125), ("FNMA", 0.25, 1.125), ("GNMA", 0.25, 0.75)]


def test_smaller_size_tiers_pay_more(clean: Tables) -> None:
    payups = clean["rmusr_payups"].join(
        clean["pscat_instruments"].drop_nulls(["coupon", "max_loan_amount"]), on="investor_instrument"
    )
    tiers = payups.sort("investor", "term_months", "coupon", "max_loan_amount").with_columns(
        step=pl.col("payup").diff().over("investor", "term_months", "coupon")
    )
    assert (payups["div_by"] == 32).all()
    assert payups["term_months"].n_unique() == 2
    assert (tiers["step"].drop_nulls() < 0).all()
    assert (payups["payup"] > 0).all()


def test_the_best_coupon_is_the_highest_that_needs_no_buydown() -> None:
    """Note 6.375 needs 0.70 for fees: coupon 5.5 leaves 0.175 to buy up, coupon 6.0 would buy 0.325 down at a dearer rate."""
    group = GROUPS["CONF30"]
    best, value = best_execution(group, np.array([6.375, 6.75, 9.5]))
    assert [group.coupons[k] for k in best] == [5.5, 6.0, 7.5]
    assert value[0] == pytest.approx(group.ladder(5.5) + 0.175 * 3.55, abs=0.05)


def test_trades_were_made_at_the_market_of_their_day(clean: Tables, as_of: dt.date) -> None:
    """An open trade's own price is near today's: the market moved a point or two in the weeks since, no more."""
    trade = clean["pscat_trades"].filter(pl.col("status") == "OPEN").drop_nulls("price")
    joined = trade.join(clean["rmcat_todays_prices"], on=["investor_instrument", "settlement_date"], suffix="_today")
    moved = (joined["price"] - joined["price_today"]).cast(pl.Float64)
    assert len(joined) == len(trade)
    assert moved.abs().max() < 2.5  # type: ignore[operator]
    assert moved.n_unique() > 20
    assert (trade["trade_date"] < as_of).all()


def test_grids_rise_with_the_note_rate_by_eighths(clean: Tables) -> None:
    plain = clean["pscat_trade_cash_grid"].filter(pl.col("syntax_name").is_null()).sort("trade_id", "rate")
    steps = plain.with_columns(
        rate_step=pl.col("rate").diff().over("trade_id"), price_step=pl.col("price").diff().over("trade_id")
    ).drop_nulls("rate_step")
    assert (steps["rate_step"].cast(pl.Float64) == 0.125).all()
    assert (steps["price_step"] > 0).all()


def test_a_fannie_commitment_names_five_rates(clean: Tables) -> None:
    instruments = (
        clean["pscat_trades"]
        .select("trade_id", "investor_instrument")
        .join(clean["pscat_instruments"].select("investor_instrument", "investor"), on="investor_instrument")
    )
    rates = clean["pscat_trade_cash_grid"].join(instruments, on="trade_id").filter(pl.col("investor") == "FNMA")
    assert (rates.group_by("trade_id").agg(pl.col("rate").n_unique())["rate"] == 5).all()


def test_grid_rows_under_a_rule_come_first_and_pay_more(clean: Tables) -> None:
    cells = clean["pscat_trade_cash_grid"].sort("trade_id", "rate", "sequence_number")
    cells = cells.filter(pl.col("syntax_name").is_not_null().any().over("trade_id", "rate"))
    price_steps = cells.with_columns(step=pl.col("price").diff().over("trade_id", "rate")).drop_nulls("step")["step"]
    assert (price_steps < 0).all()
    assert cells.group_by("trade_id", "rate").agg(pl.col("syntax_name").last())["syntax_name"].is_null().all()


def test_the_market_quotes_nothing_for_what_has_no_coupon(as_of: dt.date) -> None:
    market = Market(as_of, np.random.default_rng(0))
    cash = next(k for k, instrument in enumerate(universe()) if instrument.kind == "CASH")
    assert np.isnan(market.quote(np.array([cash]), np.array([10]))).all()
