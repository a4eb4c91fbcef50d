"""How progress leaves the pure engine: a callback object with no-op defaults. Who logs, stores or streams is another's affair."""

from collections.abc import Mapping
from decimal import Decimal

from services.run_service.domain.findings import Finding
from services.run_service.domain.run import Step

IMPROVE = "improve"
"""The name of the passes that the improvement phase reports."""


class Progress:
    """Receives what happens, in order. Every method does nothing here; override those of interest."""

    def step_started(self, step: Step) -> None:
        """A step began."""

    def step_progress(self, step: Step, fraction: float, message: str, counters: Mapping[str, int] | None = None) -> None:
        """A step goes on: `fraction` between 0 and 1, figures so far by name."""

    def step_completed(self, step: Step, row_count: int) -> None:
        """A step ended well with this many rows."""

    def step_skipped(self, step: Step, reason: str) -> None:
        """A step was not needed."""

    def pass_completed(self, name: str, value: Decimal, upper_bound: Decimal | None, allocated_count: int) -> None:
        """The allocation as it stands after a pass or during improvement; dollars."""

    def warning(self, finding: Finding) -> None:
        """Something the desk should know."""
