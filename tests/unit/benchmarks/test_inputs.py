"""Inputs are made once by the generator, and again when it changes."""

from pathlib import Path

import pytest

from benchmarks.inputs import REAL_LOANS, Input, bench, chosen, made, seeds_of

GENERATOR = """\
import pathlib, sys
out = pathlib.Path(sys.argv[1])
out.mkdir()
(out / "arguments").write_text(" ".join(sys.argv[2:]))
with pathlib.Path(__file__).with_name("calls").open("a") as calls:
    calls.write("x")
"""


def generator(shared: Path, text: str = GENERATOR) -> Path:
    tool = shared / "tools" / "make_tenant.py"
    tool.parent.mkdir(exist_ok=True)
    tool.write_text(text)
    return tool.with_name("calls")


def test_an_input_is_made_once_for_each_seed(tmp_path: Path) -> None:
    calls = generator(tmp_path)
    kind = Input("real", "", ("--loans-from", REAL_LOANS))
    first = made(kind, 7, tmp_path, tmp_path / "made")
    assert (first / "arguments").read_text() == f"--loans-from {tmp_path / REAL_LOANS} --seed 7"
    assert made(kind, 7, tmp_path, tmp_path / "made") == first
    assert made(kind, 8, tmp_path, tmp_path / "made") != first
    assert calls.read_text() == "xx"


def test_another_generator_or_other_arguments_make_another_input(tmp_path: Path) -> None:
    generator(tmp_path)
    first = made(Input("bench", "", bench(10, 2)), 1, tmp_path, tmp_path / "made")
    other = made(Input("bench", "", bench(20, 2)), 1, tmp_path, tmp_path / "made")
    generator(tmp_path, GENERATOR + "# changed\n")
    changed = made(Input("bench", "", bench(10, 2)), 1, tmp_path, tmp_path / "made")
    assert len({first, other, changed}) == 3


def test_what_an_interrupted_generator_left_is_no_input(tmp_path: Path) -> None:
    generator(tmp_path, GENERATOR + "sys.exit(1)\n")
    for _ in range(2):
        with pytest.raises(Exception, match="non-zero exit status"):
            made(Input("bench", ""), 1, tmp_path, tmp_path / "made")
    assert not [path for path in (tmp_path / "made").iterdir() if path.suffix != ".unfinished"]


def test_without_the_generator_the_way_to_it_is_told(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="--shared names the directory"):
        made(Input("bench", ""), 1, tmp_path, tmp_path)


def test_inputs_are_chosen_by_name() -> None:
    kinds = [Input("demo", ""), Input("tight", "")]
    assert chosen(kinds, "") == kinds
    assert chosen(kinds, "tight") == kinds[1:]
    with pytest.raises(SystemExit, match="bench is no input of this table; choose among demo, tight"):
        chosen(kinds, "demo,bench")
    assert seeds_of("1,22") == [1, 22]
