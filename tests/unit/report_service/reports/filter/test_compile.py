"""Filters as SQL: what each comparison becomes on each database, and what is refused where."""

import datetime as dt
import json
import re
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import mssql, postgresql, sqlite

from services.report_service.reports.filter.compile import compile_filter
from services.report_service.reports.filter.parse import MAX_COMPARISONS, FilterError
from services.report_service.reports.filter.text import TextList
from shared.database.types import Exact, UtcDateTime

SQLITE, POSTGRESQL, MSSQL = (module.dialect() for module in (sqlite, postgresql, mssql))

T = sa.Table(
    "t",
    sa.MetaData(),
    sa.Column("id", sa.Unicode(100), primary_key=True),
    sa.Column("name", sa.Unicode(200)),
    sa.Column("amount", Exact(14, 2)),
    sa.Column("total", Exact(20, 2)),
    sa.Column("rank", sa.BigInteger()),
    sa.Column("day", sa.Date()),
    sa.Column("moment", UtcDateTime()),
    sa.Column("locked", sa.Boolean()),
    sa.Column("examples", sa.Unicode()),
)
COLUMNS: dict[str, sa.ColumnElement[Any]] = {
    **{name: T.c[name] for name in ("id", "name", "amount", "total", "rank", "day", "moment", "locked")},
    "examples": sa.type_coerce(T.c.examples, TextList()),
    "label": sa.func.nullif(T.c.name, "", type_=sa.Unicode()).label("label"),
    "count": sa.func.count(type_=sa.Integer()).label("count"),
}


def compiled(text: str, dialect: sa.Dialect = SQLITE) -> tuple[str, list[Any]]:
    """The condition as SQL without the table's name, and its parameters in their order."""
    made = sa.select(T).where(compile_filter(text, COLUMNS)).compile(dialect=dialect)
    order = made.positiontup or list(made.params)
    condition = str(made).split("WHERE ")[1].replace("t.", "").replace("::VARCHAR", "")
    return " ".join(condition.split()), [made.params[name] for name in order]


def sql(text: str, dialect: sa.Dialect = SQLITE) -> str:
    return compiled(text, dialect)[0]


@pytest.mark.parametrize(
    ("text", "condition", "parameters"),
    [
        ("", "1 = 1", []),
        ("amount = 1", "amount IS NOT NULL AND amount = ?", [Decimal("1.00")]),
        ("amount != 1", "amount IS NOT NULL AND amount != ?", [Decimal("1.00")]),
        ("NOT amount = 1", "NOT (amount IS NOT NULL AND amount = ?)", [Decimal("1.00")]),
        ("amount:*", "amount IS NOT NULL", []),
        ("-amount:*", "amount IS NULL", []),
        ("id = L1", "(id = ?)", ["L1"]),
        ("id:*", "1 = 1", []),
        ("-id:*", "0 = 1", []),
        ("id > L1", "id > ?", ["L1"]),
        ("name = a", "name IS NOT NULL AND (name = ?)", ["a"]),
        ("name != a", "name IS NOT NULL AND NOT (name = ?)", ["a"]),
        ("name = a*", "name IS NOT NULL AND (name >= ? AND name < ?)", ["a", "b"]),
        ("name = '\U0010ffff*'", "name IS NOT NULL AND (name >= ?)", ["\U0010ffff"]),
        ("name = 'a\U0010ffff*'", "name IS NOT NULL AND (name >= ? AND name < ?)", ["a\U0010ffff", "b"]),
        ("name = '\ud7ff*'", "name IS NOT NULL AND (name >= ? AND name < ?)", ["\ud7ff", "\ue000"]),
        ("name = *a", "name IS NOT NULL AND (substr(name, -length(?)) = ?)", ["a", "a"]),
        ("name = *a*", "name IS NOT NULL AND (instr(name, ?) > 0)", ["a"]),
        ("name != *a*", "name IS NOT NULL AND NOT (instr(name, ?) > 0)", ["a"]),
        ("name = *", "name IS NOT NULL", []),
        ("name != '**'", "0 = 1", []),
        ("name:a", "name IS NOT NULL AND (instr(name, ?) > 0)", ["a"]),
        ("name:''", "name IS NOT NULL", []),
        ("label = a", "nullif(name, ?) IS NOT NULL AND (nullif(name, ?) = ?)", ["", "", "a"]),
        ("locked = true", "locked IS NOT NULL AND locked = ?", [True]),
        ("locked != true", "locked IS NOT NULL AND locked = ?", [False]),
        ("day = 2026-04-17", "day IS NOT NULL AND day = ?", [dt.date(2026, 4, 17)]),
        ("total > 1", "total IS NOT NULL AND "
         "CASE typeof(total) WHEN 'blob' THEN CAST(CAST(total AS TEXT) AS REAL) ELSE total END > "
         "CASE typeof(?) WHEN 'blob' THEN CAST(CAST(? AS TEXT) AS REAL) ELSE ? END", [Decimal("1.00")] * 3),
        ("examples:L1", "examples IS NOT NULL AND ((instr(examples, ?) > 0) OR (instr(examples, ?) > 0))", ['["L1"', ', "L1"']),
        ("examples:'\"é'", "examples IS NOT NULL AND ((instr(examples, ?) > 0) OR (instr(examples, ?) > 0))",
         ['["\\"é"', ', "\\"é"']),
        ("examples:*", "examples IS NOT NULL AND (examples >= ? AND examples < ?)", ['["', '[#']),
        ("rank = 1 AND amount = 1 OR name = a", "rank IS NOT NULL AND rank = ? AND "
         "(amount IS NOT NULL AND amount = ? OR name IS NOT NULL AND (name = ?))", [1, Decimal("1.00"), "a"]),
    ],
)  # fmt: skip
def test_what_a_filter_is_in_sqlite(text: str, condition: str, parameters: list[Any]) -> None:
    assert compiled(text) == (condition, parameters)


