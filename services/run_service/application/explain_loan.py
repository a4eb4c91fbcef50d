"""Why a loan of a complete run went where it did, or why it was left out."""

import asyncio
from dataclasses import dataclass

from services.run_service.application.complete_run import complete_run
from services.run_service.application.errors import loan_not_found
from services.run_service.application.ports import Answers, DecidedLoan, Decisions, InputStore, RunRepository
from services.run_service.domain.run import Run
from services.run_service.engine.explain.changes import Change
from services.run_service.engine.explain.explanation import (
    Failure,
    LoanCandidate,
    LoanView,
    Lockdown,
    Nearest,
    NotInRun,
    Rival,
    Standing,
)
from services.run_service.engine.explain.question import ask_about_loan
from services.run_service.engine.explain.standing import Decided, contested, judge
from services.run_service.engine.explain.values import Value, shown
from services.run_service.engine.explain.wording import change_text, in_words
from shared.auth.caller import Caller

__all__ = [
    "Change", "Decided", "ExplainLoan", "Explanation", "Failure", "LoanCandidate", "LoanView", "Lockdown", "Nearest", "Rival",
    "Standing", "Value", "change_text", "shown",
]  # fmt: skip


@dataclass(frozen=True)
class Explanation:
    """What became of a loan, what its run's inputs say of it, how each candidate stands, and all of it in words."""

    run: Run
    decided: Decided
    view: LoanView
    standings: tuple[Standing, ...]
    text: str


class ExplainLoan:
    """The inputs are those the run stored, the decision is that of its outputs: the lender's tables may have moved on."""

    def __init__(self, runs: RunRepository, inputs: InputStore, decisions: Decisions, answers: Answers) -> None:
        self._runs, self._inputs, self._decisions, self._answers = runs, inputs, decisions, answers

    async def __call__(self, caller: Caller, run_id: str, loan_id: str) -> Explanation:
        """Explain a loan of the run, or of the latest complete one where `run_id` is empty.

        Raises RUN_NOT_FOUND, RUN_NOT_COMPLETE, RUN_EXPIRED, and LOAN_NOT_FOUND for a loan the run did not decide about.
        """
        run = await complete_run(self._runs, caller.tenant_id, run_id)
        found, packed, trades = await asyncio.gather(
            self._decisions.loan(run.ref, loan_id), self._inputs.packed(run.ref), self._decisions.trades(run.ref)
        )
        view = await self._answers.compute(ask_about_loan, [packed], run.options, loan_id)
        if isinstance(view, NotInRun):
            raise loan_not_found(loan_id, run.run_id, view.problem)
        if found is None:
            raise loan_not_found(loan_id, run.run_id, "its outputs have no such loan")
        decided = _decided(found)
        allocation = await self._decisions.allocation(run.ref, contested(view, decided))
        standings = judge(view, decided, run.options, trades, allocation)
        return Explanation(run, decided, view, standings, in_words(view, decided, run.options, standings))


def _decided(found: DecidedLoan) -> Decided:
    row = found.row
    if not found.is_allocated:
        return Decided(None, reason=row["reason"] or "", reason_detail=row["reason_detail"] or "")
    return Decided(row["trade_id"], is_locked=bool(row["locked"]), score=row["score"], pass_name=row["pass"] or "")
