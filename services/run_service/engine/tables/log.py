"""`pfill_powerfill_log`: what the passes and steps wrote down, and every warning, in order.

`code` is that of the finding, PASS for a pass of the allocation (whose name is in `pass`, null in other rows) or STEP for what
else a step has to say; `subject` is what `row_count` counts, or the table or column a finding is about; `examples` is a JSON list
of keys.
"""

import json
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import polars as pl

from services.run_service.domain.findings import Finding
from services.run_service.domain.run import Step
from services.run_service.engine.frames import OUTPUT_TABLES

INFO = "INFO"


@dataclass
class RunLog:
    """Collects rows during a run; their numbers count from 1."""

    rows: list[dict[str, Any]] = field(default_factory=list)

    def warned(self, step: Step, finding: Finding) -> None:
        """A finding made in a step."""
        self._add(
            step, str(finding.severity), str(finding.code), finding.subject, finding.message, finding.count, finding.examples
        )

    def passed(self, name: str, value: Decimal, allocated_count: int) -> None:
        """A pass of the allocation ended with this value, dollars."""
        self._add(
            Step.ALLOCATION, INFO, "PASS", "allocated loans", f"value {value} after {name}", allocated_count, pass_name=name
        )

    def wrote(self, step: Step, subject: str, message: str, row_count: int) -> None:
        """Something a step has to say."""
        self._add(step, INFO, "STEP", subject, message, row_count)

    def table(self) -> pl.DataFrame:
        """The log as its output table."""
        return pl.DataFrame(self.rows, schema=dict(OUTPUT_TABLES["pfill_powerfill_log"]), orient="row")

    def _add(
        self,
        step: Step,
        severity: str,
        code: str,
        subject: str,
        message: str,
        row_count: int,
        examples: tuple[str, ...] = (),
        pass_name: str | None = None,
    ) -> None:
        self.rows.append(
            {
                "sequence": len(self.rows) + 1,
                "step": str(step),
                "severity": severity,
                "code": code,
                "subject": subject,
                "message": message,
                "row_count": row_count,
                "examples": json.dumps(examples, ensure_ascii=False),
                "pass": pass_name,
            }
        )
