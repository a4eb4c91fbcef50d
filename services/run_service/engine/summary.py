"""The run summary: every name of specification 01 section 9, ready for JSON (decimals as strings, counts as integers)."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import numpy as np
import polars as pl

from services.run_service.engine.ledger import Ledger
from shared.money import AMOUNT_PLACES, points_to_cents, round_half_away, sum_exact, unscaled


def summarise(ledger: Ledger, tables: Mapping[str, pl.DataFrame]) -> dict[str, Any]:
    """The figures of a complete run; `tables` are its output tables after step 6."""
    book, decision, candidates = ledger.book, ledger.decision, ledger.candidates
    loans, trades = book.loans, book.trades
    allocated = ledger.trade >= 0
    in_scope_cents = sum_exact(np.maximum(0, loans.amount))
    counts = dict(tables["pfill_cblock_guide"].select("constraint_id", "candidate_count").iter_rows())
    shortfall = np.where(trades.in_window, np.maximum(0, trades.lo - ledger.fill), 0)
    filled = trades.in_window & (ledger.fill >= trades.lo)
    reasons = tables["pfill_kickout_guide_01"].group_by("reason").len().sort("reason")
    gap = None if decision.upper_bound is None else decision.upper_bound - decision.value
    balance = unscaled(in_scope_cents, AMOUNT_PLACES)
    return {
        "constraint_count": len(book.constraints),
        "candidate_count": len(candidates),
        "candidates_per_constraint": {
            c.constraint_id: counts[c.constraint_id] for c in book.constraints if c.constraint_id in counts
        },
        "carry_matched": candidates.carry_matched,
        "carry_missed": len(candidates) - candidates.carry_matched,
        "allocated_count": int(allocated.sum()),
        "kicked_out_count": int((~allocated).sum()),
        "cblock_count": len(tables["pfill_cblock_guide"]),
        "pool_guide_count": len(tables["pfill_pool_guide"]),
        "syn_trade_base_count": len(tables["pfill_syn_trade_base"]),
        "syn_powerfill_guide_all_rank_count": len(tables["pfill_syn_powerfill_guide_all_rank"]),
        "syn_powerfill_guide_count": len(tables["pfill_syn_powerfill_guide"]),
        "pfill_powerfill_log_count": len(tables["pfill_powerfill_log"]),
        "post_ue_allocated_count": len(tables["pfill_powerfill_guide"]),
        "post_ue_pool_guide_count": len(tables["pfill_pool_guide"]),
        "in_scope_count": len(loans),
        "in_scope_amount": str(balance),
        "allocated_amount": _dollars(sum_exact(loans.amount[allocated])),
        "trades_filled": int(filled.sum()),
        "trades_underfilled": int((trades.in_window & ~filled).sum()),
        "total_pair_off": _dollars(sum_exact(points_to_cents(shortfall, trades.pair_off))),
        "value": str(decision.value),
        "baseline_value": str(decision.baseline_value),
        "upper_bound": _text(decision.upper_bound),
        "bound_kind": None if decision.bound is None else decision.bound.kind,
        "gap_amount": _text(gap),
        "gap_bp": None if gap is None else str(round_half_away(gap * 10_000 / balance if balance else Decimal(0), 4)),
        "passes_value": _text(decision.passes_value),
        "ended_by": decision.ended_by,
        "allocated_not_closed_amount": _dollars(sum_exact(loans.amount[allocated & ~loans.has_close_date])),
        "kickouts_by_reason": dict(reasons.iter_rows()),
        "work_done": decision.work_done,
    }


def _dollars(cents: int) -> str:
    return str(unscaled(cents, AMOUNT_PLACES))


def _text(value: Decimal | None) -> str | None:
    return None if value is None else str(value)