@pytest.mark.parametrize(
    ("text", "condition"),
    [
        ("name = a", "name IS NOT NULL AND (name = %(param_1)s)"),
        ("name = a*", "name IS NOT NULL AND starts_with(name, %(param_1)s)"),
        ("name = *a", "name IS NOT NULL AND (right(name, length(%(param_1)s)) = %(param_1)s)"),
        ("name != *a*", "name IS NOT NULL AND NOT (strpos(name, %(param_1)s) > 0)"),
        ("total > 1", "total IS NOT NULL AND total > %(param_1)s"),
        ("locked = true", "locked IS NOT NULL AND locked = %(param_1)s"),
        ("-id:*", "false"),
    ],
)
def test_what_a_filter_is_in_postgresql(text: str, condition: str) -> None:
    assert sql(text, POSTGRESQL) == condition


def test_asyncpg_gets_no_parameter_that_the_statement_does_not_name() -> None:
    dialect: sa.Dialect = postgresql.asyncpg.dialect()  # type: ignore[no-untyped-call]
    made = compile_filter("name = a* AND name = *b", COLUMNS).compile(dialect=dialect)
    assert (str(made).count("$3"), str(made).count("$2"), len(made.positiontup or ())) == (0, 2, 2)


@pytest.mark.parametrize(
    ("text", "condition"),
    [
        ("name = a", "(name = :param_1 AND CAST(CAST(name AS NVARCHAR(MAX)) AS VARBINARY(MAX)) = "
         "CAST(CAST(:param_1 AS NVARCHAR(MAX)) AS VARBINARY(MAX)))"),
        ("name = a*", "(CHARINDEX(:param_1 COLLATE Latin1_General_100_BIN2, "
         "CAST(name AS NVARCHAR(MAX)) COLLATE Latin1_General_100_BIN2) = 1)"),
        ("name = *a", "(CHARINDEX(REVERSE(:param_1 COLLATE Latin1_General_100_BIN2), "
         "REVERSE(CAST(name AS NVARCHAR(MAX)) COLLATE Latin1_General_100_BIN2)) = 1)"),
        ("name != *a*", "NOT (CHARINDEX(:param_1 COLLATE Latin1_General_100_BIN2, "
         "CAST(name AS NVARCHAR(MAX)) COLLATE Latin1_General_100_BIN2) > 0)"),
        ("total > 1", "total > :param_1"),
        ("locked = true", "locked = :param_1"),
    ],
)  # fmt: skip
def test_what_a_filter_is_in_sql_server(text: str, condition: str) -> None:
    assert sql(text, MSSQL) == f"{text.split(maxsplit=1)[0]} IS NOT NULL AND {condition}"


