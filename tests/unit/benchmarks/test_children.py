"""A measured process: its JSON, its memory, its failure."""

import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks import children
from benchmarks.children import ChildError, run_child
from benchmarks.peers.model import Model

HIGHS = "benchmarks.peers.highs"


@pytest.fixture
def model(tmp_path: Path) -> Path:
    none = np.zeros(0, dtype=np.int64)
    one = np.array([100_000])
    Model(one, one, one, np.array([10**8]), np.array([0, 1]), np.array([0]), np.array([10**8])).save(tmp_path / "model.npz")
    Model(none, none, none, none, np.zeros(1, dtype=np.int64), none, none).save(tmp_path / "empty.npz")
    return tmp_path / "model.npz"


def test_a_child_gives_its_result_and_its_peak(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    measured = run_child(Path(sys.executable), HIGHS, [model, "lp"])
    assert measured.result["lp_gain"] == pytest.approx(20.0)
    assert "peak_kib" not in measured.result
    monkeypatch.setattr(children, "GNU_TIME", None)
    itself = run_child(Path(sys.executable), HIGHS, [model, "lp"])
    assert itself.peak_by == "VmHWM"
    assert itself.peak_gib == pytest.approx(measured.peak_gib, rel=0.2)
    assert 0.01 < itself.peak_gib < 0.2


def test_a_child_that_fails_is_told_with_its_words(tmp_path: Path) -> None:
    with pytest.raises(ChildError, match="No such file or directory"):
        run_child(Path(sys.executable), HIGHS, [tmp_path / "absent.npz", "lp"])
