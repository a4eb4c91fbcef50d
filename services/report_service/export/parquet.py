"""Apache Parquet: typed columns in row groups, compressed with zstd; the same rows give the same bytes."""

from typing import Any

import pyarrow as pa
import sqlalchemy as sa
from pyarrow import parquet

from services.report_service.export.encoder import Chunk, Outbox
from services.report_service.export.plain import SECOND_PLACES, second_texts
from services.report_service.reports.cells import Cells
from services.report_service.reports.columns import Columns, Records
from shared.database.types import Exact, UtcDateTime

ROW_GROUP_ROWS = 10_000
"""Rows a row group, but for the last. They are held in memory, in their columns' types, until the group is written."""

_SECONDS = Exact(18, SECOND_PLACES)


class ParquetEncoder:
    """A Parquet file. A row group is written whole, so nothing comes out before one is full."""

    def __init__(self, columns: Columns) -> None:
        self._columns = columns
        self._outbox = Outbox()
        self._schema = pa.schema([pa.field(name, arrow_type(column.type)) for name, column in columns.items()])
        self._writer = parquet.ParquetWriter(
            self._outbox, self._schema, compression="zstd", compression_level=3, store_decimal_as_integer=True
        )
        self._waiting: list[pa.RecordBatch] = []

    def add(self, chunk: Chunk) -> None:
        """Keep the rows, and write the row groups that are full."""
        arrays = [arrow_array(column.type, chunk[name]) for name, column in self._columns.items()]
        batch = pa.record_batch(arrays, schema=self._schema)
        if batch.num_rows:
            self._waiting.append(batch)
        while sum(batch.num_rows for batch in self._waiting) >= ROW_GROUP_ROWS:
            self._write_row_group()

    def finish(self) -> None:
        """Write the rest and the footer."""
        if self._waiting:
            self._write_row_group()
        self._writer.close()

    def read(self, size: int) -> bytes:
        """The row groups written so far."""
        return self._outbox.read(size)

    def close(self) -> None:
        """Give up the writer; it would write its footer when it is collected."""
        self._writer.close()

    def _write_row_group(self) -> None:
        table = pa.Table.from_batches(self._waiting, self._schema)
        self._writer.write_table(table.slice(0, ROW_GROUP_ROWS), row_group_size=ROW_GROUP_ROWS)
        rest = table.slice(ROW_GROUP_ROWS)
        self._waiting = rest.to_batches() if rest.num_rows else []


def arrow_type(kind: sa.types.TypeEngine[Any]) -> pa.DataType:
    """The Arrow type of a column's cells; a length of time is a decimal number of seconds."""
    match kind:
        case Exact():
            return pa.decimal128(kind.precision, kind.scale)
        case sa.Interval():
            return arrow_type(_SECONDS)
        case sa.Boolean():
            return pa.bool_()
        case sa.Integer():
            return pa.int64()
        case sa.Date():
            return pa.date32()
        case UtcDateTime():
            return pa.timestamp("us", tz="UTC")
        case sa.ARRAY():
            return pa.list_(pa.string())
        case Records():
            return pa.list_(pa.struct([(name, arrow_type(field)) for name, field in kind.fields.items()]))
        case _:
            return pa.string()


def arrow_array(kind: sa.types.TypeEngine[Any], cells: Cells) -> pa.Array:
    """The cells of a column in its Arrow type; empty texts are null."""
    match kind:
        case Exact():
            return pa.array(cells, pa.string()).cast(arrow_type(kind))
        case sa.Interval():
            return arrow_array(_SECONDS, second_texts(cells))
        case Records():
            return _records(kind, cells)
        case sa.ARRAY() | sa.Boolean() | sa.Integer() | sa.Date() | UtcDateTime():
            return pa.array(cells, arrow_type(kind))
        case _:
            return pa.array([cell or None for cell in cells], pa.string())


def _records(kind: Records, cells: Cells) -> pa.Array:
    """Lists of structs: the fields of all rows one after the other, and where each cell's rows begin."""
    ends, rows = [0], []
    for cell in cells:
        rows.extend(cell)
        ends.append(len(rows))
    fields = [arrow_array(field, [row[name] for row in rows]) for name, field in kind.fields.items()]
    kind_of_list = arrow_type(kind)
    structs = pa.StructArray.from_arrays(fields, type=kind_of_list.value_type)
    return pa.ListArray.from_arrays(pa.array(ends, pa.int32()), structs, type=kind_of_list)
