"""Step 3, candidate_builder: every (loan, trade) that passes the filters, against real and synthetic trades.

Loans come in blocks, so that what is held at a time stays small. Within a block rules, note-rate window and loan size depend on
the instrument alone and are decided once an instrument (`Eligible`); settlement and price are decided for each of its trades. A
pair reached through several constraints belongs to the first in policy order (priority, constraint_id).
"""

import copy
from collections.abc import Collection, Iterator
from dataclasses import dataclass

import numpy as np

from services.run_service.domain.options import Kind
from services.run_service.domain.run import Step
from services.run_service.engine.book import Book, BoolArray, Instrument, Int32Array, SmallArray
from services.run_service.engine.pairs import CandidateRows, Candidates, SyntheticCandidates, SyntheticRows, TradePairs
from services.run_service.engine.pricing import STORABLE, Adjustment, Pricer
from services.run_service.engine.progress import Progress
from services.run_service.engine.reach import Reach, Stage, StageArray, sift
from services.run_service.engine.rows import BLOCK_LOANS, small_type, spans
from services.run_service.engine.stop import Stop
from shared.money import Int64Array, scaled

_NO_FLOOR = int(np.iinfo(np.int64).min)


@dataclass(frozen=True)
class Block:
    """The loans from `first` to before `end`, and which of them settle and earn carry alike: those of one class."""

    first: int
    end: int
    of_loan: Int32Array
    """Class of each loan of the block; loans of one class have one eligible day and all or none of them a close date."""
    day: Int32Array
    """Eligible day of each class."""
    has_close_date: BoolArray

    def __len__(self) -> int:
        return self.end - self.first


@dataclass(frozen=True)
class Eligible:
    """The loans of a block that an instrument's rules, window and size admit, with the constraint each belongs to."""

    instrument: Instrument
    loans: Int64Array
    constraint: SmallArray
    adjustment: Adjustment


def build_candidates(
    book: Book, pricer: Pricer, progress: Progress, stop: Stop, block_loans: int = BLOCK_LOANS
) -> tuple[Candidates, SyntheticCandidates, Reach]:
    """Pass every loan through the filters of every real and synthetic trade. Raises RunCancelledError after a cancel."""
    builder = _Builder(book, pricer)
    real, synthetic = CandidateRows(len(book.loans), len(book.constraints)), SyntheticRows(book.options.candidate_top_k)
    by_instrument = book.constraints_by_instrument()
    blocks = _blocks(book, block_loans)
    for number, block in enumerate(blocks):
        pairs: list[TradePairs] = []
        synthetic_pairs: list[TradePairs] = []
        for done, (name, constraints) in enumerate(by_instrument.items()):
            stop.checkpoint()
            eligible = builder.eligible(name, constraints, block)
            if eligible is None:
                continue
            pairs += [builder.on_trade(eligible, trade, block) for trade in builder.trades.get(name, [])]
            synthetic_pairs += [builder.on_synthetic(eligible, trade, block) for trade in builder.synthetic.get(name, [])]
            fraction = (number + (done + 1) / len(by_instrument)) / len(blocks)
            progress.step_progress(Step.CANDIDATE_BUILDER, fraction, f"instrument {name}", {"candidates": builder.found})
        stop.checkpoint()
        real.add(pairs, len(block))
        stop.checkpoint()
        synthetic.add(synthetic_pairs, len(block))
    return real.finish(builder.carry_matched), synthetic.finish(), builder.reach


def how_far(book: Book, pricer: Pricer, trades: Collection[int], block_loans: int = BLOCK_LOANS) -> Iterator[tuple[int, Reach]]:
    """Each of these trades with how far every loan comes on it, by the constraints of its instrument and no other trade."""
    builder, by_instrument, blocks = _Builder(book, pricer), book.constraints_by_instrument(), _blocks(book, block_loans)
    for name, on_it in builder.trades.items():
        wanted = [trade for trade in on_it if trade in trades]
        if not wanted:
            continue
        builder.reach = Reach(book)
        eligible = [(builder.eligible(name, by_instrument.get(name, []), block), block) for block in blocks]
        of_instrument = builder.reach
        for trade in wanted:
            builder.reach = copy.deepcopy(of_instrument)
            for its, block in eligible:
                if its is not None:
                    builder.on_trade(its, trade, block)
            yield trade, builder.reach


