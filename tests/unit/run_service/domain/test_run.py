"""The states of a run and the transitions between them (specification 02 section 3)."""

import pytest

from services.run_service.domain.run import ACTIVE, STATUS_OF_STEP, TERMINAL, RunStatus, Step, is_legal

FORWARD = ["PENDING", "PRE_PROCESSING", "ALLOCATING", "POST_PROCESSING", "COMPLETE"]


def test_every_state_is_active_or_terminal() -> None:
    assert set(ACTIVE) | set(TERMINAL) == set(RunStatus)
    assert not set(ACTIVE) & set(TERMINAL)
    assert list(ACTIVE) == FORWARD[:-1]


@pytest.mark.parametrize("before", RunStatus)
@pytest.mark.parametrize("after", RunStatus)
def test_a_run_goes_forward_one_step_or_ends_or_starts_again(before: RunStatus, after: RunStatus) -> None:
    if before in TERMINAL:
        wanted = False
    elif after in ("FAILED", "CANCELLED", "PRE_PROCESSING"):
        wanted = True
    else:
        wanted = FORWARD.index(after) == FORWARD.index(before) + 1
    assert is_legal(before, after) is wanted


def test_every_step_belongs_to_a_state_in_their_common_order() -> None:
    assert set(STATUS_OF_STEP) == set(Step)
    states = [FORWARD.index(STATUS_OF_STEP[step]) for step in Step]
    assert states == sorted(states)
    assert {STATUS_OF_STEP[step] for step in (Step.CANDIDATE_BUILDER, Step.ALLOCATION)} == {RunStatus.ALLOCATING}
