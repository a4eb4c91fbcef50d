"""The Markdown of benchmarks/gap.py, made from its records."""

from collections.abc import Sequence

from benchmarks.allocation_report import TARGETS, percent
from benchmarks.inputs import NAMED_SEED, Input
from benchmarks.results import Record, Records, described, several_codes, table

ABOUT = """\
What strategy OPTIMAL found in 10 s of improvement, and its gap, split at the prices of its bound. *Gain* is value over leaving
every unlocked loan out, in percent of the linear relaxation's optimum (HiGHS, apart from the engine's own). gap = bound over the
relaxation + integrality + rest:

- *bound over LP*: what the bound lies over the relaxation's optimum.
- *integrality*: every trade alone, all loans free for it, takes the set of whole loans that leaves the least of the gap (a
  knapsack, solved by HiGHS as a mixed integer program; its dual bound is taken). The sum of these minima is in the gap of every
  allocation, so *highest* is a gain that none can pass. It is what these prices and knapsacks prove; the true part may be larger.
- *rest*: search, and trades that want the same loans, which the knapsacks do not see. In brackets the part of it of loans left
  out that would earn something at the prices.

*90 % on* counts the trades, the largest parts first, that have nine tenths of what all trades have of the gap."""
WORST_ABOUT = """\
The trades with the largest parts of the gap, dollars, of the tenants that the targets name. *Members* are the loans on the trade
without locked ones, the fill counts those too. *Near* are the loans with no more regret than the trade's part of the gap: no
other can be in a set that leaves less. *Own minimum* is the least part the trade could have if all loans were free for it."""


def report(kinds: Sequence[Input], records: Records) -> list[str]:
    """The lines of the document."""
    measured = [(kind, one) for kind in kinds for one in records.all if one["input"] == kind.name]
    lines = ["# Where the gap is", "", *ABOUT.splitlines(), "", described(records.machine), "", *several_codes(records.all)]
    head: Sequence[str] = (
        "input",
        "seed",
        "gain",
        "gap",
        "bound over LP",
        "integrality",
        "highest",
        "stretch",
        "rest",
        "90 % on",
    )
    lines += table(head, [_row(kind, one) for kind, one in measured])
    lines += ["", *_solved(records.all), "", "## The worst trades", "", *WORST_ABOUT.splitlines(), ""]
    head = ("input", "trade", "instrument", "band", "fill", "members", "near", "part of the gap", "own minimum")
    named = [one for _, one in measured if one["seed"] == NAMED_SEED]
    lines += table(head, [_trade_row(one["input"], trade) for one in named for trade in one["worst"]])
    return lines


def highest_pct(record: Record) -> float:
    """Percent of the relaxation's gain that no allocation can pass."""
    return 100 * (1 - float(record["integrality"]) / float(record["lp_gain"]))


def _row(kind: Input, record: Record) -> list[str]:
    start = [kind.title, str(record["seed"]), percent(100 * record["gain"] / record["lp_gain"]), _dollars(record["gap"])]
    parts = [_dollars(record["bound_over_lp"]), _dollars(record["integrality"]), percent(highest_pct(record))]
    rest = f"{_dollars(record['rest'])} ({_dollars(record['left_out'])})"
    return [*start, *parts, f"{TARGETS[kind.name][2]} %", rest, f"{record['trades_of_most']} of {record['trade_count']}"]


def _solved(records: Sequence[Record]) -> list[str]:
    knapsacks, unsolved = (sum(one[name] for one in records) for name in ("solved", "unsolved"))
    unasked = max((one["unasked"] for one in records), default=0.0)
    return [
        f"{knapsacks} knapsacks, of trades with over a dollar of the gap; {unsolved} ended at the limit of nodes. All other",
        f"trades together have {_dollars(unasked)} of a gap at most.",
    ]


def _trade_row(name: str, trade: Record) -> list[str]:
    band, fill = f"{_whole(trade['lo'])} to {_whole(trade['hi'])}", _whole(trade["fill"])
    loans = [str(trade["members"]), str(trade["near"])]
    dollars = [_dollars(trade["part"]), _dollars(trade["own_minimum"])]
    return [name, trade["trade_id"], trade["instrument"], band, fill, *loans, *dollars]


def _dollars(value: float) -> str:
    shown = f"{value:,.2f}"
    return f"${shown}" if shown != "-0.00" else "$0.00"


def _whole(value: float) -> str:
    return f"{value:,.0f}"
