"""Validations of small random tenants.

A run's own allocation is clean and of its value, two runs differ by their values, and violations and values of any allocation are
those of the specification written a second time in plain loops (`reference.py`).
"""

from decimal import Decimal
from fractions import Fraction
from typing import Any

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from services.run_service.domain.options import parse_options
from services.run_service.engine.frames import RunInputs
from services.run_service.engine.validate.validation import Validation
from tests.instances.execute import run
from tests.instances.rows import AS_OF, inputs
from tests.instances.validate import Judged, Placement, judge
from tests.property.plain_facts import half_away
from tests.property.reference import Reference
from tests.property.tenants import Tenant, options, tenants

Options = dict[str, Any]
METHODS = st.sampled_from([{"strategy": "PASSES"}, {"strategy": "OPTIMAL"}, {"strategy": "OPTIMAL", "priority_mode": "STRICT"}])


def assert_adds_up(found: Validation) -> None:
    """The parts are the difference, to the cent, in the listed rows as in the totals."""
    totals = found.totals
    assert totals.value - totals.run_value == totals.loan_difference + totals.pair_off_difference + totals.rounding
    assert (found.differences["difference"].sum() or 0) == totals.loan_difference == sum(r.difference for r in found.reasons)
    assert totals.pair_off_difference == totals.run_pair_off - totals.pair_off
    assert abs(totals.rounding) <= Decimal("0.01") * (found.difference_count + 2)
    rows = found.differences
    assert rows.filter(pl.col("value") - pl.col("run_value") != pl.col("difference")).is_empty()
    assert found.difference_count == len(rows) == sum(reason.count for reason in found.reasons)
    assert found.violation_count == len(found.violations) == sum(rule.count for rule in found.rules)


@given(tenant=tenants(), chosen=options(), method=METHODS)
def test_a_runs_own_allocation_breaks_nothing_and_has_its_value(tenant: Tenant, chosen: Options, method: Options) -> None:
    tables, given_options = inputs(*tenant), {**chosen, **method, "work_limit": 1000}
    ran = run(tables, **given_options)
    guide = ran.table("powerfill_guide").select("loan_id", "trade_id", "price").rows()
    placements: list[Placement] = [(loan, trade, str(price)) if price else (loan, trade) for loan, trade, price in guide]
    found = judge(tables, placements, ran=ran, **given_options).found
    assert found.violations.rows() == []
    assert found.differences.rows() == []
    assert found.totals.value == found.totals.value_of_allowed == found.totals.run_value == ran.value
    assert found.totals.pair_off_difference == found.totals.rounding == Decimal(0)
    assert found.placed_count == found.run_placed_count == len(guide)
    assert (found.prices.different_count, found.prices.dollars) == (0, Decimal(0))
    assert found.totals.in_scope_amount == Decimal(ran.summary["in_scope_amount"])
    assert found.totals.run_gap == (None if ran.summary["gap_amount"] is None else Decimal(ran.summary["gap_amount"]))
    assert found.totals.run_gap is None or found.totals.in_bp(found.totals.run_gap) == Decimal(ran.summary["gap_bp"])


@given(tenant=tenants(), chosen=options())
def test_the_passes_allocation_beside_the_optimal_run_differs_by_the_two_values(tenant: Tenant, chosen: Options) -> None:
    tables, optimal = inputs(*tenant), {**chosen, "strategy": "OPTIMAL", "work_limit": 1000}
    passes, best = run(tables, **chosen, strategy="PASSES"), run(tables, **optimal)
    found = judge(tables, passes.placement, ran=best, **optimal).found
    assert found.violations.rows() == []
    assert found.totals.value_difference == passes.value - best.value
    assert found.totals.gap is not None
    assert found.totals.gap >= 0
    assert_adds_up(found)
    differ = {loan for loan, _ in passes.placement.items() ^ best.placement.items()}
    assert set(found.differences["loan_id"]) == differ


@st.composite
def allocations(draw: st.DrawFn) -> tuple[Tenant, Options, list[Placement]]:
    """A tenant, and loans on trades at random: known and unknown ones, some placed again, few of them sensible."""
    tenant, chosen = draw(tenants()), draw(options(strategy="PASSES"))
    loan_ids = sorted({str(row.values["loan_id"]) for row in tenant if row.table == "loan"} | {"L?"})
    trade_ids = sorted({str(row.values["trade_id"]) for row in tenant if row.table == "pscat_trades"} | {"T?"})
    pairs = st.tuples(st.sampled_from(loan_ids), st.sampled_from(trade_ids))
    return tenant, chosen, draw(st.lists(pairs, min_size=1, max_size=14))


@given(case=allocations())
def test_any_allocation_is_judged_and_valued_as_the_specification_has_it(case: tuple[Tenant, Options, list[Placement]]) -> None:
    tenant, chosen, placements = case
    tables = inputs(*tenant)
    judged = judge(tables, placements, **chosen)
    plain = Plain(tables, chosen, placements)
    assert sorted(judged.broken, key=str) == sorted(plain.broken, key=str)
    totals = judged.found.totals
    assert Fraction(totals.value) == half_away(plain.value(plain.counted), 2)
    assert Fraction(totals.value_of_allowed) == half_away(plain.value(plain.allowed), 2)
    assert judged.found.placed_count == len(plain.counted)
    assert_adds_up(judged.found)
    assert_reasons(judged, plain)


