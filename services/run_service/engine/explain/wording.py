"""An explanation in words, for a desk: short paragraphs, a line an option."""

import datetime as dt
from collections.abc import Iterator, Sequence
from decimal import Decimal

from services.run_service.domain.options import RunOptions, Strategy
from services.run_service.engine.explain.changes import Action, Change, ChangeKind
from services.run_service.engine.explain.explanation import (
    Failure,
    LoanCandidate,
    LoanView,
    Lockdown,
    Nearest,
    Rival,
    Standing,
    Verdict,
)
from services.run_service.engine.explain.standing import Decided, reference
from services.run_service.engine.explain.values import Value, shown
from shared.money import round_half_away

TOLD_OPTIONS = 5
"""So many of the trades that pay more, or of the best where none does, are told one by one."""

_POINT_PLACES = 4
_PERCENT_PLACES = 2
_DATE_OPS = {"lt": "be before", "le": "be on or before", "gt": "be after", "ge": "be on or after"}
_OPS = {"eq": "be", "ne": "not be", "lt": "be under", "le": "be at most", "gt": "be over", "ge": "be at least"}


def in_words(view: LoanView, decided: Decided, options: RunOptions, standings: Sequence[Standing]) -> str:
    """The whole explanation; paragraphs are apart by an empty line, the first is the answer in one."""
    paragraphs = [_headline(view, decided), *_why_left_out(view, decided), *_options(view, decided, options, standings)]
    if view.smallest_change is not None:
        paragraphs.append(f"The smallest single change that would have made it a candidate: {change_text(view.smallest_change)}.")
    elif view.nearest is not None and decided.trade_id is None:
        paragraphs.append("No change of a single value would have made it a candidate.")
    return "\n\n".join(paragraphs)


def change_text(change: Change) -> str:
    """A change in words, with where it leads."""
    share = change.relative_to_8_places
    size = f" ({_percent(share)})" if share is not None else ""
    leads = f"a candidate of {change.trade_id} under {change.constraint_id} at {points(change.score)}"
    return f"{_what_changes(change)}{size}, which makes it {leads}"


def failure_text(failure: Failure) -> str:
    """What a loan fails: its value beside the limit."""
    if failure.stage == "NO_OPEN_TRADE":
        return f"there is no open trade of {shown(failure.value)}"
    if failure.stage == "LOCKED_OUT":
        return f"a lockdown keeps it out of allocation ({failure.value or 'no reason given'})"
    if failure.stage == "NO_PRICE":
        return "there is no price"
    by = f", set by {failure.option}" if failure.option else ""
    if failure.op:
        return f"{failure.field} is {_held(failure.value)} and must {_must(failure)}{by}"
    own = f", and {failure.field} is {_held(failure.value)}" if failure.field else ""
    return f"it needs {failure.text}{own}"


def points(value: Decimal) -> str:
    """Points to the fourth decimal, at least two."""
    whole, _, places = f"{round_half_away(value, _POINT_PLACES):,f}".partition(".")
    return f"{whole}.{places.rstrip('0').ljust(2, '0')}"


def dollars(amount: Decimal) -> str:
    """Dollars, without cents where there are none."""
    sign, size = "-" if amount < 0 else "", abs(amount)
    return f"{sign}${size:,.0f}" if size == size.to_integral_value() else f"{sign}${size:,.2f}"


def _held(value: Value | None) -> str:
    return "missing" if value is None else shown(value)


def _must(failure: Failure) -> str:
    limits = [shown(limit) for limit in failure.limits]
    match failure.op:
        case "between":
            return f"be between {limits[0]} and {limits[1]}"
        case "in" | "not_in":
            return f"{'not ' if failure.op == 'not_in' else ''}be one of {', '.join(limits)}"
        case "is_null":
            return "not be given"
        case "not_null":
            return "be given"
        case op:
            words = _OPS | _DATE_OPS if isinstance(failure.limits[0], dt.date) else _OPS
            return f"{words[op]} {limits[0]}"


def _headline(view: LoanView, decided: Decided) -> str:
    loan = f"Loan {view.loan_id}{f' ({dollars(view.loan_amount)})' if view.loan_amount is not None else ''}"
    if decided.trade_id is None:
        detail = f": {decided.reason_detail}" if decided.reason_detail else ""
        return f"{loan} was left out, {decided.reason}{detail}."
    at = "" if decided.score is None else f" at {points(decided.score)}"
    if decided.is_locked:
        return f"{loan} is on {decided.trade_id}{at} by a lockdown{_lock(view.lockdown)}."
    own = next((candidate for candidate in view.candidates if candidate.trade_id == decided.trade_id), None)
    if own is None:
        return f"{loan} went to {decided.trade_id}{at}."
    switch = f", {points(own.net_score)} after leaving pool {view.current_pool}" if own.net_score != own.score else ""
    place = f"number {own.rank} of its {len(view.candidates)} candidates"
    return (
        f"{loan} went to {own.trade_id} ({own.investor_instrument}, settles {own.settlement_date}) under {own.constraint_id}"
        f"{at}{switch}: {place} by score, placed by {decided.pass_name}."
    )


def _lock(lock: Lockdown | None) -> str:
    if lock is None:
        return ""
    until = f", until {lock.expires_on}" if lock.expires_on is not None else ""
    return f" ({lock.reason or 'no reason given'}{until})"


