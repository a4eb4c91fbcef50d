"""Dirt: a handful of each kind, and nothing else changed."""

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from cli.demo.dirt import handful

Tables = dict[str, pl.DataFrame]


def changed(clean: Tables, dirty: Tables, table: str, column: str) -> pl.DataFrame:
    """The rows of the dirty table whose `column` is another than in the clean one."""
    return dirty[table].filter(~dirty[table][column].eq_missing(clean[table][column]))


@pytest.mark.parametrize(
    ("column", "count"),
    [
        ("note_rate", 5),
        ("loan_amount", 5),
        ("close_date", 8),
        ("lock_expiration_date", 4),
        ("loan_instrument", 4),
        ("status_code", 6),
        ("fico", 5),
    ],
)
def test_a_handful_of_loans_is_broken_in_each_way(clean: Tables, dirty: Tables, column: str, count: int) -> None:
    assert len(changed(clean, dirty, "loan", column)) == count


def test_how_loans_are_broken(dirty: Tables) -> None:
    loan = dirty["loan"]
    no_dates = loan.filter(pl.col("close_date").is_null() & pl.col("lock_expiration_date").is_null())
    assert loan["note_rate"].null_count() == 5
    assert (loan["loan_amount"] == 0).sum() == 3
    assert (loan["loan_amount"] < 0).sum() == 2
    assert len(no_dates) == 4
    assert (loan["loan_instrument"] == "40Y MODIFIED").sum() == 4
    assert (loan["status_code"] == "Withdrawn").sum() == 6
    assert loan["fico"].null_count() == 5


def test_no_loan_is_broken_twice(clean: Tables, dirty: Tables) -> None:
    columns = ("note_rate", "loan_amount", "close_date", "loan_instrument", "status_code", "fico")
    ids = [loan for column in columns for loan in changed(clean, dirty, "loan", column)["loan_id"]]
    assert len(ids) == len(set(ids)) == 33


def test_broken_trades(clean: Tables, dirty: Tables) -> None:
    trade = dirty["pscat_trades"].filter(pl.col("status") == "OPEN")
    open_amount = pl.col("trade_amount") - pl.col("pair_off_amount") - pl.col("delivered_amount")
    assert trade["is_phantom"].sum() == 4
    assert len(trade.filter(open_amount < 0)) == 1
    assert trade["investor_instrument"].is_in(dirty["pscat_instruments"]["investor_instrument"].implode()).not_().sum() == 1
    assert not clean["pscat_trades"]["is_phantom"].any()
    assert clean["pscat_trades"].filter(open_amount < 0).is_empty()


def test_rows_that_point_nowhere(dirty: Tables) -> None:
    def strangers(table: str, column: str, target: str) -> int:
        return len(dirty[table].drop_nulls(column).join(dirty[target], on=column, how="anti"))

    assert strangers("pscat_pool_loans", "loan_id", "loan") == 1
    assert strangers("pscat_pool_loans", "pool_name", "pscat_pools") == 1
    assert strangers("pfill_lockdown", "loan_id", "loan") == 1
    assert strangers("pfill_lockdown", "trade_id", "pscat_trades") == 1
    assert strangers("rmcat_todays_prices", "investor_instrument", "pscat_instruments") == 1
    rules = dirty["pfill_sec_rules"]["rule_name"].implode()
    assert dirty["pscat_trade_cash_grid"]["syntax_name"].drop_nulls().is_in(rules).not_().sum() == 1
    assert (dirty["rmusr_payups"]["div_by"] == 0).sum() == 1
    assert (dirty["rmusr_payups"]["attribute"] == "state").sum() == 1


def test_loans_posted_to_two_pools_of_one_trade(clean: Tables, dirty: Tables) -> None:
    def posted_twice(tables: Tables) -> pl.DataFrame:
        posting = tables["pscat_pool_loans"].join(tables["pscat_trades_pools_relation"], on="pool_name")
        return posting.group_by("loan_id", "trade_id").agg(pl.col("pool_name").n_unique()).filter(pl.col("pool_name") > 1)

    assert len(posted_twice(clean)) == 0
    assert len(posted_twice(dirty)) == 4


def test_new_rows_stand_at_the_end_and_other_tables_are_untouched(clean: Tables, dirty: Tables) -> None:
    added = {name: len(dirty[name]) - len(frame) for name, frame in clean.items()}
    assert {name: count for name, count in added.items() if count} == {
        "pscat_trade_cash_grid": 1,
        "pscat_pool_loans": 6,
        "rmcat_todays_prices": 1,
        "rmusr_payups": 2,
        "pfill_lockdown": 2,
    }
    for name, frame in clean.items():
        if name not in ("loan", "pscat_trades"):
            assert_frame_equal(dirty[name].head(len(frame)), frame)


def test_a_small_tenant_gets_less_dirt() -> None:
    assert handful(5, 11_674, 250) == 5
    assert handful(5, 200, 250) == 1
    assert handful(5, 750, 250) == 3
    assert handful(5, 0, 250) == 0
