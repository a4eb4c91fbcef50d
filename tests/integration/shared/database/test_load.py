"""Loading files into a tenant's tables: everything or nothing, and an error that says where to look."""

import datetime as dt
import json
from collections.abc import Callable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import sqlalchemy as sa

from shared.database import load as load_module
from shared.database.bulk import read_frame
from shared.database.files import LOADABLE
from shared.database.load import MAX_PROBLEMS_TOLD, load
from shared.database.migrate import migrate
from shared.database.tables import AUDIT_TABLES
from shared.errors import Category, PowerFillError, Reason
from shared.tenancy.connections import TenantConnections
from shared.tenancy.database import TenantDatabase
from shared.tenancy.registry import TenantRegistry

TRADE: dict[str, Any] = {
    "trade_id": "T1", "counterparty": "GS", "investor_instrument": "30 FNMA 6.0", "trade_date": dt.date(2026, 4, 1),
    "settlement_date": dt.date(2026, 5, 13), "trade_amount": 1_000_000.1, "pair_off_amount": 0.0, "delivered_amount": 0.0,
    "price": 100.03125, "tolerance_pct": 0.0001, "status": "OPEN", "is_phantom": False,
}  # fmt: skip
PRICES = "investor_instrument,settlement_date,price\n30 FNMA 6.0,2026-05-13,100.5\n15 FNMA 5.0,2026-05-18,99.75\n"
SHIPPED = "loan_id,shipped_date,investor\nL1,2026-04-01,FNMA\n"
CONSTRAINTS = "priority,investor,investor_instrument,rule_name,enabled\n1,FNMA,a,,true\n2,FNMA,b,r,false\n"
CARRY = "investor_instrument,from_day,to_day,annual_rate_pct\na,0,30,0.9\na,31,60,1.1\n"
LOCKS = "loan_id,trade_id,reason,expires_on\nL1,,hold,\nL1,T1,desk,2026-05-01\n"

Files = Callable[[Mapping[str, str | pl.DataFrame]], Path]


@pytest.fixture
def files(tmp_path: Path) -> Files:
    """A folder with files: text as it is, frames as Parquet."""
    number = 0

    def write(contents: Mapping[str, str | pl.DataFrame]) -> Path:
        nonlocal number
        number += 1
        folder = tmp_path / f"in{number}"
        folder.mkdir()
        for name, content in contents.items():
            if isinstance(content, str):
                (folder / name).write_bytes(content.encode())
            else:
                content.write_parquet(folder / name)
        return folder

    return write


async def content(database: TenantDatabase, name: str) -> list[dict[str, Any]]:
    table = {**LOADABLE, **AUDIT_TABLES}[name]
    async with database.connect() as connection:
        frame = await read_frame(connection, table, [column.name for column in table.columns])
    return frame.sort(frame.columns[0]).to_dicts()


async def refused(database: TenantDatabase, folder: Path) -> PowerFillError:
    with pytest.raises(PowerFillError) as caught:
        await load(database, folder, "tester")
    assert (caught.value.category, caught.value.reason) == (Category.INVALID_ARGUMENT, Reason.INVALID_FIELD)
    return caught.value


def trades(**changes: list[Any]) -> pl.DataFrame:
    """As many trades as the changed columns have values; each has an id of its own unless that is changed."""
    count = len(next(iter(changes.values())))
    columns = {name: [value] * count for name, value in TRADE.items()} | {"trade_id": [f"T{n + 1}" for n in range(count)]}
    return pl.DataFrame(columns | changes, strict=False)


async def test_parquet_and_csv(acme: TenantDatabase, files: Files) -> None:
    folder = files({"pscat_trades.parquet": trades(price=[100.03125, None]), "rmcat_todays_prices.csv": PRICES})
    result = await load(acme, folder, "tester")
    assert result.row_counts == {"pscat_trades": 2, "rmcat_todays_prices": 2}
    first, second = await content(acme, "pscat_trades")
    assert first == {
        **TRADE, "trade_amount": Decimal("1000000.10"), "pair_off_amount": Decimal("0.00"), "delivered_amount": Decimal("0.00"),
        "price": Decimal("100.03125000"), "tolerance_pct": Decimal("0.00010000"),
    }  # fmt: skip
    assert second["price"] is None
    assert [row["price"] for row in await content(acme, "rmcat_todays_prices")] == [
        Decimal("99.75000000"),
        Decimal("100.50000000"),
    ]


async def test_tables_with_a_file_are_replaced_and_others_stay(acme: TenantDatabase, files: Files) -> None:
    await load(acme, files({"loan_shipped.csv": SHIPPED, "rmcat_todays_prices.csv": PRICES}), "tester")
    await load(acme, files({"loan_shipped.csv": "loan_id,shipped_date,investor\nL2,,\n"}), "tester")
    assert await content(acme, "loan_shipped") == [{"loan_id": "L2", "shipped_date": None, "investor": None}]
    assert len(await content(acme, "rmcat_todays_prices")) == 2


