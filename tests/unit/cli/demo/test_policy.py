"""The desk's policy: every rule is one of the grammar, means something, and curves cover what is held."""

import json
from typing import Any

import polars as pl

from cli.demo.schema import TABLES
from services.run_service.domain.rules import OPERATORS, compile_rule, parse_rule

Tables = dict[str, pl.DataFrame]

FIELDS = {name: pl.Schema({name: dtype})[name] for name, dtype in TABLES["loan"].items()}


def test_every_rule_parses_and_takes_some_loans_but_not_all(clean: Tables) -> None:
    loan = clean["loan"]
    for name, expression in clean["pfill_sec_rules"].select("rule_name", "expression").rows():
        taken = len(loan.filter(compile_rule(parse_rule(expression, FIELDS))))
        assert 0 < taken < len(loan), name


def test_rules_use_scores_ratios_balances_and_groups(clean: Tables) -> None:
    used: set[str] = set()
    fields: set[str] = set()

    def walk(tree: dict[str, Any]) -> None:
        for word in ("all", "any", "not"):
            if word in tree:
                used.add(word)
                parts = tree[word]
                for part in parts if isinstance(parts, list) else [parts]:
                    walk(part)
        if "op" in tree:
            assert tree["op"] in OPERATORS
            used.add(str(tree["op"]))
            fields.add(str(tree["field"]))

    for expression in clean["pfill_sec_rules"]["expression"]:
        walk(json.loads(expression))
    assert {"fico", "ltv", "high_balance", "loan_amount", "loan_instrument", "state", "occupancy"} <= fields
    assert {"all", "any", "not", "eq", "ne", "le", "ge", "in", "not_in", "between", "is_null"} <= used


def test_every_instrument_has_a_constraint_and_none_stands_twice(clean: Tables) -> None:
    constraint = clean["pfill_constraints"]
    assert set(constraint["investor_instrument"]) == set(clean["pscat_instruments"]["investor_instrument"])
    assert not constraint.select("investor_instrument", "rule_name").is_duplicated().any()
    assert (constraint["priority"] >= 1).all()
    assert constraint.filter(pl.col("rule_name").is_null())["enabled"].to_list() == [False]


def test_smaller_tiers_come_first(clean: Tables) -> None:
    """Among the specified pools of one term a smaller tier has a smaller priority number than a larger one."""
    tiers = clean["pfill_constraints"].join(
        clean["pscat_instruments"].filter((pl.col("kind") == "SPEC") & pl.col("max_loan_amount").is_not_null()),
        on="investor_instrument",
    )
    order = tiers.select("term_months", "max_loan_amount", "priority").unique().sort("term_months", "max_loan_amount")
    steps = order.with_columns(step=pl.col("priority").diff().over("term_months"))["step"].drop_nulls()
    assert len(steps) == 13
    assert (steps > 0).all()


def test_carry_curves_have_neither_gap_nor_overlap(clean: Tables) -> None:
    curve = clean["pfill_carry_cost"].sort("investor_instrument", "from_day")
    joints = curve.with_columns(
        joint=pl.col("from_day") - pl.col("to_day").shift(1).over("investor_instrument"),
        slope=pl.col("annual_rate_pct").diff().over("investor_instrument"),
    ).drop_nulls("joint")
    assert (joints["joint"] == 1).all()
    assert (joints["slope"] < 0).all()
