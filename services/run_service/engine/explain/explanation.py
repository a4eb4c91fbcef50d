"""What an explanation of one loan is made of. Amounts are dollars, prices, scores and advantages points."""

import datetime as dt
import enum
from dataclasses import dataclass
from decimal import Decimal

from services.run_service.engine.explain.changes import Change
from services.run_service.engine.explain.values import Value


@dataclass(frozen=True)
class Failure:
    """A condition or filter that a loan does not pass: `field` of the loan or trade has `value` and must be `op` `limits`.

    A part of a rule that is a group has no single field: `field` and `op` are empty, `text` says what it asks for.
    """

    stage: str
    """The filter, by the name of its kickout reason."""
    field: str
    value: Value | None
    op: str
    limits: tuple[Value, ...]
    text: str
    option: str = ""
    """The option of the run that sets the limit."""


@dataclass(frozen=True)
class Nearest:
    """The (constraint, trade) pair with which a loan came furthest, and all that it fails there, in the order of the filters."""

    stage: str
    """The filter that stopped it, by the name of its kickout reason."""
    constraint_id: str | None
    trade_id: str | None
    failures: tuple[Failure, ...]


@dataclass(frozen=True)
class Lockdown:
    """The lockdown that decides about the loan."""

    trade_id: str | None
    reason: str | None
    expires_on: dt.date | None


@dataclass(frozen=True)
class LoanCandidate:
    """A trade the loan could go to, in the terms of specification 01 section 6."""

    trade_id: str
    investor_instrument: str
    settlement_date: dt.date
    constraint_id: str
    priority: int
    price: Decimal
    payup: Decimal
    excess: Decimal
    carry: Decimal
    score: Decimal
    net_score: Decimal
    """Score less the switch cost where the loan leaves another trade's pool."""
    rank: int
    """1 for the greatest score, then in trade order."""
    relations: frozenset[str]
    """The pools that are related to the trade."""


@dataclass(frozen=True)
class LoanView:
    """What a run's inputs and options say of one in-scope loan, whatever was decided."""

    loan_id: str
    loan_instrument: str | None
    loan_amount: Decimal | None
    note_rate: Decimal | None
    status_code: str
    current_pool: str | None
    candidates: tuple[LoanCandidate, ...]
    """Every one, by rank."""
    fallback: Decimal
    """What the loan is worth when left out."""
    syn_trade_id: str | None
    """Its best synthetic trade."""
    syn_score: Decimal | None
    lockdown: Lockdown | None
    nearest: Nearest | None
    """Of a loan that was left out without a candidate, unless there is no constraint."""
    smallest_change: Change | None
    """Of a loan that was left out without a candidate: what alone would have made it one."""


@dataclass(frozen=True)
class NotInRun:
    """The run did not decide about the loan, because of this."""

    problem: str


class Verdict(enum.StrEnum):
    """Why a loan is not on a trade that it is a candidate of, or that it is."""

    TAKEN = "TAKEN"
    """The loan is on it."""
    LOCKED = "LOCKED"
    """A lockdown keeps the loan elsewhere."""
    NOT_BETTER = "NOT_BETTER"
    """It pays no more than what the loan got, after the switch cost."""
    PRIORITY = "PRIORITY"
    """priority_mode STRICT placed the loan by a constraint that comes before this one."""
    FULL = "FULL"
    """It has no room for the loan."""
    LEAVES_SHORT = "LEAVES_SHORT"
    """It has room, but the trade that the loan is on would lose more than the loan gains."""
    MISSED = "MISSED"
    """It has room and pays more: part of the run's gap."""


@dataclass(frozen=True)
class Rival:
    """A loan on a trade that another loan wants, with what it earns there over being left out."""

    loan_id: str
    loan_amount: Decimal
    net_score: Decimal
    fallback: Decimal

    @property
    def advantage(self) -> Decimal:
        """At most what the trade is worth to it: its next best trade may pay more than its fallback."""
        return self.net_score - self.fallback


@dataclass(frozen=True)
class Standing:
    """How one candidate compares with what the loan got, and how its trade stands at the end of the run."""

    verdict: Verdict
    advantage: Decimal
    """Net score less that of what the loan got, or its fallback where it got nothing."""
    allocated_amount: Decimal
    lo: Decimal
    hi: Decimal
    space_left: Decimal
    locked_amount: Decimal
    room_value: Decimal | None
    fill_value: Decimal | None
    leaving_cost: Decimal
    """What the trade that the loan is on would lose, per dollar of the loan, when it goes."""
    rivals: tuple[Rival, ...]
    """Of a full trade: the unlocked loans on it with the least advantage, the least first."""
