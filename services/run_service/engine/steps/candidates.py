"""Step 3, candidate_builder: every (loan, trade) that passes the filters, against real and synthetic trades.

Rules, note-rate window and loan size depend on the instrument alone, so they are decided once an instrument (`Eligible`);
settlement and price are decided for each of its trades. A pair reached through several constraints belongs to the first in
policy order (priority, constraint_id).
"""

from dataclasses import dataclass

import numpy as np

from services.run_service.domain.options import Kind
from services.run_service.domain.run import Step
from services.run_service.engine.book import Book, BoolArray, Instrument, Int32Array
from services.run_service.engine.pricing import Adjustment, Carry, Pricer
from services.run_service.engine.progress import Progress
from services.run_service.engine.reach import Reach, Stage
from services.run_service.engine.stop import Stop
from shared.money import Int64Array, scaled


@dataclass(frozen=True)
class Candidates:
    """Pairs of loans and real trades in order of (loan, trade order); prices and scores 1e-8 points."""

    loan: Int32Array
    trade: Int32Array
    constraint: Int32Array
    """Index of the constraint the pair belongs to."""
    price: Int64Array
    carry: Int64Array
    score: Int64Array
    carry_matched: int
    """Pairs whose days fall on a row of the carry curve."""
    start: Int64Array
    """Candidates of loan i are start[i] to start[i + 1]."""

    def __len__(self) -> int:
        return len(self.loan)


@dataclass(frozen=True)
class SyntheticCandidates:
    """Pairs of loans and synthetic trades in order of (loan, score descending, synthetic trade order)."""

    loan: Int32Array
    trade: Int32Array
    price: Int64Array
    carry: Int64Array
    score: Int64Array
    start: Int64Array

    def best(self, loan_count: int) -> tuple[Int64Array, BoolArray]:
        """Index of each loan's best synthetic candidate, and whether it has one."""
        has = self.start[1:] > self.start[:-1]
        return np.where(has, self.start[:-1], 0)[:loan_count], has


@dataclass(frozen=True)
class Eligible:
    """The loans that an instrument's rules, window and size admit, with the constraint each belongs to."""

    loans: Int64Array
    constraint: Int32Array
    adjustment: Adjustment


@dataclass(frozen=True)
class _Pairs:
    loan: Int64Array
    constraint: Int32Array
    price: Int64Array
    carry: Int64Array
    matched: int


def build_candidates(book: Book, pricer: Pricer, progress: Progress, stop: Stop) -> tuple[Candidates, SyntheticCandidates, Reach]:
    """Pass every loan through the filters of every real and synthetic trade."""
    reach = Reach(book)
    builder = _Builder(book, pricer, reach)
    by_instrument = book.constraints_by_instrument()
    real = _trades_by_instrument(book.trades.instrument)
    synthetic = _trades_by_instrument(book.synthetic.instrument)
    floor = scaled(book.options.bx_price_floor, 8) if book.options.bx_price_floor is not None else None
    parts: list[tuple[int, _Pairs]] = []
    synthetic_parts: list[tuple[int, _Pairs]] = []
    found = 0
    for done, (name, constraints) in enumerate(by_instrument.items()):
        stop.checkpoint()
        matched, first_constraint = builder.matching(constraints)
        reach.mark(matched, Stage.NO_OPEN_TRADE, first_constraint[matched])
        instrument = book.instruments.get(name)
        if instrument is None:
            continue
        eligible = builder.eligible(instrument, matched, first_constraint, real.get(name, [-1])[0])
        for trade in real.get(name, []):
            pairs = builder.on_trade(instrument, eligible, trade, floor if instrument.kind is Kind.CASH else None)
            parts.append((trade, pairs))
            found += len(pairs.loan)
        synthetic_parts += [(trade, builder.on_synthetic(instrument, eligible, trade)) for trade in synthetic.get(name, [])]
        progress.step_progress(
            Step.CANDIDATE_BUILDER, (done + 1) / len(by_instrument), f"instrument {name}", {"candidates": found}
        )
    return _assemble(parts, len(book.loans), pricer), _assemble_synthetic(synthetic_parts, len(book.loans), pricer), reach


