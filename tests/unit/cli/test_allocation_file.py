"""Files of another system's allocation: what is read of them, and what is wrong with those that are none."""

from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from cli.allocation_file import PLACEMENTS_A_MESSAGE, read_allocation
from cli.exit_codes import UsageError


def csv(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "present.csv"
    path.write_text(text, encoding="utf-8")
    return path


def parquet(tmp_path: Path, **columns: object) -> Path:
    path = tmp_path / "present.parquet"
    pl.DataFrame(columns).write_parquet(path)
    return path


def test_csv_and_parquet_with_the_columns_in_any_order_and_others_beside_them(tmp_path: Path) -> None:
    text = "price,servicer,loan_id,trade_id\n101.25,us,L1,T1\n,us,L2,T1\n100,us,L3,\n99,us,L4,T2\n"
    read = read_allocation(csv(tmp_path, text))
    prices = [Decimal("101.25000000"), None, Decimal("99.00000000")]
    assert read.placements.to_dict(as_series=False) == {
        "loan_id": ["L1", "L2", "L4"], "trade_id": ["T1", "T1", "T2"], "price": prices,
    }  # fmt: skip
    assert (read.left_out_count, read.rows.to_list()) == (1, [1, 2, 4])

    columns = {"trade_id": ["T1", "T1", None, "T2"], "loan_id": ["L1", "L2", "L3", "L4"], "price": [101.25, None, 100.0, 99.0]}
    again = read_allocation(parquet(tmp_path, **columns))
    assert again.placements.equals(read.placements.select(again.placements.columns))


def test_a_file_without_prices(tmp_path: Path) -> None:
    read = read_allocation(csv(tmp_path, "loan_id,trade_id\nL1,T1\n"))
    assert read.placements.columns == ["loan_id", "trade_id"]


async def test_messages_name_the_run_once_and_have_every_placement(tmp_path: Path) -> None:
    loans = [f"L{number}" for number in range(PLACEMENTS_A_MESSAGE + 1)]
    read = read_allocation(parquet(tmp_path, loan_id=loans, trade_id=["T1"] * len(loans), price=[100.0000001] * len(loans)))
    first, second = [message async for message in read.messages("r1", 7)]
    assert (first.run_id, first.max_differences, len(first.placements)) == ("r1", 7, PLACEMENTS_A_MESSAGE)
    assert (second.run_id, second.max_differences) == ("", 0)
    assert [(one.loan_id, one.trade_id, one.price.value) for one in second.placements] == [(loans[-1], "T1", "100.00000010")]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("loan,trade_id\nL1,T1\n", "column loan_id: is missing"),
        ("loan_id,trade_id\n,T1\n", "column loan_id, row 1: is empty"),
        ("loan_id,trade_id\nL1,T1\n ,T1\n,T2\n", "column loan_id, row 2: is empty (and 1 more)"),
        ("loan_id,trade_id,price\nL1,T1,100\nL2,T1,dear\n", "column price, row 2: 'dear' is not a number"),
        ("loan_id,trade_id,price\nL1,T1,12345\n", "column price, row 1: '12345' is out of range; numbers here are under 10^4"),
        (f"loan_id,trade_id\nL1,{'T' * 101}\n", "column trade_id, row 1: text longer than 100 characters"),
        ("loan_id,trade_id\nL1,T1,T2\n", "row 1: has 3 fields, the header has 2"),
        ("loan_id,trade_id\n", "no row has a trade_id, so there is nothing to validate"),
        ("loan_id,trade_id\nL1,\n", "no row has a trade_id, so there is nothing to validate"),
        ("", "has no header line"),
    ],
)
def test_a_file_that_is_no_allocation_is_told_with_its_place(tmp_path: Path, text: str, message: str) -> None:
    path = csv(tmp_path, text)
    with pytest.raises(UsageError) as raised:
        read_allocation(path)
    assert raised.value.message == f"{path}: {message}"


def test_what_is_not_a_file_of_a_known_kind(tmp_path: Path) -> None:
    (tmp_path / "broken.parquet").write_text("loan_id")
    (tmp_path / "numbers.parquet").mkdir()
    for name, message in (
        ("allocation.xlsx", "the name of the file must end in .parquet or .csv"),
        ("missing.csv", "there is no such file"),
        ("numbers.parquet", "there is no such file"),
        ("broken.parquet", "is not a readable Parquet file"),
    ):
        with pytest.raises(UsageError) as raised:
            read_allocation(tmp_path / name)
        assert raised.value.message.endswith(f"{name}: {message}")


def test_values_of_another_type(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="column price, row 1: true is not a number"):
        read_allocation(parquet(tmp_path, loan_id=["L1"], trade_id=["T1"], price=[True]))
    assert read_allocation(parquet(tmp_path, loan_id=[17], trade_id=["T1"])).placements["loan_id"].to_list() == ["17"]
