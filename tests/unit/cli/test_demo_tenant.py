"""The demo's directory: its own files alone are ever removed."""

import datetime as dt
from pathlib import Path

import pytest

from cli.demo.tenant import MARK, DemoTenant, default_home
from cli.exit_codes import UsageError


def made(home: Path, *, loaded: bool = True) -> DemoTenant:
    home.mkdir()
    (home / MARK).write_text(f'{{"as_of_date": "2026-04-17", "loaded": {str(loaded).lower()}}}')
    (home / "tables").mkdir()
    (home / "tables" / "loan.parquet").write_text("")
    (home / "demo.db").write_text("")
    return DemoTenant(home)


def test_a_new_directory(tmp_path: Path) -> None:
    tenant = DemoTenant(tmp_path / "a" / "b")
    assert tenant.as_of is None
    assert not tenant.clear()
    assert [path.name for path in tenant.home.iterdir()] == [MARK]


def test_an_earlier_demo_is_removed_and_what_the_user_put_beside_it_is_not(tmp_path: Path) -> None:
    tenant = made(tmp_path / "demo")
    (tenant.home / "demo-export").mkdir()
    assert tenant.as_of == dt.date(2026, 4, 17)
    assert tenant.clear()
    assert sorted(path.name for path in tenant.home.iterdir()) == ["demo-export", MARK]
    assert tenant.as_of is None
    assert not tenant.clear()


def test_a_demo_that_was_interrupted_is_no_tenant_to_keep(tmp_path: Path) -> None:
    assert made(tmp_path / "demo", loaded=False).as_of is None


def test_a_stranger_s_directory_is_refused_untouched(tmp_path: Path) -> None:
    (tmp_path / "demo.db").write_text("theirs")
    with pytest.raises(UsageError, match="is not empty and holds no demo"):
        DemoTenant(tmp_path).clear()
    assert (tmp_path / "demo.db").read_text() == "theirs"
    with pytest.raises(UsageError, match="is a file"):
        DemoTenant(tmp_path / "demo.db").clear()


def test_the_default_is_a_directory_in_the_home_or_the_home_of_a_demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POWERFILL_HOME", str(tmp_path / "home"))
    assert default_home() == tmp_path / "home" / "demo"
    monkeypatch.setenv("POWERFILL_HOME", str(made(tmp_path / "earlier").home))
    assert default_home() == tmp_path / "earlier"
