"""Hypothesis profiles: the same examples every time, unless POWERFILL_FUZZ gives a number of fresh ones."""

import os

from hypothesis import HealthCheck, settings

_FUZZ = int(os.environ.get("POWERFILL_FUZZ", "0"))

settings.register_profile(
    "powerfill",
    deadline=None,
    database=None,
    derandomize=not _FUZZ,
    max_examples=_FUZZ or 32,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)
settings.load_profile("powerfill")
