"""The memory of a process and of all that come from it."""

import subprocess
import sys

from benchmarks.memory import peak_kib
from benchmarks.whole_runs import tree

PARENT = """\
import subprocess, sys
program = "import sys; held = bytearray(100 << 20); del held; print(1, flush=True); sys.stdin.read()"
child = subprocess.Popen([sys.executable, "-c", program])
child.wait()
"""


def test_the_children_of_children_count_with_the_most_they_held() -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        parent, child = tree(process.pid)
        assert parent == process.pid
        assert peak_kib(parent) < 100 << 10 <= peak_kib(child)
        process.communicate(b"")
