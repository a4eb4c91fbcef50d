"""Compiles or loads every kernel on a tiny instance, so that a first run is no slower than a second."""

import datetime as dt
from decimal import Decimal

import polars as pl

from services.run_service.domain.options import RunOptions, Strategy
from services.run_service.engine.frames import RunInputs, conform, empty_inputs
from services.run_service.engine.pipeline import run_pipeline
from services.run_service.engine.progress import Progress
from services.run_service.engine.stop import Stop

_DAY = dt.date(2026, 1, 2)
_SETTLES = dt.date(2026, 1, 20)


def warm_up() -> None:
    """Execute runs with three loans and two trades, by either strategy."""
    for strategy in Strategy:
        run_pipeline(_inputs(), RunOptions(as_of_date=_DAY, strategy=strategy, bx_price_floor=Decimal(1)), Progress(), Stop())


def _inputs() -> RunInputs:
    rows = {
        "loan": pl.DataFrame(
            {
                "loan_id": ["A", "B", "C"],
                "loan_instrument": "30",
                "loan_amount": [100_000.0, 200_000.0, 150_000.0],
                "note_rate": 6.5,
                "status_code": "Closed",
                "close_date": _DAY,
            }
        ),
        "pscat_instruments": pl.DataFrame(
            {
                "investor_instrument": "X",
                "investor": "FNMA",
                "kind": "TBA",
                "coupon": 6.0,
                "guaranty_fee": 0.0,
                "servicing_fee": 0.25,
                "buyup_multiple": 3.0,
                "buydown_multiple": 4.5,
            }
        ),
        "pscat_trades": pl.DataFrame(
            {
                "trade_id": ["T1", "T2"],
                "investor_instrument": "X",
                "settlement_date": _SETTLES,
                "trade_amount": [200_000.0, 300_000.0],
                "pair_off_amount": 0.0,
                "delivered_amount": 0.0,
                "price": [101.0, 100.0],
                "tolerance_pct": 0.01,
                "status": "OPEN",
                "is_phantom": False,
            }
        ),
        "pscat_pools": pl.DataFrame({"pool_name": ["P", "Q"], "pool_status": "FORMING"}),
        "pscat_trades_pools_relation": pl.DataFrame(
            {"trade_id": ["T1", "T2"], "pool_name": ["P", "Q"], "amount": [200_000.0, 300_000.0]}
        ),
        "pscat_pool_loans": pl.DataFrame({"pool_name": ["Q"], "loan_id": ["A"], "posted_date": [_DAY]}),
        "rmusr_payups": pl.DataFrame(
            {"investor_instrument": "X", "attribute": "loan_amount", "low_value": 0.0, "high_value": [1e6], "payup": 1.0}
        ),
        "rmcat_todays_prices": pl.DataFrame({"investor_instrument": "X", "settlement_date": _SETTLES, "price": [99.0]}),
        "pfill_constraints": pl.DataFrame({"constraint_id": ["C"], "priority": 1, "investor_instrument": "X", "enabled": True}),
    }
    tables = empty_inputs()
    for name, frame in rows.items():
        tables[name] = conform(name, frame)[0]
    return RunInputs(tables)
