"""A few rounds of the benchmark's chaos, so that it stays true."""

import pytest

from tests.benchmarks.chaos.virtual import VirtualRound


@pytest.mark.parametrize("number", range(6))
def test_hosts_that_live_complete_whatever_happens_to_the_others(number):
    played = VirtualRound(f"ci {number}", hosts=30)
    assert played.play() == [], played.faults


def test_an_edge_that_changes_leaves_its_link_through_ssh_what_it_is() -> None:
    """A tree that was split in two twice at once gave up a host as isolated."""
    assert VirtualRound("x 37", hosts=30).play() == []
