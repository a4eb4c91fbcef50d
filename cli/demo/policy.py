"""The demo desk's policy: security rules, constraints and carry curves."""

import json

import polars as pl

from cli.demo.instruments import SIZE_TIERS, Instrument, universe
from cli.demo.pipeline import PRODUCTS
from cli.demo.schema import rows
from cli.demo.trades import GRID_SPECIALS, grid_rule_name

Tree = dict[str, object]

PRIORITIES = {"MAX": 100, "NY": 220, "INVESTOR": 230, "TX": 240, "FL": 250, "LOFICO": 260, "2NDHOME": 270}
"""Specified pools first, the smallest tier before the next; within a priority the score decides."""
HIGH_BALANCE_PRIORITY = 300
CASH_PRIORITY = 350
STANDARD_PRIORITY = 400
DE_MINIMIS_PRIORITY = 600
"""High-balance loans in a standard security: only what has no better place."""
BULK_PRIORITY = 500

WAREHOUSE_RATE_PCT = 5.60
NOTE_OVER_COUPON_PCT = 0.75
"""What loans of a coupon bear above it, about the middle of the window."""
CARRY_BANDS = ((0, 30, 0.0), (31, 60, -0.15), (61, 90, -0.55))
"""From day, to day, and what the warehouse line takes off for loans that stay this long; beyond 90 days there is no curve."""


def condition(field: str, op: str, value: object = None) -> Tree:
    """One condition of a rule; is_null and not_null take no value."""
    return {"field": field, "op": op} if value is None else {"field": field, "op": op, "value": value}


def policy_tables() -> dict[str, pl.DataFrame]:
    """`pfill_sec_rules`, `pfill_constraints` and `pfill_carry_cost`."""
    rules: dict[str, tuple[str, Tree]] = dict(_grid_rules())
    constraints: list[dict[str, object]] = []
    for instrument in universe():
        for priority, name, description, tree in _lines(instrument):
            rules.setdefault(name, (description, tree))
            constraints.append(
                {
                    "priority": priority,
                    "investor": instrument.investor,
                    "investor_instrument": instrument.name,
                    "rule_name": name,
                    "enabled": True,
                }
            )
    constraints.append(
        {  # the desk keeps this line for days on which it sells the rest of the pipeline whole
            "priority": 900,
            "investor": "HARROWGATE",
            "investor_instrument": "BULK 30 JUMBO",
            "rule_name": None,
            "enabled": False,
        }
    )
    constraints.sort(key=lambda line: (line["priority"], line["investor_instrument"]))
    numbered = [{"constraint_id": f"C{number:04d}", **line} for number, line in enumerate(constraints, start=1)]
    return {
        "pfill_sec_rules": rows(
            "pfill_sec_rules",
            [
                {"rule_name": name, "description": text, "expression": json.dumps(tree)}
                for name, (text, tree) in sorted(rules.items())
            ],
        ),
        "pfill_constraints": rows("pfill_constraints", numbered),
        "pfill_carry_cost": rows("pfill_carry_cost", _carry_curves()),
    }


