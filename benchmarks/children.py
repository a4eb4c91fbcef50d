"""A measured thing in a process of its own: what it printed as JSON, and its peak memory."""

import json
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.results import ROOT

GNU_TIME = shutil.which("time")
"""The Debian package `time`; the shell's keyword of that name is none."""


@dataclass(frozen=True)
class Measurement:
    """What the process printed on its last line, and the most memory it held at one time."""

    result: dict[str, Any]
    peak_gib: float
    peak_by: str
    """What measured the memory."""


class ChildError(Exception):
    """The process failed; the text is what it said."""


def run_child(python: Path, module: str, arguments: Sequence[str | Path]) -> Measurement:
    """Execute `python -m module` from the project's root. Its last line of output is one JSON object with a `peak_kib`.

    The peak is GNU time's where that is installed, else the process's own VmHWM. Raises ChildError.
    """
    with tempfile.TemporaryDirectory(prefix="powerfill-benchmark-") as directory:
        report = Path(directory) / "peak"
        clock = [GNU_TIME, "--format", "%M", "--output", str(report)] if GNU_TIME else []
        command = [*clock, str(python), "-m", module, *map(str, arguments)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        if done.returncode:
            raise ChildError(f"{' '.join(command)} exited with {done.returncode}\n{done.stdout}{done.stderr}")
        result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        own_kib: int = result.pop("peak_kib")
        peak_kib = int(report.read_text().split()[-1]) if GNU_TIME else own_kib
    return Measurement(result, peak_kib / 2**20, "GNU time" if GNU_TIME else "VmHWM")
