"""Scope, trades, locks, prices, candidates and pools (specification 01 sections 2 to 8) in plain loops over rows.

Fractions instead of scaled integers, nothing shared with the engine but the input frames and the options. Days count from
as_of_date.
"""

import datetime as dt
import json
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from services.run_service.domain.options import RunOptions
from services.run_service.engine.frames import INPUT_TABLES, RunInputs
from tests.property.plain_rules import evaluate

Row = dict[str, Any]
Pair = tuple[str, str]
PIPELINE = ["Started", "Locked", "Approved", "DocsOut", "Closed", "Purchased"]
STAGES = [
    "DATA_ERROR", "LOCKED_OUT", "NO_RULE_MATCH", "NO_OPEN_TRADE", "NOTE_RATE_WINDOW", "LOAN_SIZE", "SETTLEMENT_WINDOW",
    "NO_PRICE", "BELOW_PRICE_FLOOR", "CANDIDATE",
]  # fmt: skip
NUMERIC = {name for name, dtype in INPUT_TABLES["loan"].columns.items() if dtype.is_numeric()}


def half_away(value: Fraction, places: int) -> Fraction:
    """Round to decimals, half away from zero."""
    scaled = abs(value) * 10**places
    whole = scaled.numerator // scaled.denominator
    whole += scaled - whole >= Fraction(1, 2)
    return Fraction(whole if value >= 0 else -whole, 10**places)


@dataclass(frozen=True)
class Candidate:
    """Price, carry and score in points, and the constraint it belongs to."""

    price: Fraction
    carry: Fraction
    score: Fraction
    constraint: Row
    matched: bool