def _lines(instrument: Instrument) -> list[tuple[int, str, str, Tree]]:
    """Priority, rule name, description and rule of each constraint on the instrument."""
    group, label = instrument.group, instrument.label
    products = [p.name for p in PRODUCTS if p.group == group.name]
    stem = group.name.lower()
    if group.name == "GOVT30":
        tree = _all(_product(products), _any(condition("fico", "ge", 580), condition("fico", "is_null")))
        return [(STANDARD_PRIORITY, stem, "Government loans, credit score 580 or none", tree)]
    if group.name == "JUMBO30":
        tree = _all(
            _product(products),
            condition("fico", "ge", 700),
            condition("ltv", "le", "80"),
            condition("occupancy", "ne", "I"),
        )
        return [(BULK_PRIORITY, stem, "Jumbo loans of owners with a score of 700, LTV to 80", tree)]
    agency = [_product(products), condition("fico", "ge", 620), condition("ltv", "le", "97"), _high_ltv_credit()]
    if group.name == "SUPER30":
        tree = _all(*agency, condition("high_balance", "eq", True), condition("ltv", "le", "95"))
        return [(HIGH_BALANCE_PRIORITY, f"{stem}_hb", "Super-conforming loans, LTV to 95", tree)]
    plain = [*agency, condition("high_balance", "eq", False)]
    if label == "CASH":
        tree = _all(*plain, {"not": _all(condition("property_type", "eq", "MH"), condition("ltv", "gt", "90"))})
        return [(CASH_PRIORITY, f"{stem}_cash", f"{group.years}-year loans a cash window takes", tree)]
    if label == "TBA":
        lines = [(STANDARD_PRIORITY, f"{stem}_tba", f"{group.years}-year loans good for delivery", _all(*plain))]
        return [*lines, *(_de_minimis() if group.name == "CONF30" else [])]
    if label.startswith("MAX"):
        tier = int(label.removeprefix("MAX"))
        tree = _all(*plain, condition("loan_amount", "le", tier * 1_000), condition("property_type", "ne", "MH"))
        priority = PRIORITIES["MAX"] + 10 * SIZE_TIERS[group.name].index(tier)
        return [(priority, f"{stem}_max{tier}", f"{group.years}-year loans of at most ${tier},000", tree)]
    text, story = _stories()[label]
    return [(PRIORITIES[label], f"{stem}_{label.lower()}", text, _all(*plain, *story))]


def _stories() -> dict[str, tuple[str, list[Tree]]]:
    own_home = condition("occupancy", "in", ["P", "S"])
    return {
        "NY": ("New York loans", [condition("state", "eq", "NY")]),
        "TX": ("Texas loans, no cash-out", [condition("state", "eq", "TX"), condition("purpose", "ne", "CASHOUT")]),
        "FL": ("Florida loans", [condition("state", "eq", "FL"), own_home]),
        "LOFICO": ("Credit scores from 620 to 699", [condition("fico", "between", [620, 699])]),
        "INVESTOR": ("Investor properties", [condition("occupancy", "eq", "I")]),
        "2NDHOME": ("Second homes", [condition("occupancy", "not_in", ["P", "I"])]),
    }


def _de_minimis() -> list[tuple[int, str, str, Tree]]:
    tree = _all(
        condition("loan_instrument", "eq", "30Y SUPERCONF"), condition("high_balance", "eq", True),
        condition("fico", "ge", 680), condition("ltv", "le", "90"),
    )  # fmt: skip
    return [(DE_MINIMIS_PRIORITY, "super30_de_minimis", "Super-conforming loans within the 10 % of a standard pool", tree)]


def _grid_rules() -> dict[str, tuple[str, Tree]]:
    """Rules that rows of cash grids name."""
    return {
        grid_rule_name(tier): (
            f"Cash window price for loans of at most ${tier},000",
            condition("loan_amount", "le", tier * 1_000),
        )
        for tier in GRID_SPECIALS
    }


def _carry_curves() -> list[dict[str, object]]:
    """Note rate less warehouse cost, in percent a year, by days held; cash of ten-year loans and the bulk sale have no curve."""
    records: list[dict[str, object]] = []
    for instrument in universe():
        if instrument.coupon is None and not instrument.group.coupons:
            continue
        coupon = instrument.coupon if instrument.coupon is not None else instrument.group.par_coupon
        net = coupon + NOTE_OVER_COUPON_PCT - WAREHOUSE_RATE_PCT
        records += [
            {
                "investor_instrument": instrument.name,
                "from_day": low,
                "to_day": high,
                "annual_rate_pct": round(net + penalty, 4),
            }
            for low, high, penalty in CARRY_BANDS
        ]
    return records


def _high_ltv_credit() -> Tree:
    return _any(condition("ltv", "le", "95"), condition("fico", "ge", 680))


def _product(products: list[str]) -> Tree:
    return condition("loan_instrument", "eq", products[0]) if len(products) == 1 else condition("loan_instrument", "in", products)


def _all(*parts: Tree) -> Tree:
    return {"all": list(parts)}


def _any(*parts: Tree) -> Tree:
    return {"any": list(parts)}
