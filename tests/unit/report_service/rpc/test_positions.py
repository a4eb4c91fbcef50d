"""What a page token of a report holds, and what is taken back from one."""

import contextlib
import datetime as dt
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.report_service.reports import allocation_guide, base, pool_candidates, run_overview
from services.report_service.reports.order import Ordering
from services.report_service.rpc.positions import later_page, position_of
from shared.errors import PowerFillError, Reason

MOMENT = dt.datetime(2026, 4, 17, 12, 30, 0, 5, tzinfo=dt.UTC)
ORDERED = base.Params(orderings=(Ordering("loan_amount", descending=True), Ordering("locked"), Ordering("settlement_date")))


@pytest.mark.parametrize(
    ("report", "asked", "after"),
    [
        (allocation_guide.REPORT, base.Params(), ("L1",)),
        (allocation_guide.REPORT, ORDERED, (Decimal("250000.10"), True, dt.date(2026, 5, 14), "L1")),
        (allocation_guide.REPORT, ORDERED, (None, None, None, "L1")),
        (pool_candidates.REPORT, base.Params(), ("L1", 3)),
        (run_overview.REPORT, base.Params(), (MOMENT, "R1")),
    ],
)
def test_a_position_comes_back_as_it_was_given(report: base.Report, asked: base.Params, after: base.Position) -> None:
    following = base.Params("R1", 500, after, orderings=asked.orderings, row_count=7)
    assert later_page(asked, report, list(position_of(following))) == following


JUNK = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(["R1", "L1", 7, [], ["L1"], {}])


@pytest.mark.parametrize("report", [allocation_guide.REPORT, pool_candidates.REPORT, run_overview.REPORT])
@given(position=st.lists(JUNK, min_size=1, max_size=5))
def test_what_is_no_position_of_the_report_is_refused(report: base.Report, position: list[Any]) -> None:
    """Such a token can only be another version's, which signs with the same secret. What is taken is one and the same again."""
    params = None
    with contextlib.suppress(PowerFillError):
        params = later_page(base.Params(), report, position)
    assert params is None or list(position_of(params)) == position


@pytest.mark.parametrize(
    "position",
    [[], ["R1"], ["R1", 7], ["R1", 7, "L1", "L2"], [1, 7, "L1"], ["R1", "7", "L1"], ["R1", True, "L1"], ["R1", -1, "L1"],
     ["R1", 7, 1], ["R1", 7, None], ["R1", 7, ["L1"]], ["R1", 7.0, "L1"], ["R1", 2**63, "L1"], ["R1", 7, "\ud800"],
     ["\ud800", 7, "L1"]],
)  # fmt: skip
def test_a_position_of_the_wrong_shape_is_refused(position: list[Any]) -> None:
    with pytest.raises(PowerFillError) as error:
        later_page(base.Params(), allocation_guide.REPORT, position)
    assert error.value.reason == Reason.PAGE_TOKEN_INVALID
