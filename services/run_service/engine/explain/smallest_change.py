"""The smallest single change that would have made a loan a candidate.

A change is one value: of the loan, of an option, a price, a trade's date, a trade that is not there, or the loan's lockdowns. It
may settle one condition or filter that a (constraint, trade) pair fails, or several if they are about the same value.

1. Fields of the loan: step 3 on the loan with every value at which something begins or ends to hold, the least change first.
2. Options, prices, trades: every pair that fails one filter alone says what it needs. The least of these, if it is less than
   what 1 found, for which step 3, given the changed inputs, finds the candidate.

Changes of numbers and dates are compared by `relative_change`, where moving a date by as many days as trades may be away counts
as the whole; they come before changes that are not of a number, or from nothing, and those come by kind.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from fractions import Fraction

import polars as pl

from services.run_service.domain.options import RunOptions
from services.run_service.engine.book import Book
from services.run_service.engine.explain.changes import Action, Change, ChangeKind, apply_change
from services.run_service.engine.explain.checks import Checks
from services.run_service.engine.explain.market_changes import market_changes
from services.run_service.engine.explain.one_loan import (
    Built,
    build,
    build_variants,
    build_without_lockdowns,
    market_of_instrument,
    place_id,
)
from services.run_service.engine.explain.thresholds import alternatives, changeable_fields
from services.run_service.engine.explain.values import Value, relative_change
from services.run_service.engine.frames import LOAN_FIELDS, RunInputs
from services.run_service.engine.reach import Stage
from services.run_service.engine.rows import best_of_rows
from shared.money import PRICE_PLACES, unscaled

VARIANTS_AT_A_TIME = 1024

_Order = tuple[bool, Fraction, int, bool]


def smallest_change(
    inputs: RunInputs, options: RunOptions, built: Built, checks: Checks, pipeline: pl.DataFrame
) -> Change | None:
    """The change for the one loan of the inputs, which has no candidate; None where no single change would do.

    `built` is made of the inputs, `checks` are those of the loan; `pipeline` are the loans of the run, which say what is usual.
    """
    if len(checks.loan) > 1:
        return None
    if checks.loan and checks.loan[0].stage == Stage.LOCKED_OUT.name:
        return _release(built)
    found = _of_the_loan(built, checks, pipeline)
    for change in sorted(market_changes(built.book, built.pricer, checks), key=_order):
        if found is not None and _order(found) <= _order(change):
            break
        verified = _verified(change, inputs, options)
        if verified is not None:
            return verified
    return found


def _order(change: Change) -> _Order:
    """What comes first is the smaller change."""
    is_no_number = change.relative is None
    return is_no_number, change.relative or Fraction(0), [*ChangeKind].index(change.kind), change.after is None


def _release(built: Built) -> Change | None:
    """The loan without its lockdowns."""
    loan_id = built.book.loans.frame["loan_id"][0]
    reasons = built.book.tables["pfill_lockdown"]["reason"].to_list()
    change = Change(
        ChangeKind.LOCKDOWN, loan_id, "lockdown", reasons[-1] if reasons else None, None, None,
        "pfill_lockdown", Action.REMOVE, {"loan_id": loan_id},
    )  # fmt: skip
    return _with_best_trade(change, build_without_lockdowns(built), 0)


def _verified(change: Change, inputs: RunInputs, options: RunOptions) -> Change | None:
    """The change, if step 3 finds the candidate it is for; other instruments than that of its trade do not matter for this."""
    changed, changed_options = apply_change(change, inputs, options)
    trades = changed.tables["pscat_trades"].filter(pl.col("trade_id") == change.trade_id)
    built = build(market_of_instrument(changed, trades["investor_instrument"][0]), changed_options)
    at = [built.book.trades.ids[int(trade)] for trade in built.candidates.trade]
    if change.trade_id not in at:
        return None
    return _with_trade(change, built, at.index(change.trade_id))


def _of_the_loan(built: Built, checks: Checks, pipeline: pl.DataFrame) -> Change | None:
    """The least change of a field of the loan."""
    changes = sorted(_field_changes(built.book, checks, pipeline), key=_order)
    for first in range(0, len(changes), VARIANTS_AT_A_TIME):
        change = _first_that_does(built, changes[first : first + VARIANTS_AT_A_TIME])
        if change is not None:
            return change
    return None


def _field_changes(book: Book, checks: Checks, pipeline: pl.DataFrame) -> Iterator[Change]:
    """Every change of a field that is worth trying; of a loan that lacks something, only of the field it lacks."""
    loan: Mapping[str, Value | None] = book.loans.frame.row(0, named=True)
    loan_id = str(loan["loan_id"])
    fields = changeable_fields(book, checks)
    for field in fields if checks.loan else sorted(fields, key=[*LOAN_FIELDS].index):
        before = None if checks.loan else loan[field]
        values = alternatives(field, before, fields[field], pipeline[field], usual_first=bool(checks.loan))
        for after in values:
            relative = relative_change(before, after, book.options.max_trade_settle_days)
            yield Change(ChangeKind.LOAN, loan_id, field, loan[field], after, relative, "loan", key={"loan_id": loan_id})


def _first_that_does(like: Built, changes: list[Change]) -> Change | None:
    """The first of some changes of the loan's fields after which it is a candidate."""
    built = build_variants(like, [(change.field, change.after) for change in changes])
    place_of = built.book.loans.frame["loan_id"].to_list()
    number_of = {loan_id: number for number, loan_id in enumerate(place_of)}
    for place, change in enumerate(changes):
        number = number_of.get(place_id(place))
        if number is not None and built.candidates.start[number + 1] > built.candidates.start[number]:
            return _with_best_trade(change, built, number)
    return None


def _with_best_trade(change: Change, built: Built, loan: int) -> Change | None:
    """The change with the loan's best candidate; None where it has none."""
    best = int(best_of_rows(built.candidates.start, built.candidates.score)[loan])
    return None if best < 0 else _with_trade(change, built, best)


def _with_trade(change: Change, built: Built, candidate: int) -> Change:
    trade, constraint = int(built.candidates.trade[candidate]), int(built.candidates.constraint[candidate])
    return replace(
        change,
        trade_id=built.book.trades.ids[trade],
        constraint_id=built.book.constraints[constraint].constraint_id,
        score=unscaled(int(built.candidates.score[candidate]), PRICE_PLACES),
    )
