"""Reports as typed frames: every page of one, read through the report service, in the report's own columns and order."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl
from google.protobuf.field_mask_pb2 import FieldMask
from powerfill.report.v1 import (
    allocation_guide_pb2,
    cash_trade_slotting_pb2,
    constraint_blocks_pb2,
    existing_disposition_pb2,
    kickouts_pb2,
    pool_candidates_pb2,
    pool_switching_pb2,
    pooling_guide_pb2,
    run_log_pb2,
    run_overview_pb2,
    synthetic_opportunities_pb2,
    trade_recap_pb2,
)
from powerfill.report.v1.report_pb2 import ReportHeader, ReportQuery

from cli.clients import ReportClient
from cli.exit_codes import CommandError
from cli.wire import as_date
from services.run_service.engine.frames import OUTPUT_KEYS, OUTPUT_TABLES

PAGE_ROWS = 5000


@dataclass(frozen=True)
class Report:
    """One report: its RPC and request, and the output table that has its columns (None: not in this version)."""

    rpc: str
    request: type[Any]
    table: str | None = None

    @property
    def columns(self) -> Mapping[str, pl.DataType]:
        """The columns and their types, in order."""
        return OUTPUT_TABLES[self.table] if self.table else {}

    @property
    def key(self) -> tuple[str, ...]:
        """What identifies a row, and orders the rows."""
        return OUTPUT_KEYS[self.table] if self.table else ()


REPORTS: Mapping[str, Report] = {
    "allocation_guide": Report("GetAllocationGuide", allocation_guide_pb2.GetAllocationGuideRequest, "pfill_powerfill_guide"),
    "kickouts": Report("GetKickouts", kickouts_pb2.GetKickoutsRequest, "pfill_kickout_guide_01"),
    "trade_recap": Report("GetTradeRecap", trade_recap_pb2.GetTradeRecapRequest, "pfill_trade_base"),
    "pool_switching": Report("GetPoolSwitching", pool_switching_pb2.GetPoolSwitchingRequest),
    "pool_candidates": Report("GetPoolCandidates", pool_candidates_pb2.GetPoolCandidatesRequest),
    "existing_disposition": Report("GetExistingDisposition", existing_disposition_pb2.GetExistingDispositionRequest),
    "pooling_guide": Report("GetPoolingGuide", pooling_guide_pb2.GetPoolingGuideRequest),
    "cash_trade_slotting": Report("GetCashTradeSlotting", cash_trade_slotting_pb2.GetCashTradeSlottingRequest),
    "synthetic_opportunities": Report("GetSyntheticOpportunities", synthetic_opportunities_pb2.GetSyntheticOpportunitiesRequest),
    "constraint_blocks": Report("GetConstraintBlocks", constraint_blocks_pb2.GetConstraintBlocksRequest),
    "run_log": Report("GetRunLog", run_log_pb2.GetRunLogRequest),
    "run_overview": Report("GetRunOverview", run_overview_pb2.GetRunOverviewRequest),
}
"""Every report by name, in the specification's order."""

EXPORTED = tuple(name for name, report in REPORTS.items() if report.table)
"""The reports that this version has."""


@dataclass(frozen=True)
class ReportRows:
    """A report of a run: its header, and its rows (or the first of them) as the engine typed them; null where unset."""

    header: ReportHeader
    rows: pl.DataFrame


async def read_report(
    client: ReportClient, name: str, run_id: str = "", limit: int = 0, columns: Sequence[str] = ()
) -> ReportRows:
    """All rows of a report, or the first `limit`, with all columns or those named; all of one run, whatever happens meanwhile.

    Raises what the client raises, and CommandError for an answer that is not whole.
    """
    report = REPORTS[name]
    wanted = {column: dtype for column, dtype in report.columns.items() if not columns or column in columns}
    query = ReportQuery(run_id=run_id, page_size=min(limit or PAGE_ROWS, PAGE_ROWS))
    if columns:
        query.read_mask.CopyFrom(FieldMask(paths=wanted))
    frames: list[pl.DataFrame] = []
    read = 0
    while True:
        page = await client.page(report.rpc, report.request, query)
        if not report.table:
            raise CommandError(f"the server has {name}, this version of the command line has not")
        frames.append(frame_of(page.rows, wanted))
        read += frames[-1].height
        if not page.next_page_token or (limit and read >= limit):
            break
        query.page_token = page.next_page_token
    rows = pl.concat(frames)
    if not limit and read != page.header.row_count:
        raise CommandError(f"{read} rows of {name} came, the run has {page.header.row_count}; try again")
    return ReportRows(page.header, rows.head(limit) if limit else rows)


def frame_of(rows: Sequence[Any], columns: Mapping[str, pl.DataType]) -> pl.DataFrame:
    """The rows of a response, with these columns and types; null where unset.

    Raises CommandError for a decimal that does not fit its column exactly.
    """
    return pl.DataFrame([_series(rows, name, dtype) for name, dtype in columns.items()])


def json_rows(rows: pl.DataFrame) -> list[dict[str, Any]]:
    """Rows as JSON values: decimals as text, dates in ISO form."""
    return rows.with_columns(pl.col(pl.Decimal).cast(pl.String), pl.col(pl.Date).dt.to_string("iso")).to_dicts()


def _series(rows: Sequence[Any], name: str, dtype: pl.DataType) -> pl.Series:
    if isinstance(dtype, pl.Decimal):
        return _decimals(pl.Series(name, [getattr(row, name).value or None for row in rows], dtype=pl.String), dtype)
    return pl.Series(name, list(_cells(rows, name, dtype)), dtype=dtype)


def _cells(rows: Sequence[Any], name: str, dtype: pl.DataType) -> Iterator[Any]:
    values = (getattr(row, name) for row in rows)
    if dtype == pl.Date:
        return (as_date(value) for value in values)
    if dtype == pl.String:
        return (value or None for value in values)
    if rows and rows[0].DESCRIPTOR.fields_by_name[name].has_presence:
        return (value if row.HasField(name) else None for row, value in zip(rows, values, strict=True))
    return values


def _decimals(texts: pl.Series, dtype: pl.Decimal) -> pl.Series:
    """Exact: polars would cut off further places without a word."""
    if not texts.drop_nulls().str.contains(rf"^-?\d+(\.\d{{1,{dtype.scale}}})?$").all():
        raise CommandError(f"the server sent a {texts.name} that is no decimal with at most {dtype.scale} places")
    try:
        return texts.cast(dtype)
    except pl.exceptions.InvalidOperationError:
        raise CommandError(f"the server sent a {texts.name} beyond {dtype.precision} digits") from None
