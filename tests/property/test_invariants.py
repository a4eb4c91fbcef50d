"""What must hold for every input, read from a run's output tables alone, and independence of the order of the input rows."""

import random
from decimal import Decimal
from typing import Any

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from services.run_service.engine.frames import OUTPUT_KEYS, OUTPUT_TABLES, RunInputs
from tests.instances.execute import Ran, run
from tests.instances.rows import inputs
from tests.property.tenants import Tenant, options, tenants

Options = dict[str, Any]
BOTH = st.sampled_from(["PASSES", "OPTIMAL"])


@given(tenant=tenants(), chosen=options(), strategy=BOTH)
def test_every_table_has_its_schema_unique_keys_in_order_and_the_counts_of_the_summary(
    tenant: Tenant, chosen: Options, strategy: str
) -> None:
    ran = run(inputs(*tenant), **chosen, strategy=strategy)
    assert set(ran.result.tables) == set(OUTPUT_TABLES)
    for name, frame in ran.result.tables.items():
        key = list(OUTPUT_KEYS[name])
        assert dict(frame.schema) == OUTPUT_TABLES[name]
        assert frame.select(key).is_duplicated().sum() == 0
        assert frame.select(key).null_count().sum_horizontal().sum() == 0
        assert frame.equals(frame.sort(key))
    assert_partition(ran)
    assert_bands(ran)
    assert_counts(ran)


def assert_partition(ran: Ran) -> None:
    """Every in-scope loan is in exactly one of guide and kickouts."""
    guide, kickouts = ran.table("powerfill_guide")["loan_id"], ran.table("kickout_guide_01")["loan_id"]
    assert pl.concat([guide, kickouts]).sort().to_list() == ran.result.in_scope_loan_ids.to_list()
    taken = ran.table("loan2trade_candy_level_01").filter("taken")
    assert set(taken.select("loan_id", "trade_id").iter_rows()) <= set(ran.placement.items())


def assert_bands(ran: Ran) -> None:
    """No trade is filled beyond its band but by locks, and its figures are those of the guide."""
    by_trade = ran.table("powerfill_guide").group_by("trade_id").agg(pl.col("loan_amount").sum(), pl.len())
    filled = {trade_id: (amount, count) for trade_id, amount, count in by_trade.iter_rows()}
    for row in ran.rows("trade_base"):
        amount, count = filled.get(row["trade_id"], (Decimal(0), 0))
        assert (row["allocated_amount"], row["allocated_count"]) == (amount, count)
        assert amount <= max(row["hi"], row["locked_amount"])
        assert row["shortfall"] == max(0, row["lo"] - amount)
        assert row["space_left"] == max(0, row["hi"] - amount)
        wanted = (
            "OVERFILLED_BY_LOCKS"
            if amount > row["hi"]
            else "EMPTY"
            if not amount
            else "UNDERFILLED"
            if amount < row["lo"]
            else "FILLED"
        )
        assert row["status"] == wanted


def assert_counts(ran: Ran) -> None:
    """The summary's counts and sums are those of the tables."""
    summary = ran.summary
    counts = {
        "allocated_count": "powerfill_guide",
        "post_ue_allocated_count": "powerfill_guide",
        "kicked_out_count": "kickout_guide_01",
        "cblock_count": "cblock_guide",
        "pool_guide_count": "pool_guide",
        "post_ue_pool_guide_count": "pool_guide",
        "syn_trade_base_count": "syn_trade_base",
        "syn_powerfill_guide_all_rank_count": "syn_powerfill_guide_all_rank",
        "syn_powerfill_guide_count": "syn_powerfill_guide",
        "pfill_powerfill_log_count": "powerfill_log",
    }
    assert {name: summary[name] for name in counts} == {name: ran.table(table).height for name, table in counts.items()}
    assert Decimal(summary["allocated_amount"]) == (ran.table("powerfill_guide")["loan_amount"].sum() or 0)
    assert sum(summary["kickouts_by_reason"].values()) == summary["kicked_out_count"]
    assert sum(summary["candidates_per_constraint"].values()) == summary["candidate_count"]
    assert summary["carry_matched"] + summary["carry_missed"] == summary["candidate_count"]
    assert summary["trades_filled"] + summary["trades_underfilled"] == ran.table("trade_base").height
    blocks = ran.table("cblock_guide")
    assert {row["constraint_id"]: row["candidate_count"] for row in blocks.iter_rows(named=True)} == summary[
        "candidates_per_constraint"
    ]
    unlocked = ran.table("powerfill_guide").filter(~pl.col("locked"))
    assert (blocks["loan_amount"].sum() or 0) == (unlocked["loan_amount"].sum() or 0)
    assert ran.table("trade_cblock_base")["loan_count"].sum() == unlocked.height
    guide_value = sum(ran.table("powerfill_guide")["value"].to_list(), Decimal(0))
    spread = Decimal("0.01") * (len(ran.placement) + 1)
    assert abs(guide_value + _outside(ran) - Decimal(summary["total_pair_off"]) - Decimal(summary["value"])) <= spread


def _outside(ran: Ran) -> Decimal:
    """What the kickouts are worth at their fallback, dollars: only the baseline knows it, so it is taken back from there."""
    baseline = Decimal(ran.summary["baseline_value"])
    guide = ran.table("powerfill_guide")
    moved = sum(
        (row["loan_amount"] * row["fallback"] / 100 for row in guide.iter_rows(named=True) if not row["locked"]), Decimal(0)
    )
    locked = sum((row["value"] for row in guide.iter_rows(named=True) if row["locked"]), Decimal(0))
    empty = sum(
        (max(Decimal(0), row["lo"] - row["locked_amount"]) * row["pair_off_points"] / 100 for row in ran.rows("trade_base")),
        Decimal(0),
    )
    return baseline - moved - locked + empty


@given(tenant=tenants(), chosen=options(), strategy=BOTH, shuffle=st.integers(1, 1_000))
def test_the_order_of_the_input_rows_changes_nothing(tenant: Tenant, chosen: Options, strategy: str, shuffle: int) -> None:
    shuffled = tenant.copy()
    random.Random(shuffle).shuffle(shuffled)
    first = run(inputs(*tenant), **chosen, strategy=strategy)
    second = run(inputs(*shuffled), **chosen, strategy=strategy)
    for name, frame in first.result.tables.items():
        assert frame.equals(second.result.tables[name]), name
    assert first.summary == second.summary
    assert first.findings == second.findings


@given(tenant=tenants(), chosen=options(), repeated=st.sets(st.integers(0, 40), max_size=6))
def test_repeated_rows_with_a_key_change_no_placement(tenant: Tenant, chosen: Options, repeated: set[int]) -> None:
    keyless = ("rmusr_payups", "pfill_carry_cost", "pfill_lockdown")
    again = [tenant[place] for place in repeated if place < len(tenant) and tenant[place].table not in keyless]
    first, second = run(inputs(*tenant), **chosen), run(inputs(*tenant, *again), **chosen)
    assert second.placement == first.placement
    assert second.summary["value"] == first.summary["value"]


def test_tables_without_rows_are_a_tenant_too() -> None:
    empty: RunInputs = inputs()
    assert run(empty).summary["in_scope_count"] == 0
