"""Every filter of specification 01 section 7 on its own, for one loan: what it fails on each constraint, instrument and trade.

A (constraint, trade) pair fails what the loan itself fails, its constraint's rule, its instrument and its trade. These are kept
apart, as there are as many pairs as their products.
"""

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal

import numpy as np

from services.run_service.domain.options import Kind
from services.run_service.domain.rules import AllOf, AnyOf, Condition, Rule, compile_rule, conditions_of_conjunction, describe
from services.run_service.engine.book import DATA_ERRORS, Book, Instrument
from services.run_service.engine.explain.explanation import Failure, Nearest
from services.run_service.engine.explain.values import Value, days_later, shortest
from services.run_service.engine.pricing import STORABLE, Adjustment, Pricer
from services.run_service.engine.reach import Stage
from shared.money import AMOUNT_PLACES, PRICE_PLACES, RATE_PLACES, unscaled

THE_LOAN = np.zeros(1, dtype=np.int64)
"""Where the one loan of a book is."""

Failures = tuple[Failure, ...]


@dataclass(frozen=True)
class Checks:
    """What the one loan of a book fails. Of a loan that fails something by itself nothing else is checked."""

    loan: Failures
    """Missing data, or a lockdown."""
    constraints: tuple[Failures, ...] = ()
    """By constraint in policy order: the parts of its rule that do not hold."""
    instruments: Mapping[str, Failures] = dataclasses.field(default_factory=dict)
    """By instrument of a constraint: a participating trade, the note-rate window, the loan size."""
    trades: Mapping[str, Mapping[int, Failures]] = dataclasses.field(default_factory=dict)
    """By instrument of a constraint, by its participating trades in trade order: settlement, price and price floor.

    Where no rule or the instrument itself does not admit the loan, no trade is checked: none fails anything.
    """


def check_filters(book: Book, pricer: Pricer) -> Checks:
    """Pass the one loan of a book through every filter."""
    of_loan = _own(book)
    if of_loan:
        return Checks(of_loan)
    of_rules = _of_rules(book)
    admitting = {
        constraint.investor_instrument for constraint, parts in zip(book.constraints, of_rules, strict=True) if not parts
    }
    instruments: dict[str, Failures] = {}
    trades: dict[str, dict[int, Failures]] = {name: {} for name in book.constraints_by_instrument()}
    for trade, name in enumerate(book.trades.instrument):
        if name in trades:
            trades[name][trade] = ()
    for name, on_it in trades.items():
        instrument = book.instruments.get(name)
        instruments[name] = tuple(_of_instrument(book, name, instrument, is_traded=bool(on_it)))
        if name in admitting and instrument is not None and not instruments[name]:
            adjustment = pricer.adjustment(instrument, THE_LOAN)
            trades[name] = {trade: tuple(_of_trade(book, pricer, instrument, adjustment, trade)) for trade in on_it}
    return Checks((), of_rules, instruments, trades)


def nearest_pair(book: Book, checks: Checks) -> Nearest | None:
    """The pair with which the loan came furthest, as `Reach` finds it; None where there is no pair at all.

    Of pairs at one stage it is that of the first constraint, then of the first trade; where no rule matches that of the
    constraint with the fewest parts that fail.
    """
    if checks.loan:
        return Nearest(checks.loan[0].stage, None, None, checks.loan)
    best: tuple[int, int, int, int] | None = None
    found: Nearest | None = None
    for number, constraint in enumerate(book.constraints):
        of_rule, of_instrument = checks.constraints[number], checks.instruments[constraint.investor_instrument]
        if of_rule or of_instrument:
            failures, trade = of_rule + of_instrument, -1
            on_it = [*checks.trades[constraint.investor_instrument]]
            if not of_rule and on_it:
                trade = on_it[0]
            options = [(trade, failures)]
        else:
            options = [*checks.trades[constraint.investor_instrument].items()]
        for trade, failures in options:
            stage = Stage[failures[0].stage] if failures else Stage.CANDIDATE
            order = (-stage, len(of_rule), number, trade)
            if best is None or order < best:
                best = order
                trade_id = None if trade < 0 else book.trades.ids[trade]
                found = Nearest(stage.name, constraint.constraint_id, trade_id, failures)
    return found


def _own(book: Book) -> Failures:
    """What is missing of the loan, or the lockdown that holds it."""
    loans = book.loans
    row = loans.frame.row(0, named=True)
    if loans.data_error[0]:
        return tuple(_missing(book, row))
    if not loans.held[0]:
        return ()
    reasons = book.tables["pfill_lockdown"]["reason"].to_list()
    text = "no lockdown that keeps it off every trade"
    return (Failure(Stage.LOCKED_OUT.name, "lockdown", reasons[-1] if reasons else None, "is_null", (), text),)


def _missing(book: Book, row: Mapping[str, Value | None]) -> Iterator[Failure]:
    if book.loans.amount[0] <= 0:
        yield _failure(Stage.DATA_ERROR, Condition("loan_amount", "gt", (Decimal(0),)), row["loan_amount"])
    if row["note_rate"] is None:
        yield _failure(Stage.DATA_ERROR, Condition("note_rate", "not_null", ()), None)
    if not row["loan_instrument"]:
        yield _failure(Stage.DATA_ERROR, Condition("loan_instrument", "not_null", ()), row["loan_instrument"])
    if row["close_date"] is None and row["lock_expiration_date"] is None:
        yield _failure(Stage.DATA_ERROR, Condition(DATA_ERRORS[-1], "not_null", ()), None)