async def test_an_empty_file_empties_its_table(acme: TenantDatabase, files: Files) -> None:
    await load(acme, files({"loan_shipped.csv": SHIPPED}), "tester")
    await load(acme, files({"loan_shipped.csv": SHIPPED.splitlines()[0]}), "tester")
    assert await content(acme, "loan_shipped") == []


async def test_rows_get_keys_in_the_order_of_the_file(acme: TenantDatabase, files: Files) -> None:
    folder = files({"pfill_constraints.csv": CONSTRAINTS, "pfill_carry_cost.csv": CARRY, "pfill_lockdown.csv": LOCKS})
    await load(acme, folder, "tester")
    assert [(row["constraint_id"], row["priority"]) for row in await content(acme, "pfill_constraints")] == [
        ("CONSTRAINT-000001", 1), ("CONSTRAINT-000002", 2),
    ]  # fmt: skip
    assert [(row["curve_id"], row["from_day"]) for row in await content(acme, "pfill_carry_cost")] == [
        ("CURVE-000001", 0), ("CURVE-000002", 31),
    ]  # fmt: skip
    assert [(row["lock_id"], row["trade_id"]) for row in await content(acme, "pfill_lockdown")] == [
        ("LOCK-000001", None), ("LOCK-000002", "T1"),
    ]  # fmt: skip


async def test_a_generated_key_is_unlike_any_given_one(acme: TenantDatabase, files: Files) -> None:
    locks = "lock_id,loan_id,reason\n,L1,a\nLOCK-000001,L2,b\n,L3,c\n"
    await load(acme, files({"pfill_lockdown.csv": locks}), "tester")
    assert {row["loan_id"]: row["lock_id"] for row in await content(acme, "pfill_lockdown")} == {
        "L1": "LOCK-000002", "L2": "LOCK-000001", "L3": "LOCK-000003",
    }  # fmt: skip


async def test_a_loaded_configuration_row_has_a_version_it_never_had(acme: TenantDatabase, files: Files) -> None:
    for expected in (1, 2, 3):
        await load(acme, files({"pfill_constraints.csv": CONSTRAINTS}), "tester")
        assert {row["row_version"] for row in await content(acme, "pfill_constraints")} == {expected}


async def test_a_load_is_one_entry_of_the_audit(acme: TenantDatabase, files: Files) -> None:
    await load(acme, files({"loan_shipped.csv": SHIPPED, "pfill_carry_cost.csv": CARRY}), "tester")
    result = await load(acme, files({"loan_shipped.csv": SHIPPED.splitlines()[0]}), "another")
    entries = {entry["change_id"]: entry for entry in await content(acme, "pfill_config_audit")}
    assert len(entries) == 2
    entry = entries[result.change_id]
    assert (entry["changed_by"], entry["action"]) == ("another", "LOAD")
    assert json.loads(entry["before"]) == {"loan_shipped": 1}
    assert json.loads(entry["after"])["loan_shipped"]["rows"] == 0
    assert dt.datetime.now(dt.UTC) - entry["changed_at_utc"] < dt.timedelta(minutes=1)


async def test_columns_that_may_be_missing(acme: TenantDatabase, files: Files) -> None:
    folder = files({"pscat_trades.parquet": trades(trade_id=["T1"]).drop("price")})
    await load(acme, folder, "tester")
    assert (await content(acme, "pscat_trades"))[0]["price"] is None