class _Builder:
    """The filters, in order, over the loans of one book."""

    def __init__(self, book: Book, pricer: Pricer, reach: Reach) -> None:
        self.book, self.pricer, self.reach = book, pricer, reach
        self.free = book.loans.free
        self.rule_masks = {c.rule_name: book.passes(c.rule_name) for c in book.constraints}

    def matching(self, constraints: list[int]) -> tuple[BoolArray, Int32Array]:
        """Free loans that pass a rule of these constraints, and the first constraint each passes."""
        first = np.full(len(self.book.loans), -1, dtype=np.int32)
        for index in reversed(constraints):
            first[self.free & self.rule_masks[self.book.constraints[index].rule_name]] = index
        return first >= 0, first

    def eligible(self, instrument: Instrument, matched: BoolArray, first: Int32Array, first_trade: int) -> Eligible:
        """Note-rate window and loan size; without a participating trade (`first_trade` -1) no loan comes further for it."""
        loans = self.book.loans
        index = np.nonzero(matched)[0]
        self._mark(index, Stage.NOTE_RATE_WINDOW, first, first_trade)
        index = index[_in_window(instrument, loans.note[index])]
        self._mark(index, Stage.LOAN_SIZE, first, first_trade)
        if instrument.max_loan_amount is not None:
            index = index[loans.amount[index] <= instrument.max_loan_amount]
        self._mark(index, Stage.SETTLEMENT_WINDOW, first, first_trade)
        return Eligible(index, first[index], self.pricer.adjustment(instrument, index))

    def _mark(self, index: Int64Array, stage: Stage, first: Int32Array, first_trade: int) -> None:
        if first_trade >= 0:
            self.reach.mark(index, stage, first[index], first_trade)

    def on_trade(self, instrument: Instrument, eligible: Eligible, trade: int, floor: int | None) -> _Pairs:
        """Settlement, price and floor of one real trade."""
        settle_day = int(self.book.trades.settle_day[trade])
        inside = self._settles(eligible.loans, settle_day)
        loans, constraint = eligible.loans[inside], eligible.constraint[inside]
        self.reach.mark(loans, Stage.NO_PRICE, constraint, trade)
        base, known = self.pricer.base_price(trade, loans)
        price, priced = self.pricer.price(base, known, _part(eligible.adjustment, inside))
        carry = self._carry(instrument, settle_day, loans)
        priced &= self.pricer.scored(price, carry)
        if floor is not None:
            self.reach.mark(loans[priced], Stage.BELOW_PRICE_FLOOR, constraint[priced], trade)
            priced &= price >= floor
        self.reach.mark(loans[priced], Stage.CANDIDATE, constraint[priced], trade)
        return _pairs(loans, constraint, price, carry, priced)

    def on_synthetic(self, instrument: Instrument, eligible: Eligible, trade: int) -> _Pairs:
        """Settlement and price of one synthetic trade."""
        settle_day = int(self.book.synthetic.settle_day[trade])
        inside = self._settles(eligible.loans, settle_day)
        loans = eligible.loans[inside]
        base = np.full(len(loans), self.book.synthetic.price[trade])
        price, priced = self.pricer.price(base, np.ones(len(loans), dtype=np.bool_), _part(eligible.adjustment, inside))
        carry = self._carry(instrument, settle_day, loans)
        return _pairs(loans, eligible.constraint[inside], price, carry, priced & self.pricer.scored(price, carry))

    def _carry(self, instrument: Instrument, settle_day: int, loans: Int64Array) -> Carry:
        return self.pricer.carry(instrument.name, settle_day, self.book.loans.eligible_day[loans])

    def _settles(self, loans: Int64Array, settle_day: int) -> BoolArray:
        """Loans for which a settlement day lies within the windows of the options."""
        options, book = self.book.options, self.book.loans
        if not 0 <= settle_day <= options.max_trade_settle_days:
            return np.zeros(len(loans), dtype=np.bool_)
        eligible_day = book.eligible_day[loans]
        inside = eligible_day.astype(np.int64) + options.eligible_settle_buffer_days <= settle_day
        if options.max_eligible_days:
            inside &= book.has_close_date[loans] | (eligible_day <= options.max_eligible_days)
        return np.asarray(inside)


