"""Hypothesis strategies for small tenants: few distinct values, so that ties, full trades and missing figures are common."""

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from tests.instances import rows
from tests.instances.rows import Row

AMOUNTS = ["100000", "100000", "60000", "60000", "40000.01", "140000.5", "200000", "0.01"]
NOTES = ["6", "6.25", "6.5", "6.375001", "7", "5.5"]
RULES = {
    "low_balance": '{"field":"loan_amount","op":"le","value":"100000"}',
    "good_score": '{"all":[{"field":"fico","op":"ge","value":680},{"not":{"field":"state","op":"in","value":["NY"]}}]}',
    "not_new_york": '{"field":"state","op":"ne","value":"NY"}',
    "any_of": '{"any":[{"field":"ltv","op":"is_null"},{"field":"note_rate","op":"between","value":[6,"6.5"]}]}',
}
INSTRUMENTS = ("X", "Y", "Z")
Tenant = list[Row]


def often(usual: st.SearchStrategy[Any], rare: st.SearchStrategy[Any], times: int = 5) -> st.SearchStrategy[Any]:
    """The first strategy, and the second once in `times` + 1 draws."""
    return st.sampled_from([usual] * times + [rare]).flatmap(lambda chosen: chosen)


@st.composite
def loans(draw: st.DrawFn, most: int) -> list[Row]:
    """Loans in and out of scope, a few with missing or impossible fields."""
    count = draw(often(st.integers(most // 2, most), st.integers(0, 2), 6))
    return [
        rows.loan(
            f"L{number:02}",
            draw(often(st.sampled_from(AMOUNTS), st.sampled_from(["0", "-5", None]), 30)),
            note=draw(often(st.sampled_from(NOTES), st.none(), 30)),
            status=draw(often(st.sampled_from(["Closed", "Purchased", "Locked"]), st.sampled_from(["Started", "Gone", None]), 8)),
            closed=draw(often(st.sampled_from([-40, 0, 3]), st.none(), 4)),
            lock_expires=draw(often(st.sampled_from([5, 25]), st.none(), 6)),
            product=draw(often(st.sampled_from(["30YR", "15YR"]), st.sampled_from(["", None]), 30)),
            fico=draw(st.sampled_from([None, 640, 700, 780])),
            ltv=draw(st.sampled_from([None, "80", "95.5"])),
            state=draw(st.sampled_from(["NY", "CA", None])),
        )
        for number in range(count)
    ]


@st.composite
def market(draw: st.DrawFn, names: list[str]) -> list[Row]:
    """Instruments, payups, curves, today's prices and constraints on them."""
    found: list[Row] = [rows.rule(name, expression) for name, expression in RULES.items()]
    multiple = st.sampled_from(["0", "3.1", "4.5"])
    for name in names:
        has_coupon = draw(st.booleans())
        found.append(
            rows.instrument(
                name,
                draw(st.sampled_from(["TBA", "TBA", "SPEC", "CASH", "BULK"])),
                coupon=draw(st.sampled_from(["6", "5.5"])) if has_coupon else None,
                window=(draw(st.sampled_from([None, "0.25"])), draw(st.sampled_from([None, "1.125"]))),
                guaranty="0.2",
                servicing="0.25",
                buyup=draw(multiple),
                buydown=draw(multiple),
                min_pool=draw(st.sampled_from([0, 150_000])),
                max_loan=draw(often(st.none(), st.just("140000"), 3)),
            )
        )
        dates = draw(st.lists(st.sampled_from([-5, 10, 30, 50, 70]), unique=True, max_size=3))
        found += [rows.today(draw(st.sampled_from(["99", "100.5", "101.33333333"])), days, name) for days in dates]
        spans = draw(st.lists(st.sampled_from([(0, 50), (0, 10_000), (-100, 20)]), max_size=2))
        found += [rows.curve(draw(st.sampled_from(["0.9", "-1.2", "6.000001"])), low, high, name) for low, high in spans]
        ranges = st.sampled_from([("loan_amount", "0", "100000"), ("fico", "700", "850"), ("ltv", "80", "80")])
        for attribute, least, most in draw(st.lists(ranges, max_size=2)):
            points, divisor = draw(st.sampled_from([("1", None), ("28", "32"), ("1", "3"), ("-2", "3")]))
            found.append(rows.payup(attribute, least, most, points, divisor, name))
    rule_names = st.sampled_from([None, None, *RULES])
    count = draw(often(st.integers(2, 5), st.integers(0, 1), 8))
    found += [
        rows.constraint(
            f"C{number}",
            draw(st.integers(1, 3)),
            on=draw(often(st.sampled_from(names), st.just("NOWHERE"), 12)),
            rule_name=draw(rule_names),
            enabled=draw(often(st.just(value=True), st.just(value=False), 6)),
        )
        for number in range(count)
    ]
    return found


@st.composite
def trades(draw: st.DrawFn, names: list[str], most: int) -> list[Row]:
    """Trades that take part and trades that do not, some with a cash grid."""
    found: list[Row] = []
    for number in range(draw(often(st.integers(2, most), st.integers(0, 1), 6))):
        trade_id = f"T{number}"
        amount = draw(st.sampled_from(["100000", "160000", "240000", "300000.01"]))
        found.append(
            rows.trade(
                trade_id,
                amount,
                price=draw(often(st.sampled_from(["100", "100.5", "98.12345678"]), st.none(), 3)),
                on=draw(often(st.sampled_from(names), st.just("NOWHERE"), 12)),
                settles=draw(often(st.sampled_from([10, 20, 45]), st.sampled_from([-3, 90]), 5)),
                tolerance=draw(st.sampled_from(["0", "0.0001", "0.05", "0.5", "0.333333"])),
                pair_off=draw(often(st.just(0), st.sampled_from(["20000", "100000"]), 4)),
                delivered=draw(often(st.just(0), st.just("50000.5"), 6)),
                status=draw(often(st.just("OPEN"), st.just("SETTLED"), 8)),
                phantom=draw(often(st.just(value=False), st.just(value=True), 8)),
            )
        )
        found += [
            rows.grid(
                trade_id,
                sequence,
                draw(st.sampled_from(["6", "6.25", "6.5"])),
                draw(st.sampled_from(["99", "100", "101.5"])),
                draw(st.sampled_from([None, None, "", "low_balance", "no_such_rule"])),
            )
            for sequence in range(draw(often(st.just(0), st.integers(1, 4), 2)))
        ]
    return found


@st.composite
def pools(draw: st.DrawFn, loan_ids: list[str], trade_ids: list[str]) -> list[Row]:
    """Pools, what they are related to, and loans posted to them."""
    names = [f"P{number}" for number in range(draw(st.integers(0, 4)))]
    found = [rows.pool(name, draw(often(st.just("FORMING"), st.just("DELIVERED"), 4))) for name in names]
    anywhere = [*names, "NO_POOL"]
    for trade_id, name in draw(_pairs([*trade_ids, "T?"], anywhere, 6)):
        found.append(rows.relation(trade_id, name, draw(st.sampled_from(["100000", "150000", "0"]))))
    for name, loan_id in draw(_pairs(anywhere, [*loan_ids, "L?"], 8)):
        found.append(rows.posting(name, loan_id, draw(st.sampled_from([-9, -3]))))
    return found


def _pairs(left: list[str], right: list[str], most: int) -> st.SearchStrategy[list[tuple[str, str]]]:
    return st.lists(st.tuples(st.sampled_from(left), st.sampled_from(right)), unique=True, max_size=most)


@st.composite
def mixed(draw: st.DrawFn, most_loans: int = 10, most_trades: int = 4) -> Tenant:
    """A tenant with a little of everything, also what points nowhere."""
    names = list(INSTRUMENTS[: draw(st.sampled_from([1, 2, 2, 3]))])
    own_loans, own_trades = draw(loans(most_loans)), draw(trades(names, most_trades))
    loan_ids = [row.values["loan_id"] for row in own_loans]
    trade_ids = sorted({row.values["trade_id"] for row in own_trades})
    found = [*own_loans, *own_trades, *draw(market(names)), *draw(pools(loan_ids, trade_ids))]
    for loan_id in draw(st.lists(st.sampled_from([*loan_ids, "L?"]), max_size=3)):
        to = draw(often(st.sampled_from([*trade_ids, "T?"]), st.none(), 3))
        found.append(rows.lock(loan_id, to, draw(st.sampled_from([None, -1, 0, 9]))))
    for loan_id, name in draw(_pairs([*loan_ids, "L?"], ["at risk", "At_Risk", "closing"], 4)):
        found.append(rows.segment(loan_id, name, draw(st.sampled_from([None, "in_risk", "out_of_risk"]))))
    found += [rows.shipped(loan_id) for loan_id in draw(st.lists(st.sampled_from([*loan_ids, "L?"]), unique=True, max_size=1))]
    return found


@st.composite
def crowded(draw: st.DrawFn, most_loans: int = 10, most_trades: int = 4) -> Tenant:
    """A tenant whose loans are nearly all candidates of nearly all trades, which have room for half of them.

    DECOY, with room for none, is the best trade of all and keeps exact_fit from deciding everything; SINK owes nothing and takes
    what other trades gave back.
    """
    tens = st.sampled_from([20_000, 30_000, 40_000, 50_000, 70_000, 90_000])
    found = [
        rows.loan(f"L{number:02}", draw(tens), note=draw(st.sampled_from(["6.25", "6.5", "6.75", "7"])), closed=-3)
        for number in range(draw(st.sampled_from([most_loans, most_loans - 1, most_loans - 2, 4])))
    ]
    for name, coupon, priority in (("X", "6", draw(st.integers(1, 2))), ("Y", "5.75", draw(st.integers(1, 2)))):
        found.append(rows.instrument(name, "TBA", coupon=coupon, buyup=draw(st.sampled_from(["0", "1.5", "-1"])), buydown=2))
        found.append(rows.constraint(f"C{name}", priority, on=name))
        found.append(rows.curve(draw(st.sampled_from(["0.9", "3"])), 0, 60, name))
    if draw(st.booleans()):
        found.append(rows.today(draw(st.sampled_from(["99.5", "101"]))))
    for number in range(draw(st.sampled_from([1, 2, most_trades]))):
        amount = draw(st.sampled_from([60_000, 80_000, 110_000, 150_000]))
        found.append(
            rows.trade(
                f"T{number}",
                amount,
                price=draw(st.sampled_from(["100", "100.25", "99.75"])),
                on=draw(st.sampled_from(["X", "X", "Y"])),
                settles=draw(st.sampled_from([10, 30])),
                tolerance=draw(st.sampled_from(["0", "0.01", "0.1"])),
            )
        )
    if draw(st.booleans()):
        found.append(rows.trade("DECOY", 1_000, price=102, settles=10))
        found.append(rows.trade("SINK", 30_000, price=98, settles=40, tolerance="1"))
    for pool_name, trade_id in (("P0", "T0"), ("P1", "T1")):
        found += [rows.pool(pool_name), rows.relation(trade_id, pool_name, draw(st.sampled_from([50_000, 100_000])))]
    loan_ids = st.integers(0, 3).map(lambda number: f"L{number:02}")
    found += [rows.posting(draw(st.sampled_from(["P0", "P1"])), loan_id) for loan_id in draw(st.sets(loan_ids))]
    found += [rows.lock(loan_id, "T0") for loan_id in sorted(draw(st.sets(loan_ids, max_size=1)))]
    return found


def tenants(most_loans: int = 10, most_trades: int = 4) -> st.SearchStrategy[Tenant]:
    """The rows of a small tenant."""
    return st.one_of(crowded(most_loans, most_trades), mixed(most_loans, most_trades))


def options(**fixed: object) -> st.SearchStrategy[dict[str, object]]:
    """Run options, some of them fixed, ended by work alone."""
    choices: dict[str, Callable[[], st.SearchStrategy[Any]]] = {
        "scope": lambda: st.sampled_from(["CLOSED_AND_LOCKED", "CLOSED_ONLY"]),
        "min_status": lambda: st.sampled_from(["Closed", "Purchased", "Locked"]),
        "price_mode": lambda: st.sampled_from(["PRICE_PLUS_CARRY", "PRICE_ONLY"]),
        "max_eligible_days": lambda: st.sampled_from([0, 10]),
        "max_trade_settle_days": lambda: st.sampled_from([60, 30]),
        "eligible_settle_buffer_days": lambda: st.sampled_from([0, 7]),
        "bx_price_floor": lambda: st.sampled_from([None, "100"]),
        "pair_off_cost": lambda: st.sampled_from([{}, {"TBA": "1.5", "CASH": "0"}]),
        "switch_cost": lambda: st.sampled_from(["0.03125", "2", "0"]),
        "synthetic_spread": lambda: st.sampled_from(["0.125", "0"]),
        "unsold_discount": lambda: st.sampled_from(["1", "0"]),
        "candidate_top_k": lambda: st.sampled_from([10, 1, 2]),
        "seed": lambda: st.integers(0, 3),
    }
    mostly_default = {name: often(st.none(), make(), 2) for name, make in choices.items() if name not in fixed}
    return st.fixed_dictionaries(mostly_default).map(
        lambda drawn: {name: value for name, value in drawn.items() if value is not None} | fixed
    )
