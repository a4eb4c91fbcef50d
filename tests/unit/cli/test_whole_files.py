"""What is written is there whole or not at all, and nothing is left beside it."""

from pathlib import Path

import pytest

from cli.exit_codes import CommandError
from cli.whole_files import whole_directory, whole_file


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def test_a_file_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "new" / "a.csv"
    for text in (b"one", b"two"):
        with whole_file(path) as file:
            file.write(text)
            assert not path.exists() or path.read_bytes() == b"one"
        assert path.read_bytes() == text
    assert names(path.parent) == ["a.csv"]


def test_a_file_that_cannot_be_finished_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("old")

    def write_half() -> None:
        with whole_file(path) as file:
            file.write(b"half")
            raise OSError(28, "No space left on device")

    with pytest.raises(CommandError, match=r"a\.csv cannot be written: No space left on device"):
        write_half()
    assert (names(tmp_path), path.read_text()) == (["a.csv"], "old")


@pytest.mark.parametrize("before", ["nothing", "an empty directory", "an export"])
def test_a_directory_takes_its_place(tmp_path: Path, before: str) -> None:
    target = tmp_path / "out"
    if before != "nothing":
        target.mkdir()
    if before == "an export":
        (target / "gone.parquet").write_text("")
    with whole_directory(target) as part:
        (part / "run.json").write_text("{}")
        assert not (target / "run.json").exists()
    assert (names(tmp_path), names(target)) == (["out"], ["run.json"])


def test_a_directory_that_cannot_be_finished_leaves_the_old_one(tmp_path: Path) -> None:
    target = tmp_path / "out"
    target.mkdir()
    (target / "run.json").write_text("old")

    def write_half() -> None:
        with whole_directory(target) as part:
            (part / "run.json").write_text("half")
            raise OSError(28, "No space left on device")

    with pytest.raises(CommandError, match="cannot be written"):
        write_half()
    assert (names(tmp_path), (target / "run.json").read_text()) == (["out"], "old")


def test_the_old_directory_comes_back_when_the_new_one_cannot_be_moved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "out"
    target.mkdir()
    (target / "run.json").write_text("old")
    rename = Path.rename

    def refuse(path: Path, place: Path) -> Path:
        if path.name.endswith(".part"):
            raise OSError(13, "Permission denied")
        return rename(path, place)

    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(CommandError, match="Permission denied"), whole_directory(target):
        pass
    assert (names(tmp_path), (target / "run.json").read_text()) == (["out"], "old")


def test_a_link_to_a_directory_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    with whole_directory(tmp_path / "link") as part:
        (part / "run.json").write_text("{}")
    assert (tmp_path / "link").is_symlink()
    assert names(tmp_path / "real") == ["run.json"]