def assert_reasons(judged: Judged, plain: "Plain") -> None:
    """Loans that differ, and a reason that their figures bear out."""
    ours = plain.reference.run_passes()[0]
    theirs = {loan: trade for loan, trade, *_ in reversed(placements_in_scope(plain))}
    differ = {loan: (theirs.get(loan), ours.get(loan)) for loan in plain.reference.loans if theirs.get(loan) != ours.get(loan)}
    broken = {loan for rule, loan, _ in plain.broken if rule != "LOAN_REPEATED"}
    rows = {row["loan_id"]: row for row in judged.found.differences.iter_rows(named=True)}
    assert {loan: (row["trade_id"], row["run_trade_id"]) for loan, row in rows.items()} == differ
    for loan, row in rows.items():
        reason, gain = row["reason"], row["points"] - row["run_points"]
        assert (reason == "BREAKS_A_RULE") == (loan in broken)
        assert reason != "LEFT_OUT_THERE" or row["trade_id"] is None
        assert reason != "LEFT_OUT_HERE" or row["run_trade_id"] is None
        assert reason != "EQUAL_VALUE" or gain == 0
        assert reason != "WORSE_PRICE" or gain < 0
        assert reason not in ("MADE_ROOM", "LEAVES_SHORT", "MISSED") or gain > 0
        assert reason != "PRIORITY"


def placements_in_scope(plain: "Plain") -> list[Placement]:
    return [placement for placement in plain.placements if placement[0] in plain.reference.loans]


class Plain:
    """Placements judged by loops over the reference's facts."""

    def __init__(self, tables: RunInputs, chosen: Options, placements: list[Placement]) -> None:
        self.reference = Reference(tables, parse_options(chosen, AS_OF))
        self.placements = placements
        self.known_loans = set(tables.tables["loan"]["loan_id"])
        self.known_trades = set(tables.tables["pscat_trades"]["trade_id"])
        self.broken: list[tuple[str, str | None, str | None]] = []
        self.counted: dict[str, str] = {}
        self.allowed: dict[str, str] = {}
        seen: set[str] = set()
        for loan, trade, *_ in placements:
            if loan in seen:
                self.broken.append(("LOAN_REPEATED", loan, trade))
                continue
            seen.add(loan)
            rules = self.judge(loan, trade)
            self.broken += [(rule, loan, trade) for rule in rules]
            if self.counts(loan, trade):
                self.counted[loan] = trade
                if not rules:
                    self.allowed[loan] = trade
        missing = [(loan, trade) for loan, trade in self.reference.locked.items() if loan not in seen]
        self.broken += [("LOCKED_MISSING", loan, trade) for loan, trade in missing]
        filled = self.reference.filled(self.counted)
        for trade, facts in self.reference.trades.items():
            others = [loan for loan, on in self.counted.items() if on == trade and self.reference.locked.get(loan) != trade]
            if others and filled[trade] > facts["hi"]:
                self.broken.append(("TRADE_OVERFILLED", None, trade))

    def judge(self, loan: str, trade: str) -> list[str]:
        facts, rules = self.reference, []
        if loan not in self.known_loans:
            rules.append("LOAN_UNKNOWN")
        elif loan not in facts.loans:
            rules.append("LOAN_NOT_IN_SCOPE")
        elif facts.reason.get(loan) == "DATA_ERROR" and loan not in facts.locked:
            rules.append("LOAN_DATA_ERROR")
        elif loan in facts.held:
            rules.append("LOAN_HELD")
        lock = facts.locked.get(loan)
        if trade not in self.known_trades:
            rules.append("TRADE_UNKNOWN")
        elif trade not in facts.trades:
            rules.append("TRADE_TAKES_NO_PART")
        elif not facts.trades[trade]["counts"] and lock != trade:
            rules.append("TRADE_OUTSIDE_WINDOW")
        if lock is not None and lock != trade:
            rules.append("LOCKED_ELSEWHERE")
        if not rules and lock is None and (loan, trade) not in facts.candidates:
            rules.append(self.filter(loan, trade))
        return rules

    def filter(self, loan: str, trade: str) -> str:
        """What stops a pair: the stage that the loan reaches where this is the only trade."""
        tables = {**self.reference.inputs.tables}
        tables["pscat_trades"] = tables["pscat_trades"].filter(pl.col("trade_id") == trade)
        constraints, name = tables["pfill_constraints"], self.reference.trades[trade]["investor_instrument"]
        tables["pfill_constraints"] = constraints.filter(pl.col("investor_instrument") == name)
        tables["pfill_lockdown"] = tables["pfill_lockdown"].clear()
        return Reference(RunInputs(tables), self.reference.options).reason[loan]

    def counts(self, loan: str, trade: str) -> bool:
        facts = self.reference
        if facts.locked.get(loan) == trade:
            return True
        sound = loan in facts.loans and trade in facts.trades and not facts._is_data_error(loan)
        return sound and self.score(loan, trade) is not None

    def score(self, loan: str, trade: str) -> Fraction | None:
        facts, on = self.reference, self.reference.trades[trade]
        base = facts.base(loan, on)
        return (
            None
            if base is None
            else facts.scored(loan, facts.instruments[on["investor_instrument"]], base, on["settlement_date"])[2]
        )

    def value(self, placement: dict[str, str]) -> Fraction:
        """The value of specification 01 section 8 with every loan where it is."""
        facts = self.reference
        total = Fraction(0)
        for loan in facts.loans:
            trade = placement.get(loan)
            if trade is None:
                total += facts.amount[loan] * facts.fallback(loan)
                continue
            score = self.score(loan, trade) or Fraction(0)
            leaves = facts.leaves(loan, trade) and facts.locked.get(loan) != trade
            total += facts.amount[loan] * (score - (Fraction(facts.options.switch_cost) if leaves else 0))
        filled = facts.filled(placement)
        for trade, on in facts.trades.items():
            if on["counts"]:
                total -= facts.pair_off(trade) * max(Fraction(0), on["lo"] - filled[trade])
        return total / 100
