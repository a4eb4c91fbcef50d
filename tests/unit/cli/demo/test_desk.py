"""The tenant makes a day's work for a desk: candidates enough, trades that can fill, pools worth leaving, orders to keep."""

import datetime as dt

import polars as pl
import pytest

from cli.demo.generate import demo_tables
from cli.demo.schema import TABLES
from services.run_service.domain.rules import compile_rule, parse_rule

Tables = dict[str, pl.DataFrame]

FIELDS = {name: pl.Schema({name: dtype})[name] for name, dtype in TABLES["loan"].items()}
WINDOW_DAYS = 60


def in_scope(tables: Tables) -> pl.DataFrame:
    loan = tables["loan"].filter(pl.col("status_code") != "Started")
    return loan.join(tables["loan_shipped"], on="loan_id", how="anti").with_columns(
        eligible=pl.coalesce("close_date", "lock_expiration_date")
    )


def open_trades(tables: Tables, as_of: dt.date) -> pl.DataFrame:
    """Trades that take part and settle within the default window, with their instruments."""
    trade = tables["pscat_trades"].filter((pl.col("status") == "OPEN") & ~pl.col("is_phantom"))
    trade = trade.filter(pl.col("settlement_date").is_between(as_of, as_of + dt.timedelta(days=WINDOW_DAYS)))
    need = pl.col("trade_amount") - pl.col("pair_off_amount") - pl.col("delivered_amount")
    return trade.with_columns(need=need).join(tables["pscat_instruments"], on="investor_instrument")


def pairs(tables: Tables, as_of: dt.date) -> pl.DataFrame:
    """(loan, trade) pairs that pass rule, note-rate window, size and settlement; prices are left out."""
    loan, trade = in_scope(tables), open_trades(tables, as_of)
    rules = dict(tables["pfill_sec_rules"].select("rule_name", "expression").rows())
    over = pl.col("note_rate") - pl.col("coupon")
    found = []
    for (name,), constraint in tables["pfill_constraints"].filter(pl.col("enabled")).group_by("rule_name"):
        fits = loan.filter(compile_rule(parse_rule(rules[name], FIELDS)))
        offered = trade.filter(pl.col("investor_instrument").is_in(constraint["investor_instrument"].implode()))
        found.append(
            fits.select("loan_id", "loan_amount", "note_rate", "eligible")
            .join(offered, how="cross")
            .filter(
                (pl.col("coupon").is_null() | over.is_between(pl.col("min_note_over_coupon"), pl.col("max_note_over_coupon")))
                & (pl.col("max_loan_amount").is_null() | (pl.col("loan_amount") <= pl.col("max_loan_amount")))
                & (pl.col("eligible") <= pl.col("settlement_date"))
            )
            .select("loan_id", "trade_id")
        )
    return pl.concat(found).unique()


@pytest.mark.parametrize("day", [dt.date(2026, 4, 17), dt.date(2026, 11, 20), dt.date(2027, 2, 6)])
def test_every_loan_has_dozens_of_trades_to_choose_from(day: dt.date) -> None:
    tables = demo_tables(day, dirty=False)
    found = pairs(tables, day)
    of_loan = found.group_by("loan_id").len()["len"]
    assert 300_000 < len(found) < 500_000
    assert len(of_loan) > 0.94 * len(in_scope(tables))
    assert of_loan.median() > 24  # type: ignore[operator]


def test_trades_take_most_of_the_pipeline_and_each_has_loans(clean: Tables, as_of: dt.date) -> None:
    trade, loan = open_trades(clean, as_of), in_scope(clean)
    assert 0.70 < float(trade["need"].sum()) / float(loan["loan_amount"].sum()) < 0.85
    reach = (
        pairs(clean, as_of)
        .join(loan.select("loan_id", "loan_amount"), on="loan_id")
        .group_by("trade_id")
        .agg(pl.col("loan_amount").sum())
    )
    reached = trade.join(reach, on="trade_id").filter(pl.col("loan_amount") >= pl.col("need"))
    assert len(reached) > 0.97 * len(trade)


def test_settlements_are_monthly_by_class_and_can_be_notified(clean: Tables, as_of: dt.date) -> None:
    pooled = open_trades(clean, as_of).filter(pl.col("kind").is_in(["TBA", "SPEC"]))
    assert pooled["settlement_date"].min() > as_of + dt.timedelta(days=2)  # type: ignore[operator]
    months = pooled.group_by("investor", "term_months", pl.col("settlement_date").dt.month_start()).agg(
        pl.col("settlement_date").n_unique().alias("dates")
    )
    assert (months["dates"] == 1).all()
    beyond = clean["pscat_trades"].filter(pl.col("settlement_date") > as_of + dt.timedelta(days=WINDOW_DAYS))
    assert 1 <= len(beyond) <= 15


def test_some_trades_are_partly_paired_off_or_delivered(clean: Tables) -> None:
    trade = clean["pscat_trades"].filter(pl.col("status") == "OPEN")
    assert len(trade.filter(pl.col("pair_off_amount") > 0)) == 12
    assert len(trade.filter(pl.col("delivered_amount") > 0)) == 12
    assert (trade["pair_off_amount"] + trade["delivered_amount"] < trade["trade_amount"]).all()


