"""The engine's frames, the tables of the databases and the states of a run say the same in different places."""

import polars as pl
import pytest
import sqlalchemy as sa

from services.run_service.domain.run import ACTIVE
from services.run_service.engine.frames import INPUT_TABLES, OUTPUT_KEYS
from services.run_service.engine.frames import OUTPUT_TABLES as OUTPUT_FRAMES
from services.run_service.engine.tables.pool_rows import SWAPPED_IN, SWAPPED_OUT
from shared.database.bulk import frame_type
from shared.database.files import GENERATED_KEYS, LOADABLE
from shared.database.tables import (
    ACTIVE_STATUSES,
    AUDIT_TABLES,
    CONFIG_TABLES,
    LENDER_TABLES,
    OUTPUT_TABLES,
    SCHEMA,
    SWITCH_SIDES,
    optional_columns,
)

SOURCES = {**LENDER_TABLES, **CONFIG_TABLES}


def only_in_tables(name: str) -> set[str]:
    """Columns of a configuration table that a run does not read: its generated key and its version."""
    if name in LENDER_TABLES:
        return set()
    generated = GENERATED_KEYS.get(name, ("", ""))[0]
    return {"row_version"} | ({generated} - set(INPUT_TABLES[name].columns))


def test_a_run_reads_the_lenders_tables_and_those_that_files_can_fill() -> None:
    assert set(INPUT_TABLES) == set(LOADABLE)


@pytest.mark.parametrize("name", INPUT_TABLES)
def test_input_frame_and_table(name: str) -> None:
    frame, table = INPUT_TABLES[name], SOURCES[name]
    expected = [column for column in table.columns if column.name not in only_in_tables(name)]
    assert [column.name for column in expected] == list(frame.columns)
    assert {column.name: frame_type(column) for column in expected} == dict(frame.columns)
    assert {*optional_columns(table)} - {"row_version"} == set(frame.optional)


@pytest.mark.parametrize("name", INPUT_TABLES)
def test_input_key(name: str) -> None:
    table_key = {column.name for column in SOURCES[name].primary_key}
    assert table_key == set(INPUT_TABLES[name].key) or (not INPUT_TABLES[name].key and table_key <= only_in_tables(name))


@pytest.mark.parametrize("name", INPUT_TABLES)
def test_only_keys_must_be_there(name: str) -> None:
    required = {column.name for column in SOURCES[name].columns if not column.nullable}
    assert required == {column.name for column in SOURCES[name].primary_key} | (only_in_tables(name) & {"row_version"})


def test_output_tables() -> None:
    assert list(OUTPUT_TABLES) == list(OUTPUT_FRAMES)


@pytest.mark.parametrize("name", OUTPUT_FRAMES)
def test_output_frame_and_table(name: str) -> None:
    table = OUTPUT_TABLES[name]
    columns = [column for column in table.columns if column.name != "run_id"]
    assert {column.name: frame_type(column) for column in columns} == dict(OUTPUT_FRAMES[name])
    assert [column.name for column in columns] == list(OUTPUT_FRAMES[name])
    assert tuple(column.name for column in table.primary_key) == ("run_id", *OUTPUT_KEYS[name])


@pytest.mark.parametrize(
    "table", [*CONFIG_TABLES.values(), *OUTPUT_TABLES.values(), *AUDIT_TABLES.values()], ids=lambda t: t.name
)
def test_own_tables_stand_in_their_schema(table: sa.Table) -> None:
    assert table.schema == SCHEMA
    assert table.name.startswith("pfill_")


@pytest.mark.parametrize("table", LENDER_TABLES.values(), ids=lambda t: t.name)
def test_lender_tables_are_unqualified(table: sa.Table) -> None:
    assert table.schema is None


def test_active_states() -> None:
    assert set(ACTIVE_STATUSES) == {status.value for status in ACTIVE}


def test_sides_of_a_switch() -> None:
    assert set(SWITCH_SIDES) == {SWAPPED_IN, SWAPPED_OUT}


def test_every_decimal_fits_a_frame() -> None:
    tables = [*SOURCES.values(), *OUTPUT_TABLES.values()]
    decimals = [dtype for table in tables for column in table.columns if isinstance(dtype := frame_type(column), pl.Decimal)]
    assert decimals
    assert all(dtype.precision is not None and dtype.precision <= 20 for dtype in decimals)
