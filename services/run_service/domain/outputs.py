"""Which of a run's output tables outlive a run that gave no result."""

DIAGNOSTIC_TABLES = (
    "pfill_powerfill_log",
    "pfill_cash_market_map",
    "pfill_syn_trade_base",
    "pfill_syn_powerfill_guide_all_rank",
    "pfill_syn_powerfill_guide",
)
"""Kept for diagnosis when a run fails or is cancelled, as far as they were written whole; all other rows are removed."""
