"""The allocation model as plain arrays in a file, so that other solvers need nothing of PowerFill; and its value, exactly."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.memory import peak_kib

Integers = npt.NDArray[np.int64]

THREADS = 2
"""What every solver may use."""


@dataclass(frozen=True)
class Model:
    """Which loan goes to which trade: each loan to at most one of its candidates, each trade filled to at most `room_hi`.

    Maximise the sum of amount * points over the candidates taken, less pair_off * (room_lo - filled) over the trades filled to
    less than `room_lo`. Amounts are cents, points and pair_off 1e-8 percent: their products count 1e-12 dollars. What lockdowns
    placed is out of it.
    """

    amount: Integers
    """Of each loan."""
    room_lo: Integers
    """Of each trade: the lower end of its band less what lockdowns placed, at least 0."""
    room_hi: Integers
    pair_off: Integers
    """Of each trade."""
    start: Integers
    """Candidates of loan i are start[i] to start[i + 1]."""
    trade: Integers
    """Of each candidate."""
    points: Integers
    """Of each candidate: over leaving its loan out."""

    @property
    def loan(self) -> Integers:
        """Of each candidate."""
        return np.repeat(np.arange(len(self.amount)), np.diff(self.start))

    @property
    def cents(self) -> Integers:
        """Of each candidate: its loan's amount."""
        return self.amount[self.loan]

    def save(self, path: Path) -> None:
        """Write the model to an .npz file."""
        with path.open("wb") as file:
            np.savez(file, **{field.name: getattr(self, field.name) for field in fields(self)})

    @classmethod
    def load(cls, path: Path) -> "Model":
        """A model from its file."""
        with np.load(path) as arrays:
            return cls(**{field.name: arrays[field.name] for field in fields(cls)})

    def gain(self, taken: Integers) -> float:
        """Dollars that taking these candidates gains over taking none."""
        loan = self.loan[taken]
        units = sum(a * p for a, p in zip(self.amount[loan].tolist(), self.points[taken].tolist(), strict=True))
        saved = self.room_lo - np.maximum(0, self.room_lo - self._fill(taken))
        units += sum(c * s for c, s in zip(self.pair_off.tolist(), saved.tolist(), strict=True))
        return float(units) / 1e12

    def violation(self, taken: Integers) -> str:
        """The rule that taking these candidates breaks, in words; empty where every rule holds."""
        if len(np.unique(self.loan[taken])) < len(taken):
            return "a loan goes to two trades"
        over = int((self._fill(taken) - self.room_hi).max(initial=0))
        return f"a trade is {over} cents over its band" if over > 0 else ""

    def _fill(self, taken: Integers) -> Integers:
        fill = np.zeros(len(self.room_hi), dtype=np.int64)
        np.add.at(fill, self.trade[taken], self.amount[self.loan[taken]])
        return fill


def judged(model: Model, taken: Integers | None) -> dict[str, Any]:
    """What a solution gains, and the rule it breaks."""
    if taken is None:
        return {"gain": None, "violation": "", "taken": 0}
    return {"gain": model.gain(taken), "violation": model.violation(taken), "taken": len(taken)}


def tell(result: Mapping[str, Any]) -> None:
    """Print a result as the one line of JSON that is expected of a measured process."""
    print(json.dumps({**result, "peak_kib": peak_kib()}))
