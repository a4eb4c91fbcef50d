"""The cells of a report as people read them on a terminal."""

import datetime as dt
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from powerfill.report.v1.synthetic_opportunities_pb2 import SyntheticRank

from cli.console import count, number, seconds
from cli.report_pages import Columns, is_figure
from cli.text_table import Column


def table_columns(columns: Columns, fields: Mapping[str, FieldDescriptor]) -> list[Column]:
    """Columns of these fields for a table."""
    return [Column(name, cell_texts(cells), is_figure(fields[name])) for name, cells in columns.items()]


def cell_texts(cells: Sequence[Any]) -> list[str]:
    """The cells of a column: exact figures with thousands separators; empty where unset."""
    return ["" if cell is None else cell_text(cell) for cell in cells]


def cell_text(cell: Any) -> str:
    """One cell; a list with its items one after the other, moments as this machine's clock shows them."""
    match cell:
        case bool():
            return "yes" if cell else "no"
        case int():
            return count(cell)
        case Decimal():
            return number(cell)
        case dt.datetime():
            return cell.astimezone().strftime("%Y-%m-%d %H:%M:%S")
        case dt.date():
            return cell.isoformat()
        case dt.timedelta():
            return seconds(cell.total_seconds())
        case list():
            return ", ".join(map(cell_text, cell))
        case SyntheticRank():
            return f"{cell.syn_trade_id} {number(Decimal(cell.score.value))}"
        case _:
            return str(cell)
