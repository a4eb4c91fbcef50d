"""How far each loan came through the filters: the furthest stage any of its (constraint, trade) pairs reached.

Specification 01 section 7. A kickout's reason is that stage, so that the desk sees what would have had to change.
"""

import enum

import numba
import numpy as np
import numpy.typing as npt

from services.run_service.engine.book import Book, BoolArray, Int32Array, SmallArray
from shared.money import Int64Array

StageArray = npt.NDArray[np.int8]


class Stage(enum.IntEnum):
    """The filters in order; a loan at a stage was stopped by it."""

    DATA_ERROR = 0
    LOCKED_OUT = 1
    NO_RULE_MATCH = 2
    NO_OPEN_TRADE = 3
    NOTE_RATE_WINDOW = 4
    LOAN_SIZE = 5
    SETTLEMENT_WINDOW = 6
    NO_PRICE = 7
    BELOW_PRICE_FLOOR = 8
    CANDIDATE = 9


_OUTSIDE, _NO_PRICE = int(Stage.SETTLEMENT_WINDOW), int(Stage.NO_PRICE)
_BELOW_FLOOR, _CANDIDATE = int(Stage.BELOW_PRICE_FLOOR), int(Stage.CANDIDATE)


class Reach:
    """The furthest stage of every in-scope loan, with the constraint and trade that got it there (-1: none)."""

    def __init__(self, book: Book) -> None:
        count = len(book.loans)
        self.stage = np.full(count, int(Stage.NO_RULE_MATCH), dtype=np.int8)
        self.stage[book.loans.data_error > 0] = int(Stage.DATA_ERROR)
        self.stage[book.loans.held] = int(Stage.LOCKED_OUT)
        self.constraint = np.full(count, -1, dtype=np.int32)
        self.trade = np.full(count, -1, dtype=np.int32)

    def mark(self, loans: Int64Array, stage: Stage | StageArray, constraint: SmallArray, trade: int = -1) -> None:
        """These loans reached a stage by these constraints (indices in policy order); the first constraint to get there stays.

        `loans` are indices; `constraint` and, where it is an array, `stage` have one element a marked loan.
        """
        reached = np.full(len(loans), stage, dtype=np.int8) if isinstance(stage, Stage) else stage
        _mark(loans, reached, constraint, trade, self.stage, self.constraint, self.trade)


@numba.njit(cache=True)
def _mark(
    loans: Int64Array,
    reached: StageArray,
    constraint: SmallArray,
    trade: int,
    furthest: StageArray,
    nearest: Int32Array,
    nearest_trade: Int32Array,
) -> None:
    for position in range(len(loans)):
        i, stage, by = loans[position], reached[position], constraint[position]
        if stage > furthest[i] or (stage == furthest[i] and (nearest[i] < 0 or by < nearest[i])):
            furthest[i] = stage
            nearest[i] = by
            nearest_trade[i] = trade


@numba.njit(cache=True)
def sift(
    loans: Int64Array,
    first: int,
    class_of: Int32Array,
    settles: BoolArray,
    price: Int64Array,
    priced: BoolArray,
    carry: Int64Array,
    carry_storable: BoolArray,
    carry_matched: BoolArray,
    with_carry: bool,  # noqa: FBT001 - a kernel's arguments are positional
    limit: int,
    floor: int,
    constraint: SmallArray,
    to_stage: StageArray,
    to_loan: Int32Array,
    to_constraint: SmallArray,
    to_score: Int64Array,
) -> tuple[int, int]:
    """How far each loan comes on a trade; the pairs that pass everything are kept: how many, and how many with a carry row.

    Price, carry and what belongs to them have one element a loan and one a class; scores from `limit` on cannot be stored.
    """
    found = matched = 0
    for position in range(len(loans)):
        i = loans[position] - first
        k = class_of[i]
        if not settles[k]:
            to_stage[position] = _OUTSIDE
            continue
        score = price[position] + carry[k] if with_carry else price[position]
        if not priced[position] or not carry_storable[k] or abs(score) >= limit:
            to_stage[position] = _NO_PRICE
        elif price[position] < floor:
            to_stage[position] = _BELOW_FLOOR
        else:
            to_stage[position] = _CANDIDATE
            to_loan[found] = i
            to_constraint[found] = constraint[position]
            to_score[found] = score
            found += 1
            matched += carry_matched[k]
    return found, matched
