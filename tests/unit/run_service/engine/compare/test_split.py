"""The difference of two runs' values split by cause, each case worked out by hand."""

import dataclasses
from decimal import Decimal
from typing import Any

import pytest

from services.run_service.domain.options import OPTION_NAMES, RunOptions
from services.run_service.engine.compare import split as split_module
from services.run_service.engine.compare.comparison import MoveReason, MoveTotal, ValueSplit
from services.run_service.engine.compare.split import MARKET_TABLES, VALUE_NEUTRAL, with_market
from services.run_service.engine.frames import INPUT_TABLES
from tests.instances.compare import Done, compare, done
from tests.instances.named import greedy_takes_the_wrong_loan
from tests.instances.rows import AS_OF, curve, desk, grid, inputs, instrument, loan, payup, rule, shipped, today, trade


def parts(
    by_market: str = "0", by_data: str = "0", by_options: str = "0", by_moves: str = "0", by_pair_off: str = "0"
) -> ValueSplit:
    return ValueSplit(*map(Decimal, (by_market, by_data, by_options, by_moves, by_pair_off)))


def split_of(a: Done, b: Done) -> ValueSplit:
    found = compare(a, b).split
    assert found.total == b.ran.value - a.ran.value
    return found


ONE = (loan("A"), trade("T1"))


def test_a_run_and_itself() -> None:
    one = done(desk(*ONE))
    assert split_of(one, one) == parts()


@pytest.mark.parametrize(
    "row",
    [curve("3.65"), payup("loan_amount", 0, 1_000_000, "0.2"), grid("T1", 1, 6, "100.2")],
    ids=["curve", "payup", "grid"],
)
def test_the_market_alone(row: Any) -> None:
    # T1 pays 0.2 points more on 100,000: by 20 days of 3.65 percent a year, by a payup, by a grid
    assert split_of(done(desk(*ONE)), done(desk(*ONE, row))) == parts(by_market="200")


def test_the_price_of_a_trade_is_market_and_its_amount_is_data() -> None:
    assert split_of(done(desk(*ONE)), done(desk(loan("A"), trade("T1", price=101)))) == parts(by_market="1000")
    # T1 is short another 100,000 at 0.03125, and the market above it by one point
    more = done(desk(loan("A"), trade("T1", 200_000)))
    assert split_of(done(desk(*ONE)), more) == parts(by_data="-31.25")
    both = done(desk(loan("A"), trade("T1", 200_000, price=101)))
    assert split_of(done(desk(*ONE)), both) == parts(by_market="1000", by_data="-31.25")


def test_a_price_of_today_moves_what_is_left_out_and_what_a_shortfall_costs() -> None:
    # B is left out: 99 - 0.125, then 98 - 0.125 on 60,000. T1 is filled.
    rows = (*ONE, loan("B", 60_000))
    assert split_of(done(desk(*rows, today(99))), done(desk(*rows, today(98)))) == parts(by_market="-600")


def test_a_trade_that_only_one_run_reads_is_data_whatever_its_price() -> None:
    # B comes with T2 at 101. A stays on T1 and B is left out at 101 - 1: +100,000 - 31.25 for T2.
    # Then A goes to T2 (+1,000), B from 100 outside to 100 on T1, and T2 is filled.
    found = compare(done(desk(*ONE)), done(desk(*ONE, loan("B"), trade("T2", price=101))))
    assert found.split == parts(by_data="99968.75", by_moves="1000", by_pair_off="31.25")
    assert [(row["loan_id"], row["reason"], row["dollars"]) for row in found.moves.iter_rows(named=True)] == [
        ("A", "NEW_TRADE", 1000),
        ("B", "NEWLY_IN_SCOPE", 0),
    ]


def test_options_alone() -> None:
    # T2 (99) is empty: at 1 instead of 0.03125 points it costs 968.75 more; nothing can be done about it
    rows = (*ONE, trade("T2", on="Y"), instrument("Y"), instrument("X"))
    assert split_of(done(desk(*rows)), done(desk(*rows), pair_off_cost={"TBA": 1})) == parts(by_options="-968.75")


