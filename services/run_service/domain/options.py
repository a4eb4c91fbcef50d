"""The options of a run: their names, defaults and ranges (specification 01 section 5), parsed from text and written back."""

import dataclasses
import datetime as dt
import enum
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, Protocol

from shared.money import exact

MIN_AS_OF_DATE, MAX_AS_OF_DATE = dt.date(1990, 1, 1), dt.date(2100, 12, 31)
MAX_DAYS = 3650
MAX_POINTS = Decimal(100)
MAX_TIME_LIMIT_S = Decimal(3600)
MAX_TOP_K = 1000
MAX_INT64 = 2**63 - 1
DEFAULT_WORK_LIMIT = 50_000_000_000
"""Things the improvement phase looks at: some five minutes of two cores on a demo's size."""


class Scope(enum.StrEnum):
    """Which loans a run decides about."""

    CLOSED_AND_LOCKED = "CLOSED_AND_LOCKED"
    CLOSED_ONLY = "CLOSED_ONLY"


class LoanStatus(enum.StrEnum):
    """A loan's place in the pipeline, in order."""

    STARTED = "Started"
    LOCKED = "Locked"
    APPROVED = "Approved"
    DOCS_OUT = "DocsOut"
    CLOSED = "Closed"
    PURCHASED = "Purchased"


class PriceMode(enum.StrEnum):
    """What a score is."""

    PRICE_PLUS_CARRY = "PRICE_PLUS_CARRY"
    PRICE_ONLY = "PRICE_ONLY"


class Strategy(enum.StrEnum):
    """The allocation method."""

    OPTIMAL = "OPTIMAL"
    PASSES = "PASSES"


class PriorityMode(enum.StrEnum):
    """What priorities mean to OPTIMAL."""

    VALUE = "VALUE"
    STRICT = "STRICT"


class Kind(enum.StrEnum):
    """What sort of instrument is sold."""

    TBA = "TBA"
    SPEC = "SPEC"
    CASH = "CASH"
    BULK = "BULK"


@dataclass(frozen=True)
class OptionProblem:
    """What is wrong with one option: its name, the value given, and what is allowed."""

    field: str
    value: str
    allowed: str

    def __str__(self) -> str:
        return f"{self.field}: {self.value!r} is not allowed; it must be {self.allowed}"


class OptionsError(ValueError):
    """One or more options are unknown or out of range."""

    def __init__(self, problems: list[OptionProblem]) -> None:
        super().__init__("; ".join(map(str, problems)))
        self.problems = problems


def default_pair_off_cost() -> dict[Kind, Decimal]:
    """Points of friction by kind (specification 01 section 5)."""
    return {Kind.TBA: Decimal("0.03125"), Kind.SPEC: Decimal("0.25"), Kind.CASH: Decimal("0.125"), Kind.BULK: Decimal("0.25")}


@dataclass(frozen=True)
class RunOptions:
    """All options of one run, resolved. Points are percent of par; `time_limit` is seconds, None for no clock (a replay)."""

    as_of_date: dt.date
    scope: Scope = Scope.CLOSED_AND_LOCKED
    min_status: LoanStatus = LoanStatus.CLOSED
    price_mode: PriceMode = PriceMode.PRICE_PLUS_CARRY
    max_eligible_days: int = 0
    max_trade_settle_days: int = 60
    eligible_settle_buffer_days: int = 0
    bx_price_floor: Decimal | None = None
    strategy: Strategy = Strategy.OPTIMAL
    priority_mode: PriorityMode = PriorityMode.VALUE
    pair_off_cost: Mapping[Kind, Decimal] = dataclasses.field(default_factory=default_pair_off_cost)
    switch_cost: Decimal = Decimal("0.03125")
    synthetic_spread: Decimal = Decimal("0.125")
    unsold_discount: Decimal = Decimal(1)
    candidate_top_k: int = 10
    seed: int = 0
    work_limit: int = DEFAULT_WORK_LIMIT
    time_limit: Decimal | None = Decimal(10)

    def to_json(self) -> dict[str, Any]:
        """The options as the specification spells them: ISO dates, decimals as strings, integers as numbers."""
        return {field.name: _to_json(getattr(self, field.name)) for field in dataclasses.fields(self)}


OPTION_NAMES = tuple(field.name for field in dataclasses.fields(RunOptions))


def parse_options(given: Mapping[str, Any], today: dt.date) -> RunOptions:
    """Options from their names and values as text, numbers or a stored JSON object; what is not given takes its default.

    `today` is the default of as_of_date. Raises OptionsError naming every option that is unknown or out of range.
    """
    problems: list[OptionProblem] = []
    values: dict[str, Any] = {"as_of_date": today}
    for name, value in given.items():
        parser = _PARSERS.get(name)
        if parser is None:
            problems.append(OptionProblem(name, str(value), f"one of the options {', '.join(OPTION_NAMES)}"))
        elif value is not None or name in ("bx_price_floor", "time_limit"):
            try:
                values[name] = parser(value)
            except _NotAllowedError as error:
                problems.append(OptionProblem(error.field or name, error.value, error.allowed))
    if problems:
        raise OptionsError(problems)
    return RunOptions(**values)


