"""Comparisons of random pairs of tenants under random options, against the specification written a second time."""

from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from services.run_service.engine.compare.comparison import Comparison
from services.run_service.engine.optimise.value import dollars
from tests.instances.compare import Done, compare, done
from tests.instances.rows import Row, inputs
from tests.property.plain_facts import half_away
from tests.property.reference import Reference
from tests.property.tenants import Tenant, options, tenants

Options = dict[str, Any]
BOTH = st.sampled_from(["PASSES", "OPTIMAL"])
RULES = "pfill_sec_rules"


@st.composite
def pairs(draw: st.DrawFn) -> tuple[Tenant, Tenant]:
    """A tenant, and the same on another day: some of its rows are gone, and of some tables those of another tenant are there."""
    first, second = draw(tenants(8, 4)), draw(tenants(8, 4))
    if draw(st.booleans()):
        return first, second
    named = [row for row in first + second if row.table != RULES]
    rules = {row.values["rule_name"]: row for row in first + second if row.table == RULES}  # constraints of either name them
    changed = set(draw(st.lists(st.sampled_from(sorted({row.table for row in named})), max_size=2, unique=True)))
    gone = draw(st.sets(st.integers(0, len(first) - 1), max_size=4))
    kept = [row for place, row in enumerate(first) if row.table not in (RULES, *changed) and place not in gone]
    return first, [*kept, *rules.values(), *(row for row in second if row.table in changed)]


@given(pair=pairs(), chosen=st.tuples(options(), options()), same=st.booleans(), strategies=st.tuples(BOTH, BOTH))
def test_the_parts_of_the_difference_add_up_and_are_those_of_the_definition(
    pair: tuple[Tenant, Tenant], chosen: tuple[Options, Options], same: bool, strategies: tuple[str, str]
) -> None:
    a = done(inputs(*pair[0]), **chosen[0], strategy=strategies[0])
    b = done(inputs(*pair[1]), **chosen[0 if same else 1], strategy=strategies[1])
    found = compare(a, b)
    split = found.split
    assert split.total == b.ran.value - a.ran.value
    assert split.by_market + split.by_data + split.by_options + split.by_moves + split.by_pair_off == split.total
    assert a.ran.value + split.by_inputs == plain_value(a, Done(b.inputs, a.given, b.ran))
    assert a.ran.value + split.by_inputs + split.by_options == plain_value(a, b)
    if same:
        assert split.by_options == 0
    assert_own_values(a, b)
    assert_moves(a, b, found)


@given(tenant=tenants(), chosen=options(), strategy=BOTH)
def test_a_run_and_itself_differ_in_nothing(tenant: Tenant, chosen: Options, strategy: str) -> None:
    one = done(inputs(*tenant), **chosen, strategy=strategy)
    found = compare(one, one)
    assert found.split.total == 0
    assert (found.inputs, found.moved_count, found.totals, found.moves.height, found.trades.height) == ((), 0, (), 0, 0)


@given(pair=pairs())
def test_rows_are_told_as_often_as_they_differ(pair: tuple[list[Row], list[Row]]) -> None:
    a, b = done(inputs(*pair[0])), done(inputs(*pair[1]))
    found = {change.table: change for change in compare(a, b).inputs}
    for name, before in a.inputs.tables.items():
        change, after = found.get(name), b.inputs.tables[name]
        if change is None:
            assert before.sort(before.columns).equals(after.sort(after.columns))
        else:
            assert after.height - before.height == change.added - change.removed
            assert bool(change.changed) == bool(change.columns) == bool(change.examples)
            assert all(one.count <= change.changed for one in change.columns)


def plain_value(a: Done, under: Done) -> Decimal:
    """V(a; the inputs and options of the other), by the specification written a second time."""
    reference = Reference(under.inputs, under.options)
    placement = {
        pair[0]: pair[1] for pair in a.ran.placement.items() if pair[0] in reference.loans and pair in reference.candidates
    }
    value = half_away(reference.value(placement | reference.locked), 2)
    return Decimal(value.numerator) / Decimal(value.denominator)


def assert_own_values(*runs: Done) -> None:
    """Under its own inputs and options an allocation has its own value."""
    for one in runs:
        assert dollars(one.terms.value_units(one.side.allocation)) == one.ran.value


def assert_moves(a: Done, b: Done, found: Comparison) -> None:
    """The loans whose trade differs, all of them, and what they earn is what is left of the decision but for the pair-offs."""
    before, after = a.ran.placement, b.ran.placement
    rows = list(found.moves.iter_rows(named=True))
    assert {row["loan_id"]: (row["from_trade_id"], row["to_trade_id"]) for row in rows} == {
        name: (before.get(name), after.get(name)) for name in before | after if before.get(name) != after.get(name)
    }
    assert found.moved_count == len(rows) == sum(total.count for total in found.totals)
    assert found.moved_amount == sum((row["loan_amount"] or 0 for row in rows), Decimal(0))
    cent = Decimal("0.01")
    assert abs(sum((row["dollars"] for row in rows), Decimal(0)) - found.split.by_moves) <= cent * len(rows)
    sizes = [abs(row["dollars"]) for row in rows]
    assert sizes == sorted(sizes, reverse=True)
    reference = Reference(b.inputs, b.options)
    kept = {name: trade for name, trade in before.items() if (name, trade) in reference.candidates} | reference.locked
    saved = pair_offs(reference, kept) - pair_offs(reference, after)
    assert abs(saved - found.split.by_pair_off) <= 2 * cent


def pair_offs(reference: Reference, placement: dict[str, str]) -> Decimal:
    """What all shortfalls cost, dollars."""
    filled = reference.filled(placement)
    units = sum(
        reference.pair_off(name) * max(0, trade["lo"] - filled[name])
        for name, trade in reference.trades.items()
        if trade["counts"]
    )
    return Decimal(units.numerator) / Decimal(units.denominator) / 100
