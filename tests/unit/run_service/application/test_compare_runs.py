"""The options of two runs side by side."""

import dataclasses
from decimal import Decimal

from services.run_service.application.compare_runs import OptionChange, changed_options
from services.run_service.domain.options import Kind, RunOptions, Scope, default_pair_off_cost
from tests.builders import AS_OF

DEFAULTS = RunOptions(AS_OF)


def test_equal_options() -> None:
    assert changed_options(DEFAULTS, RunOptions(AS_OF, switch_cost=Decimal("0.03125"))) == ()


def test_options_that_differ_come_in_the_order_of_the_specification_spelled_as_there() -> None:
    later = dataclasses.replace(
        DEFAULTS,
        time_limit=None,
        scope=Scope.CLOSED_ONLY,
        as_of_date=AS_OF.replace(day=18),
        bx_price_floor=Decimal("99.5"),
        pair_off_cost=default_pair_off_cost() | {Kind.CASH: Decimal("0.5")},
        max_trade_settle_days=30,
    )
    assert changed_options(DEFAULTS, later) == (
        OptionChange("as_of_date", "2026-04-17", "2026-04-18"),
        OptionChange("scope", "CLOSED_AND_LOCKED", "CLOSED_ONLY"),
        OptionChange("max_trade_settle_days", "60", "30"),
        OptionChange("bx_price_floor", None, "99.5"),
        OptionChange("pair_off_cost.CASH", "0.125", "0.5"),
        OptionChange("time_limit", "10", None),
    )
