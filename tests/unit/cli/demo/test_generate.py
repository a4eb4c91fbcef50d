"""The demo tenant as a whole: sizes, types, keys, references, repeatability."""

import datetime as dt
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from cli.demo.generate import demo_tables, write_tables
from cli.demo.schema import TABLES

Tables = dict[str, pl.DataFrame]

KEYS = {
    "loan": ["loan_id"],
    "rmcat_loan": ["loan_id"],
    "loan_shipped": ["loan_id"],
    "pscat_instruments": ["investor_instrument"],
    "pscat_trades": ["trade_id"],
    "pscat_trade_cash_grid": ["trade_id", "sequence_number"],
    "pscat_pools": ["pool_name"],
    "pscat_trades_pools_relation": ["trade_id", "pool_name"],
    "pscat_pool_loans": ["pool_name", "loan_id"],
    "rmcat_todays_prices": ["investor_instrument", "settlement_date"],
    "rmusr_payups": ["investor_instrument", "attribute", "low_value"],
    "pfill_sec_rules": ["rule_name"],
    "pfill_constraints": ["constraint_id"],
    "pfill_carry_cost": ["investor_instrument", "from_day"],
    "pfill_lockdown": ["loan_id"],
}
REFERENCES = [
    ("rmcat_loan", "loan_id", "loan"),
    ("loan_shipped", "loan_id", "loan"),
    ("pscat_trades", "investor_instrument", "pscat_instruments"),
    ("pscat_trade_cash_grid", "trade_id", "pscat_trades"),
    ("pscat_pools", "investor_instrument", "pscat_instruments"),
    ("pscat_trades_pools_relation", "trade_id", "pscat_trades"),
    ("pscat_trades_pools_relation", "pool_name", "pscat_pools"),
    ("pscat_pool_loans", "pool_name", "pscat_pools"),
    ("pscat_pool_loans", "loan_id", "loan"),
    ("rmcat_todays_prices", "investor_instrument", "pscat_instruments"),
    ("rmusr_payups", "investor_instrument", "pscat_instruments"),
    ("pfill_constraints", "investor_instrument", "pscat_instruments"),
    ("pfill_constraints", "rule_name", "pfill_sec_rules"),
    ("pfill_carry_cost", "investor_instrument", "pscat_instruments"),
    ("pfill_lockdown", "loan_id", "loan"),
    ("pfill_lockdown", "trade_id", "pscat_trades"),
]
OPTIONAL_COLUMNS = {
    ("loan", "close_date"),
    ("pscat_instruments", "coupon"),
    ("pscat_instruments", "min_note_over_coupon"),
    ("pscat_instruments", "max_note_over_coupon"),
    ("pscat_instruments", "max_loan_amount"),
    ("pscat_trades", "price"),
    ("pscat_trade_cash_grid", "syntax_name"),
    ("rmusr_payups", "div_by"),
    ("pfill_constraints", "rule_name"),
    ("pfill_lockdown", "trade_id"),
    ("pfill_lockdown", "expires_on"),
}


@pytest.mark.parametrize("which", ["clean", "dirty"])
def test_the_numbers_of_rows_are_those_asked_for(which: str, request: pytest.FixtureRequest) -> None:
    tables: Tables = request.getfixturevalue(which)
    assert len(tables["loan"]) == 11_674
    assert len(tables["pscat_trades"]) == 8_902
    assert (tables["pscat_trades"]["status"] == "OPEN").sum() == 300
    assert len(tables["pscat_pools"]) == 6_246


@pytest.mark.parametrize("which", ["clean", "dirty"])
def test_columns_and_types_are_those_of_the_schema(which: str, request: pytest.FixtureRequest) -> None:
    tables: Tables = request.getfixturevalue(which)
    assert list(tables) == list(TABLES)
    for name, columns in TABLES.items():
        assert dict(tables[name].schema) == dict(pl.Schema(columns)), name


def test_decimals_have_the_scales_of_their_columns() -> None:
    assert TABLES["loan"]["loan_amount"].scale == 2  # type: ignore[union-attr]
    assert TABLES["pscat_trades"]["price"].scale == 8  # type: ignore[union-attr]
    assert TABLES["pscat_trades"]["tolerance_pct"].scale == 8  # type: ignore[union-attr]
    assert TABLES["rmusr_payups"]["payup"].scale == 8  # type: ignore[union-attr]
    assert TABLES["pscat_instruments"]["buyup_multiple"].scale == 6  # type: ignore[union-attr]
    assert TABLES["loan"]["note_rate"].scale == 6  # type: ignore[union-attr]


