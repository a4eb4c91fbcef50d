"""Strategy PASSES in plain loops, sentence by sentence (specification 01 section 8)."""

from collections.abc import Mapping
from fractions import Fraction
from typing import Any, Protocol

from tests.property.plain_facts import Candidate, Pair


class Allocatable(Protocol):
    """What the passes read: amounts, bands, candidates, and who is locked where."""

    @property
    def amount(self) -> Mapping[str, Fraction]:
        """Of each loan."""

    @property
    def trades(self) -> Mapping[str, Mapping[str, Any]]:
        """`lo` and `hi` of each trade, in trade order."""

    @property
    def candidates(self) -> Mapping[Pair, Candidate]:
        """By loan and trade."""

    @property
    def locked(self) -> Mapping[str, str]:
        """The trade of each locked loan."""

    def filled(self, placement: dict[str, str]) -> dict[str, Fraction]:
        """What a placement puts on every trade."""


class Passes:
    """Strategy PASSES, sentence by sentence."""

    def __init__(self, reference: Allocatable) -> None:
        self.r = reference
        self.placed = dict(reference.locked)
        self.by = dict.fromkeys(reference.locked, "LOCKED")
        self.filled = reference.filled(self.placed)
        self.order = list(reference.trades)
        self.own: dict[str, list[str]] = {trade_id: [] for trade_id in self.order}
        self.choices: dict[str, list[str]] = {}
        for name, trade_id in reference.candidates:
            if name not in reference.locked:
                self.own[trade_id].append(name)
                self.choices.setdefault(name, []).append(trade_id)
        for trade_id, names in self.own.items():
            names.sort(key=lambda name: (-self.score(name, trade_id), -reference.amount[name], name))
        for name, trades in self.choices.items():
            trades.sort(key=lambda trade_id: (-self.score(name, trade_id), self.order.index(trade_id)))

    def score(self, name: str, trade_id: str) -> Fraction:
        return self.r.candidates[name, trade_id].score

    def fits(self, name: str, trade_id: str) -> bool:
        return self.filled[trade_id] + self.r.amount[name] <= Fraction(self.r.trades[trade_id]["hi"])

    def place(self, name: str, trade_id: str, by: str) -> None:
        self.placed[name], self.by[name] = trade_id, by
        self.filled[trade_id] += self.r.amount[name]

    def execute(self) -> tuple[dict[str, str], dict[str, str]]:
        for trade_id in self.order:
            self.exact_fit(trade_id)
        self.best_fit()
        for trade_id in self.order:
            self.fill_remaining(trade_id)
        self.orphan_handling()
        return self.placed, self.by

    def exact_fit(self, trade_id: str) -> None:
        lo, hi = self.r.trades[trade_id]["lo"], self.r.trades[trade_id]["hi"]
        own = [name for name in self.own[trade_id] if name not in self.placed and self.choices[name][0] == trade_id]
        total, chosen = self.filled[trade_id], []
        for name in own:
            if total + self.r.amount[name] <= hi:
                total += self.r.amount[name]
                chosen.append(name)
        if not chosen:
            return
        if not lo <= total <= hi:
            total -= self.r.amount[chosen.pop()]
            rest = [name for name in own if name not in chosen and lo <= total + self.r.amount[name] <= hi]
            if not rest:
                return
            chosen.append(rest[0])
        for name in chosen:
            self.place(name, trade_id, "exact_fit")

    def best_fit(self) -> None:
        pairs = [pair for pair in self.r.candidates if pair[0] not in self.r.locked]
        pairs.sort(
            key=lambda pair: (
                self.r.candidates[pair].constraint["priority"],
                -self.score(*pair),
                -self.r.amount[pair[0]],
                pair[0],
                self.order.index(pair[1]),
            )
        )
        for name, trade_id in pairs:
            if name not in self.placed and self.fits(name, trade_id):
                self.place(name, trade_id, "best_fit")

    def fill_remaining(self, trade_id: str) -> None:
        lo, hi = self.r.trades[trade_id]["lo"], self.r.trades[trade_id]["hi"]
        for name in self.own[trade_id]:
            if self.filled[trade_id] >= lo:
                return
            if name not in self.placed and self.fits(name, trade_id):
                self.place(name, trade_id, "fill_remaining")
        mine = [name for name in self.own[trade_id] if self.placed.get(name) == trade_id]
        mine.sort(key=lambda name: (self.score(name, trade_id), self.r.amount[name], name))
        for old in mine:
            if self.filled[trade_id] >= lo:
                return
            spare = self.filled[trade_id] - self.r.amount[old]
            larger = [
                name
                for name in self.own[trade_id]
                if name not in self.placed and self.r.amount[name] > self.r.amount[old] and spare + self.r.amount[name] <= hi
            ]
            if larger:
                new = min(larger, key=lambda name: (-self.r.amount[name], -self.score(name, trade_id), name))
                del self.placed[old], self.by[old]
                self.filled[trade_id] = spare
                self.place(new, trade_id, "fill_remaining")

    def orphan_handling(self) -> None:
        free = [name for name in self.choices if name not in self.placed]
        for name in sorted(free, key=lambda name: (-self.r.amount[name], name)):
            for trade_id in self.choices[name]:
                if self.fits(name, trade_id):
                    self.place(name, trade_id, "orphan_handling")
                    break