def test_freddie_cash_tolerance_is_at_least_ten_thousand_dollars(clean: Tables) -> None:
    cash = clean["pscat_trades"].filter(
        (pl.col("status") == "OPEN") & pl.col("investor_instrument").str.contains("FHLMC .* CASH")
    )
    room = (cash["tolerance_pct"].cast(pl.Float64) * cash["trade_amount"].cast(pl.Float64)).round(0)
    assert len(cash)
    assert (room >= 10_000).all()
    assert (cash["tolerance_pct"].cast(pl.Float64) >= 0.025).all()


def test_history_is_settled_or_cancelled_in_the_past(clean: Tables, as_of: dt.date) -> None:
    past = clean["pscat_trades"].filter(pl.col("status") != "OPEN")
    cancelled = past.filter(pl.col("status") == "CANCELLED")
    settled = past.filter(pl.col("status") == "SETTLED")
    assert (past["settlement_date"] < as_of).all()
    assert 0.01 < len(cancelled) / len(past) < 0.06
    assert (settled["pair_off_amount"] + settled["delivered_amount"] == settled["trade_amount"]).all()
    assert (past["trade_date"] < past["settlement_date"]).all()


def test_forming_pools_carry_their_trades(clean: Tables) -> None:
    """Pools of one trade sum to its amount where nothing is shared; their instrument and settlement are the trade's."""
    forming = clean["pscat_pools"].filter(pl.col("pool_status") == "FORMING")
    relation = clean["pscat_trades_pools_relation"].join(forming, on="pool_name").join(clean["pscat_trades"], on="trade_id")
    assert (relation["investor_instrument"] == relation["investor_instrument_right"]).all()
    assert (relation["settlement_date"] == relation["settlement_date_right"]).all()
    assert (relation["status"] == "OPEN").all()
    single = relation.filter(pl.len().over("pool_name") == 1)
    own = single.group_by("trade_id").agg(pl.col("amount").sum(), pl.col("trade_amount").first(), pl.len())
    assert own["len"].max() == 3
    assert len(own.filter(pl.col("amount") == pl.col("trade_amount"))) > 0.9 * len(own)
    assert 1 <= len(relation) - len(forming) <= 20


def test_a_believable_part_of_the_posted_loans_is_in_a_wrong_pool(clean: Tables) -> None:
    """Loans that a size tier takes, sitting in a plain pool although tier pools form: from one in five to one in two."""
    forming = clean["pscat_pools"].filter(pl.col("pool_status") == "FORMING")
    posted = (
        clean["pscat_pool_loans"]
        .join(forming, on="pool_name")
        .join(clean["loan"], on="loan_id")
        .join(clean["pscat_instruments"], on="investor_instrument")
    )
    small = posted.filter((pl.col("loan_instrument") == "30Y CONF") & (pl.col("loan_amount") <= 225_000))
    plain = small.filter(pl.col("kind") == "TBA")
    assert len(posted) > 2_500
    assert 0.2 < len(plain) / len(small) < 0.5
    over = posted["note_rate"] - posted["coupon"]
    inside = over.is_between(posted["min_note_over_coupon"], posted["max_note_over_coupon"])
    assert inside.sum() > 0.98 * len(posted)


def test_postings_follow_closing_and_shipped_loans_are_in_delivered_pools(clean: Tables, as_of: dt.date) -> None:
    posted = clean["pscat_pool_loans"].join(clean["loan"], on="loan_id").join(clean["pscat_pools"], on="pool_name")
    shipped = posted.join(clean["loan_shipped"], on="loan_id", how="semi")
    assert (posted["posted_date"] >= posted["close_date"]).all()
    assert (posted["posted_date"] <= as_of).all()
    assert 0.75 < (shipped["pool_status"] == "DELIVERED").mean() < 1  # type: ignore[operator]
    unshipped = posted.join(clean["loan_shipped"], on="loan_id", how="anti")
    assert (unshipped["pool_status"] == "FORMING").all()


def test_lockdowns_are_commitments_holds_and_expired_orders(clean: Tables, as_of: dt.date) -> None:
    lock = clean["pfill_lockdown"]
    expired = lock.filter(pl.col("expires_on") < as_of)
    committed = lock.filter(pl.col("trade_id").is_not_null()).join(clean["pscat_trades"], on="trade_id")
    assert len(lock) == 11_674 // 90
    assert 5 < len(expired) < 35
    assert len(committed) > 50
    assert lock["trade_id"].null_count() > 30
    assert (committed["status"] == "OPEN").all()
    assert pairs(clean, as_of).join(committed, on=["loan_id", "trade_id"], how="semi").height > 0.85 * len(committed)


def test_segments_mark_loans_whose_lock_ends_soon(clean: Tables, as_of: dt.date) -> None:
    risk = clean["rmcat_loan"].join(clean["loan"], on="loan_id").filter(pl.col("segment_name") == "at risk")
    assert len(risk) > 100
    assert (risk["risk_status"] == "in_risk").all()
    assert risk["close_date"].is_null().all()
    assert (risk["lock_expiration_date"] <= as_of + dt.timedelta(days=5)).all()
