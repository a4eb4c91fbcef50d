"""The output tables of a run say the same as each other and as the inputs, on small random tenants, in plain loops."""

from collections import defaultdict
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from services.run_service.domain.options import parse_options
from services.run_service.engine.frames import RunInputs
from shared.money import round_half_away
from tests.instances.execute import Fields, Ran, run
from tests.instances.rows import AS_OF, inputs
from tests.property.plain_facts import Facts
from tests.property.tenants import Tenant, options, tenants

Options = dict[str, Any]
ACTIONS = ("LOCKED", "UNPOOLED", "JOINING", "REMAINING", "SWITCHING", "LEAVING", "SWAPPED_OUT", "SWAPPED_IN")


@given(tenant=tenants(), chosen=options(), strategy=st.sampled_from(["PASSES", "OPTIMAL"]))
def test_the_tables_of_a_run_agree(tenant: Tenant, chosen: Options, strategy: str) -> None:
    tables = inputs(*tenant)
    ran = run(tables, **chosen, strategy=strategy)
    assert_recap(ran)
    assert_opportunity_costs(ran, chosen)
    assert_switches(ran)
    assert_pooling_guide(ran, tables)
    assert_disposition(ran, tables, chosen)
    assert_synthetic(ran)


def total(amounts: Iterable[Decimal | None]) -> Decimal:
    return sum((amount or Decimal(0) for amount in amounts), Decimal(0))


def assert_recap(ran: Ran) -> None:
    """The recap has every loan of the guide but those locked to trades that settle outside the window."""
    recaps = {row["trade_id"] for row in ran.rows("trade_base")}
    inside = [row for row in ran.rows("powerfill_guide") if row["trade_id"] in recaps]
    assert total(row["allocated_amount"] for row in ran.rows("trade_base")) == total(row["loan_amount"] for row in inside)
    assert sum(row["allocated_count"] for row in ran.rows("trade_base")) == len(inside)
    assert all(row["locked"] for row in ran.rows("powerfill_guide") if row["trade_id"] not in recaps)


def assert_opportunity_costs(ran: Ran, chosen: Options) -> None:
    """amount * max(0, best_score - fallback) / 100 by the figures of the row and the options."""
    spread, discount = (Decimal(chosen.get(*given)) for given in (("synthetic_spread", "0.125"), ("unsold_discount", "1")))
    for row in ran.rows("kickout_guide_01"):
        best, synthetic = row["best_score"], row["syn_score"]
        if best is None:
            assert row["opportunity_cost"] is None
        else:
            fallback = best - discount if synthetic is None else synthetic - spread
            assert row["opportunity_cost"] == round_half_away(row["loan_amount"] * max(Decimal(0), best - fallback) / 100, 2)


def assert_switches(ran: Ran) -> None:
    """A switch has two sides that mirror each other; the loans are those the allocation guide says are switching."""
    sides: dict[str, dict[str, Fields]] = defaultdict(dict)
    for row in ran.rows("pool_guide"):
        if row["pool_action"] in ("SWAPPED_OUT", "SWAPPED_IN"):
            assert row["pool_action"] not in sides[row["loan_id"]]
            sides[row["loan_id"]][row["pool_action"]] = row
    assert set(sides) == {row["loan_id"] for row in ran.rows("powerfill_guide", pool_action="SWITCHING")}
    for both in sides.values():
        out, into = both["SWAPPED_OUT"], both["SWAPPED_IN"]
        assert (out["pool_name"], out["trade_id"] or None) == (into["other_pool"], into["other_trade_id"])
        assert (into["pool_name"], into["trade_id"]) == (out["other_pool"], out["other_trade_id"])
        assert (out["loan_amount"], out["gain"]) == (into["loan_amount"], into["gain"])


