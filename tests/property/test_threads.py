"""The same answer for any number of threads and cores: whole runs in processes of their own, all tables compared by digest."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
PROGRAM = """
import hashlib
import os
import sys
if sys.argv[1] == "1" and hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})  # as many threads as ever, all on one core
from cli.demo.generate import demo_tables
from services.run_service.domain.options import parse_options
from services.run_service.engine.frames import INPUT_TABLES, RunInputs, conform, empty_inputs
from services.run_service.engine.pipeline import run_pipeline
from services.run_service.engine.progress import Progress
from services.run_service.engine.stop import Stop
from tests.instances.rows import AS_OF

given = demo_tables(AS_OF, loans=500, open_trades=20, trades=120, pools=80)
tables = empty_inputs() | {name: conform(name, given[name])[0] for name in INPUT_TABLES if name in given}
options = parse_options({"time_limit": None, "work_limit": 3_000_000}, AS_OF)
result = run_pipeline(RunInputs(tables), options, Progress(), Stop())
for name, frame in sorted(result.tables.items()):
    print(name, len(frame), hashlib.sha256(frame.write_json().encode()).hexdigest())
print(sorted(result.summary.items()))
"""


def answer(threads: int) -> str:
    count = str(threads)
    environment = os.environ | {
        "POLARS_MAX_THREADS": count,
        "NUMBA_NUM_THREADS": count,
        "OMP_NUM_THREADS": count,
        "PYTHONHASHSEED": count,
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "shared" / "gen")]),
    }
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, count], env=environment, capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_one_thread_on_one_core_and_two_on_all_give_the_same_tables_and_summary() -> None:
    one, two = answer(1), answer(2)
    assert "pfill_powerfill_guide" in one
    assert one == two
