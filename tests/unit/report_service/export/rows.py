"""A report with a column of every type, three rows of it, and the way to make a file of some."""

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from services.report_service.export.encoder import Encoder
from services.report_service.reports.columns import Column, Columns, Records
from shared.database.types import Exact, UtcDateTime

RANK: Mapping[str, sa.types.TypeEngine[Any]] = {
    "rank": sa.BigInteger(),
    "syn_trade_id": sa.Unicode(200),
    "settlement_date": sa.Date(),
    "score": Exact(12, 8),
}

_TYPES: Mapping[str, sa.types.TypeEngine[Any]] = {
    "loan_id": sa.Unicode(100), "amount": Exact(20, 2), "price": Exact(12, 8), "settlement_date": sa.Date(),
    "loan_count": sa.BigInteger(), "locked": sa.Boolean(), "submitted_at": UtcDateTime(), "duration": sa.Interval(),
    "examples": sa.ARRAY(sa.Unicode()), "ranks": Records(RANK),
}  # fmt: skip
COLUMNS: Columns = {name: Column(kind) for name, kind in _TYPES.items()}

BEST = {"rank": 1, "syn_trade_id": "SYN-A", "settlement_date": dt.date(2026, 5, 14), "score": "101.00000001"}
NEXT = {"rank": 2, "syn_trade_id": "SYN-B", "settlement_date": dt.date(2026, 6, 11), "score": None}

ROWS: Sequence[Mapping[str, Any]] = (
    {
        "loan_id": "L1", "amount": "-250000.00", "price": "100.71147260", "settlement_date": dt.date(2026, 5, 14),
        "loan_count": 0, "locked": True, "submitted_at": dt.datetime(2026, 4, 17, 12, 30, 15, 250_000, dt.UTC),
        "duration": dt.timedelta(seconds=61.5), "examples": ("A", 'B "b"'), "ranks": [BEST, NEXT],
    },
    {
        "loan_id": "L2", "amount": "999999999999999999.99", "price": None, "settlement_date": None, "loan_count": 10**15,
        "locked": False, "submitted_at": None, "duration": None, "examples": (), "ranks": [],
    },
    {**dict.fromkeys(COLUMNS), "loan_id": "", "examples": (), "ranks": []},
)  # fmt: skip


def chunk_of(rows: Sequence[Mapping[str, Any]], columns: Columns = COLUMNS) -> dict[str, list[Any]]:
    """These rows by column."""
    return {name: [row[name] for row in rows] for name in columns}


def whole(encoder: Encoder, *chunks: Mapping[str, Sequence[Any]]) -> bytes:
    """The file of an encoder to which these chunks are given, read in small parts."""
    parts: list[bytes] = []
    try:
        for chunk in chunks:
            encoder.add(chunk)
            parts += iter(lambda: encoder.read(7), b"")
        encoder.finish()
        parts += iter(lambda: encoder.read(7), b"")
    finally:
        encoder.close()
    return b"".join(parts)


def text_columns(*names: str) -> Columns:
    """Columns of texts."""
    return {name: Column(sa.Unicode()) for name in names}