async def test_rows_that_point_nowhere_or_lack_something_load(acme: TenantDatabase, files: Files) -> None:
    """The run deals with them (specification 01 section 2)."""
    postings = "pool_name,loan_id,posted_date\nP1,nobody,\nnowhere,L1,2026-04-01\n"
    folder = files(
        {"pscat_trades.parquet": trades(status=[None, "?"], trade_amount=[None, -5.0]), "pscat_pool_loans.csv": postings}
    )
    assert (await load(acme, folder, "tester")).row_counts == {"pscat_trades": 2, "pscat_pool_loans": 2}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"trade_amount": [1.0, float("nan")]}, "column trade_amount, row 2: nan is not a finite number"),
        ({"price": [float("inf"), 1.0, float("inf")]}, "column price, row 1: inf is not a finite number (and 1 more)"),
        ({"trade_amount": [1e12]}, "column trade_amount, row 1: 1000000000000.0 is out of range; numbers here are under 10^12"),
        ({"price": [1e4]}, "column price, row 1: 10000.0 is out of range; numbers here are under 10^4"),
        ({"price": ["par"]}, "column price, row 1: 'par' is not a number"),
        ({"settlement_date": ["13 May"]}, "column settlement_date, row 1: '13 May' is not a date (YYYY-MM-DD)"),
        ({"is_phantom": ["maybe"]}, "column is_phantom, row 1: 'maybe' is not true or false"),
        ({"trade_id": [1.5]}, "column trade_id, row 1: 1.5 is not text"),
        ({"trade_id": ["T1", None]}, "column trade_id, row 2: a key must not be empty"),
        ({"trade_id": ["", "T1"]}, "column trade_id, row 1: a key must not be empty"),
        (
            {"trade_id": ["T1", "T2", "T1", "T2"]},
            "column trade_id, row 3: duplicate key: T1 is there already, in row 1 (and 1 more)",
        ),
        ({"trade_id": ["x" * 101]}, "column trade_id, row 1: text longer than 100 characters"),
        ({"colour": ["red"]}, "column colour: is no column of pscat_trades; those are trade_id, counterparty, "),
        ({"row_version": [1]}, "column row_version: is no column of pscat_trades"),
    ],
)
async def test_a_bad_value_is_named_with_file_column_and_row(
    acme: TenantDatabase, files: Files, changes: dict[str, list[Any]], message: str
) -> None:
    await load(acme, files({"pscat_trades.parquet": trades(trade_id=["kept"])}), "tester")
    folder = files({"loan_shipped.csv": SHIPPED, "pscat_trades.parquet": trades(**changes)})
    error = await refused(acme, folder)
    assert error.fields[0].field == "pscat_trades.parquet"
    assert error.fields[0].description.startswith(message)
    assert error.message.startswith("pscat_trades.parquet: column ")
    assert [row["trade_id"] for row in await content(acme, "pscat_trades")] == ["kept"]
    assert await content(acme, "loan_shipped") == []
    assert len(await content(acme, "pfill_config_audit")) == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("investor_instrument,price\na,1\n", "column settlement_date: is missing"),
        (
            "investor_instrument,settlement_date,price\na,2026-05-13,1\na,2026-05-13,2\n",
            "column investor_instrument, settlement_date, row 2: duplicate key: a, 2026-05-13 is there already, in row 1",
        ),
        ("investor_instrument,settlement_date,price\na,2026-05-13,NaN\n", "column price, row 1: 'NaN' is not a finite number"),
        (
            "investor_instrument,settlement_date,price\na,2026-02-30,1\n",
            "column settlement_date, row 1: '2026-02-30' is not a date",
        ),
        ("investor_instrument,settlement_date,price\na,,1\n", "column settlement_date, row 1: a key must not be empty"),
        ("investor_instrument,settlement_date,price\nb,2026-05-13,1\na,2026-05-13\n", "row 2: has 2 fields, the header has 3"),
        ("investor_instrument,settlement_date,price\na,2026-05-13,1,1\n", "row 1: has 4 fields, the header has 3"),
        ("investor_instrument,settlement_date,price\na,2026-05-13,1\n\nb,2026-05-13,1\n", "row 2: is a blank line"),
        ('investor_instrument,settlement_date,price\n"a\n', "row 1: is not valid CSV"),
        ("investor_instrument,price,price\n", "column price: is there twice"),
        ("investor_instrument;settlement_date;price\n", "column investor_instrument;settlement_date;price: is no column"),
        ("", "has no header line"),
    ],
)
async def test_a_bad_csv_file(acme: TenantDatabase, files: Files, text: str, message: str) -> None:
    error = await refused(acme, files({"rmcat_todays_prices.csv": text}))
    assert error.fields[0].field == "rmcat_todays_prices.csv"
    assert error.fields[0].description.startswith(message)


@pytest.mark.parametrize(("name", "content_", "message"), [
    ("loan_shipped.parquet", b"PAR1 no PAR1", "is not a readable Parquet file"),
    ("loan_shipped.csv", b"loan_id,shipped_date,investor\nL1,2026-04-01,Soci\xe9t\xe9\n", "row 1: is not in UTF-8"),
])  # fmt: skip
async def test_a_file_that_is_something_else(
    acme: TenantDatabase, tmp_path: Path, name: str, content_: bytes, message: str
) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / name).write_bytes(content_)
    error = await refused(acme, tmp_path / "in")
    assert error.fields[0].description.startswith(message)


async def test_csv_as_spreadsheets_write_it(acme: TenantDatabase, files: Files) -> None:
    text = '\ufeffloan_id,shipped_date,investor\r\n"L,1",2026-04-01,"two\nlines"\r\nL2,,\r\n\r\n'
    await load(acme, files({"loan_shipped.csv": text}), "tester")
    assert await content(acme, "loan_shipped") == [
        {"loan_id": "L,1", "shipped_date": dt.date(2026, 4, 1), "investor": "two\nlines"},
        {"loan_id": "L2", "shipped_date": None, "investor": None},
    ]


