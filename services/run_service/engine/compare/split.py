"""The difference between the values of two runs, a and b, split by cause, one change after the other.

With V(x; inputs, options) the value of run x's allocation under those inputs and options (`revalue`), each rounded to cents:

    by_market    V(a; a's inputs with b's market, a's options) - value of a
    by_data      V(a; b's inputs, a's options) - V(a; a's inputs with b's market, a's options)
    by_options   V(a; b's inputs, b's options) - V(a; b's inputs, a's options)
    by_moves     what the loans that moved earn where they went, over V(a; b's inputs, b's options)
    by_pair_off  value of b - V(a; b's inputs, b's options) - by_moves: what the new fills save of the pair-offs

Consecutive differences of the same figures, so that they add up to value of b - value of a to the cent. The market is
MARKET_TABLES whole, and the price of the trades that both runs read. The options that change a value by themselves, without any
decision, are all but VALUE_NEUTRAL: prices and what is taken off them (price_mode, pair_off_cost, switch_cost, synthetic_spread,
unsold_discount), and what is in scope or a candidate (as_of_date, scope, min_status, max_eligible_days, max_trade_settle_days,
eligible_settle_buffer_days, bx_price_floor).
"""

import dataclasses
from collections.abc import Collection
from decimal import Decimal
from functools import cached_property

import polars as pl

from services.run_service.domain.options import RunOptions
from services.run_service.engine.compare.comparison import Side
from services.run_service.engine.compare.revalue import Terms, terms_of
from services.run_service.engine.frames import RunInputs
from services.run_service.engine.optimise.value import dollars

MARKET_TABLES = ("rmcat_todays_prices", "rmusr_payups", "pscat_trade_cash_grid", "pfill_carry_cost")
TRADES = "pscat_trades"

VALUE_NEUTRAL = ("strategy", "priority_mode", "candidate_top_k", "seed", "work_limit", "time_limit")
"""Options that decide how an allocation is found, and have no part in what one is worth."""


@dataclasses.dataclass(frozen=True)
class StepValues:
    """What a's allocation is worth, dollars: with b's market, with all of b's inputs, with b's options too."""

    with_market: Decimal
    with_inputs: Decimal
    with_options: Decimal


class Revaluation:
    """The allocation of run a under the inputs and options of run b, one change at a time.

    `changed` names the input tables whose digests differ; nothing is computed for what did not change.
    """

    def __init__(self, a: Side, b: Side, inputs_a: RunInputs, inputs_b: RunInputs, changed: Collection[str]) -> None:
        self._a, self._b, self._inputs_a, self._inputs_b, self._changed = a, b, inputs_a, inputs_b, changed

    @cached_property
    def later(self) -> Terms:
        """The terms of run b."""
        return terms_of(self._inputs_b, self._b.options)

    def values(self) -> StepValues:
        """The value after each change."""
        market = with_market(self._inputs_a, self._inputs_b)
        new_market, new_data = self._differ(market, self._inputs_a), self._differ(market, self._inputs_b)
        new_options = _valuing(self._a.options) != _valuing(self._b.options)
        with_market_value = self._a.value
        if new_market and new_data:
            with_market_value = self._under(terms_of(market, self._a.options))
        with_inputs = self._a.value
        if new_market or new_data:
            with_inputs = self._under(terms_of(self._inputs_b, self._a.options) if new_options else self.later)
        with_options = self._under(self.later) if new_options else with_inputs
        return StepValues(with_market_value if new_data else with_inputs, with_inputs, with_options)

    def _under(self, terms: Terms) -> Decimal:
        return dollars(terms.value_units(self._a.allocation))

    def _differ(self, one: RunInputs, other: RunInputs) -> bool:
        return any(not one.tables[name].equals(other.tables[name]) for name in self._changed)


def with_market(inputs: RunInputs, later: RunInputs) -> RunInputs:
    """The inputs with the market of later ones: prices, payups, grids, curves, and the price of each trade that is there too."""
    trades = inputs.tables[TRADES]
    prices = later.tables[TRADES].drop_nulls("trade_id").unique("trade_id", keep="first", maintain_order=True)
    repriced = trades.join(
        prices.select("trade_id", pl.col("price").alias("later_price"), pl.lit(value=True).alias("is_there")),
        on="trade_id",
        how="left",
        maintain_order="left",
    ).with_columns(price=pl.when("is_there").then("later_price").otherwise("price"))
    market = {name: later.tables[name] for name in MARKET_TABLES} | {TRADES: repriced.select(trades.columns)}
    return dataclasses.replace(inputs, tables={**inputs.tables, **market})


def _valuing(options: RunOptions) -> dict[str, object]:
    """The options that have a part in what an allocation is worth."""
    return {name: value for name, value in options.to_json().items() if name not in VALUE_NEUTRAL}
