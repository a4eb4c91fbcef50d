"""The model that other solvers get is the engine's, they reach its best value, and what they reach is judged exactly."""

from collections.abc import Callable
from decimal import Decimal
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from benchmarks.engine_run import allocation_model
from benchmarks.peers import highs
from benchmarks.peers.cp_sat import integer_model
from benchmarks.peers.model import Model, judged
from services.run_service.domain.options import parse_options
from services.run_service.engine.frames import RunInputs
from tests.instances.execute import run
from tests.instances.named import BEST_VALUES
from tests.instances.rows import AS_OF

Instance = Callable[[], RunInputs]


def by_every_assignment(model: Model) -> tuple[float, list[int]]:
    """The best gain of all that keep the rules, and the candidates taken."""
    choices = [[None, *range(first, last)] for first, last in zip(model.start[:-1], model.start[1:], strict=True)]
    best: tuple[float, list[int]] = (-np.inf, [])
    for taken in product(*choices):
        candidates = [c for c in taken if c is not None]
        if not model.violation(np.array(candidates, dtype=np.int64)):
            best = max(best, (model.gain(np.array(candidates, dtype=np.int64)), candidates))
    return best


@pytest.mark.parametrize("instance", BEST_VALUES, ids=lambda instance: str(instance.__name__))
def test_the_best_of_the_model_is_the_best_of_the_instance(instance: Instance) -> None:
    tables = instance()
    model = allocation_model(tables, parse_options({}, AS_OF))
    gain = Decimal(BEST_VALUES[instance]) - Decimal(run(tables).summary["baseline_value"])
    assert by_every_assignment(model)[0] == pytest.approx(float(gain), abs=0.01)
    solved = highs.whole_loans(model, 10.0)
    assert solved["gain"] == pytest.approx(float(gain), abs=0.01)
    assert solved["violation"] == ""
    assert solved["mip_bound_gain"] == pytest.approx(float(gain), rel=1e-4, abs=0.01)
    assert highs.relaxation(model)["lp_gain"] >= float(gain) - 0.01


@pytest.mark.parametrize("instance", BEST_VALUES, ids=lambda instance: str(instance.__name__))
def test_integer_coefficients_keep_the_best(instance: Instance) -> None:
    """The gain counted in integers, 1e-7 dollars, is the exact one but for the cents of the shortfalls and a rounding each."""
    model = allocation_model(instance(), parse_options({}, AS_OF))
    gain, taken = by_every_assignment(model)
    whole = integer_model(model)
    fill = np.zeros(len(model.room_lo), dtype=np.int64)
    np.add.at(fill, model.trade[taken], model.cents[taken])
    short = -(-np.maximum(0, model.room_lo - fill) // 100)
    saved = whole.shortfall_cost * (whole.most_short - short)
    assert (whole.gain[taken].sum() + saved.sum()) / 1e7 == pytest.approx(gain, abs=0.01)
    assert (short <= whole.most_short).all()


def model_of_two() -> Model:
    """Two loans of $1,000 and one trade with room for one: $900 at the least, 2 points a dollar short of it; 1 and 3 points."""
    return Model(
        amount=np.array([100_000, 100_000]),
        room_lo=np.array([90_000]),
        room_hi=np.array([110_000]),
        pair_off=np.array([2 * 10**8]),
        start=np.array([0, 1, 2]),
        trade=np.array([0, 0]),
        points=np.array([1 * 10**8, 3 * 10**8]),
    )


def test_gain_and_rules_by_hand() -> None:
    model = model_of_two()
    assert judged(model, np.array([], dtype=np.int64)) == {"gain": 0.0, "violation": "", "taken": 0}
    assert judged(model, np.array([1])) == {"gain": 30.0 + 18.0, "violation": "", "taken": 1}
    assert judged(model, np.array([0, 1]))["violation"] == "a trade is 90000 cents over its band"
    assert judged(model, np.array([0, 0]))["violation"] == "a loan goes to two trades"
    assert judged(model, None) == {"gain": None, "violation": "", "taken": 0}
    assert highs.relaxation(model)["lp_gain"] == pytest.approx(30.0 + 1.0 + 18.0)


def test_a_model_survives_its_file(tmp_path: Path) -> None:
    model = model_of_two()
    model.save(tmp_path / "model.npz")
    loaded = Model.load(tmp_path / "model.npz")
    assert loaded.loan.tolist() == [0, 1]
    assert judged(loaded, np.array([1])) == judged(model, np.array([1]))