async def test_a_fraction_in_an_integer_column(acme: TenantDatabase, files: Files) -> None:
    text = "priority,investor,investor_instrument,enabled\n1,,a,true\n1.5,,a,true\n"
    error = await refused(acme, files({"pfill_constraints.csv": text}))
    assert error.fields[0].description == "column priority, row 2: '1.5' is not an integer"


async def test_every_problem_is_told_up_to_a_number(acme: TenantDatabase, files: Files) -> None:
    error = await refused(
        acme, files({"loan_shipped.csv": "loan_id,shipped_date,investor\n,x,\n", "pscat_pools.csv": "pool_name\nP1\n"})
    )
    assert [violation.field for violation in error.fields] == ["loan_shipped.csv"] + ["pscat_pools.csv"] * 4
    error = await refused(acme, files({"loan.csv": "x\n1\n"}))
    assert len(error.fields) == MAX_PROBLEMS_TOLD + 1
    assert error.fields[-1].description.startswith("and ")


@pytest.mark.parametrize(
    "name", ["lone.parquet", "loan.xlsx", "README.md", "pfill_preflight_settings.csv", "pfill_run_history.csv", "LOAN.csv"]
)
async def test_an_unknown_file_is_named_with_the_known_ones(acme: TenantDatabase, files: Files, name: str) -> None:
    error = await refused(acme, files({name: "", "loan_shipped.csv": SHIPPED}))
    assert error.fields[0].field == name
    assert all(known in error.message for known in LOADABLE)
    assert await content(acme, "loan_shipped") == []


async def test_two_files_of_one_table(acme: TenantDatabase, files: Files) -> None:
    folder = files({"pscat_trades.parquet": trades(trade_id=["T1"]), "pscat_trades.csv": ""})
    assert "is a second file of its table beside pscat_trades.csv" in (await refused(acme, folder)).message


async def test_hidden_files_and_folders_are_passed_over(acme: TenantDatabase, files: Files) -> None:
    folder = files({".DS_Store": "", "loan_shipped.csv": SHIPPED})
    (folder / "older").mkdir()
    await load(acme, folder, "tester")


async def test_a_folder_without_files_and_one_that_is_not_there(acme: TenantDatabase, files: Files, tmp_path: Path) -> None:
    assert "has no input file" in (await refused(acme, files({}))).message
    assert "is not a directory" in (await refused(acme, tmp_path / "nowhere")).message


async def test_a_load_that_fails_while_writing_leaves_nothing(
    acme: TenantDatabase, files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    await load(acme, files({"loan_shipped.csv": SHIPPED}), "tester")

    async def fail(*_: object) -> str:
        raise LookupError("after the rows")

    monkeypatch.setattr(load_module, "_audit", fail)
    with pytest.raises(LookupError):
        await load(acme, files({"loan_shipped.csv": "loan_id,shipped_date,investor\nL2,,\n"}), "tester")
    assert [row["loan_id"] for row in await content(acme, "loan_shipped")] == ["L1"]


async def test_a_database_at_another_revision(
    registry: TenantRegistry, connections: TenantConnections, files: Files, tmp_path: Path
) -> None:
    (tmp_path / "bare.db").touch()
    registry.add("bare", f"sqlite+aiosqlite:///{tmp_path / 'bare.db'}")
    with pytest.raises(PowerFillError) as caught:
        await load(await connections.database("bare"), files({"loan_shipped.csv": SHIPPED}), "tester")
    assert caught.value.reason is Reason.SCHEMA_VERSION


async def test_a_lenders_own_table_is_never_filled(
    registry: TenantRegistry, connections: TenantConnections, files: Files, tmp_path: Path
) -> None:
    registry.add("lender", f"sqlite+aiosqlite:///{tmp_path / 'lender.db'}")
    lender = await connections.database("lender")
    lender.create_missing()
    async with lender.begin() as connection:
        await connection.execute(sa.text("CREATE TABLE loan_shipped (loan_id TEXT, shipped_date TEXT, investor TEXT)"))
    await migrate(lender)
    error = await refused(lender, files({"loan_shipped.csv": SHIPPED, "pfill_carry_cost.csv": CARRY}))
    assert [violation.field for violation in error.fields] == ["loan_shipped.csv"]
    assert "its table is the lender's own" in error.message
    assert await content(lender, "pfill_carry_cost") == []
    await load(lender, files({"pfill_carry_cost.csv": CARRY}), "tester")
    assert len(await content(lender, "pfill_carry_cost")) == 2
