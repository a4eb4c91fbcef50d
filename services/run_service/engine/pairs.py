"""Candidates as flat arrays, and how pairs found trade by trade come into the order of the loans without ever being sorted.

A run of a million loans has over a hundred million candidates. A pair keeps its loan, trade, constraint and score, in the
smallest types; price and carry are computed again for the few that are shown (`Pricer.behind`).

1. The builder hands over a block of loans at a time: for each trade the pairs it found, loans in order.
2. Pairs are counted per loan; the counts say where each loan's row starts.
3. Trade by trade, in trade order, each pair goes to the next place of its loan's row.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numba
import numpy as np

from services.run_service.engine.book import Int32Array, SmallArray
from services.run_service.engine.rows import small_type, starts, top_of_rows
from shared.money import Int64Array


@dataclass(frozen=True)
class Candidates:
    """Pairs of loans and real trades in order of (loan, trade order); scores 1e-8 points."""

    loan: Int32Array
    trade: Int32Array
    constraint: SmallArray
    """Index of the constraint the pair belongs to."""
    score: Int64Array
    carry_matched: int
    """Pairs whose days fall on a row of the carry curve."""
    start: Int64Array
    """Candidates of loan i are start[i] to start[i + 1]."""

    def __len__(self) -> int:
        return len(self.loan)


@dataclass(frozen=True)
class SyntheticCandidates:
    """The first `candidate_top_k` synthetic trades of every loan, in order of (loan, score descending, synthetic trade order)."""

    trade: Int32Array
    score: Int64Array
    start: Int64Array
    """Those of loan i are start[i] to start[i + 1]."""

    def best(self) -> Int64Array:
        """Index of each loan's best synthetic candidate, or -1."""
        return np.where(self.start[1:] > self.start[:-1], self.start[:-1], -1)


@dataclass(frozen=True)
class TradePairs:
    """Pairs of one trade with loans of one block, loans in order."""

    trade: int
    loan: Int32Array
    """Counted from the first loan of the block."""
    constraint: SmallArray
    score: Int64Array


class CandidateRows:
    """Collects the candidates of one block of loans after the other, until all `loan_count` are through."""

    def __init__(self, loan_count: int, constraint_count: int) -> None:
        self._counts = np.zeros(loan_count, dtype=np.int64)
        self._done = self._size = 0
        self._loan, self._trade = np.empty(0, dtype=np.int32), np.empty(0, dtype=np.int32)
        self._score = np.empty(0, dtype=np.int64)
        self._constraint: SmallArray = np.empty(0, dtype=small_type(constraint_count))

    def add(self, found: Sequence[TradePairs], loan_count: int) -> None:
        """The pairs of the next `loan_count` loans."""
        loans = np.arange(self._done, self._done + loan_count, dtype=np.int32)
        counts = self._counts[self._done : self._done + loan_count]
        for pairs in found:
            _count(pairs.loan, counts)
        self._done += loan_count
        cursor = starts(counts) + self._size
        self._make_room(int(cursor[-1]))
        self._loan[cursor[0] : cursor[-1]] = np.repeat(loans, counts)
        for pairs in sorted(found, key=lambda pairs: pairs.trade):
            _place(pairs.loan, pairs.trade, pairs.constraint, pairs.score, cursor, self._trade, self._constraint, self._score)

    def finish(self, carry_matched: int) -> Candidates:
        """All of them."""
        return Candidates(
            loan=self._loan[: self._size],
            trade=self._trade[: self._size],
            constraint=self._constraint[: self._size],
            score=self._score[: self._size],
            carry_matched=carry_matched,
            start=starts(self._counts),
        )

    def _make_room(self, size: int) -> None:
        """Room for `size` pairs; when it must grow, for all to come at the rate so far, as memory never written costs nothing."""
        if size > len(self._trade):
            capacity = size + (len(self._counts) - self._done) * size // max(1, self._done) * 5 // 4
            self._loan = _moved(self._loan[: self._size], capacity)
            self._trade = _moved(self._trade[: self._size], capacity)
            self._constraint = _moved(self._constraint[: self._size], capacity)
            self._score = _moved(self._score[: self._size], capacity)
        self._size = size


class SyntheticRows:
    """Collects the best synthetic candidates of one block of loans after the other."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._counts: list[Int64Array] = []
        self._trade: list[Int32Array] = []
        self._score: list[Int64Array] = []

    def add(self, found: Sequence[TradePairs], loan_count: int) -> None:
        """The pairs of the next `loan_count` loans."""
        rows = CandidateRows(loan_count, 0)
        rows.add(found, loan_count)
        all_of_them = rows.finish(0)
        kept, start = top_of_rows(all_of_them.start, all_of_them.score, self._most)
        self._counts.append(np.diff(start))
        self._trade.append(all_of_them.trade[kept])
        self._score.append(all_of_them.score[kept])

    def finish(self) -> SyntheticCandidates:
        """All of them."""
        counts = np.concatenate(self._counts)
        return SyntheticCandidates(np.concatenate(self._trade), np.concatenate(self._score), starts(counts))


def _moved(values: Any, capacity: int) -> Any:
    """The values at the head of a longer array."""
    longer = np.empty(capacity, dtype=values.dtype)
    longer[: len(values)] = values
    return longer


@numba.njit(cache=True)
def _count(loan: Int32Array, counts: Int64Array) -> None:
    for i in loan:
        counts[i] += 1


@numba.njit(cache=True)
def _place(
    loan: Int32Array,
    trade: int,
    constraint: SmallArray,
    score: Int64Array,
    cursor: Int64Array,
    to_trade: Int32Array,
    to_constraint: SmallArray,
    to_score: Int64Array,
) -> None:
    """One trade's pairs, each to the next place of its loan's row."""
    for position in range(len(loan)):
        place = cursor[loan[position]]
        cursor[loan[position]] += 1
        to_trade[place] = trade
        to_constraint[place] = constraint[position]
        to_score[place] = score[position]
