"""How many uploads keep the line busy, by how long offers wait for an answer."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetpush.swarm.pace import MOST_BUNDLES, RECENT, Pace

SLOTS, EVERY = 3, 0.03


def paced(answer: float, every: float = EVERY, bundle: int = 1, streams: int = 3 * RECENT) -> Pace:
    """After streams that ended ``every`` so many seconds, and offers answered after ``answer``."""
    pace = Pace(SLOTS * bundle, bundle)
    for i in range(streams):
        pace.answered(answer)
        pace.ended(i * every)
    return pace


def test_offers_that_are_answered_at_once_leave_the_slots_as_they_are():
    assert paced(0.001).slots == SLOTS


def test_the_longer_an_offer_takes_the_more_slots_there_are():
    found = [paced(answer).slots for answer in (0.02, 0.04, 0.06, 0.1)]
    assert found == sorted(set(found))
    assert found[-1] >= 2 * 0.1 / EVERY, "the line is kept busy twice over"


def test_nothing_is_widened_before_there_is_enough_to_go_by():
    assert paced(1.0, streams=RECENT - 1).slots == SLOTS
    unanswered = Pace(SLOTS, 1)
    for i in range(3 * RECENT):
        unanswered.ended(i * EVERY)
    assert unanswered.slots == SLOTS


def test_slots_come_back_when_the_path_is_short_again():
    pace = paced(0.2)
    assert pace.slots > SLOTS
    for i in range(RECENT):
        pace.answered(0.001)
        pace.ended(10 + i * EVERY)
    assert pace.slots == SLOTS


def test_one_answer_that_took_long_changes_nothing():
    pace = paced(0.001)
    pace.answered(60.0)
    pace.ended(3 * RECENT * EVERY)
    assert pace.slots == SLOTS


@pytest.mark.parametrize("bundle", [1, 4])
@given(st.lists(st.tuples(st.floats(0, 60), st.floats(0, 60)), max_size=4 * RECENT))
def test_there_are_never_fewer_than_at_first_nor_more_than_can_be_kept_track_of(bundle, steps):
    pace, now = Pace(SLOTS * bundle, bundle), 0.0
    for answer, pause in steps:
        now += pause
        pace.answered(answer)
        pace.ended(now)
        assert SLOTS * bundle <= pace.slots <= MOST_BUNDLES * bundle
