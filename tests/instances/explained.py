"""Explains loans of small instances: the run, what its inputs say of a loan, how its candidates stand, and the words."""

from dataclasses import dataclass
from typing import Any

import polars as pl

from services.run_service.domain.options import RunOptions, parse_options
from services.run_service.engine.explain.changes import Change, apply_change
from services.run_service.engine.explain.explanation import LoanView, NotInRun, Standing
from services.run_service.engine.explain.one_loan import Built, build
from services.run_service.engine.explain.standing import Decided, contested, judge
from services.run_service.engine.explain.view import view_loan
from services.run_service.engine.explain.wording import in_words
from services.run_service.engine.frames import RunInputs
from tests.instances.execute import Ran, run
from tests.instances.rows import AS_OF


@dataclass(frozen=True)
class Explained:
    """A loan of a run."""

    ran: Ran
    options: RunOptions
    decided: Decided
    view: LoanView
    standings: tuple[Standing, ...]
    text: str

    def standing(self, trade_id: str) -> Standing:
        """How the loan's candidate on a trade stands."""
        return next(
            one for candidate, one in zip(self.view.candidates, self.standings, strict=True) if candidate.trade_id == trade_id
        )

    @property
    def change(self) -> Change:
        """The smallest change; there must be one."""
        assert self.view.smallest_change is not None
        return self.view.smallest_change


def chosen_options(**options: Any) -> RunOptions:
    """The options that `run` gives a run."""
    return parse_options({"strategy": "PASSES", "time_limit": None, **options}, AS_OF)


def viewed(inputs: RunInputs, loan_id: str = "L1", **options: Any) -> LoanView:
    """What the inputs say of a loan in scope."""
    view = view_loan(inputs, chosen_options(**options), loan_id)
    assert not isinstance(view, NotInRun), view.problem
    return view


def explain(inputs: RunInputs, loan_id: str = "L1", **options: Any) -> Explained:
    """Execute a run and explain one of its loans."""
    ran, chosen = run(inputs, **options), chosen_options(**options)
    view = viewed(inputs, loan_id, **options)
    decided = decided_of(ran, loan_id)
    guide = ran.table("powerfill_guide")
    allocation = guide.filter(pl.col("trade_id").is_in(contested(view, decided)))
    standings = judge(view, decided, chosen, ran.table("trade_base"), allocation)
    return Explained(ran, chosen, decided, view, standings, in_words(view, decided, chosen, standings))


def decided_of(ran: Ran, loan_id: str) -> Decided:
    """What a run did with a loan."""
    for row in ran.rows("powerfill_guide", loan_id=loan_id):
        return Decided(row["trade_id"], row["locked"], row["score"], row["pass"])
    row = ran.kickout(loan_id)
    return Decided(None, reason=row["reason"], reason_detail=row["reason_detail"])


def changed(change: Change, inputs: RunInputs, options: RunOptions) -> Built:
    """Step 3 on all loans of the inputs after a change."""
    return build(*apply_change(change, inputs, options))


def scores(built: Built, loan_id: str) -> dict[str, tuple[str, int]]:
    """The candidates of a loan: by trade the constraint and the score, 1e-8 points."""
    loans = built.book.loans.frame["loan_id"].to_list()
    if loan_id not in loans:
        return {}
    number, found = loans.index(loan_id), built.candidates
    places = range(int(found.start[number]), int(found.start[number + 1]))
    return {
        built.book.trades.ids[int(found.trade[place])]: (
            built.book.constraints[int(found.constraint[place])].constraint_id,
            int(found.score[place]),
        )
        for place in places
    }