def test_the_same_arguments_give_the_same_bytes(as_of: dt.date, dirty: Tables, tmp_path: Path) -> None:
    write_tables(dirty, tmp_path / "first")
    write_tables(demo_tables(as_of), tmp_path / "second")
    names = sorted(path.name for path in (tmp_path / "first").iterdir())
    assert names == sorted(f"{table}.parquet" for table in TABLES)
    for name in names:
        assert (tmp_path / "first" / name).read_bytes() == (tmp_path / "second" / name).read_bytes(), name


def test_another_seed_gives_another_tenant_of_the_same_market(as_of: dt.date, clean: Tables) -> None:
    other = demo_tables(as_of, seed=1, dirty=False)
    assert not other["loan"].equals(clean["loan"])
    assert not other["pscat_trades"].equals(clean["pscat_trades"])
    for table in ("pscat_instruments", "rmusr_payups", "rmcat_todays_prices", "pfill_constraints"):
        assert_frame_equal(other[table], clean[table])


def test_what_is_written_reads_back_equal(clean: Tables, tmp_path: Path) -> None:
    write_tables(clean, tmp_path)
    for name, frame in clean.items():
        assert_frame_equal(pl.read_parquet(tmp_path / f"{name}.parquet"), frame)


@pytest.mark.parametrize("table", sorted(KEYS))
def test_keys_are_unique(clean: Tables, table: str) -> None:
    assert not clean[table].select(KEYS[table]).is_duplicated().any()


@pytest.mark.parametrize("table", ["loan", "pscat_trades", "pscat_pools", "pscat_trade_cash_grid", "pscat_pool_loans"])
def test_keys_are_unique_in_dirt_too(dirty: Tables, table: str) -> None:
    assert not dirty[table].select(KEYS[table]).is_duplicated().any()


@pytest.mark.parametrize(("table", "column", "target"), REFERENCES)
def test_clean_rows_point_somewhere(clean: Tables, table: str, column: str, target: str) -> None:
    values = clean[table][column].drop_nulls()
    assert len(values)
    assert values.is_in(clean[target][KEYS[target][0]].implode()).all()


def test_only_optional_columns_have_nulls(clean: Tables) -> None:
    with_nulls = {(name, column) for name, frame in clean.items() for column in frame.columns if frame[column].has_nulls()}
    assert with_nulls == OPTIONAL_COLUMNS


@pytest.mark.parametrize("dirt", [True, False])
@pytest.mark.parametrize(
    ("loans", "open_trades", "trades", "pools"), [(200, 12, 40, 30), (600, 30, 31, 5), (40, 60, 200, 300), (1, 0, 0, 0)]
)
def test_other_sizes_are_exact(loans: int, open_trades: int, trades: int, pools: int, dirt: bool) -> None:
    tables = demo_tables(dt.date(2026, 11, 20), loans=loans, open_trades=open_trades, trades=trades, pools=pools, dirty=dirt)
    assert len(tables["loan"]) == loans
    assert (tables["pscat_trades"]["status"] == "OPEN").sum() == open_trades
    assert len(tables["pscat_trades"]) == trades
    assert len(tables["pscat_pools"]) == pools


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"loans": 0}, "loans is 0, it must be at least 1"),
        ({"seed": -1}, "seed is -1, it must be at least 0"),
        ({"open_trades": -1}, "open_trades is -1"),
        ({"open_trades": 50, "trades": 49}, "trades is 49, it must be at least 50"),
        ({"open_trades": 12, "trades": 12, "pools": 600}, "delivered pools need at least one settled"),
    ],
)
def test_sizes_that_cannot_be_made_are_refused(as_of: dt.date, arguments: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        demo_tables(as_of, **{"loans": 100, **arguments})  # type: ignore[arg-type]


def test_dates_lie_around_the_day_asked_for() -> None:
    """A tenant of another year has no date of this one: nothing is fixed but the day given."""
    as_of = dt.date(2031, 7, 9)
    tables = demo_tables(as_of, loans=400, open_trades=20, trades=60, pools=40)
    for name, frame in tables.items():
        for column in (column for column, dtype in frame.schema.items() if dtype == pl.Date):
            values = frame[column].drop_nulls().to_list()
            assert all(as_of - dt.timedelta(days=1_300) < day < as_of + dt.timedelta(days=130) for day in values), (name, column)
