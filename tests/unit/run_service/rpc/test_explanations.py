"""Explanations as messages, and the loan ids that are asked for."""

import datetime as dt
from typing import Any

import pytest
from google.type.date_pb2 import Date
from powerfill.run.v1 import explanation_pb2 as pb
from powerfill.run.v1.run_service_pb2 import ExplainLoanResponse

from services.run_service.application.explain_loan import Explanation
from services.run_service.domain.run import Run, RunStatus
from services.run_service.engine.explain.changes import ChangeKind
from services.run_service.engine.explain.explanation import Verdict
from services.run_service.engine.frames import RunInputs
from services.run_service.rpc.mapping.explanations import checked_loan_id, explanation_to_proto
from shared.errors import PowerFillError, Reason
from shared.rpc.values import enum_words
from tests.instances.explained import explain
from tests.instances.rows import constraint, desk, instrument, loan, lock, rule, today, trade


def message(data: RunInputs, **options: Any) -> ExplainLoanResponse:
    explained = explain(data, **options)
    run = Run("r1", "acme", RunStatus.COMPLETE, "ann", explained.options, dt.datetime(2026, 4, 17, tzinfo=dt.UTC))
    return explanation_to_proto(Explanation(run, explained.decided, explained.view, explained.standings, explained.text))


def test_an_allocated_loan() -> None:
    by_note = instrument("X", coupon=6, buyup=1)
    rows = [loan("A", 50_000, note="7"), loan("B", 50_000, note="7"), loan("L1"), by_note]
    told = message(desk(*rows, trade("T1"), trade("T2", price="99.9"), today(99)), strategy="OPTIMAL")
    assert (told.run_id, told.loan_id, told.outcome, told.trade_id) == ("r1", "L1", pb.LOAN_OUTCOME_ALLOCATED, "T2")
    assert (told.score.value, told.fallback.value, told.syn_trade_id) == ("100.40000000", "99.37500000", "SYN-X-20260507")
    assert (told.loan_amount.value, told.note_rate.value, told.status_code, told.reason) == (
        "100000.00",
        "6.500000",
        "Closed",
        "",
    )
    assert told.explanation.startswith("Loan L1 ")
    assert not told.HasField("nearest")
    assert not told.HasField("smallest_change")
    assert not told.HasField("lockdown")
    best, taken = told.candidates
    assert (best.trade_id, best.rank, best.standing.verdict, taken.standing.verdict) == (
        "T1", 1, pb.VERDICT_FULL, pb.VERDICT_TAKEN,
    )  # fmt: skip
    assert (best.loan_id, best.investor_instrument, best.settlement_date) == ("L1", "X", Date(year=2026, month=5, day=7))
    assert (best.price.value, best.excess.value, best.net_score.value) == ("100.50000000", "0.50000000", "100.50000000")
    assert (best.standing.hi.value, best.standing.space_left.value, best.standing.advantage.value) == (
        "100000.00", "0.00", "0.10000000",
    )  # fmt: skip
    assert best.standing.HasField("room_value")
    assert [(rival.loan_id, rival.loan_amount.value, rival.advantage.value) for rival in best.standing.rivals] == [
        ("A", "50000.00", "1.12500000"), ("B", "50000.00", "1.12500000"),
    ]  # fmt: skip


def test_a_kickout_with_its_nearest_pair_and_the_smallest_change() -> None:
    good = rule("good", '{"field":"fico","op":"ge","value":680}')
    told = message(desk(loan("L1", fico=640), trade("T1"), good, constraint("C1", rule_name="good")))
    assert (told.outcome, told.trade_id, told.HasField("score"), told.reason) == (
        pb.LOAN_OUTCOME_LEFT_OUT,
        "",
        False,
        "NO_RULE_MATCH",
    )
    assert (told.nearest.reason, told.nearest.constraint_id, told.nearest.trade_id) == ("NO_RULE_MATCH", "C1", "")
    (failure,) = told.nearest.failures
    assert (failure.field, failure.value, failure.op, list(failure.limits), failure.text) == (
        "fico", "640", "ge", ["680"], "fico >= 680",
    )  # fmt: skip
    change = told.smallest_change
    assert (change.kind, change.subject, change.field, change.before, change.after) == (
        pb.CHANGE_KIND_LOAN, "L1", "fico", "640", "680",
    )  # fmt: skip
    assert (change.relative_change.value, change.trade_id, change.constraint_id, change.score.value) == (
        "0.06250000", "T1", "C1", "100.00000000",
    )  # fmt: skip
    assert change.text.startswith("its fico from 640 to 680")


def test_a_locked_loan_and_a_change_that_is_not_of_a_number() -> None:
    told = message(desk(loan("L1"), trade("T1"), lock("L1", "T1", expires=3, reason="promised")))
    assert (told.outcome, told.lockdown.trade_id, told.lockdown.reason) == (pb.LOAN_OUTCOME_LOCKED, "T1", "promised")
    assert told.lockdown.expires_on == Date(year=2026, month=4, day=20)
    held = message(desk(loan("L1"), trade("T1"), lock("L1")))
    assert (held.smallest_change.kind, held.smallest_change.HasField("relative_change")) == (pb.CHANGE_KIND_LOCKDOWN, False)
    assert not held.lockdown.HasField("expires_on")


def test_words_of_the_contract_are_those_of_the_engine() -> None:
    assert set(enum_words(pb.Verdict.DESCRIPTOR).values()) == {verdict.value for verdict in Verdict}
    assert set(enum_words(pb.ChangeKind.DESCRIPTOR).values()) == {kind.value for kind in ChangeKind}


@pytest.mark.parametrize(
    ("loan_id", "reason"), [("", Reason.INVALID_FIELD), ("L" * 101, Reason.LOAN_NOT_FOUND), ("L\0", Reason.LOAN_NOT_FOUND)]
)
def test_loan_ids_that_no_loan_has(loan_id: str, reason: Reason) -> None:
    with pytest.raises(PowerFillError) as raised:
        checked_loan_id(loan_id, "")
    assert raised.value.reason == reason
    assert checked_loan_id("Darlehen 7 €", "r1") == "Darlehen 7 €"
