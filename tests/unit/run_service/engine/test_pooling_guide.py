"""The pooling guide (specification 03 number 7): what each action does to every pool that is recommended or left."""

from decimal import Decimal

import pytest

from tests.instances.execute import Fields, Ran, run
from tests.instances.named import every_pool_action
from tests.instances.rows import Row, constraint, desk, instrument, loan, lock, pool, posting, relation, trade

ACTIONS = ("LOCKED", "UNPOOLED", "JOINING", "REMAINING", "SWITCHING", "LEAVING", "SWAPPED_OUT", "SWAPPED_IN")


def pools(ran: Ran) -> dict[str, Fields]:
    """The rows by pool."""
    return {row["pool"]: row for row in ran.rows("pooling_guide")}


def counted(row: Fields) -> dict[str, tuple[int, Decimal | int]]:
    """Count and dollars of every action that counts something."""
    by_action: dict[str, tuple[int, Decimal | int]] = {
        action: (row[f"{action.lower()}_count"], row[f"{action.lower()}_amount"]) for action in ACTIONS
    }
    assert all(row[name] is not None for name in row if name.endswith(("_count", "_amount")))
    return {action: figures for action, figures in by_action.items() if figures != (0, 0)}


@pytest.mark.parametrize("strategy", ["PASSES", "OPTIMAL"])
def test_all_eight_actions_occur_in_one_instance(strategy: str) -> None:
    ran = run(every_pool_action(), strategy=strategy)
    told = {row["pool_action"] for name in ("pool_guide", "powerfill_guide") for row in ran.rows(name)}
    assert told == set(ACTIONS)
    found = pools(ran)
    assert list(found) == ["P1", "P2"]
    assert counted(found["P1"]) == {
        "LOCKED": (1, 100_000),
        "JOINING": (1, 100_000),
        "REMAINING": (1, 100_000),
        "SWITCHING": (1, 100_000),
        "SWAPPED_IN": (1, 100_000),
        "LEAVING": (2, 600_000),  # G, and U, which goes to a trade that is not pooled
    }
    assert counted(found["P2"]) == {"SWITCHING": (1, 100_000), "SWAPPED_OUT": (1, 100_000)}
    figures = [(row["loan_count"], row["amount"], row["target_amount"], row["fill_pct"]) for row in found.values()]
    assert figures == [(4, 400_000, 400_000, 100), (0, 0, 100_000, 0)]
    assert [(row["trade_id"], row["investor_instrument"]) for row in found.values()] == [("T1", "X"), ("T2", "X")]


def test_a_loan_locked_elsewhere_leaves_its_pool_and_is_locked_in_the_other() -> None:
    rows = [pool("P"), posting("P", "A"), relation("T2", "P"), pool("Q"), relation("T1", "Q")]
    found = pools(run(desk(loan("A"), trade("T1"), trade("T2", settles=61), lock("A", "T1"), *rows)))
    assert {name: counted(row) for name, row in found.items()} == {
        "P": {"LEAVING": (1, 100_000)},
        "Q": {"LOCKED": (1, 100_000)},
    }


def test_a_loan_locked_to_a_trade_that_is_not_pooled_leaves_its_pool() -> None:
    rows = [pool("P"), posting("P", "A"), relation("T1", "P")]
    found = pools(run(desk(loan("A"), instrument("X", "CASH"), trade("T1"), lock("A", "T1"), *rows)))
    assert {name: counted(row) for name, row in found.items()} == {"P": {"LEAVING": (1, 100_000)}}


def test_a_loan_locked_where_it_is_stays() -> None:
    rows = [pool("P"), posting("P", "A"), relation("T1", "P")]
    (row,) = run(desk(loan("A"), trade("T1"), lock("A", "T1"), *rows)).rows("pooling_guide")
    assert counted(row) == {"LOCKED": (1, 100_000)}


def test_pools_that_nothing_happens_in_have_no_row() -> None:
    # Q is related, but P has the room; OLD holds a loan that is out of scope
    rows = [pool("P"), pool("Q"), pool("OLD"), relation("T1", "P", 200_000), relation("T1", "Q"), posting("OLD", "B")]
    assert list(pools(run(desk(loan("A"), loan("B", status="Started"), trade("T1"), *rows)))) == ["P"]


def test_a_tenant_without_pools_has_no_rows() -> None:
    assert run(desk(loan("A"), instrument("X", "CASH"), trade("T1"))).rows("pooling_guide") == []


