"""The pipeline: its steps in order, progress on the way, and a cancel at every place that takes time."""

import time
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from services.run_service.domain.findings import Finding
from services.run_service.domain.options import parse_options
from services.run_service.domain.run import Step
from services.run_service.engine.frames import RunInputs
from services.run_service.engine.opening import open_book
from services.run_service.engine.optimise.bound import prove_bound
from services.run_service.engine.optimise.improvement import improve
from services.run_service.engine.optimise.passes import run_passes
from services.run_service.engine.optimise.value import nothing
from services.run_service.engine.pipeline import STEPS, run_pipeline
from services.run_service.engine.pricing import Pricer
from services.run_service.engine.progress import Progress
from services.run_service.engine.steps.candidates import build_candidates
from services.run_service.engine.stop import RunCancelledError, Stop
from shared.money import Int64Array
from tests.instances.execute import posed
from tests.instances.named import chain_over_three_trades, knapsack_of_six
from tests.instances.rows import AS_OF, constraint, curve, desk, instrument, loan, posting, today, trade


class Recorder(Progress):
    """Keeps what is told, each as (what, about which, value)."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str, Any]] = []

    def step_started(self, step: Step) -> None:
        self.told.append(("started", step, None))

    def step_progress(self, step: Step, fraction: float, message: str, counters: Mapping[str, int] | None = None) -> None:
        self.told.append(("progress", step, fraction))

    def step_completed(self, step: Step, row_count: int) -> None:
        self.told.append(("completed", step, row_count))

    def step_skipped(self, step: Step, reason: str) -> None:
        self.told.append(("skipped", step, reason))

    def pass_completed(self, name: str, value: Decimal, upper_bound: Decimal | None, allocated_count: int) -> None:
        self.told.append(("pass", name, (value, upper_bound, allocated_count)))

    def warning(self, finding: Finding) -> None:
        self.told.append(("warning", finding.code, finding.count))

    def of(self, what: str) -> list[tuple[str, Any]]:
        """What was told of one kind."""
        return [(about, value) for kind, about, value in self.told if kind == what]


def crowd(loans: int, trades: int) -> RunInputs:
    """Loans of every size and rate for trades that have room for half of them."""
    rng = np.random.default_rng(7)
    amounts, notes = rng.integers(50_000, 400_000, loans).tolist(), rng.integers(0, 1_000_000, loans).tolist()
    return desk(
        *(loan(f"L{k:05}", amounts[k], note=f"6.{notes[k]:06}", closed=-(k % 50)) for k in range(loans)),
        *(trade(f"T{k:03}", sum(amounts) // (2 * trades), price=100 + k % 7, settles=5 + k % 50) for k in range(trades)),
        instrument("X", coupon=6, buyup=1),
        today(99),
        curve("0.9"),
    )


def told_by(tables: RunInputs, **options: object) -> Recorder:
    recorder = Recorder()
    run_pipeline(tables, parse_options({"time_limit": None, **options}, AS_OF), recorder, Stop())
    return recorder


class TestProgress:
    """What leaves the engine, in order."""

    @pytest.mark.parametrize("strategy", ["PASSES", "OPTIMAL"])
    def test_the_steps_come_in_their_order_each_started_and_completed(self, strategy: str) -> None:
        recorder = told_by(knapsack_of_six(), strategy=strategy, bx_price_floor=1)
        steps = [(kind, about) for kind, about, _ in recorder.told if kind in ("started", "completed", "skipped")]
        assert steps == [(kind, step) for step in STEPS for kind in ("started", "completed")]

    def test_without_a_floor_the_first_step_says_it_is_skipped(self) -> None:
        recorder = told_by(knapsack_of_six())
        assert recorder.of("skipped") == [(Step.BX_CASH_GRIDS, "no bx_price_floor")]
        assert [step for step, _ in recorder.of("started")] == list(STEPS[1:])

    def test_rows_of_a_step_are_those_of_its_table(self) -> None:
        recorder = told_by(knapsack_of_six(), strategy="PASSES")
        completed = dict(recorder.of("completed"))
        assert completed[Step.CANDIDATE_BUILDER] == 6
        assert completed[Step.BX_SETTLE_AND_PRICE] == 1  # one trade, no cash instrument
        assert completed[Step.ALLOCATION] == completed[Step.POOL_GUIDE] > 0
        assert completed[Step.UE] == 0

    def test_progress_of_a_step_lies_between_its_start_and_its_end_and_grows(self) -> None:
        recorder = told_by(desk(loan("A"), trade("T1"), today(99)))
        kinds = [(kind, about) for kind, about, _ in recorder.told]
        first, last = kinds.index(("started", Step.CANDIDATE_BUILDER)), kinds.index(("completed", Step.CANDIDATE_BUILDER))
        inside = [place for place, told in enumerate(kinds) if told == ("progress", Step.CANDIDATE_BUILDER)]
        assert inside
        assert all(first < place < last for place in inside)
        fractions = [fraction for _, fraction in recorder.of("progress")]
        assert fractions == sorted(fractions)
        assert fractions[-1] == 1

    def test_the_passes_tell_value_and_count_in_order(self) -> None:
        passes = told_by(knapsack_of_six(), strategy="PASSES").of("pass")
        assert [name for name, _ in passes] == ["exact_fit", "best_fit", "fill_remaining", "orphan_handling"]
        assert all(bound is None for _, (_, bound, _) in passes)

    @pytest.mark.parametrize(
        "tables", [chain_over_three_trades(), knapsack_of_six(), crowd(120, 5)], ids=["chain", "six", "crowd"]
    )
    def test_optimal_tells_a_bound_that_holds_and_values_that_never_fall(self, tables: RunInputs) -> None:
        told = told_by(tables, strategy="OPTIMAL", work_limit=1_000_000).of("pass")
        assert [name for name, _ in told][:2] == ["passes", "construct"]
        assert {name for name, _ in told[2:]} == {"improve"}
        assert all(bound is not None for name, (_, bound, _) in told if name != "passes")
        values = [value for name, (value, _, _) in told if name in ("construct", "improve")]
        assert values == sorted(values)
        assert all(value <= bound for _, (value, bound, _) in told if bound is not None)

    def test_strict_tells_every_tier_and_no_bound_before_all_are_known(self) -> None:
        rows = [instrument("X"), instrument("Y"), constraint("CX", 1, on="X"), constraint("CY", 2, on="Y")]
        tables = desk(*rows, *(loan(name) for name in "ABC"), trade("TX"), trade("TY", on="Y"))
        told = told_by(tables, strategy="OPTIMAL", priority_mode="STRICT").of("pass")
        names = [name for name, _ in told]
        assert names[:2] == ["passes", "construct"]
        assert names.count("construct") == 2
        assert set(names[1:]) == {"construct", "improve"}
        assert all(bound is None for _, (_, bound, _) in told)
        assert told[-1][1][2] == 2

    def test_warnings_come_as_they_are_found(self) -> None:
        recorder = told_by(desk(loan("A"), trade("T1"), posting("P", "A")), strategy="PASSES")
        warnings = [(place, about) for place, (kind, about, _) in enumerate(recorder.told) if kind == "warning"]
        started = [place for place, (kind, _, _) in enumerate(recorder.told) if kind == "started"]
        assert [about for _, about in warnings] == ["DATA_QUALITY", "NO_SYNTHETIC_PRICES"]
        assert warnings[0][0] < started[0]
        assert warnings[1][0] > started[-1]


class CancelledAt(Stop):
    """Somebody asks to stop after so many looks at the criterion."""

    def __init__(self, looks: int) -> None:
        self.looks = looks
        self.seen = 0

    def cancelled(self) -> bool:
        self.seen += 1
        return self.seen > self.looks


class TimeIsUp(Stop):
    """The clock ran out at once; remembers what it was told about the limit."""

    def __init__(self) -> None:
        self.limits: list[float | None] = []

    def start_improvement(self, time_limit_s: float | None) -> None:
        self.limits.append(time_limit_s)

    def time_is_up(self) -> bool:
        return bool(self.limits)


class TestCancel:
    """A cancel is seen within moments, wherever the engine is."""

    @pytest.mark.parametrize("strategy", ["PASSES", "OPTIMAL"])
    def test_at_every_look_at_the_criterion(self, strategy: str) -> None:
        # A run looks a number of times; stopped at each of these looks it raises, and never returns a result.
        options = parse_options({"strategy": strategy, "bx_price_floor": 1, "time_limit": None}, AS_OF)
        looks = 0
        while True:
            stop = CancelledAt(looks)
            try:
                run_pipeline(chain_over_three_trades(), options, Progress(), stop)
            except RunCancelledError:
                looks += 1
                continue
            break
        assert looks >= 8

    def test_in_the_candidates(self) -> None:
        book = open_book(crowd(10, 2), parse_options({}, AS_OF), lambda finding: None, Stop())
        with pytest.raises(RunCancelledError):
            build_candidates(book, Pricer(book), Progress(), CancelledAt(0))

    def test_between_the_passes(self) -> None:
        done: list[str] = []

        class AfterTwo(Stop):
            def cancelled(self) -> bool:
                return len(done) == 2

        with pytest.raises(RunCancelledError):
            run_passes(posed(crowd(10, 2)), AfterTwo(), lambda name, allocation: done.append(name))
        assert done == ["exact_fit", "best_fit"]

    @pytest.mark.parametrize("looks", range(8))
    def test_inside_the_passes(self, looks: int) -> None:
        with pytest.raises(RunCancelledError):
            run_passes(posed(crowd(10, 2)), CancelledAt(looks), lambda name, allocation: None)

    def test_inside_the_linear_program(self) -> None:
        # HiGHS would work on this for a second or more; the cancel comes at the first look, 50 ms after its start
        class CancelledNow(Stop):
            asked_at = 0.0

            def cancelled(self) -> bool:
                self.asked_at = self.asked_at or time.perf_counter()
                return True

        problem, stop = posed(crowd(2_000, 60)), CancelledNow()
        with pytest.raises(RunCancelledError):
            prove_bound(problem, stop)
        assert time.perf_counter() - stop.asked_at < 2

    @pytest.mark.parametrize("rounds", [0, 1, 4])
    def test_inside_the_search(self, rounds: int) -> None:
        # the search would go on for many seconds; somebody asks to stop after so many rounds were told
        problem, told = posed(crowd(1_500, 40)), 0

        class AfterSomeRounds(Stop):
            asked_at = 0.0

            def cancelled(self) -> bool:
                if told <= rounds:
                    return False
                self.asked_at = self.asked_at or time.perf_counter()
                return True

        def tell(taken: Int64Array) -> None:
            nonlocal told
            told += 1

        bound, stop = prove_bound(problem, Stop()), AfterSomeRounds()
        starts = [nothing(problem).taken] * 2
        with pytest.raises(RunCancelledError):
            improve(
                problem, starts, bound.room_price, bound.gain, seed=0, work_limit=10**12, stop=stop, on_progress=tell
            )  # fmt: skip
        assert told <= rounds + 3
        assert time.perf_counter() - stop.asked_at < 2

    def test_a_finding_or_a_progress_call_that_raises_ends_the_run(self) -> None:
        class Broken(Progress):
            def warning(self, finding: Finding) -> None:
                raise RunCancelledError

        with pytest.raises(RunCancelledError):
            run_pipeline(desk(loan("A", status="Gone")), parse_options({}, AS_OF), Broken(), Stop())


class TestClock:
    """The engine has no clock: the time limit goes to the criterion, which says when it is up."""

    @pytest.mark.parametrize(("limit", "told"), [("2.5", 2.5), (None, None)])
    def test_the_limit_is_given_to_the_criterion_when_the_improvement_begins(self, limit: str | None, told: float | None) -> None:
        stop = TimeIsUp()
        result = run_pipeline(knapsack_of_six(), parse_options({"time_limit": limit}, AS_OF), Progress(), stop)
        assert stop.limits == [told]
        assert (result.summary["ended_by"], result.summary["work_done"]) == ("TIME_LIMIT", 0)
        assert Decimal(result.summary["value"]) >= Decimal(result.summary["passes_value"])

    def test_a_clock_ends_the_search_soon_after_its_time(self) -> None:
        class Clock(Stop):
            ends_at = float("inf")

            def start_improvement(self, time_limit_s: float | None) -> None:
                self.ends_at = time.perf_counter() + (time_limit_s or 0)

            def time_is_up(self) -> bool:
                return time.perf_counter() > self.ends_at

        stop, recorder = Clock(), Recorder()
        run_pipeline(crowd(1_500, 40), parse_options({"time_limit": "0.5"}, AS_OF), recorder, stop)
        completed = time.perf_counter()
        assert len([name for name, _ in recorder.of("pass") if name == "improve"]) >= 2
        assert completed - stop.ends_at < 3  # steps 5 and 6 and the tables included

    @pytest.mark.parametrize("mode", ["VALUE", "STRICT"])
    def test_the_ending_is_told(self, mode: str) -> None:
        options = {"time_limit": "1", "priority_mode": mode}
        tables = crowd(120, 5)
        by_clock = run_pipeline(tables, parse_options(options, AS_OF), Progress(), TimeIsUp()).summary
        assert (by_clock["ended_by"], by_clock["work_done"]) == ("TIME_LIMIT", 0)
        by_work = run_pipeline(tables, parse_options({**options, "work_limit": 0}, AS_OF), Progress(), Stop()).summary
        assert (by_work["ended_by"], by_work["work_done"]) == ("WORK_LIMIT", 0)
        assert by_work["value"] == by_clock["value"]

    def test_passes_ask_for_no_time(self) -> None:
        stop = TimeIsUp()
        result = run_pipeline(knapsack_of_six(), parse_options({"strategy": "PASSES"}, AS_OF), Progress(), stop)
        assert stop.limits == []
        assert result.summary["ended_by"] is None


def test_inputs_are_not_changed() -> None:
    tables = chain_over_three_trades()
    before = {name: frame.clone() for name, frame in tables.tables.items()}
    run_pipeline(tables, parse_options({}, AS_OF), Progress(), Stop())
    assert all(frame.equals(before[name]) for name, frame in tables.tables.items())
