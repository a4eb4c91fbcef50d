"""Page tokens of reports: the run and total of the first page, and where the next page starts in the order asked for."""

import dataclasses
from typing import Any

from services.report_service.reports import base
from services.report_service.reports.order import from_token, token_value
from shared.rpc.paging import Position, page_token_invalid


def position_of(params: base.Params) -> Position:
    """What the token of a later page holds: see `base.Page.next`."""
    return (params.run_id, params.row_count, *(token_value(cell) for cell in params.after or ()))


def later_page(params: base.Params, report: base.Report, position: list[Any]) -> base.Params:
    """The page at a position that a token held, for the query that `params` were made of.

    Raises PAGE_TOKEN_INVALID for what is no position in this report's order, as another version's may be.
    """
    order = report.ordered(params)
    if len(position) != 2 + len(order):
        raise page_token_invalid()
    run_id, row_count, *values = position
    if not isinstance(run_id, str) or type(row_count) is not int or not 0 <= row_count <= _MOST_ROWS:
        raise page_token_invalid()
    try:
        "".join(text for text in position if isinstance(text, str)).encode()
        after = tuple(from_token(value, report.queryable[one.name]) for value, one in zip(values, order, strict=True))
    except ValueError:  # a text that no database has among them
        raise page_token_invalid() from None
    return dataclasses.replace(params, run_id=run_id, row_count=row_count, after=after)


_MOST_ROWS = 2**63 - 1