def test_sql_server_gets_fewer_parameters_than_it_takes() -> None:
    dialect: sa.Dialect = mssql.pyodbc.dialect()  # type: ignore[no-untyped-call]
    made = compile_filter(" ".join(["name=a"] * MAX_COMPARISONS), COLUMNS).compile(dialect=dialect)
    assert len(made.positiontup or ()) < 2100


@pytest.mark.parametrize(
    ("text", "comparison"),
    [
        ("amount > 250000.005", ("amount > ?", Decimal("250000.00"))),
        ("amount >= 250000.005", ("amount >= ?", Decimal("250000.01"))),
        ("amount < 250000.005", ("amount < ?", Decimal("250000.01"))),
        ("amount <= 250000.005", ("amount <= ?", Decimal("250000.00"))),
        ("amount > -0.001", ("amount > ?", Decimal("-0.01"))),
        ("amount = 2.5e5", ("amount = ?", Decimal("250000.00"))),
        ("amount = +.5", ("amount = ?", Decimal("0.50"))),
        ("amount = 5.", ("amount = ?", Decimal("5.00"))),
        ("amount = '5'", ("amount = ?", Decimal("5.00"))),
        ("amount:5", ("amount = ?", Decimal("5.00"))),
        ("amount = 1e-10000", None),
        ("amount > 1e-99999999999999", ("amount > ?", Decimal("0.00"))),
        ("amount = 250000.005", None),
        ("amount != 250000.005", True),
        ("amount < 999999999999.995", True),
        ("amount <= 1e99999999999999999", True),
        ("amount != 1e12", True),
        ("amount > 1e12", None),
        ("amount > -1e12", True),
        ("amount < -1e4000", None),
        ("amount < 999999999999.99", ("amount < ?", Decimal("999999999999.99"))),
        (f"amount < {'9' * 4000}", True),
        (f"amount > 0.{'0' * 4000}1", ("amount > ?", Decimal("0.00"))),
        ("rank > 2.5", ("rank > ?", 2)),
        ("rank >= 2.5", ("rank >= ?", 3)),
        ("rank = 2.5", None),
        ("rank < 9223372036854775807", ("rank < ?", 2**63 - 1)),
        ("rank < 9223372036854775808", True),
        ("rank >= 9223372036854775808", None),
        ("rank >= -9223372036854775809", True),
        ("rank = -9223372036854775809", None),
        ("count < 2147483648", True),
        ("moment > 2026-04-17T08:30:00-04:00", ("moment > ?", dt.datetime(2026, 4, 17, 12, 30, tzinfo=dt.UTC))),
        ("moment = 2026-04-17t12:30:00.1234560z", ("moment = ?", dt.datetime(2026, 4, 17, 12, 30, 0, 123456, dt.UTC))),
        ("moment >= 2026-04-17T12:30:00.0000001Z", ("moment >= ?", dt.datetime(2026, 4, 17, 12, 30, 0, 1, dt.UTC))),
        ("moment = 2026-04-17T12:30:00.0000001Z", None),
        ("moment < 9999-12-31T23:59:59.9999999Z", True),
        ("moment < 9999-12-31T23:59:59-01:00", True),
        ("moment > 0001-01-01T00:00:00+01:00", True),
    ],
)
def test_a_literal_beyond_the_values_of_a_column_is_decided_exactly(
    text: str, comparison: tuple[str, object] | bool | None
) -> None:
    """None: it is false; True: it is true where the column is set."""
    name = re.match("[a-z]+", text)[0]  # type: ignore[index]
    is_set = "count(*) IS NOT NULL" if name == "count" else f"{name} IS NOT NULL"
    if comparison is None:
        assert compiled(text) == ("0 = 1", [])
    elif comparison is True:
        assert compiled(text) == (is_set, [])
    else:
        assert isinstance(comparison, tuple)
        assert compiled(text) == (f"{is_set} AND {comparison[0]}", [comparison[1]])


