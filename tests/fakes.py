"""Stand-ins for what a worker process executes: a pipeline that does as a file beside the registry says.

Each run reads `behaviour.txt` anew; no file means that it succeeds at once. Worker processes import this module by name.
"""

import functools
import os
import time
from collections.abc import Mapping
from decimal import Decimal
from multiprocessing.connection import Connection
from pathlib import Path

import polars as pl

from services.run_service.domain.errors import InputError
from services.run_service.domain.findings import Code, warning
from services.run_service.domain.options import RunOptions
from services.run_service.domain.run import Step
from services.run_service.engine.frames import OUTPUT_TABLES, RunInputs
from services.run_service.engine.progress import Progress
from services.run_service.engine.result import RunResult
from services.run_service.engine.stop import Stop
from services.run_service.worker.process import WorkerSettings, serve_jobs

BEHAVIOUR = "behaviour.txt"
PREPARATIONS = "preparations.txt"
PREPARING_S = 1.0
STEPS = (Step.BX_SETTLE_AND_PRICE, Step.CANDIDATE_BUILDER, Step.ALLOCATION, Step.POOL_GUIDE, Step.UE)


def behave(directory: Path, behaviour: str) -> None:
    """What pipelines do from now on.

    `wait` for the stop, `hang` whatever is asked, `die`, `die once`, `break`, `refuse`, `sleep S`, write `rows N`, or
    `rows N twice`: the last of them a second time.
    """
    (directory / BEHAVIOUR).write_text(behaviour)


def fake_work(connection: Connection, settings: WorkerSettings) -> None:
    """A worker process with the pipeline of this module."""
    directory = settings.registry_path.parent
    serve_jobs(connection, settings, functools.partial(fake_pipeline, directory), lambda: None)


def slow_work(connection: Connection, settings: WorkerSettings) -> None:
    """A worker process that takes a while to prepare, and notes beside the registry when it began and ended that."""
    directory = settings.registry_path.parent

    def prepare() -> None:
        _note(directory, "begin")
        time.sleep(PREPARING_S)
        _note(directory, "end")

    serve_jobs(connection, settings, functools.partial(fake_pipeline, directory), prepare)


def broken_work(connection: Connection, settings: WorkerSettings) -> None:
    """A worker process that ends before it is ready."""
    os._exit(3)


def preparations(directory: Path) -> list[str]:
    """What slow workers noted, in order."""
    path = directory / PREPARATIONS
    return path.read_text().split() if path.exists() else []


def fake_pipeline(directory: Path, inputs: RunInputs, options: RunOptions, progress: Progress, stop: Stop) -> RunResult:
    """The steps and events of a run, and what the behaviour says in step 4."""
    path = directory / BEHAVIOUR
    words = path.read_text().split() if path.exists() else []
    for step in STEPS:
        stop.checkpoint()
        progress.step_started(step)
        if step == Step.ALLOCATION:
            progress.warning(warning(Code.DATA_QUALITY, "loan", "loans without a rate", ["L1"]))
            progress.pass_completed("exact_fit", Decimal("10.00"), Decimal("10.50"), 1)
            _misbehave(words, path, progress, stop)
        progress.step_completed(step, 1)
    row_count = int(words[1]) if words[:1] == ["rows"] else 2
    tables = _tables(row_count, words[2:] == ["twice"])
    return RunResult(tables, {"value": "10.00", "allocated_count": row_count}, inputs.tables["loan"]["loan_id"])


def _note(directory: Path, word: str) -> None:
    with (directory / PREPARATIONS).open("a") as file:
        file.write(f"{word}\n")


def _misbehave(words: list[str], path: Path, progress: Progress, stop: Stop) -> None:
    match words:
        case ["wait"]:
            while True:
                stop.checkpoint()
                progress.step_progress(Step.ALLOCATION, 0.5, "waiting for the stop")
                time.sleep(0.01)
        case ["hang"]:
            time.sleep(600)
        case ["die"]:
            os._exit(9)
        case ["die", "once"]:
            path.unlink()
            os._exit(9)
        case ["break"]:
            raise ZeroDivisionError("password=hunter2 in a message nobody may see")
        case ["refuse"]:
            raise InputError("loan L1 has no amount; correct it")
        case ["sleep", seconds]:
            time.sleep(float(seconds))


def _tables(row_count: int, last_is_twice: bool) -> dict[str, pl.DataFrame]:
    """Every table empty but the log and the candidates."""
    numbers = pl.int_range(1, row_count + 1, eager=True)
    loan_ids = pl.select(pl.format("L{}", numbers)).to_series()
    candidates = pl.DataFrame({"loan_id": loan_ids, "trade_id": "T1", "rank": numbers})
    given = {
        "pfill_loan2trade_candy_level_01": pl.concat([candidates, candidates.tail(1)]) if last_is_twice else candidates,
        "pfill_powerfill_log": pl.DataFrame({"sequence": [1], "step": "ue", "severity": "INFO", "code": "STEP"}),
    }
    return {name: _whole(given.get(name, pl.DataFrame()), schema) for name, schema in OUTPUT_TABLES.items()}


def _whole(rows: pl.DataFrame, schema: Mapping[str, pl.DataType]) -> pl.DataFrame:
    missing = [pl.Series(column, [None] * rows.height) for column in schema if column not in rows.columns]
    return rows.with_columns(missing).select(pl.col(column).cast(dtype) for column, dtype in schema.items())