def _blocks(book: Book, block_loans: int) -> list[Block]:
    loans, blocks = book.loans, []
    for first, end in spans(len(loans), block_loans):
        both = loans.eligible_day[first:end].astype(np.int64) * 2 + loans.has_close_date[first:end]
        classes, of_loan = np.unique(both, return_inverse=True)
        blocks.append(Block(first, end, of_loan.astype(np.int32), (classes // 2).astype(np.int32), classes % 2 == 1))
    return blocks


class _Builder:
    """The filters, in order, over the loans of one book; `found` and `carry_matched` count real candidates."""

    def __init__(self, book: Book, pricer: Pricer) -> None:
        self.book, self.pricer, self.reach = book, pricer, Reach(book)
        self.trades = _trades_by_instrument(book.trades.instrument)
        self.synthetic = _trades_by_instrument(book.synthetic.instrument)
        self.found = self.carry_matched = 0
        self._free = book.loans.free
        self._rule_masks = {name: book.passes(name) for name in dict.fromkeys(c.rule_name for c in book.constraints)}
        self._constraint_type = small_type(len(book.constraints))
        floor = book.options.bx_price_floor
        self._floor = _NO_FLOOR if floor is None else scaled(floor, 8)

    def eligible(self, name: str, constraints: list[int], block: Block) -> Eligible | None:
        """Rules, note-rate window and loan size; None for an unknown instrument and where no loan is admitted."""
        loans, here = self.book.loans, slice(block.first, block.end)
        first = np.full(len(block), -1, dtype=self._constraint_type)
        for number in reversed(constraints):  # the first constraint that each free loan passes
            first[self._free[here] & self._rule_masks[self.book.constraints[number].rule_name][here]] = number
        index = np.nonzero(first >= 0)[0]
        self.reach.mark(index + block.first, Stage.NO_OPEN_TRADE, first[index])
        instrument = self.book.instruments.get(name)
        if instrument is None:
            return None
        self._mark(name, index, Stage.NOTE_RATE_WINDOW, first, block)
        index = index[_in_window(instrument, loans.note[here][index])]
        self._mark(name, index, Stage.LOAN_SIZE, first, block)
        if instrument.max_loan_amount is not None:
            index = index[loans.amount[here][index] <= instrument.max_loan_amount]
        if not len(index):
            return None
        self._mark(name, index, Stage.SETTLEMENT_WINDOW, first, block)
        admitted = index + block.first
        return Eligible(instrument, admitted, first[index], self.pricer.adjustment(instrument, admitted))

    def _mark(self, name: str, index: Int64Array, stage: Stage, first: SmallArray, block: Block) -> None:
        """Without a participating trade no loan comes further for an instrument."""
        if name in self.trades:
            self.reach.mark(index + block.first, stage, first[index], self.trades[name][0])

    def on_trade(self, eligible: Eligible, trade: int, block: Block) -> TradePairs:
        """Settlement, price and floor of one real trade."""
        base, known = self.pricer.base_price(trade, eligible.loans)
        floor = self._floor if eligible.instrument.kind is Kind.CASH else _NO_FLOOR
        settle_day = int(self.book.trades.settle_day[trade])
        pairs, stage, matched = self._sift(eligible, trade, settle_day, base, known, floor, block)
        self.reach.mark(eligible.loans, stage, eligible.constraint, trade)
        self.found += len(pairs.loan)
        self.carry_matched += matched
        return pairs

    def on_synthetic(self, eligible: Eligible, trade: int, block: Block) -> TradePairs:
        """Settlement and price of one synthetic trade."""
        count, settle_day = len(eligible.loans), int(self.book.synthetic.settle_day[trade])
        base, known = np.full(count, self.book.synthetic.price[trade]), np.ones(count, dtype=np.bool_)
        return self._sift(eligible, trade, settle_day, base, known, _NO_FLOOR, block)[0]

    def _sift(
        self, eligible: Eligible, trade: int, settle_day: int, base: Int64Array, known: BoolArray, floor: int, block: Block
    ) -> tuple[TradePairs, StageArray, int]:
        """The pairs that are candidates, the stage each eligible loan reached, and how many pairs have a carry row."""
        price, priced = self.pricer.price(base, known, eligible.adjustment)
        carry = self.pricer.carry(eligible.instrument.name, settle_day, block.day)
        count = len(eligible.loans)
        stage = np.empty(count, dtype=np.int8)
        loan, score = np.empty(count, dtype=np.int32), np.empty(count, dtype=np.int64)
        constraint = np.empty(count, dtype=self._constraint_type)
        found, matched = sift(
            eligible.loans, block.first, block.of_loan, self._settles(settle_day, block), price, priced,
            carry.points, carry.storable, carry.matched, self.pricer.with_carry, STORABLE, floor, eligible.constraint,
            stage, loan, constraint, score,
        )  # fmt: skip
        return TradePairs(trade, loan[:found], constraint[:found], score[:found]), stage, matched

    def _settles(self, settle_day: int, block: Block) -> BoolArray:
        """Classes for which a settlement day lies within the windows of the options."""
        options = self.book.options
        if not 0 <= settle_day <= options.max_trade_settle_days:
            return np.zeros(len(block.day), dtype=np.bool_)
        inside = block.day.astype(np.int64) + options.eligible_settle_buffer_days <= settle_day
        if options.max_eligible_days:
            inside &= block.has_close_date | (block.day <= options.max_eligible_days)
        return np.asarray(inside)


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


def _trades_by_instrument(names: tuple[str, ...]) -> dict[str, list[int]]:
    by_instrument: dict[str, list[int]] = {}
    for trade, name in enumerate(names):
        by_instrument.setdefault(name, []).append(trade)
    return by_instrument
