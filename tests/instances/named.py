"""Named small instances of the allocation, each with its best value solved by hand in its docstring.

The instrument X adds the note rate over 6 to the price. Without today's prices a loan left out is worth its best score less 1.
"""

from services.run_service.engine.frames import RunInputs
from tests.instances.rows import constraint, desk, grid, instrument, loan, lock, pool, posting, relation, rule, today, trade

NOTE_ADDS = instrument("X", coupon=6, buyup=1)


def one_loan_one_trade() -> RunInputs:
    """A 100,000 on T1 at 100: 100,000."""
    return desk(loan("A"), trade("T1"))


def loan_too_large() -> RunInputs:
    """A 150,000 does not fit T1 (100,000). Outside it is worth 150,000 * 99 / 100 = 148,500, T1 pays 31.25: 148,468.75."""
    return desk(loan("A", 150_000), trade("T1"))


def greedy_takes_the_wrong_loan() -> RunInputs:
    """T1 (100,000) has room for A (60,000 at 100.9) or for B and C (50,000 each at 100.8).

    B and C: 100,800; A outside at 99.9: 59,940; nothing short: 160,740. With A: 60,540 + 2 * 49,900 - 12.50 = 160,327.50, and
    neither B nor C fits beside it.
    """
    rows = (loan("A", 60_000, note="6.9"), loan("B", 50_000, note="6.8"), loan("C", 50_000, note="6.8"))
    return desk(*rows, trade("T1"), NOTE_ADDS)


def two_trades_one_specialist() -> RunInputs:
    """W1 (at 103) takes P and Q, W2 (at 102.9) takes P alone; 100,000 each.

    P on W2, Q on W1: 102,900 + 103,000 = 205,900. P on W1 leaves Q outside at 102 and W2 empty: 103,000 + 102,000 - 31.25.
    """
    return desk(
        instrument("W1"), instrument("W2"), constraint("C1", on="W1"), constraint("C2", on="W2", rule_name="new_york"),
        rule("new_york", '{"field":"state","op":"eq","value":"NY"}'), loan("P", state="NY"), loan("Q", state="CA"),
        trade("W1", on="W1", price=103), trade("W2", on="W2", price="102.9"),
    )  # fmt: skip


def pair_off_worth_a_loss() -> RunInputs:
    """The trade is 5 points under the market: a loan loses 4.875 points on it, but 5.03125 are paid on every dollar short.

    A on T1: 95,000. Outside: 99,875 - 5,031.25 = 94,843.75.
    """
    return desk(loan("A"), trade("T1", price=95), today(100))


def loss_not_worth_the_pair_off() -> RunInputs:
    """Tolerance 100 %: nothing is owed. A outside: 99,875; on T1 95,000."""
    return desk(loan("A"), trade("T1", price=95, tolerance=1), today(100))


def switch_cost_keeps_a_loan_in_its_pool() -> RunInputs:
    """A sits in a pool of T1 (at 100); T2 pays 100.03, less than a switch (0.03125) more. B goes to T2.

    A on T1 and B on T2: 100,000 + 100,030 = 200,030; the other way round A pays 31.25: 199,998.75.
    """
    return desk(
        loan("A"), loan("B"), trade("T1"), trade("T2", price="100.03"), pool("P"), relation("T1", "P"), posting("P", "A")
    )  # fmt: skip


def locked_in_a_bad_place() -> RunInputs:
    """A is locked to T1 at 90, B may have T2 at 101: 90,000 + 101,000 = 191,000."""
    return desk(loan("A"), loan("B"), trade("T1", price=90), trade("T2", price=101), lock("A", "T1"))


def locked_beyond_the_band() -> RunInputs:
    """A and B fill T1 twice over by lockdowns; C finds no room and is worth 99 outside: 100,000 * 2 + 99,000 = 299,000."""
    return desk(loan("A"), loan("B"), loan("C"), trade("T1"), lock("A", "T1"), lock("B", "T1"))


def every_trade_at_a_loss() -> RunInputs:
    """Three loans of 50,000 and two trades of 100,000 within 50 % at 90, while the market is at 95.

    Outside a loan is worth 94.875, on a trade 90 and what it saves: (5 + 0.03125) on the first 50,000 of each trade. So two loans
    go to one trade each (gain 78.125 each), the third stays out: 2 * 45,000 + 47,437.50 = 137,437.50.
    """
    loans = [loan(name, 50_000) for name in "ABC"]
    trades = [trade(name, price=90, tolerance="0.5") for name in ("T1", "T2")]
    return desk(*loans, *trades, today(95))