def _pairs(loans: Int64Array, constraint: Int32Array, price: Int64Array, carry: Carry, which: BoolArray) -> _Pairs:
    return _Pairs(loans[which], constraint[which], price[which], carry.points[which], int(carry.matched[which].sum()))


def _in_window(instrument: Instrument, note: Int64Array) -> BoolArray:
    """Loans whose note rate over the coupon lies in the instrument's window; all where it has no coupon."""
    inside = np.ones(len(note), dtype=np.bool_)
    if instrument.coupon is None:
        return inside
    over = note - instrument.coupon
    if instrument.low_over_coupon is not None:
        inside &= over >= instrument.low_over_coupon
    if instrument.high_over_coupon is not None:
        inside &= over <= instrument.high_over_coupon
    return inside


def _part(adjustment: Adjustment, which: BoolArray) -> Adjustment:
    return Adjustment(adjustment.total[which], adjustment.excess[which], adjustment.payup[which], adjustment.storable[which])


def _trades_by_instrument(names: tuple[str, ...]) -> dict[str, list[int]]:
    by_instrument: dict[str, list[int]] = {}
    for trade, name in enumerate(names):
        by_instrument.setdefault(name, []).append(trade)
    return by_instrument


def _columns(parts: list[tuple[int, _Pairs]]) -> tuple[Int32Array, Int32Array, Int32Array, Int64Array, Int64Array]:
    """Loan, trade, constraint, price and carry of all pairs, concatenated."""
    nothing = _Pairs(np.zeros(0, np.int64), np.zeros(0, np.int32), np.zeros(0, np.int64), np.zeros(0, np.int64), 0)
    chosen = parts or [(0, nothing)]
    return (
        np.concatenate([pairs.loan.astype(np.int32) for _, pairs in chosen]),
        np.concatenate([np.full(len(pairs.loan), trade, dtype=np.int32) for trade, pairs in chosen]),
        np.concatenate([pairs.constraint for _, pairs in chosen]),
        np.concatenate([pairs.price for _, pairs in chosen]),
        np.concatenate([pairs.carry for _, pairs in chosen]),
    )


def _start(loan: Int32Array, loan_count: int) -> Int64Array:
    return np.concatenate([[0], np.cumsum(np.bincount(loan, minlength=loan_count))]).astype(np.int64)


def _assemble(parts: list[tuple[int, _Pairs]], loan_count: int, pricer: Pricer) -> Candidates:
    loan, trade, constraint, price, carry = _columns(parts)
    order = np.lexsort((trade, loan))
    return Candidates(
        loan=loan[order],
        trade=trade[order],
        constraint=constraint[order],
        price=price[order],
        carry=carry[order],
        score=pricer.score(price[order], carry[order]),
        carry_matched=sum(pairs.matched for _, pairs in parts),
        start=_start(loan, loan_count),
    )


def _assemble_synthetic(parts: list[tuple[int, _Pairs]], loan_count: int, pricer: Pricer) -> SyntheticCandidates:
    loan, trade, _, price, carry = _columns(parts)
    score = pricer.score(price, carry)
    order = np.lexsort((trade, -score, loan))
    return SyntheticCandidates(
        loan=loan[order],
        trade=trade[order],
        price=price[order],
        carry=carry[order],
        score=score[order],
        start=_start(loan, loan_count),
    )
