"""How far each loan came through the filters: the furthest stage any of its (constraint, trade) pairs reached.

Specification 01 section 7. A kickout's reason is that stage, so that the desk sees what would have had to change.
"""

import enum

import numpy as np

from services.run_service.engine.book import Book, BoolArray, Int32Array
from shared.money import Int64Array


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


class Reach:
    """The furthest stage of every in-scope loan, with the constraint and trade that got it there (-1: none)."""

    def __init__(self, book: Book) -> None:
        count = len(book.loans)
        self.stage = np.full(count, int(Stage.NO_RULE_MATCH), dtype=np.int8)
        self.stage[book.loans.data_error > 0] = int(Stage.DATA_ERROR)
        self.stage[book.loans.held] = int(Stage.LOCKED_OUT)
        self.constraint = np.full(count, -1, dtype=np.int32)
        self.trade = np.full(count, -1, dtype=np.int32)

    def mark(self, loans: Int64Array | BoolArray, stage: Stage, constraint: Int32Array, trade: int = -1) -> None:
        """These loans reached a stage by these constraints (indices in policy order); the first constraint to get there stays.

        `loans` are indices or a mask over all loans; `constraint` has one element a marked loan.
        """
        index = np.nonzero(loans)[0] if loans.dtype == np.bool_ else loans
        before, nearest = self.stage[index], self.constraint[index]
        further = (before < stage) | ((before == stage) & ((nearest < 0) | (constraint < nearest)))
        moved = index[further]
        self.stage[moved] = int(stage)
        self.constraint[moved] = constraint[further]
        self.trade[moved] = trade
