"""The run log: what the steps and passes wrote down, and every warning, by sequence."""

import dataclasses
import json
from collections.abc import Sequence
from typing import Any, TypedDict

import sqlalchemy as sa

from services.report_service.reports import base
from services.report_service.reports.columns import Column, plain, stored
from services.report_service.reports.filter.text import TextList
from services.report_service.reports.freshness import ReportedRun
from shared.database.tables import OUTPUT_TABLES
from shared.tenancy.database import ReadOnlyTenantDatabase

Params = base.Params

Row = TypedDict(
    "Row",
    {
        "sequence": int,
        "level": str,
        "step": str,
        "pass": str | None,
        "code": str,
        "message": str,
        "count": int,
        "examples": Sequence[str],
    },
)
"""One line of the log: `count` rows concerned, `examples` the keys of some of them."""


def statement(run_id: str, params: Params) -> sa.Select[Any]:
    """The rows of a page."""
    return base.run_statement(REPORT, run_id, params)


async def fetch(database: ReadOnlyTenantDatabase, params: Params) -> base.Page:
    """A page of the log; see `base.read_page`."""
    page = await base.read_page(database, REPORT, statement, params)
    if "examples" not in page.columns:
        return page
    examples = [json.loads(cell) if cell else [] for cell in page.columns["examples"]]
    return dataclasses.replace(page, columns={**page.columns, "examples": examples})


def _why_empty(run: ReportedRun) -> str:
    return "the run wrote nothing down"


_TABLE = OUTPUT_TABLES["pfill_powerfill_log"]
_PASS = sa.func.coalesce(_TABLE.c["pass"], sa.case((_TABLE.c.code == "PASS", _TABLE.c.subject)))
"""In runs of an earlier version the pass is the subject of the line that ends it."""

_EXAMPLES = Column(sa.ARRAY(sa.Unicode()), _TABLE.c.examples, sa.type_coerce(_TABLE.c.examples, TextList()))
_COLUMNS = stored(_TABLE, Row.__annotations__, level="severity", count="row_count")

REPORT = base.RunReport(
    table=_TABLE,
    key=base.key("sequence"),
    columns=_COLUMNS | {"pass": plain(_PASS), "examples": _EXAMPLES},
    run_notes=frozenset(),
    why_empty=_why_empty,
    kept_for_diagnosis=True,
)