def _of_rules(book: Book) -> tuple[Failures, ...]:
    """By constraint: the parts of its rule that the loan fails. Every distinct part is evaluated once."""
    parts = {name: conditions_of_conjunction(book.rules[name]) for name in {c.rule_name for c in book.constraints} if name}
    columns = [compile_rule(part).alias(f"{name}/{place}") for name, its in parts.items() for place, part in enumerate(its)]
    holds = book.loans.frame.select(columns).row(0, named=True) if columns else {}
    row = book.loans.frame.row(0, named=True)
    of_rule: dict[str, Failures] = {"": ()}
    for name, its in parts.items():
        of_rule[name] = tuple(_of_part(part, row) for place, part in enumerate(its) if not holds[f"{name}/{place}"])
    return tuple(of_rule[constraint.rule_name] for constraint in book.constraints)


def _of_part(part: Rule, row: Mapping[str, Value | None]) -> Failure:
    if isinstance(part, Condition):
        return _failure(Stage.NO_RULE_MATCH, part, row[part.field])
    fields = list(dict.fromkeys(condition.field for condition in conditions(part)))
    only = fields[0] if len(fields) == 1 else ""
    return Failure(Stage.NO_RULE_MATCH.name, only, _short(row[only]) if only else None, "", (), describe(part))


def conditions(rule: Rule) -> Iterator[Condition]:
    """Every condition in a rule."""
    if isinstance(rule, Condition):
        yield rule
    elif isinstance(rule, (AllOf, AnyOf)):
        for part in rule.parts:
            yield from conditions(part)
    else:
        yield from conditions(rule.part)


def _of_instrument(book: Book, name: str, instrument: Instrument | None, *, is_traded: bool) -> Iterator[Failure]:
    if not is_traded:
        text = f"an open trade of {name}"
        yield Failure(Stage.NO_OPEN_TRADE.name, "investor_instrument", name, "", (), text)
    if instrument is None:
        return
    note, amount = int(book.loans.note[0]), int(book.loans.amount[0])
    low, high = window(instrument)
    if (low is not None and note < low) or (high is not None and note > high):
        limits = tuple(shortest(unscaled(end, RATE_PLACES)) for end in (low, high) if end is not None)
        op = "between" if len(limits) == 2 else "ge" if high is None else "le"
        yield _failure(Stage.NOTE_RATE_WINDOW, Condition("note_rate", op, limits), unscaled(note, RATE_PLACES))
    most = instrument.max_loan_amount
    if most is not None and amount > most:
        limit = shortest(unscaled(most, AMOUNT_PLACES))
        yield _failure(Stage.LOAN_SIZE, Condition("loan_amount", "le", (limit,)), unscaled(amount, AMOUNT_PLACES))


def window(instrument: Instrument) -> tuple[int | None, int | None]:
    """The least and the greatest note rate of an instrument, 1e-6 percent; None: no end."""
    low, high = instrument.low_over_coupon, instrument.high_over_coupon
    if instrument.coupon is None:
        return None, None
    return None if low is None else instrument.coupon + low, None if high is None else instrument.coupon + high


def _of_trade(book: Book, pricer: Pricer, instrument: Instrument, adjustment: Adjustment, trade: int) -> Iterator[Failure]:
    options, loans = book.options, book.loans
    settles = book.trades.frame["settlement_date"][trade]
    day, eligible = int(book.trades.settle_day[trade]), int(loans.eligible_day[0])
    stage, as_of = Stage.SETTLEMENT_WINDOW, options.as_of_date
    if day < 0:
        yield _failure(stage, Condition("settlement_date", "ge", (as_of,)), settles)
    elif day > options.max_trade_settle_days:
        limit = days_later(as_of, options.max_trade_settle_days)
        yield _failure(stage, Condition("settlement_date", "le", (limit,)), settles, "max_trade_settle_days")
    field = "close_date" if loans.has_close_date[0] else "lock_expiration_date"
    eligible_on = loans.frame[field][0]
    if eligible + options.eligible_settle_buffer_days > day:
        limit = days_later(settles, -options.eligible_settle_buffer_days)
        by = "eligible_settle_buffer_days" if options.eligible_settle_buffer_days else ""
        yield _failure(stage, Condition(field, "le", (limit,)), eligible_on, by)
    if options.max_eligible_days and not loans.has_close_date[0] and eligible > options.max_eligible_days:
        limit = days_later(as_of, options.max_eligible_days)
        yield _failure(stage, Condition(field, "le", (limit,)), eligible_on, "max_eligible_days")
    base, known = pricer.base_price(trade, THE_LOAN)
    price, priced = pricer.price(base, known, adjustment)
    carry = pricer.carry(instrument.name, day, loans.eligible_day)
    if not priced[0] or not carry.storable[0] or abs(int(pricer.score(price, carry.points)[0])) >= STORABLE:
        yield _failure(Stage.NO_PRICE, Condition("price", "not_null", ()), None)
        return
    floor, own = options.bx_price_floor, unscaled(int(price[0]), PRICE_PLACES)
    if floor is not None and instrument.kind is Kind.CASH and own < floor:
        yield _failure(Stage.BELOW_PRICE_FLOOR, Condition("price", "ge", (floor,)), own, "bx_price_floor")


def _failure(stage: Stage, condition: Condition, value: Value | None, option: str = "") -> Failure:
    return Failure(stage.name, condition.field, _short(value), condition.op, condition.values, str(condition), option)


def _short(value: Value | None) -> Value | None:
    return shortest(value) if isinstance(value, Decimal) else value