def knapsack_of_six() -> RunInputs:
    """T1 (100,000 within 5 %) and six loans of 20,000 to 70,000; every dollar on T1 earns a point over outside.

    Room 105,000, band from 95,000: the fullest are 70,000 + 35,000 = 105,000. Outside 99, inside 100:
    all 240,000 * 99 / 100 + 105,000 / 100 = 237,600 + 1,050 = 238,650.
    """
    amounts = {"A": 70_000, "B": 45_000, "C": 40_000, "D": 35_000, "E": 30_000, "F": 20_000}
    return desk(*(loan(name, amount) for name, amount in amounts.items()), trade("T1", tolerance="0.05"))


def chain_over_three_trades() -> RunInputs:
    """Each trade has room for one loan; A may have T1 or T2, B T2 or T3, C T3 or T1, by their states.

    T1 pays A 101 and C 100.9; T2 pays B 101 and A 100.9; T3 pays C 101 and B 100.9 (grids with a rule): 303,000.
    """
    states = {"A": "NY", "B": "CA", "C": "TX"}
    rules = [rule(state, f'{{"field":"state","op":"eq","value":"{state}"}}') for state in states.values()]
    prices = {"T1": {"NY": "101", "TX": "100.9"}, "T2": {"CA": "101", "NY": "100.9"}, "T3": {"TX": "101", "CA": "100.9"}}
    grids = [
        grid(trade_id, number, 6, price, state)
        for trade_id, by_state in prices.items()
        for number, (state, price) in enumerate(by_state.items())
    ]
    return desk(
        *(loan(name, state=state) for name, state in states.items()), *rules, *grids, *(trade(trade_id) for trade_id in prices)
    )  # fmt: skip


def every_pool_action() -> RunInputs:
    """TBA trade T1 (400,000, pool P1) takes New York's loans, the cash trade K (100,000) California's; all at 100.

    L is LOCKED to T1, U goes to K: UNPOOLED, out of P1. J, in no pool, is JOINING P1, R is REMAINING there, S is SWITCHING to it:
    SWAPPED_OUT of P2, whose trade T2 settles too late, and SWAPPED_IN to P1. G (500,000), in P1, fits no trade: LEAVING.
    400,000 + 100,000 on trades, less 31.25 each for S and U, which leave a pool; G outside at 99: 495,000. In all 994,937.50.
    """
    loans = [loan(name, state="NY") for name in "LJRS"] + [loan("U", state="CA"), loan("G", 500_000, state="NY")]
    rules = [rule(state, f'{{"field":"state","op":"eq","value":"{state}"}}') for state in ("NY", "CA")]
    policy = [constraint("C1", rule_name="NY"), constraint("C2", on="C", rule_name="CA")]
    trades = [trade("T1", 400_000), trade("T2", settles=61), trade("K", on="C")]
    pools = [pool("P1"), pool("P2"), relation("T1", "P1", 400_000), relation("T2", "P2")]
    postings = [posting("P1", "U"), posting("P1", "R"), posting("P2", "S"), posting("P1", "G")]
    kinds = [instrument(), instrument("C", "CASH")]
    return desk(*loans, *kinds, *rules, *policy, *trades, *pools, *postings, lock("L", "T1"))


BEST_VALUES = {
    one_loan_one_trade: "100000.00",
    loan_too_large: "148468.75",
    greedy_takes_the_wrong_loan: "160740.00",
    two_trades_one_specialist: "205900.00",
    pair_off_worth_a_loss: "95000.00",
    loss_not_worth_the_pair_off: "99875.00",
    switch_cost_keeps_a_loan_in_its_pool: "200030.00",
    locked_in_a_bad_place: "191000.00",
    locked_beyond_the_band: "299000.00",
    every_trade_at_a_loss: "137437.50",
    knapsack_of_six: "238650.00",
    chain_over_three_trades: "303000.00",
    every_pool_action: "994937.50",
}
"""The best value of each instance, dollars."""