class _NotAllowedError(ValueError):
    def __init__(self, value: object, allowed: str, field: str = "") -> None:
        super().__init__(allowed)
        self.value, self.allowed, self.field = str(value), allowed, field


class _Parser(Protocol):
    @property
    def allowed(self) -> str:
        """Which values it takes, in words that follow "it must be"."""

    def __call__(self, value: Any) -> Any:
        """The value. Raises _NotAllowedError."""


class _Date:
    allowed = f"a date from {MIN_AS_OF_DATE} to {MAX_AS_OF_DATE} (YYYY-MM-DD)"

    def __call__(self, value: Any) -> dt.date:
        if isinstance(value, str):
            try:
                value = dt.date.fromisoformat(value)
            except ValueError:
                raise _NotAllowedError(value, self.allowed) from None
        if not isinstance(value, dt.date) or not MIN_AS_OF_DATE <= value <= MAX_AS_OF_DATE:
            raise _NotAllowedError(value, self.allowed)
        return value


class _Choice:
    def __init__(self, choices: type[enum.StrEnum]) -> None:
        self.choices = choices
        self.allowed = f"one of {', '.join(choices)}"

    def __call__(self, value: Any) -> enum.StrEnum:
        try:
            return self.choices(str(value))
        except ValueError:
            raise _NotAllowedError(value, self.allowed) from None


class _Integer:
    def __init__(self, low: int, high: int) -> None:
        self.low, self.high = low, high
        self.allowed = f"an integer from {low} to {high}"

    def __call__(self, value: Any) -> int:
        try:
            number = int(str(value))
        except ValueError:
            number = None
        if isinstance(value, bool) or number is None or not self.low <= number <= self.high:
            raise _NotAllowedError(value, self.allowed)
        return number


class _Decimal:
    def __init__(self, low: Decimal, high: Decimal, unit: str, *, optional: bool = False) -> None:
        self.low, self.high, self.optional = low, high, optional
        self.allowed = f"a decimal number of {unit} from {low} to {high} with at most 8 decimals"

    def __call__(self, value: Any) -> Decimal | None:
        if self.optional and (value is None or str(value).lower() == "none"):
            return None
        try:
            number = exact(Decimal(str(value)), 8)
        except InvalidOperation:
            raise _NotAllowedError(value, self.allowed) from None
        if number is None or not self.low <= number <= self.high:
            raise _NotAllowedError(value, self.allowed)
        return number


class _PairOffCost:
    def __init__(self) -> None:
        self.points = _Decimal(Decimal(0), MAX_POINTS, "points")
        self.allowed = f"an object with points by kind: {', '.join(Kind)}"

    def __call__(self, value: Any) -> dict[Kind, Decimal]:
        if not isinstance(value, Mapping):
            raise _NotAllowedError(value, self.allowed)
        costs = default_pair_off_cost()
        for kind, points in value.items():
            if kind not in set(Kind):
                raise _NotAllowedError(kind, f"a kind of instrument: {', '.join(Kind)}")
            try:
                costs[Kind(kind)] = self.points(points) or Decimal(0)
            except _NotAllowedError as error:
                raise _NotAllowedError(points, error.allowed, f"pair_off_cost.{kind}") from None
        return costs


_PAIR_OFF_COST = _PairOffCost()

_PARSERS: dict[str, _Parser] = {
    "as_of_date": _Date(),
    "scope": _Choice(Scope),
    "min_status": _Choice(LoanStatus),
    "price_mode": _Choice(PriceMode),
    "max_eligible_days": _Integer(0, MAX_DAYS),
    "max_trade_settle_days": _Integer(0, MAX_DAYS),
    "eligible_settle_buffer_days": _Integer(0, MAX_DAYS),
    "bx_price_floor": _Decimal(Decimal(0), Decimal(1000), "points", optional=True),
    "strategy": _Choice(Strategy),
    "priority_mode": _Choice(PriorityMode),
    "pair_off_cost": _PAIR_OFF_COST,
    "switch_cost": _Decimal(Decimal(0), MAX_POINTS, "points"),
    "synthetic_spread": _Decimal(Decimal(0), MAX_POINTS, "points"),
    "unsold_discount": _Decimal(Decimal(0), MAX_POINTS, "points"),
    "candidate_top_k": _Integer(1, MAX_TOP_K),
    "seed": _Integer(0, MAX_INT64),
    "work_limit": _Integer(0, MAX_INT64),
    "time_limit": _Decimal(Decimal(0), MAX_TIME_LIMIT_S, "seconds", optional=True),
}

ALLOWED: Mapping[str, str] = {name: parser.allowed for name, parser in _PARSERS.items()}
"""By option, which values it takes."""

POINTS_ALLOWED = _PAIR_OFF_COST.points.allowed
"""Which values each part of pair_off_cost takes."""


def _to_json(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _to_json(item) for key, item in value.items()}
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, dt.date):
        return value.isoformat()
    return str(value) if isinstance(value, enum.StrEnum) else value
