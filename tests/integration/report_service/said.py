"""What the rows of reports say, as plain values, and what the engine's frames say they should."""

import datetime as dt
import json
from collections.abc import Callable, Mapping
from typing import Any

import polars as pl
from google.protobuf.message import Message
from powerfill.common.v1.run_status_pb2 import RunStatus
from powerfill.report.v1.report_pb2 import NoteCode, ReportHeader

from shared.rpc.values import duration_from_proto, timestamp_from_proto
from tests.instances.execute import Ran

Plain = dict[str, Any]


def plain(row: Message) -> Plain:
    """Every field: decimals by their text, dates and times as such, None for what is unset and for an empty text."""
    return {field.name: _field(row, field) for field in row.DESCRIPTOR.fields}


def said(row: Message) -> Plain:
    """The fields that are set, as `plain` has them."""
    return {field.name: _value(field, value) for field, value in row.ListFields()}


def note_codes(header: ReportHeader) -> list[str]:
    """The codes of the notes, in order."""
    return [NoteCode.Name(note.code).removeprefix("NOTE_CODE_") for note in header.notes]


def of_frame(frame: pl.DataFrame, columns: Mapping[str, str]) -> list[Plain]:
    """The rows of a frame as `plain` has those of a report, whose columns come from the frame's columns named."""
    return [{name: _cell(row[source], frame.schema[source]) for name, source in columns.items()} for row in frame.to_dicts()]


def _field(row: Any, field: Any) -> Any:
    value = getattr(row, field.name)
    if field.is_repeated:
        return tuple(_value(field, item) for item in value)
    if field.has_presence and not row.HasField(field.name):
        return None
    return None if value == "" else _value(field, value)


def _value(field: Any, value: Any) -> Any:
    if field.enum_type is not None:
        return RunStatus.Name(value).removeprefix("RUN_STATUS_")
    return value if field.message_type is None else _MESSAGES.get(field.message_type.full_name, plain)(value)


_MESSAGES: Mapping[str, Callable[[Any], Any]] = {
    "google.type.Decimal": lambda message: message.value,
    "google.type.Date": lambda message: dt.date(message.year, message.month, message.day),
    "google.protobuf.Timestamp": lambda message: timestamp_from_proto(message, "time"),
    "google.protobuf.Duration": duration_from_proto,
}


def _cell(value: Any, dtype: pl.DataType) -> Any:
    if isinstance(dtype, pl.Decimal):
        return None if value is None else f"{value:.{dtype.scale}f}"
    return None if value == "" else value


RENAMED: Mapping[str, Mapping[str, str]] = {
    "pool_switching": {"switch_id": "loan_id", "side": "pool_action", "pool": "pool_name"},
    "cash_trade_slotting": {"amount": "loan_amount"},
    "synthetic_opportunities": {"score": "taken_score", "syn_score": "score"},
    "constraint_blocks": {"allocated_count": "loan_count", "allocated_amount": "loan_amount"},
    "run_log": {"level": "severity", "count": "row_count"},
}
"""Columns of reports that their tables have under another name, as the contract names the one and the specification the other."""

TABLES: Mapping[str, str] = {
    "allocation_guide": "pfill_powerfill_guide",
    "kickouts": "pfill_kickout_guide_01",
    "trade_recap": "pfill_trade_base",
    "pool_switching": "pfill_pool_guide",
    "pool_candidates": "pfill_loan2trade_candy_level_01",
    "existing_disposition": "pfill_existing_disposition",
    "pooling_guide": "pfill_pooling_guide",
    "cash_trade_slotting": "pfill_cash_market_map",
    "synthetic_opportunities": "pfill_syn_powerfill_guide",
    "constraint_blocks": "pfill_trade_cblock_base",
    "run_log": "pfill_powerfill_log",
}
"""The output table of every report of a run."""

KEYS: Mapping[str, tuple[str, ...]] = {
    "allocation_guide": ("loan_id",),
    "kickouts": ("loan_id",),
    "trade_recap": ("trade_id",),
    "pool_switching": ("switch_id", "side"),
    "pool_candidates": ("loan_id", "rank"),
    "existing_disposition": ("loan_id", "pool"),
    "pooling_guide": ("pool",),
    "cash_trade_slotting": ("loan_instrument", "investor_instrument", "slot_number"),
    "synthetic_opportunities": ("loan_id",),
    "constraint_blocks": ("constraint_id", "trade_id"),
    "run_log": ("sequence",),
}
"""What identifies a row of them and orders the rows, as the contract says."""


def expected(ran: Ran, report: str, columns: list[str]) -> list[Plain]:
    """The rows of a report by its key, made of what the engine gave."""
    frame = ran.table(TABLES[report])
    if report == "pool_switching":
        frame = frame.filter(pl.col("pool_action").is_in(["SWAPPED_IN", "SWAPPED_OUT"]))
    stored = [name for name in columns if name not in ("ranks", "examples")]
    rows = of_frame(frame, {name: RENAMED.get(report, {}).get(name, name) for name in stored})
    if report == "synthetic_opportunities":
        _add_ranks(ran, rows)
    if report == "run_log":
        for row, text in zip(rows, frame["examples"], strict=True):
            row["examples"] = tuple(json.loads(text))
    return sorted(rows, key=lambda row: tuple(row[name] for name in KEYS[report]))


def _add_ranks(ran: Ran, rows: list[Plain]) -> None:
    ranks = ran.table("pfill_syn_powerfill_guide_all_rank")
    names = [name for name in ranks.columns if name != "loan_id"]
    for row in rows:
        own = ranks.filter(pl.col("loan_id") == row["loan_id"]).sort("rank")
        row["ranks"] = tuple(of_frame(own, {name: name for name in names}))
