"""The explanation of a loan, to powerfill.run.v1.ExplainLoanResponse and its messages; and what clients may send for it."""

from decimal import Decimal

from google.type.decimal_pb2 import Decimal as DecimalMessage
from powerfill.run.v1 import explanation_pb2, run_service_pb2

from services.run_service.application.errors import loan_not_found
from services.run_service.application.explain_loan import (
    Change,
    Explanation,
    Failure,
    LoanCandidate,
    LoanView,
    Lockdown,
    Nearest,
    Rival,
    Standing,
    Value,
    change_text,
    shown,
)
from shared.errors import invalid_field
from shared.rpc.values import date_to_proto, decimal_to_proto, enum_numbers

MAX_LOAN_ID_LENGTH = 100

_OUTCOMES = enum_numbers(explanation_pb2.LoanOutcome.DESCRIPTOR)
_VERDICTS = enum_numbers(explanation_pb2.Verdict.DESCRIPTOR)
_KINDS = enum_numbers(explanation_pb2.ChangeKind.DESCRIPTOR)


def checked_loan_id(loan_id: str, run_id: str) -> str:
    """The id of a loan. Raises INVALID_FIELD when it is empty, LOAN_NOT_FOUND when no loan can have it."""
    if not loan_id:
        raise invalid_field("loan_id", "it must be given")
    if len(loan_id) > MAX_LOAN_ID_LENGTH or "\0" in loan_id:
        problem = f"a loan_id has at most {MAX_LOAN_ID_LENGTH} characters, none of which is NUL"
        raise loan_not_found(loan_id, run_id, problem)
    return loan_id


def explanation_to_proto(explained: Explanation) -> run_service_pb2.ExplainLoanResponse:
    """The whole explanation."""
    view, decided = explained.view, explained.decided
    outcome = "LEFT_OUT" if decided.trade_id is None else "LOCKED" if decided.is_locked else "ALLOCATED"
    return run_service_pb2.ExplainLoanResponse(
        run_id=explained.run.run_id,
        explanation=explained.text,
        candidates=[
            _candidate(view, candidate, standing)
            for candidate, standing in zip(view.candidates, explained.standings, strict=True)
        ],
        loan_id=view.loan_id,
        outcome=explanation_pb2.LoanOutcome.ValueType(_OUTCOMES[outcome]),
        trade_id=decided.trade_id or "",
        score=_number(decided.score),
        reason=decided.reason,
        reason_detail=decided.reason_detail,
        loan_instrument=view.loan_instrument or "",
        loan_amount=_number(view.loan_amount),
        note_rate=_number(view.note_rate),
        status_code=view.status_code,
        current_pool=view.current_pool or "",
        fallback=_number(view.fallback),
        syn_trade_id=view.syn_trade_id or "",
        syn_score=_number(view.syn_score),
        lockdown=None if view.lockdown is None else _lockdown(view.lockdown),
        nearest=None if view.nearest is None else _nearest(view.nearest),
        smallest_change=None if view.smallest_change is None else _change(view.smallest_change),
    )


def _candidate(view: LoanView, candidate: LoanCandidate, standing: Standing) -> run_service_pb2.Candidate:
    return run_service_pb2.Candidate(
        loan_id=view.loan_id,
        trade_id=candidate.trade_id,
        constraint_id=candidate.constraint_id,
        priority=candidate.priority,
        price=decimal_to_proto(candidate.price),
        carry=decimal_to_proto(candidate.carry),
        score=decimal_to_proto(candidate.score),
        payup=decimal_to_proto(candidate.payup),
        excess=decimal_to_proto(candidate.excess),
        net_score=decimal_to_proto(candidate.net_score),
        rank=candidate.rank,
        investor_instrument=candidate.investor_instrument,
        settlement_date=date_to_proto(candidate.settlement_date),
        standing=_standing(standing),
    )


def _standing(standing: Standing) -> explanation_pb2.Standing:
    return explanation_pb2.Standing(
        verdict=explanation_pb2.Verdict.ValueType(_VERDICTS[standing.verdict]),
        advantage=decimal_to_proto(standing.advantage),
        allocated_amount=decimal_to_proto(standing.allocated_amount),
        lo=decimal_to_proto(standing.lo),
        hi=decimal_to_proto(standing.hi),
        space_left=decimal_to_proto(standing.space_left),
        locked_amount=decimal_to_proto(standing.locked_amount),
        room_value=_number(standing.room_value),
        fill_value=_number(standing.fill_value),
        leaving_cost=decimal_to_proto(standing.leaving_cost),
        rivals=[_rival(rival) for rival in standing.rivals],
    )


def _rival(rival: Rival) -> explanation_pb2.Rival:
    return explanation_pb2.Rival(
        loan_id=rival.loan_id,
        loan_amount=decimal_to_proto(rival.loan_amount),
        net_score=decimal_to_proto(rival.net_score),
        fallback=decimal_to_proto(rival.fallback),
        advantage=decimal_to_proto(rival.advantage),
    )


def _nearest(nearest: Nearest) -> explanation_pb2.NearestPair:
    return explanation_pb2.NearestPair(
        reason=nearest.stage,
        constraint_id=nearest.constraint_id or "",
        trade_id=nearest.trade_id or "",
        failures=[_failure(failure) for failure in nearest.failures],
    )


def _failure(failure: Failure) -> explanation_pb2.FailedCondition:
    return explanation_pb2.FailedCondition(
        reason=failure.stage,
        field=failure.field,
        value=_text(failure.value),
        op=failure.op,
        limits=[_text(limit) for limit in failure.limits],
        text=failure.text,
        option=failure.option,
    )


def _change(change: Change) -> explanation_pb2.SmallestChange:
    return explanation_pb2.SmallestChange(
        kind=explanation_pb2.ChangeKind.ValueType(_KINDS[change.kind]),
        subject=change.subject,
        field=change.field,
        before=_text(change.before),
        after=_text(change.after),
        relative_change=_number(change.relative_to_8_places),
        trade_id=change.trade_id,
        constraint_id=change.constraint_id,
        score=decimal_to_proto(change.score),
        text=change_text(change),
    )


def _lockdown(lock: Lockdown) -> explanation_pb2.LoanLockdown:
    return explanation_pb2.LoanLockdown(
        trade_id=lock.trade_id or "",
        reason=lock.reason or "",
        expires_on=None if lock.expires_on is None else date_to_proto(lock.expires_on),
    )


def _text(value: Value | None) -> str:
    return "" if value is None else shown(value)


def _number(value: Decimal | None) -> DecimalMessage | None:
    return None if value is None else decimal_to_proto(value)
