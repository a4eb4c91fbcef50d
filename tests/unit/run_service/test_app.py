"""What the composition root itself provides."""

import itertools
import time
import uuid

from services.run_service.app import TimeOrderedIds


def test_ids_are_uuids_that_no_two_share_and_that_sort_by_their_time() -> None:
    ids = TimeOrderedIds()
    made = []
    for _ in range(5):
        made.append([ids.new_id() for _ in range(200)])
        time.sleep(0.002)
    parsed = [uuid.UUID(one) for group in made for one in group]
    assert {(one.version, one.variant) for one in parsed} == {(7, uuid.RFC_4122)}
    assert len(set(parsed)) == 1000
    assert all(max(group) < min(following) for group, following in itertools.pairwise(made))
    assert abs((parsed[-1].int >> 80) / 1000 - time.time()) < 5


def test_ids_have_the_length_of_their_column() -> None:
    assert len(TimeOrderedIds().new_id()) == 36
