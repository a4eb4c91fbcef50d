"""Explanations of a small demo tenant's kickouts: the run's own reasons, and changes that do what they say."""

import polars as pl
import pytest

from cli.demo.generate import demo_tables
from services.run_service.engine.explain.explanation import LoanView
from services.run_service.engine.explain.view import view_loan
from services.run_service.engine.frames import RunInputs, conform, empty_inputs
from shared.money import scaled
from tests.instances.execute import Ran, run
from tests.instances.explained import changed, chosen_options, scores
from tests.instances.rows import AS_OF

LOANS_A_REASON = 4


@pytest.fixture(scope="module")
def demo() -> RunInputs:
    """1,500 loans and 60 open trades, dirt included."""
    tables = empty_inputs()
    for name, frame in demo_tables(AS_OF, loans=1_500, open_trades=60, trades=400, pools=300).items():
        if name in tables:
            tables[name] = conform(name, frame)[0]
    return RunInputs(tables)


@pytest.fixture(scope="module")
def ran(demo: RunInputs) -> Ran:
    return run(demo)


def test_kickouts_came_furthest_where_the_run_says_and_changes_make_candidates(demo: RunInputs, ran: Ran) -> None:
    kickouts = ran.table("kickout_guide_01").filter(pl.col("best_trade_id").is_null())
    sample = kickouts.sort("reason", "loan_id").group_by("reason", maintain_order=True).head(LOANS_A_REASON)
    told, changes = 0, 0
    for row in sample.iter_rows(named=True):
        view = view_loan(demo, chosen_options(), row["loan_id"])
        assert isinstance(view, LoanView)
        assert view.nearest is not None
        assert (view.nearest.stage, view.nearest.constraint_id) == (row["reason"], row["nearest_constraint_id"])
        if row["failed_condition"] is not None:
            assert view.nearest.failures[0].text == row["failed_condition"]
        told += 1
        if view.smallest_change is not None:
            after = scores(changed(view.smallest_change, demo, chosen_options()), row["loan_id"])
            assert after[view.smallest_change.trade_id] == (
                view.smallest_change.constraint_id, scaled(view.smallest_change.score, 8),
            )  # fmt: skip
            changes += 1
    assert sample["reason"].n_unique() >= 5
    assert changes >= told / 2