def _why_left_out(view: LoanView, decided: Decided) -> Iterator[str]:
    """For a loan without a candidate: how far it came, and with which figures it stopped there."""
    nearest = view.nearest
    if decided.trade_id is not None or nearest is None or not nearest.failures:
        return
    yield f"{_came_nearest(nearest)}: {'; '.join(failure_text(failure) for failure in nearest.failures)}."


def _came_nearest(nearest: Nearest) -> str:
    if nearest.constraint_id is None:
        return "No constraint was tried"
    trade = f" on {nearest.trade_id}" if nearest.trade_id else ""
    return f"It came furthest with constraint {nearest.constraint_id}{trade}"


def _options(view: LoanView, decided: Decided, options: RunOptions, standings: Sequence[Standing]) -> Iterator[str]:
    """What the trades that pay more have against it, line by line; or that there is none."""
    if not view.candidates:
        return
    outside = f"Left out it is worth {points(view.fallback)}{_worth(view)}"
    yield f"{outside}; it got {points(reference(view, decided))}." if decided.trade_id else f"{outside}."
    better = [(candidate, one) for candidate, one in zip(view.candidates, standings, strict=True) if one.advantage > 0]
    if decided.is_locked:
        told = f"{len(better)} of its {len(view.candidates)} candidates would pay more" if better else "no candidate pays more"
        yield f"Nothing else was considered for it: {told}."
        return
    if not better:
        got = "what it got" if decided.trade_id else "that"
        yield f"None of its {len(view.candidates)} candidates pays more than {got} after the switch cost."
        return
    better.sort(key=lambda pair: -pair[1].advantage)
    lines = [f"{len(better)} of its {len(view.candidates)} candidates would pay more:"]
    lines += [f"- {_against(candidate, one, options)}" for candidate, one in better[:TOLD_OPTIONS]]
    if len(better) > TOLD_OPTIONS:
        lines.append(f"- and {len(better) - TOLD_OPTIONS} more that pay less than these.")
    yield "\n".join(lines)


def _worth(view: LoanView) -> str:
    if view.syn_trade_id is not None and view.syn_score is not None:
        return f" ({view.syn_trade_id} at {points(view.syn_score)}, less the spread)"
    return " (its best candidate, less the discount for what cannot be sold today)"


def _against(candidate: LoanCandidate, one: Standing, options: RunOptions) -> str:
    more = f"{candidate.trade_id} pays {points(one.advantage)} points more"
    match one.verdict:
        case Verdict.FULL:
            return f"{more}; it has no room for the loan ({_fill(one)} is taken){_marginal(one)}{_rivals(one.rivals)}."
        case Verdict.PRIORITY:
            return f"{more}; its priority {candidate.priority} comes later, and STRICT moves nothing that was placed."
        case Verdict.LEAVES_SHORT:
            return f"{more}; its own trade would fall short and lose {points(one.leaving_cost)} points on it."
        case _:
            by = "PASSES places loan by loan" if options.strategy is Strategy.PASSES else "the search ended before it found this"
            return f"{more} and has room ({_fill(one)}): {by}, the run's gap includes it."


def _fill(one: Standing) -> str:
    locked = f", {dollars(one.locked_amount)} of it locked" if one.locked_amount else ""
    return f"{dollars(one.allocated_amount)} of {dollars(one.hi)}{locked}"


def _marginal(one: Standing) -> str:
    if one.room_value is None:
        return ""
    return f" and a dollar of room there is worth {points(one.room_value)} points"


def _rivals(rivals: Sequence[Rival]) -> str:
    if not rivals:
        return ""
    each = [f"{rival.loan_id} ({dollars(rival.loan_amount)}, {points(rival.advantage)} over being left out)" for rival in rivals]
    return f"; the loans on it that earn the least there are {', '.join(each)}"


def _what_changes(change: Change) -> str:
    after = shown(change.after)
    match change.kind, change.action:
        case ChangeKind.LOCKDOWN, _:
            return "release its lockdown"
        case ChangeKind.OPTION, _:
            return f"the option {change.field} from {shown(change.before)} to {after}"
        case ChangeKind.TRADE, Action.ADD:
            return f"a trade of {change.subject} that settles on {after} or later, within the window"
        case ChangeKind.PRICE, Action.ADD:
            return f"a today's price of {change.subject} for {shown(change.key['settlement_date'])}"
        case ChangeKind.PRICE, _:
            row = f", grid row {change.key['sequence_number']}," if "sequence_number" in change.key else ""
            whose = f"the price of {change.subject}{row}" if change.table != "rmcat_todays_prices" else _todays(change)
            return f"{whose} from {shown(change.before)} to {after}"
        case ChangeKind.TRADE, _:
            return f"{change.field} of {change.subject} from {shown(change.before)} to {after}"
        case _:
            if change.relative is None and not isinstance(change.before, (str, bool)) and change.after is not None:
                return f"its {change.field}, which is {_held(change.before)}, given as {after}, for example"
            return f"its {change.field} from {shown(change.before)} to {after}"


def _todays(change: Change) -> str:
    return f"today's price of {change.subject} for {shown(change.key['settlement_date'])}"


def _percent(share: Decimal) -> str:
    percent = round_half_away(share * 100, _PERCENT_PLACES)
    return f"{shown(percent)} %" if percent else "under 0.01 %"
