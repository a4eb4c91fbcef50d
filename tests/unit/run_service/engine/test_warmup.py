"""After the warm-up nothing is left to compile: a first run brings no kernel a type of argument that it has not seen."""

import json
import subprocess
import sys

SCRIPT = """
import datetime as dt, importlib, json, pkgutil
from numba.core.registry import CPUDispatcher
import services.run_service.engine as engine
from cli.demo.generate import demo_tables
from services.run_service.domain.options import parse_options
from services.run_service.engine.frames import RunInputs, conform, empty_inputs
from services.run_service.engine.pipeline import run_pipeline
from services.run_service.engine.progress import Progress
from services.run_service.engine.stop import Stop
from services.run_service.engine.warmup import warm_up

def compiled():
    modules = [importlib.import_module(found.name) for found in pkgutil.walk_packages(engine.__path__, engine.__name__ + ".")]
    return {
        f"{kernel.__module__}.{kernel.__name__}": [str(signature) for signature in kernel.signatures]
        for module in modules for kernel in vars(module).values() if isinstance(kernel, CPUDispatcher)
    }

warm_up()
before = compiled()
as_of = dt.date(2026, 4, 17)
tables = empty_inputs() | {name: conform(name, frame)[0] for name, frame in demo_tables(as_of).items()}
for chosen in ({"strategy": "PASSES", "bx_price_floor": "99"}, {"work_limit": 0}):
    run_pipeline(RunInputs(tables), parse_options({**chosen, "time_limit": None}, as_of), Progress(), Stop())
print(json.dumps([before, compiled()]))
"""


def test_a_first_run_of_the_demo_compiles_nothing() -> None:
    run = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    before, after = json.loads(run.stdout)
    assert sum(len(signatures) for signatures in before.values()) > 20
    assert after == before