@dataclass
class Facts:
    """Who and what takes part, at which price: everything that is settled before a loan is placed."""

    inputs: RunInputs
    options: RunOptions
    loans: dict[str, Row] = field(default_factory=dict)
    reason: dict[str, str] = field(default_factory=dict)
    locked: dict[str, str] = field(default_factory=dict)
    candidates: dict[Pair, Candidate] = field(default_factory=dict)
    synthetic: dict[str, list[tuple[Fraction, dt.date, str, str]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.table = {name: list(frame.iter_rows(named=True)) for name, frame in self.inputs.tables.items()}
        for name, spec in INPUT_TABLES.items():
            self.table[name] = [row for row in self.table[name] if all(row[column] is not None for column in spec.needed)]
        kinds = ("TBA", "SPEC", "CASH", "BULK")
        self.instruments = {row["investor_instrument"]: row for row in self.table["pscat_instruments"] if row["kind"] in kinds}
        self.rules = {row["rule_name"]: json.loads(row["expression"]) for row in self.table["pfill_sec_rules"]}
        enabled = [row for row in self.table["pfill_constraints"] if row["enabled"]]
        self.constraints = sorted(enabled, key=lambda row: (row["priority"], row["constraint_id"]))
        self._scope()
        self._trades()
        self._locks()
        self._prices()
        self._filters()
        self._pools()

    # ---- who and what takes part (sections 5, 7, 8) ----

    def _scope(self) -> None:
        gone = {row["loan_id"] for row in self.table["loan_shipped"]}
        least = PIPELINE.index(self.options.min_status)
        for row in sorted(self.table["loan"], key=lambda row: str(row["loan_id"])):
            place = PIPELINE.index(row["status_code"]) if row["status_code"] in PIPELINE else -1
            early = self.options.scope == "CLOSED_AND_LOCKED" and 1 <= place <= 3
            if (place >= least or early) and row["loan_id"] not in gone:
                self.loans[row["loan_id"]] = row
        self.amount = {name: Fraction(row["loan_amount"] or 0) for name, row in self.loans.items()}
        self.eligible = {name: row["close_date"] or row["lock_expiration_date"] for name, row in self.loans.items()}

    def _is_data_error(self, name: str) -> bool:
        row = self.loans[name]
        return self.amount[name] <= 0 or row["note_rate"] is None or not row["loan_instrument"] or self.eligible[name] is None

    def _trades(self) -> None:
        first: dict[str, int] = {}
        for row in self.constraints:
            first.setdefault(row["investor_instrument"], row["priority"])
        known = [row for row in self.table["pscat_trades"] if row["tolerance_pct"] >= 0]
        known.sort(
            key=lambda row: (
                row["investor_instrument"] not in first,
                first.get(row["investor_instrument"], 0),
                row["settlement_date"],
                row["trade_id"],
            )
        )
        self.rank = {row["trade_id"]: place for place, row in enumerate(known)}
        self.trades: dict[str, Row] = {}
        for row in known:
            amount = Fraction(row["trade_amount"])
            need = amount - Fraction(row["pair_off_amount"]) - Fraction(row["delivered_amount"])
            if row["status"] == "OPEN" and not row["is_phantom"] and need > 0 and row["investor_instrument"] in self.instruments:
                band = half_away(Fraction(row["tolerance_pct"]) * amount, 2)
                days = (row["settlement_date"] - self.options.as_of_date).days
                self.trades[row["trade_id"]] = row | {
                    "need": need,
                    "lo": max(Fraction(0), need - band),
                    "hi": need + band,
                    "days": days,
                    "counts": 0 <= days <= self.options.max_trade_settle_days,
                }

    def _locks(self) -> None:
        held = set()
        for row in sorted(self.table["pfill_lockdown"], key=lambda row: row["trade_id"] or ""):
            name = row["loan_id"]
            if name not in self.loans or self._is_data_error(name):
                continue
            if row["expires_on"] is not None and row["expires_on"] < self.options.as_of_date:
                continue
            if row["trade_id"] in self.trades:
                self.locked[name] = row["trade_id"]
            else:
                held.add(name)
        self.held = held - set(self.locked)

    # ---- prices and scores (section 6) ----

    def _prices(self) -> None:
        self.todays: dict[str, list[tuple[dt.date, Fraction]]] = {}
        for row in self.table["rmcat_todays_prices"]:
            if row["investor_instrument"] in self.instruments:
                self.todays.setdefault(row["investor_instrument"], []).append((row["settlement_date"], Fraction(row["price"])))
        self.grids: dict[str, list[Row]] = {}
        for row in self.table["pscat_trade_cash_grid"]:
            if not row["syntax_name"] or row["syntax_name"] in self.rules:
                self.grids.setdefault(row["trade_id"], []).append(row)

    def market(self, instrument: str, settles: dt.date) -> Fraction | None:
        """Today's price for the nearest date, of two equally near the earlier."""
        prices = self.todays.get(instrument, [])
        return min(prices, key=lambda one: (abs((one[0] - settles).days), one[0]))[1] if prices else None

    def base(self, name: str, trade: Row) -> Fraction | None:
        """The base price of a loan on a real trade."""
        rows = self.grids.get(trade["trade_id"])
        if rows:
            loan = self.loans[name]
            fit = [
                row
                for row in rows
                if row["rate"] <= loan["note_rate"] and (not row["syntax_name"] or evaluate(self.rules[row["syntax_name"]], loan))
            ]
            return Fraction(min(fit, key=lambda row: (-row["rate"], row["sequence_number"]))["price"]) if fit else None
        if trade["price"] is not None:
            return Fraction(trade["price"])
        return self.market(trade["investor_instrument"], trade["settlement_date"])

    def scored(self, name: str, instrument: Row, base: Fraction, settles: dt.date) -> tuple[Fraction, Fraction, Fraction, bool]:
        """Price, carry, score and whether a row of the curve applied."""
        loan = self.loans[name]
        total = base
        if instrument["coupon"] is not None:
            over = Fraction(loan["note_rate"]) - sum(
                Fraction(instrument[column]) for column in ("coupon", "guaranty_fee", "servicing_fee")
            )
            total += over * Fraction(instrument["buyup_multiple" if over >= 0 else "buydown_multiple"])
        for row in self.table["rmusr_payups"]:
            if row["investor_instrument"] != instrument["investor_instrument"] or row["attribute"] not in NUMERIC:
                continue
            value = loan[row["attribute"]]
            if row["div_by"] != 0 and value is not None and row["low_value"] <= value <= row["high_value"]:
                total += Fraction(row["payup"]) / Fraction(1 if row["div_by"] is None else row["div_by"])
        price = half_away(total, 8)
        days = (settles - self.eligible[name]).days
        rates = [
            Fraction(row["annual_rate_pct"])
            for row in self.table["pfill_carry_cost"]
            if row["investor_instrument"] == instrument["investor_instrument"] and row["from_day"] <= days <= row["to_day"]
        ]
        carry = half_away(sum(rates, Fraction(0)) / len(rates) * days / 365, 8) if rates else Fraction(0)
        score = price + carry if self.options.price_mode == "PRICE_PLUS_CARRY" else price
        return price, carry, score, bool(rates)

    # ---- candidates and how far each loan came (section 7) ----

    def _filters(self) -> None:
        for name in self.loans:
            stage = STAGES.index("NO_RULE_MATCH")
            if self._is_data_error(name):
                stage = STAGES.index("DATA_ERROR")
            elif name in self.held:
                stage = STAGES.index("LOCKED_OUT")
            else:
                for constraint in self.constraints:
                    stage = max(stage, self._through(name, constraint))
                self._synthetic(name)
            self.reason[name] = STAGES[stage]

    def _admitted(self, name: str, constraint: Row) -> bool:
        rule_name = constraint["rule_name"]
        return not rule_name or evaluate(self.rules[rule_name], self.loans[name])

    def _through(self, name: str, constraint: Row) -> int:
        if not self._admitted(name, constraint):
            return STAGES.index("NO_RULE_MATCH")
        stage = "NO_OPEN_TRADE"
        furthest = STAGES.index(stage)
        for trade_id, trade in self.trades.items():
            if trade["investor_instrument"] == constraint["investor_instrument"]:
                stage = self._on_trade(name, constraint, trade_id, trade)
                furthest = max(furthest, STAGES.index(stage))
        return furthest

    def _stopped(self, name: str, instrument: Row, days: int) -> str | None:
        loan = self.loans[name]
        over = None if instrument["coupon"] is None else loan["note_rate"] - instrument["coupon"]
        low, high = instrument["min_note_over_coupon"], instrument["max_note_over_coupon"]
        if over is not None and ((low is not None and over < low) or (high is not None and over > high)):
            return "NOTE_RATE_WINDOW"
        if instrument["max_loan_amount"] is not None and loan["loan_amount"] > instrument["max_loan_amount"]:
            return "LOAN_SIZE"
        eligible = (self.eligible[name] - self.options.as_of_date).days
        late = loan["close_date"] is None and self.options.max_eligible_days and eligible > self.options.max_eligible_days
        inside = 0 <= days <= self.options.max_trade_settle_days
        if not inside or eligible + self.options.eligible_settle_buffer_days > days or late:
            return "SETTLEMENT_WINDOW"
        return None

    def _on_trade(self, name: str, constraint: Row, trade_id: str, trade: Row) -> str:
        instrument = self.instruments[trade["investor_instrument"]]
        stopped = self._stopped(name, instrument, trade["days"])
        if stopped:
            return stopped
        base = self.base(name, trade)
        if base is None:
            return "NO_PRICE"
        price, carry, score, matched = self.scored(name, instrument, base, trade["settlement_date"])
        floor = self.options.bx_price_floor
        if floor is not None and instrument["kind"] == "CASH" and price < Fraction(floor):
            return "BELOW_PRICE_FLOOR"
        self.candidates.setdefault((name, trade_id), Candidate(price, carry, score, constraint, matched))
        return "CANDIDATE"

    def _synthetic(self, name: str) -> None:
        ranks = []
        for instrument_name, prices in self.todays.items():
            instrument = self.instruments[instrument_name]
            wanted = [c for c in self.constraints if c["investor_instrument"] == instrument_name and self._admitted(name, c)]
            for settles, base in prices:
                days = (settles - self.options.as_of_date).days
                if wanted and not self._stopped(name, instrument, days):
                    score = self.scored(name, instrument, base, settles)[2]
                    ranks.append((-score, settles, instrument_name, f"SYN-{instrument_name}-{settles:%Y%m%d}"))
        self.synthetic[name] = [(-negative, *rest) for negative, *rest in sorted(ranks)]  # type: ignore[misc]

    # ---- pools (sections 8 and 9.5) ----

    def _pools(self) -> None:
        forming = {row["pool_name"] for row in self.table["pscat_pools"] if row["pool_status"] == "FORMING"}
        known = {row["loan_id"]: row for row in self.table["loan"]}
        latest: dict[str, tuple[dt.date, str]] = {}
        for row in self.table["pscat_pool_loans"]:
            if row["pool_name"] in forming and row["loan_id"] in known:
                posted = (row["posted_date"], row["pool_name"])
                latest[row["loan_id"]] = max(latest.get(row["loan_id"], posted), posted)
        self.current = {name: pool for name, (_, pool) in latest.items() if name in self.loans}
        self.outside: dict[str, Fraction] = {}
        for name, (_, pool) in latest.items():
            if name not in self.loans:
                self.outside[pool] = self.outside.get(pool, Fraction(0)) + max(
                    Fraction(known[name]["loan_amount"] or 0), Fraction(0)
                )
        self.related = {
            (row["trade_id"], row["pool_name"]): Fraction(row["amount"])
            for row in self.table["pscat_trades_pools_relation"]
            if row["pool_name"] in forming
        }