def test_a_decision_alone() -> None:
    # PASSES takes A, OPTIMAL B and C: A earns 1 point less on 60,000, B and C 1 more on 50,000 each; 40,000 less is short
    a, b = (done(greedy_takes_the_wrong_loan(), strategy=strategy) for strategy in ("PASSES", "OPTIMAL"))
    found = compare(a, b)
    assert found.split == parts(by_moves="400", by_pair_off="12.5")
    assert found.totals == (
        MoveTotal(MoveReason.BETTER_HERE, 2, Decimal(100_000), Decimal(1_000)),
        MoveTotal(MoveReason.MADE_ROOM, 1, Decimal(60_000), Decimal(-600)),
    )


def test_all_causes_together() -> None:
    # a: A on T1 at 100: 100,000. With b's prices (T1 101): 101,000. With all of b's inputs B comes, left out at 101 - 1: +50,000.
    # With unsold_discount 0: B outside at 101: +500. b's decision is the same.
    a = done(desk(*ONE))
    b = done(desk(loan("A"), loan("B", 50_000), trade("T1", price=101)), unsold_discount=0)
    assert split_of(a, b) == parts(by_market="1000", by_data="50000", by_options="500")
    # and back: B is not in a's inputs any more
    assert split_of(b, a) == parts(by_market="-1500", by_data="-50000")


def test_a_loan_that_left() -> None:
    # B leaves: its 50,000 at 100 go, T1 is short of them: 49,984.375 is left, as a value 49,984.38
    rows = loan("A", 50_000), loan("B", 50_000), trade("T1")
    assert split_of(done(desk(*rows)), done(desk(*rows, shipped("B")))) == parts(by_data="-50015.62")


def test_nothing_is_built_for_what_did_not_change(monkeypatch: pytest.MonkeyPatch) -> None:
    a, b = (
        done(desk(*ONE)),
        done(desk(*ONE), strategy="OPTIMAL", seed=4, work_limit=10, candidate_top_k=3, priority_mode="STRICT"),
    )
    monkeypatch.setattr(split_module, "terms_of", None)
    assert split_of(a, b) == parts()


def test_every_option_either_values_or_is_neutral() -> None:
    told = (split_module.__doc__ or "").replace(",", " ").replace("(", " ").replace(")", " ").split()
    assert {name for name in OPTION_NAMES if name in told} == set(OPTION_NAMES) - set(VALUE_NEUTRAL)
    assert {field.name for field in dataclasses.fields(RunOptions)} >= set(VALUE_NEUTRAL)


def test_the_market_of_later_inputs() -> None:
    before = inputs(trade("T1"), trade("T2", price=99), trade("T3"), today(99), loan("A"))
    after = inputs(
        trade("T1", 5, price=102), trade("T2", price=None), trade("T4", price=7), today(98), curve(1), payup("fico", 1, 2, 3),
        grid("T1", 1, 6, 100), loan("B"), rule("r", "{}"),
    )  # fmt: skip
    found = with_market(before, after)
    for name in INPUT_TABLES:
        source = after if name in MARKET_TABLES else before
        if name != "pscat_trades":
            assert found.tables[name].equals(source.tables[name])
    trades = found.tables["pscat_trades"]
    assert trades.schema == before.tables["pscat_trades"].schema
    assert trades.drop("price").equals(before.tables["pscat_trades"].drop("price"))
    assert trades["price"].to_list() == [102, None, 100]


def test_a_later_day_is_an_option() -> None:
    # on the day after T1 settles it neither takes loans nor owes anything
    a, b = done(desk(*ONE)), done(desk(*ONE), as_of_date=str(AS_OF.replace(day=30)), max_trade_settle_days=5)
    found = compare(a, b)
    assert found.split == parts(by_options="-100000")
    assert [row["reason"] for row in found.moves.iter_rows(named=True)] == ["TRADE_GONE"]
