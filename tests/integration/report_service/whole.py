"""A desk on which every report has rows, with cells set and unset: one run of the engine, made once for all tests."""

import functools

from services.run_service.engine.frames import RunInputs
from tests.instances.execute import Ran, run
from tests.instances.rows import (
    constraint,
    curve,
    desk,
    grid,
    instrument,
    loan,
    lock,
    payup,
    pool,
    posting,
    relation,
    rule,
    segment,
    shipped,
    today,
    trade,
)


def whole_desk() -> RunInputs:
    """TBA trades take New York's loans (T1, pool P1) and Texas' (T3 to T5, no pool), cash trades K and K2 California's.

    Of New York L is locked, J1 and J2 join P1, R1 and R2 are in it, S1 in P2, whose trade settles too late, S2 in P4, which has
    none; G is too large for any trade. U1 leaves P1 for a cash trade. H is held, D lacks an amount, Florida's F1 to F3 pass no
    rule, Z in P1 is out of scope, W is shipped and still posted.
    """
    new_york = [loan(name, "100000.25", state="NY", fico=700 + number, ltv=80) for number, name in enumerate(
        ("J1", "J2", "L", "R1", "R2", "S1", "S2"))]  # fmt: skip
    others = [
        loan("G", 5_000_000, state="NY"), loan("U1", state="CA", note="6.1"), loan("U2", state="CA", product="15YR", note="6.6"),
        loan("T1X", state="TX", note="6.25"), loan("T2X", 150_000, state="TX", note="7"), loan("F1", state="FL"),
        loan("F2", state="FL", closed=None, lock_expires=9, status="Locked"), loan("F3", state="FL", product="15YR"),
        loan("H", state="NY"), loan("D", None, state="NY"), loan("Z", state="NY", status="Started"), loan("W", state="NY"),
    ]  # fmt: skip
    rules = [rule(state, f'{{"field":"state","op":"eq","value":"{state}"}}') for state in ("NY", "CA", "TX")]
    policy = [
        constraint("C1", rule_name="NY"), constraint("C2", 2, on="C", rule_name="CA"), constraint("C3", 3, rule_name="TX"),
        constraint("C4", 4, on="C2", rule_name="CA"),
    ]  # fmt: skip
    trades = [
        trade("T1", 700_000, tolerance="0.05"), trade("T2", settles=61), trade("T3", price="101.5"), trade("T4", 150_000),
        trade("T5", settles=30, price=None), trade("K", 150_000, on="C", price=None), trade("K2", 150_000, on="C2"),
    ]  # fmt: skip
    grids = [grid("K", 1, 6, "100.5"), grid("K", 2, "6.5", "101", "CA"), grid("K", 3, 6, "99", "NY")]
    pools = [pool("P1"), pool("P2"), pool("P3", "DELIVERED"), pool("P4"), relation("T1", "P1", 700_000), relation("T2", "P2")]
    postings = [posting("P1", name) for name in ("U1", "R1", "R2", "G", "Z", "W")]
    postings += [posting("P2", "S1"), posting("P4", "S2"), posting("P3", "J1", -9)]
    payups = [payup("fico", 0, 999, 1, div_by=0)]  # ignored and counted in a finding
    kinds = [
        instrument(coupon=6, buyup=1, buydown=1, min_pool=1_000_000), instrument("C", "CASH"), instrument("C2", "CASH"),
        instrument("C3", "CASH"),
    ]  # fmt: skip
    prices = [today(100), today(101, settles=40), today(99, on="C2"), today(98, on="C")]
    return desk(
        *new_york, *others, *rules, *policy, *trades, *grids, *pools, *postings, *kinds, *prices, *payups,
        segment("R1"), segment("Z", "pipeline", None), curve("0.9"), lock("L", "T1"), lock("H"), shipped("W"),
    )  # fmt: skip


@functools.cache
def whole_run() -> Ran:
    """A run of it, with step 1."""
    return run(whole_desk(), bx_price_floor="90", candidate_top_k=3)
