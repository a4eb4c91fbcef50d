"""A gap measured and told: the parts of a hand-made one, a whole measurement, and the Markdown made from records."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks import gap, gap_report
from benchmarks.allocation_report import TARGETS
from benchmarks.gap_parts import OwnMinimum, Split
from benchmarks.inputs import NAMED_SEED
from benchmarks.results import Record, Records
from services.run_service.domain.options import parse_options
from services.run_service.engine.frames import RunInputs
from tests.instances.named import knapsack_of_six
from tests.instances.rows import AS_OF, desk, loan, trade


def two_that_do_not_fit() -> RunInputs:
    """T1 has room for 100,000 and is owed nothing; two loans of 60,000 gain a point there: 600 of the relaxation's 1,000."""
    return desk(loan("A", 60_000), loan("B", 60_000), trade("T1", 50_000, tolerance=1))


def parts(*of_trade: float) -> Split:
    none = np.zeros(0, dtype=np.int64)
    return Split(np.zeros(0), none, none, np.array(of_trade), 0.0)


def test_every_input_with_a_relaxation_is_split() -> None:
    assert {kind.name for kind in gap.KINDS} == TARGETS.keys()


def test_what_no_allocation_reaches_is_integrality_and_what_is_left_is_the_rest() -> None:
    minima = [OwnMinimum(0, 3, 20.0, True), OwnMinimum(2, 5, 10.0, True)]
    told = gap.three_parts(900.0, 1_000.0, 1_000.0, minima)
    assert (told["gap"], told["bound_over_lp"], told["integrality"], told["rest"]) == (100, 0, 30, 70)
    # a bound 5 over the relaxation: 25 of the 30 are under its optimum
    told = gap.three_parts(900.0, 1_005.0, 1_000.0, minima)
    assert (told["gap"], told["bound_over_lp"], told["integrality"], told["rest"]) == (105, 5, 25, 75)
    # a bound too far over it to say anything
    told = gap.three_parts(900.0, 1_050.0, 1_000.0, minima)
    assert (told["gap"], told["bound_over_lp"], told["integrality"], told["rest"]) == (150, 50, 0, 100)


def test_trades_are_counted_until_their_share_is_reached() -> None:
    assert gap.trades_of(parts(1, 70, 9, 20), 0.9) == 2
    assert gap.trades_of(parts(1, 69, 10, 20), 0.9) == 3
    assert gap.trades_of(parts(100), 0.9) == 1


@pytest.mark.timeout(120)
def test_a_measured_gap_by_hand() -> None:
    record = gap.measure(two_that_do_not_fit(), parse_options({"time_limit": "1"}, AS_OF))
    assert record["bound_kind"] == "LP"
    assert record["lp_gain"] == pytest.approx(1_000)
    assert record["gain"] == pytest.approx(600)
    assert record["gap"] == pytest.approx(400, abs=0.01)
    assert record["bound_over_lp"] == pytest.approx(0, abs=0.01)
    assert record["integrality"] == pytest.approx(400, abs=0.51)
    assert record["integrality"] + record["rest"] == pytest.approx(400, abs=0.01)
    assert (record["trades_of_most"], record["solved"], record["unsolved"]) == (1, 1, 0)
    (worst,) = record["worst"]
    assert (worst["trade_id"], worst["instrument"], worst["lo"], worst["hi"]) == ("T1", "X", 0, 100_000)
    assert (worst["fill"], worst["members"], worst["near"]) == (60_000, 1, 2)
    assert worst["part"] == pytest.approx(400, abs=0.01)


@pytest.mark.timeout(120)
def test_parts_that_do_not_sum_up_to_the_gap_are_not_published(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gap, "split_gap", lambda problem, bound, taken: parts(1e6))
    with pytest.raises(ArithmeticError, match="sum up"):
        gap.measure(knapsack_of_six(), parse_options({"time_limit": "1"}, AS_OF))


def record(**figures: object) -> Record:
    told = gap.three_parts(999_000.0, 1_000_000.0, 1_000_000.0, [OwnMinimum(0, 3, 400.0, True)])
    worst = {
        "trade_id": "T7", "instrument": "30 FNMA 6.0", "lo": 9e5, "hi": 1.1e6, "fill": 950_000.5, "members": 3, "near": 4,
        "part": 500.0, "own_minimum": 400.0,
    }  # fmt: skip
    counted = {"left_out": 100.0, "trade_count": 9, "trades_of_most": 2, "solved": 5, "unsolved": 1, "unasked": 2.5}
    return {"input": "demo", "seed": NAMED_SEED, "what": "10s", **told, **counted, "worst": [worst], **figures}


def test_rows(tmp_path: Path) -> None:
    records = Records("gap", tmp_path)
    records.put(record(), "code")
    records.put(record(seed=1, unasked=1.0, bound_over_lp=-1e-9), "code")
    lines = gap_report.report(gap.KINDS, records)
    rows = [line.strip("| ").split(" | ") for line in lines if line.startswith("| demo")]
    second, first, worst = rows
    assert first[2:] == [
        "99.900 %", "$1,000.00", "$0.00", "$400.00", "99.960 %", "99.98 %", "$600.00 ($100.00)", "2 of 9",
    ]  # fmt: skip
    assert (first[1], second[1], second[4]) == (str(NAMED_SEED), "1", "$0.00")
    assert worst == ["demo", "T7", "30 FNMA 6.0", "900,000 to 1,100,000", "950,000", "3", "4", "$500.00", "$400.00"]
    text = "\n".join(lines)
    assert "10 knapsacks, of trades with over a dollar of the gap; 2 ended at the limit of nodes" in text
    assert "together have $2.50 of a gap at most" in text
