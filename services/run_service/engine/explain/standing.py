"""How each candidate of a loan compares with what the run gave it, and what beat the better ones."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import polars as pl

from services.run_service.domain.options import PriorityMode, RunOptions, Strategy
from services.run_service.engine.explain.explanation import LoanCandidate, LoanView, Rival, Standing, Verdict
from shared.money import PRICE, PRICE_PLACES, round_half_away

RIVALS = 3
"""So many loans of a full trade are named."""

_NOTHING = Decimal(0)


@dataclass(frozen=True)
class Decided:
    """What the run did with the loan."""

    trade_id: str | None
    """None: it was left out."""
    is_locked: bool = False
    score: Decimal | None = None
    """Of the loan on its trade, points; None for a locked one that cannot be priced."""
    pass_name: str = ""
    reason: str = ""
    reason_detail: str = ""


@dataclass(frozen=True)
class _Trades:
    """The rows of `pfill_trade_base` by trade, and the rivals on contested ones."""

    rows: Mapping[str, Mapping[str, Any]]
    rivals: Mapping[str, tuple[Rival, ...]]


def contested(view: LoanView, decided: Decided) -> list[str]:
    """The trades that pay the loan more than what it got, best first; none for a locked loan."""
    if decided.is_locked:
        return []
    got = reference(view, decided)
    return [candidate.trade_id for candidate in view.candidates if candidate.net_score > got]


def reference(view: LoanView, decided: Decided) -> Decimal:
    """What the loan got: its net score on the trade, the score where it is locked there, its fallback where it is left out."""
    if decided.trade_id is None:
        return view.fallback
    own = _own(view, decided)
    return own.net_score if own is not None and not decided.is_locked else decided.score or _NOTHING


def judge(
    view: LoanView, decided: Decided, options: RunOptions, trades: pl.DataFrame, allocation: pl.DataFrame
) -> tuple[Standing, ...]:
    """The standing of every candidate, in their order.

    `trades` are the rows of `pfill_trade_base`, `allocation` those of `pfill_powerfill_guide` of the `contested` trades.
    """
    ids = [candidate.trade_id for candidate in view.candidates]
    known = trades.filter(pl.col("trade_id").is_in([*ids, decided.trade_id or ""]))
    found = _Trades(
        {row["trade_id"]: row for row in known.iter_rows(named=True)},
        _rivals(view.candidates, allocation, options.switch_cost, view.loan_id),
    )
    return tuple(_standing(candidate, view, decided, options, found) for candidate in view.candidates)


def _own(view: LoanView, decided: Decided) -> LoanCandidate | None:
    return next((candidate for candidate in view.candidates if candidate.trade_id == decided.trade_id), None)


def _standing(candidate: LoanCandidate, view: LoanView, decided: Decided, options: RunOptions, found: _Trades) -> Standing:
    row = found.rows[candidate.trade_id]
    amount = view.loan_amount or _NOTHING
    leaving = _leaving_cost(found.rows.get(decided.trade_id or ""), amount)
    advantage = candidate.net_score - reference(view, decided)
    joining = _shortfall_saved(row, amount)
    verdict = _verdict(candidate, view, decided, options, advantage, row["space_left"] < amount, advantage + joining <= leaving)
    return Standing(
        verdict=verdict,
        advantage=advantage,
        allocated_amount=row["allocated_amount"],
        lo=row["lo"],
        hi=row["hi"],
        space_left=row["space_left"],
        locked_amount=row["locked_amount"],
        room_value=row["room_value"],
        fill_value=row["fill_value"],
        leaving_cost=leaving,
        rivals=found.rivals.get(candidate.trade_id, ()) if verdict is Verdict.FULL else (),
    )


def _verdict(
    candidate: LoanCandidate,
    view: LoanView,
    decided: Decided,
    options: RunOptions,
    advantage: Decimal,
    is_full: bool,  # noqa: FBT001 - a fact about the trade, as the others
    leaves_short: bool,  # noqa: FBT001
) -> Verdict:
    if candidate.trade_id == decided.trade_id:
        return Verdict.TAKEN
    if decided.is_locked:
        return Verdict.LOCKED
    if advantage <= 0:
        return Verdict.NOT_BETTER
    own = _own(view, decided)
    is_strict = options.strategy is Strategy.OPTIMAL and options.priority_mode is PriorityMode.STRICT
    if is_strict and own is not None and own.priority < candidate.priority:
        return Verdict.PRIORITY
    if is_full:
        return Verdict.FULL
    return Verdict.LEAVES_SHORT if leaves_short else Verdict.MISSED


def _leaving_cost(row: Mapping[str, Any] | None, amount: Decimal) -> Decimal:
    """Points of the loan that its own trade would lose in pair-off when it goes; 0 for a loan that is on none."""
    if row is None:
        return _NOTHING
    before = max(_NOTHING, row["lo"] - row["allocated_amount"])
    after = max(_NOTHING, row["lo"] - (row["allocated_amount"] - amount))
    return _per_dollar(after - before, row, amount)


def _shortfall_saved(row: Mapping[str, Any], amount: Decimal) -> Decimal:
    """Points of the loan that a trade would save in pair-off when it comes."""
    return _per_dollar(min(amount, max(_NOTHING, row["lo"] - row["allocated_amount"])), row, amount)


def _per_dollar(shortfall: Decimal, row: Mapping[str, Any], amount: Decimal) -> Decimal:
    return round_half_away(shortfall * row["pair_off_points"] / amount, PRICE_PLACES)


def _rivals(
    candidates: Sequence[LoanCandidate], allocation: pl.DataFrame, switch_cost: Decimal, loan_id: str
) -> dict[str, tuple[Rival, ...]]:
    """By trade: the unlocked loans on it with the least net score over their fallback, the least first, then by loan_id."""
    pairs = [(candidate.trade_id, pool) for candidate in candidates for pool in sorted(candidate.relations)]
    related = pl.DataFrame(pairs, schema={"trade_id": pl.String, "current_pool": pl.String}, orient="row")
    unlocked = allocation.filter(~pl.col("locked") & (pl.col("loan_id") != loan_id) & pl.col("score").is_not_null())
    stays = unlocked.join(related, on=["trade_id", "current_pool"], how="semi").select("loan_id", stays=pl.lit(value=True))
    leaves = pl.col("current_pool").is_not_null() & pl.col("stays").is_null()
    cost = pl.when(leaves).then(pl.lit(switch_cost, dtype=PRICE)).otherwise(pl.lit(_NOTHING, dtype=PRICE))
    ordered = (
        unlocked.join(stays, on="loan_id", how="left")
        .with_columns(net_score=pl.col("score") - cost)
        .sort("trade_id", pl.col("net_score") - pl.col("fallback"), "loan_id")
        .group_by("trade_id", maintain_order=True)
        .head(RIVALS)
    )
    rivals: dict[str, tuple[Rival, ...]] = {}
    columns = ordered.select("trade_id", "loan_id", "loan_amount", "net_score", "fallback")
    for trade_id, *rest in columns.iter_rows():
        rivals[trade_id] = (*rivals.get(trade_id, ()), Rival(*rest))
    return rivals