@pytest.mark.parametrize(
    ("text", "position", "told"),
    [
        ("nam = a", 0, "there is no column nam; the columns are id, name, amount"),
        ("id = a AND nam = a", 11, "there is no column nam"),
        ("Name = a", 0, "there is no column Name"),
        ("amount = abc", 9, "'abc' is no value of amount, which takes a number"),
        ("amount = 1_000", 9, "which takes a number"),
        ("amount = nan", 9, "which takes a number"),
        ("amount = inf", 9, "which takes a number"),
        ("amount = 0x10", 9, "which takes a number"),
        ("amount = ''", 9, "which takes a number"),
        ("amount = \u0661", 9, "which takes a number"),
        ("amount = *", 9, "amount:* is true where amount is set"),
        ("amount:'5*'", 7, "which takes a number"),
        ("amount = null", 9, '-amount:* is true where amount is unset, "null" is the text'),
        ("name != NULL", 8, "-name:* is true where name is unset"),
        ("rank = 1,5", 8, "joined by AND"),
        ("day = 2026-4-17", 6, "which takes a date, as in 2026-04-17"),
        ("day = 2026-02-30", 6, "which takes a date"),
        ("day = 20260417", 6, "which takes a date"),
        ("day = 2026-W16-5", 6, "which takes a date"),
        ("day = 0000-01-01", 6, "which takes a date"),
        ("day = 2026-04-17T00:00:00Z", 6, "which takes a date"),
        ("moment > 2026-04-17", 9, "which takes a moment with its zone"),
        ("moment > 2026-04-17T08:30:00", 9, "which takes a moment with its zone"),
        ("moment > 2026-04-17T08:30:00+25:00", 9, "which takes a moment with its zone"),
        ("moment > 2026-04-17T24:30:00Z", 9, "which takes a moment with its zone"),
        ("locked = yes", 9, "which takes true or false"),
        ("locked = TRUE", 9, "which takes true or false"),
        ("locked < true", 7, "locked is true or false; it compares by = and !=, not by <"),
        ("name = a*b", 8, "a * is a wildcard at the start or the end"),
        ("name = '*a*b*'", 10, "a * is a wildcard at the start or the end"),
        ("name = '***'", 9, "a * is a wildcard at the start or the end"),
        ("name:a*", 6, "which goes with = and !=, not with :"),
        ("name < 'a*'", 9, "which goes with = and !=, not with <"),
        ("examples = L1", 9, 'examples is a list; examples:"X" is true where X is one of it'),
        ("examples:L*", 10, "without wildcards"),
        ("examples:', '", 9, "cannot be looked for"),
    ],
)
def test_what_does_not_fit_a_column_is_refused_where_it_stands(text: str, position: int, told: str) -> None:
    with pytest.raises(FilterError) as error:
        compile_filter(text, COLUMNS)
    assert told in error.value.message
    assert error.value.position == position


def test_a_column_of_a_type_that_no_filter_knows_is_a_mistake_of_the_report() -> None:
    with pytest.raises(TypeError, match="column content"):
        compile_filter("content = 1", {"content": sa.column("content", sa.LargeBinary())})


def test_an_index_serves_a_wildcard_at_the_end() -> None:
    engine = sa.create_engine("sqlite://")
    with engine.begin() as connection:
        T.metadata.create_all(connection)
        found = sa.select(T.c.id).where(compile_filter("id = L1*", COLUMNS)).compile(dialect=SQLITE)
        [step] = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {found}", ("L1", "L2")).all()
    engine.dispose()
    assert "id>? AND id<?" in step.detail


@pytest.mark.parametrize("element", ["L1", "", 'a"L1', "\\", "]", '["L1', 'L1", "L2', "é", ","])
def test_a_list_has_its_elements_and_no_part_of_them(element: str) -> None:
    quoted = element.replace("\\", "\\\\").replace('"', '\\"')
    engine = sa.create_engine("sqlite://")
    with engine.begin() as connection:
        T.metadata.create_all(connection)
        lists = {
            "0": [],
            "1": ["L1", "L2"],
            "2": ['a"L1'],
            "3": ["x", element],
            "4": [element, "x"],
            "5": ['["L1', "é", "L", "]", ","],
        }
        texts = {row: json.dumps(texts, ensure_ascii=False) for row, texts in lists.items()}
        connection.execute(sa.insert(T), [{"id": row, "examples": text} for row, text in texts.items()])
        found = connection.execute(sa.select(T.c.id).where(compile_filter(f'examples:"{quoted}"', COLUMNS))).scalars().all()
    engine.dispose()
    assert found == [row for row, texts in lists.items() if element in texts]


def test_statements_that_differ_in_values_alone_are_compiled_once() -> None:
    texts = ["name=a* name=*b name:c total>1 id=x examples:L1", "name=d* name=*e name:f total>2 id=y examples:L2"]
    keys = [sa.select(T).where(compile_filter(text, COLUMNS))._generate_cache_key() for text in texts]
    assert keys[0] is not None
    assert keys[0] == keys[1]
