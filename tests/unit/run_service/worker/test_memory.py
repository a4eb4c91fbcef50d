"""What a worker gives back between two jobs."""

import gc
import sys
from pathlib import Path

import numpy as np
import pytest

from services.run_service.worker.memory import let_go_of_memory

PIECES, PIECE_BYTES = 1_500, 100_000


def resident_bytes() -> int:
    """The memory this process holds."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmRSS:"))
    return int(line.split()[1]) * 1024


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")
def test_freed_pieces_under_one_in_use_are_given_back() -> None:
    pieces = [np.ones(PIECE_BYTES, dtype=np.int8) for _ in range(PIECES)]
    in_use = pieces[-1]
    pieces.clear()
    gc.collect()
    held = resident_bytes()
    let_go_of_memory()
    assert held - resident_bytes() > 0.8 * PIECES * PIECE_BYTES
    assert in_use.sum() == PIECE_BYTES


def test_it_does_no_harm_where_the_c_library_has_no_such_call(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "elsewhere")
    let_go_of_memory()