class TestTarget:
    """What a pool should hold, and how much of it there is."""

    def test_of_a_pool_of_several_trades_it_is_the_sum(self) -> None:
        related = [relation("T1", "P", "100000.10"), relation("T2", "P", 200_000), relation("GONE", "P", 5)]
        (row,) = run(desk(loan("A"), trade("T1"), trade("T2", 300_000, settles=61), pool("P"), *related)).rows("pooling_guide")
        assert (row["target_amount"], row["trade_id"]) == (Decimal("300000.10"), "T1")
        assert row["fill_pct"] == Decimal("33.333322")  # 100,000 of 300,000.10

    def test_of_a_proposed_pool_it_is_what_the_trade_needs(self) -> None:
        (row,) = run(desk(loan("A"), trade("T1", 500_000, pair_off=50_000, delivered=50_000))).rows("pooling_guide")
        assert (row["pool"], row["trade_id"], row["investor_instrument"]) == ("NEW-T1", "T1", "X")
        assert (row["target_amount"], row["fill_pct"]) == (400_000, 25)

    @pytest.mark.parametrize("related", [[], [relation("GONE", "P")]])
    def test_a_pool_without_a_trade_has_none(self, related: list[Row]) -> None:
        (row,) = run(desk(loan("A", 0), pool("P"), posting("P", "A"), *related)).rows("pooling_guide")
        assert (row["trade_id"], row["target_amount"], row["fill_pct"]) == (None, 0, None)
        assert counted(row) == {"LEAVING": (1, 0)}

    def test_a_pool_of_the_lender_keeps_its_name_beside_a_proposed_one(self) -> None:
        # the lender's NEW-T1 is T2's; T1 has no pool and is proposed one of that name: one row, and the switch has two sides
        rows = [pool("NEW-T1"), posting("NEW-T1", "A"), relation("T2", "NEW-T1", 7)]
        (row,) = run(desk(loan("A"), trade("T1"), trade("T2", settles=61), *rows)).rows("pooling_guide")
        assert (row["trade_id"], row["target_amount"], row["loan_count"]) == ("T2", 7, 1)
        assert counted(row) == {"SWITCHING": (2, 200_000), "SWAPPED_OUT": (1, 100_000), "SWAPPED_IN": (1, 100_000)}


class TestAverages:
    """By amount, over the loans that go there."""

    def test_those_that_leave_do_not_count(self) -> None:
        # (300,000 * 6.25 + 100,000 * 6.75) / 400,000; FICO over A and B alone, LTV over B alone, the price at 100
        loans = [
            loan("A", 300_000, note="6.25", fico=700), loan("B", note="6.75", fico=740, ltv=80),
            loan("L", 900_000, note=2, fico=500, ltv=1),
        ]  # fmt: skip
        rows = [pool("P"), relation("T1", "P", 400_000), posting("P", "L"), trade("T1", 400_000)]
        (row,) = run(desk(*loans, *rows)).rows("pooling_guide")
        assert (row["avg_note_rate"], row["avg_fico"], row["avg_ltv"]) == (Decimal("6.375"), 710, 80)
        assert (row["avg_price"], row["avg_score"], row["loan_count"], row["leaving_count"]) == (100, 100, 2, 1)

    def test_a_pool_that_is_only_left_has_none(self) -> None:
        (row,) = run(desk(loan("A", 200_000), trade("T1"), pool("P"), posting("P", "A"), relation("T1", "P"))).rows(
            "pooling_guide"
        )
        assert [row[name] for name in row if name.startswith("avg_")] == [None] * 5
        assert (row["loan_count"], row["amount"], row["fill_pct"], row["below_minimum"]) == (0, 0, 0, False)


class TestBelowMinimum:
    """As the pool guide has it: with everything that ends up in the pool."""

    @pytest.mark.parametrize(("minimum", "below"), [(150_000, False), ("150000.01", True)])
    def test_out_of_scope_loans_count_and_those_that_leave_do_not(self, minimum: str | int, below: bool) -> None:
        loans = [loan("A"), loan("S", 50_000, status="Started"), loan("L", 900_000)]
        rows = [pool("P"), relation("T1", "P"), posting("P", "S"), posting("P", "L"), trade("T1")]
        (row,) = run(desk(*loans, instrument("X", min_pool=minimum), *rows)).rows("pooling_guide")
        assert (row["below_minimum"], row["amount"]) == (below, 100_000)

    def test_a_proposed_pool(self) -> None:
        (row,) = run(desk(loan("A"), instrument("X", min_pool=100_001), trade("T1"))).rows("pooling_guide")
        assert row["below_minimum"]

    def test_a_pool_of_two_trades_is_under_the_minimum_of_either(self) -> None:
        kinds = [instrument("X", min_pool=1), instrument("Y", min_pool=10**6), constraint("CX", on="X"), constraint("CY", on="Y")]
        rows = [trade("T1"), trade("T2", on="Y"), pool("P"), relation("T1", "P"), relation("T2", "P")]
        (row,) = run(desk(loan("A"), loan("B"), lock("A", "T1"), lock("B", "T2"), *kinds, *rows)).rows("pooling_guide")
        assert (row["loan_count"], row["below_minimum"]) == (2, True)


def test_rows_are_in_order_of_pool() -> None:
    rows = [pool(name) for name in ("b", "B", "a")] + [posting(name, name) for name in ("b", "B", "a")]
    ran = run(desk(*(loan(name, 0) for name in ("b", "B", "a")), *rows))
    assert list(pools(ran)) == ["B", "a", "b"]
