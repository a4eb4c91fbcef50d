"""A kickout with the reason NO_CAPACITY met full trades, whatever ended the search."""

import datetime as dt

import polars as pl
import pytest

from cli.demo.generate import demo_tables
from services.run_service.domain.options import parse_options
from services.run_service.engine.frames import RunInputs, conform, empty_inputs
from services.run_service.engine.pipeline import run_pipeline
from services.run_service.engine.progress import Progress
from services.run_service.engine.stop import Stop

AS_OF = dt.date(2026, 4, 17)


@pytest.mark.parametrize("work_limit", [0, 20_000, 2_000_000])
def test_no_kickout_that_pays_meets_a_trade_with_room(work_limit: int) -> None:
    # 1,500 loans for 60 trades. Cut short, the search once left 100 loans beside trades with room for them, as NO_CAPACITY.
    tables = demo_tables(AS_OF, loans=1_500, open_trades=60, trades=400, pools=150)
    inputs = RunInputs({**empty_inputs(), **{name: conform(name, frame)[0] for name, frame in tables.items()}})
    options = parse_options({"work_limit": work_limit, "time_limit": None, "candidate_top_k": 1000}, AS_OF)
    result = run_pipeline(inputs, options, Progress(), Stop())
    kickouts = result.tables["pfill_kickout_guide_01"].filter(pl.col("reason") == "NO_CAPACITY")
    assert kickouts.height > 50
    room = result.tables["pfill_trade_base"].select("trade_id", "space_left")
    fallback = pl.coalesce(pl.col("syn_score") - options.synthetic_spread, pl.col("best_score") - options.unsold_discount)
    missed = (
        kickouts.with_columns(fallback=fallback)
        .join(result.tables["pfill_loan2trade_candy_level_01"].select("loan_id", "trade_id", "score"), on="loan_id")
        .join(room, on="trade_id")
        # less the switch cost, which some of them would pay: what is left pays in any case
        .filter((pl.col("score") - options.switch_cost > pl.col("fallback")) & (pl.col("loan_amount") <= pl.col("space_left")))
    )
    assert missed.height == 0
