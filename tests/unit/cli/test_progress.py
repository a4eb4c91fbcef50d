"""The events, one after the other, give the picture of the run."""

from decimal import Decimal

from powerfill.common.v1.run_status_pb2 import RunStatus
from powerfill.run.v1.run_pb2 import Step

from cli.progress import DONE, FAILED, SKIPPED, STEPS, WAITING, WORKING, RunProgress, step_name
from services.run_service.domain.run import Step as DomainStep
from tests.unit.cli import events


def after(count: int) -> RunProgress:
    progress = RunProgress()
    for event in events.whole_run()[:count]:
        progress.apply(event)
    return progress


def test_steps_are_those_of_the_run_service_in_its_order() -> None:
    assert [step_name(step) for step in STEPS] == list(DomainStep)


def test_a_step_at_work() -> None:
    progress = after(4)
    step = progress.steps["read_inputs"]
    assert (step.state, step.fraction, step.message, step.started_s) == (WORKING, 0.5, "reading loan", 2.0)
    assert (progress.status, progress.elapsed_s, progress.last_sequence) == ("PRE_PROCESSING", 3.0, 4)
    assert progress.steps["ue"].state == WAITING


def test_the_end() -> None:
    progress = after(99)
    assert progress.run_id == events.RUN_ID
    assert [progress.steps[name].state for name in ("read_inputs", "bx_cash_grids", "allocation")] == [DONE, SKIPPED, DONE]
    assert progress.steps["allocation"].duration_s == 3.0
    assert (progress.value, progress.upper_bound, progress.gap) == (Decimal("150.00"), Decimal("160.00"), Decimal("10.00"))
    assert (progress.phase, progress.allocated_count) == ("improve", 4)
    assert progress.warnings == {"DATA_QUALITY": 1}
    assert progress.status == "COMPLETE"
    assert progress.finished is not None


def test_a_value_without_a_bound_has_no_gap() -> None:
    progress = after(10)
    assert (progress.value, progress.upper_bound, progress.gap) == (Decimal("100.00"), None, None)


def test_another_attempt_begins_again() -> None:
    progress = after(11)
    progress.apply(events.event(12, attempt=2, **events.started(Step.STEP_READ_INPUTS)))
    assert (progress.attempt, progress.value, progress.allocated_count) == (2, None, 0)
    assert progress.steps["read_inputs"].state == WORKING
    assert progress.steps["allocation"].state == WAITING


def test_a_failure() -> None:
    progress = after(9)
    progress.apply(events.event(10, **events.failed(Step.STEP_ALLOCATION, "no memory")))
    progress.apply(events.event(11, **events.finished(RunStatus.RUN_STATUS_FAILED, "allocation", "no memory")))
    assert progress.steps["allocation"].state == FAILED
    assert progress.status == "FAILED"
    assert progress.finished is not None
    assert progress.finished.failure.step == "allocation"