def assert_pooling_guide(ran: Ran, tables: RunInputs) -> None:
    """Counts, dollars and averages of every pool from the pool guide and the allocation guide, row by row."""
    wanted: dict[str, dict[str, tuple[int, Decimal]]] = defaultdict(lambda: dict.fromkeys(ACTIONS, (0, Decimal(0))))

    def count(pool: str, action: str, amount: Decimal | None) -> None:
        loans, dollars = wanted[pool][action]
        wanted[pool][action] = (loans + 1, dollars + (amount or 0))

    for row in ran.rows("pool_guide"):
        action, current, recommended = row["pool_action"], row["current_pool"], row["recommended_pool"]
        if action in ("LOCKED", "UNPOOLED"):
            if recommended is not None:
                count(recommended, action, row["loan_amount"])
            if current is not None and current != recommended:
                count(current, "LEAVING", row["loan_amount"])
        else:
            count(row["pool_name"], action, row["loan_amount"])
            if action in ("SWAPPED_OUT", "SWAPPED_IN"):
                count(row["pool_name"], "SWITCHING", row["loan_amount"])
    pools = {row["pool"]: row for row in ran.rows("pooling_guide")}
    assert {
        name: {action: (row[f"{action.lower()}_count"], row[f"{action.lower()}_amount"]) for action in ACTIONS}
        for name, row in pools.items()
    } == wanted

    kinds = {row["investor_instrument"]: row["kind"] for row in tables.tables["pscat_instruments"].iter_rows(named=True)}
    pooled = [row for row in ran.rows("powerfill_guide") if kinds[row["investor_instrument"]] in ("TBA", "SPEC")]
    assert total(row["amount"] for row in pools.values()) == total(row["loan_amount"] for row in pooled)
    assert sum(row["loan_count"] for row in pools.values()) == len(pooled)
    assert total(row["swapped_out_amount"] for row in pools.values()) == total(row["swapped_in_amount"] for row in pools.values())
    for name, row in pools.items():
        mine = [loan for loan in pooled if loan["recommended_pool"] == name]
        assert (row["loan_count"], row["amount"]) == (len(mine), total(loan["loan_amount"] for loan in mine))
        for column, average, places in (("note_rate", "avg_note_rate", 6), ("price", "avg_price", 8), ("score", "avg_score", 8)):
            known = [loan for loan in mine if loan[column] is not None]
            weighted = total(loan["loan_amount"] * loan[column] for loan in known)
            weight = total(loan["loan_amount"] for loan in known)
            assert row[average] == (round_half_away(weighted / weight, places) if known else None)
        assert row["below_minimum"] == any(
            loan["below_minimum"] for loan in ran.rows("pool_guide") if loan["recommended_pool"] == name
        )


def assert_disposition(ran: Ran, tables: RunInputs, chosen: Options) -> None:
    """Every posting of a known loan to a known pool, the pool's first trade, risk, and what the guides say of the loan."""
    facts = Facts(tables, parse_options(chosen, AS_OF))
    loans = {row["loan_id"]: row for row in facts.table["loan"]}
    pools = {row["pool_name"]: row["pool_status"] for row in facts.table["pscat_pools"]}
    posted = [row for row in facts.table["pscat_pool_loans"] if row["loan_id"] in loans and row["pool_name"] in pools]
    guide = {row["loan_id"]: row for row in ran.rows("powerfill_guide")}
    in_scope = set(ran.result.in_scope_loan_ids)

    def first_trade(pool: str) -> str | None:
        related = [row["trade_id"] for row in facts.table["pscat_trades_pools_relation"] if row["pool_name"] == pool]
        return min((trade_id for trade_id in related if trade_id in facts.rank), key=facts.rank.__getitem__, default=None)

    def current_pool(name: str) -> str | None:
        forming = [row for row in posted if row["loan_id"] == name and pools[row["pool_name"]] == "FORMING"]
        latest = max(((row["posted_date"], row["pool_name"]) for row in forming), default=None)
        return latest[1] if latest else None

    def risk(name: str) -> tuple[bool, str | None]:
        segments = {row["segment_name"]: row["risk_status"] for row in facts.table["rmcat_loan"] if row["loan_id"] == name}
        named_so = sorted(segment for segment in segments if segment.lower().replace("_", " ") == "at risk")
        return bool(named_so), segments[(named_so or sorted(segments))[0]] if segments else None

    def decided(name: str) -> tuple[str | None, str | None, str | None]:
        if name in guide:
            return guide[name]["recommended_pool"], guide[name]["trade_id"], guide[name]["pool_action"]
        return None, None, "LEAVING" if name in in_scope and current_pool(name) else None

    wanted = [
        (name, pool, loans[name]["loan_amount"], loans[name]["note_rate"], pools[pool], current_pool(name) == pool,
         first_trade(pool), *risk(name), name in in_scope, *decided(name))
        for name, pool in sorted({(row["loan_id"], row["pool_name"]) for row in posted})
    ]  # fmt: skip
    assert ran.table("existing_disposition").rows() == wanted


def assert_synthetic(ran: Ran) -> None:
    """A loan's row among the synthetic trades names the trade and the balance that the guides have."""
    amounts = {row["loan_id"]: row["loan_amount"] for name in ("powerfill_guide", "kickout_guide_01") for row in ran.rows(name)}
    for row in ran.rows("syn_powerfill_guide"):
        assert (row["trade_id"], row["loan_amount"]) == (ran.placement.get(row["loan_id"]), amounts[row["loan_id"]])
        assert row["recommended_sale"] == (row["trade_id"] is None)
