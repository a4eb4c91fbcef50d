"""The environment of no user: no server, no registry, no width of a terminal that happens to be there."""

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def nobodys_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("POWERFILL_SERVER", "POWERFILL_REPORT_SERVER", "POWERFILL_REGISTRY", "COLUMNS", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("POWERFILL_HOME", str(tmp_path / "home"))
